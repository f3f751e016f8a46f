"""How far recovered depth and camera are from the rendered ones, before and after bundle adjustment.

python benchmarks/bundle.py [--worlds 4] [--seed 7] [--size 128]

Of the bench's clean worlds, each along every path: median absolute error of log depth nearer than 8 m with one scale
per clip, the largest error of the camera's place over what it travels, and that of its turn in degrees. Without
adjustment depth is the network's and the camera a rigid fit. One thread.
"""

import argparse
from collections.abc import Sequence

import torch
from torch import Tensor

from worldr1.estimators.registry import make_depth, make_flow
from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.oracle import Oracle
from worldr1.evaluate.bench.shown import Shown, render
from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards.evidence import Evidence, gather_evidence
from worldr1.worlds.filmed import PATHS

_NEAR_M = 8.0


def errors(evidence: Evidence, shown: Sequence[Shown]) -> tuple[float, float, float]:
    """Median over clips of the errors of depth, place and turn."""
    truth = torch.stack([s.truth.depth_m for s in shown])
    true = torch.stack([s.truth.camera.relative() for s in shown]).to(evidence.c2w)
    ratio = (evidence.depth_m / truth).log().where(truth < _NEAR_M, torch.nan).flatten(1)
    scale = ratio.nanmedian(1).values
    depth = (ratio - scale[:, None]).abs().nanmedian(1).values
    away = (evidence.c2w[..., :3, 3] * (-scale).exp()[:, None, None] - true[..., :3, 3]).norm(dim=-1).amax(1)
    turn = rotation_angle_deg(evidence.c2w[..., :3, :3].mT @ true[..., :3, :3]).amax(1)
    place = away / true[..., :3, 3].norm(dim=-1).amax(1)
    return float(depth.median()), float(place.median()), float(turn.median())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", type=int, default=128)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = BenchConfig(size=args.size, seed=args.seed)
    depth = make_depth("world")
    plain, shifted, world = make_flow("dis"), make_flow("dis_shifted"), make_flow("world")
    oracle = Oracle(depth, shifted)
    ways = {
        "DIS": (plain, False),
        "world": (world, False),
        "shifted DIS, adjusted": (shifted, True),
        "world, adjusted once": (lambda a, b: world(a, b), True),  # an estimator that takes no guess
        "world, adjusted": (world, True),
        "true flow, adjusted": (oracle.flow, True),
    }
    print(f"| path | {' | '.join(ways)} |\n|---|{'---|' * len(ways)}")
    for path in PATHS:
        shown = render([clean_scene(config, i, path) for i in range(args.worlds)], args.size, args.size)
        oracle.learn(shown)
        video = torch.stack([s.clip.video for s in shown])
        K: Tensor = torch.stack([s.truth.camera.K[0] for s in shown]).to(video)
        cells = []
        for flow, adjusted in ways.values():
            evidence = gather_evidence(video, K, [None] * len(shown), depth, flow, refine_camera=adjusted)
            d, place, turn = errors(evidence, shown)
            cells.append(f"{d:.3f} / {place:.2f} / {turn:.1f}°")
        print(f"| {path} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
