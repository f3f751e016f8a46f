"""How far the camera of structure from motion is from the rendered one, and what it says of real footage.

python benchmarks/structure.py [--worlds 3] [--seed 1] [--size 256] [--real]

Of the bench's clean worlds, each along every path: registered frames, the largest error of the camera's place over
what it travels (after one scale), that of its turn in degrees, reliability, and CPU seconds of a clip. Registered
clips only where there are errors. `--real` takes the footage of benchmarks/real_footage.py, whose intrinsics nobody
knows, in its place: the field of view that rewards assume is used. One thread.
"""

import argparse
import os

import cv2
import torch
from torch import Tensor

from worldr1.estimators.structure import PycolmapCamera, Structure
from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.shown import render
from worldr1.evaluate.real_footage import has_parallax, load_clips
from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards.composite import default_intrinsics
from worldr1.rewards.downscaled import shrink_clip
from worldr1.types import Clip
from worldr1.worlds.filmed import PATHS


def errors(found: Structure, true: Tensor) -> tuple[float, float]:
    """The largest errors of place (over the travel) and turn (degrees) of the registered frames."""
    there = found.registered
    ours, theirs = found.c2w[there], torch.linalg.inv(true[there][:1]) @ true[there]
    a, b = ours[:, :3, 3], theirs[:, :3, 3]
    away = a * ((a * b).sum() / (a * a).sum()) - b
    turn = rotation_angle_deg(ours[:, :3, :3].mT @ theirs[:, :3, :3])
    return float(away.norm(dim=-1).max() / b.norm(dim=-1).max()), float(turn.max())


def seconds() -> float:
    """CPU time of this process and of those that it started."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def timed(camera: PycolmapCamera, video: Tensor, K: Tensor) -> tuple[Structure, float]:
    before = seconds()
    return camera(video, K), seconds() - before


def rendered(worlds: int, seed: int, size: int) -> None:
    camera, config = PycolmapCamera(), BenchConfig(size=size, seed=seed)
    print("| path | world | frames | place | turn | points | reliability | CPU s |\n|---|---|---|---|---|---|---|---|")
    for path in PATHS:
        for i, shown in enumerate(render([clean_scene(config, i, path) for i in range(worlds)], size, size)):
            found, spent = timed(camera, shown.clip.video, shown.truth.camera.K[0])
            row = f"| {path} | {i} | {int(found.registered.sum())}/{found.shown} "
            if bool(found.registered.any()):
                place, turn = errors(found, shown.truth.camera.relative().float())
                row += f"| {place:.3f} | {turn:.2f}° "
            else:
                row += "| – | – "
            print(f"{row}| {found.points} | {found.silent or f'{found.reliability():.2f}'} | {spent:.1f} |", flush=True)


def real(short_side: int) -> None:
    camera = PycolmapCamera()
    print("| clip | parallax | frames | points | reliability | CPU s |\n|---|---|---|---|---|---|")
    for name, video in load_clips(18).items():
        clip = shrink_clip(Clip(torch.from_numpy(video).permute(0, 3, 1, 2).float() / 255), short_side)
        found, spent = timed(camera, clip.video, default_intrinsics(*clip.video.shape[-2:]))
        told = found.silent or f"{found.reliability():.2f}"
        frames = f"{int(found.registered.sum())}/{found.shown}"
        parallax = "yes" if has_parallax(name) else "no"
        print(f"| {name} | {parallax} | {frames} | {found.points} | {told} | {spent:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--real", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if args.real:
        real(args.size)
    else:
        rendered(args.worlds, args.seed, args.size)


if __name__ == "__main__":
    main()
