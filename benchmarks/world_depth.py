"""Error of depth estimators on general worlds that none of them was trained on, family by family.

    python benchmarks/world_depth.py [--names tiny world] [--clips 24] [--size 64] [--sheet sheet.png]

Log ratios to the truth: `error` as it is, `aligned` with one scale per clip, `drift` of a frame's scale from its
clip's. The sheet shows a frame of every family, its depth, and every estimator's. Prints Markdown.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from worldr1.estimators.depth import MAX_DEPTH_M
from worldr1.estimators.registry import make_depth
from worldr1.train.pretrain.world_depth import KINDS, MEASURED_SEED, measure
from worldr1.train.pretrain.world_frames import canonical
from worldr1.worlds.families import FAMILIES, scene_at
from worldr1.worlds.render import WarpRenderer

COLUMNS = ("error", "aligned", "drift")
NEAREST_M, ENLARGED = 0.5, 3


def grey(depth_m: torch.Tensor) -> np.ndarray:
    """Log depth as a picture ``[h, w, 3]``, near is white."""
    level = 1 - (depth_m.clamp(NEAREST_M, MAX_DEPTH_M) / NEAREST_M).log() / np.log(MAX_DEPTH_M / NEAREST_M)
    return (level[..., None].expand(*level.shape, 3) * 255).byte().numpy()


def sheet(estimators: dict, size: int, path: Path, per_family: int = 2) -> None:
    columns = []
    for family in FAMILIES:
        scenes = [scene_at(family, MEASURED_SEED, i, split="held_out") for i in range(per_family)]
        out = WarpRenderer()(scenes, size, size)
        for i, scene in enumerate(scenes):
            middle = scene.num_frames // 2
            frame = torch.from_numpy(out.rgb[i, middle]).permute(2, 0, 1)[None].float() / 255
            truth = canonical(torch.from_numpy(out.depth_m[i]), scene)[middle]
            guesses = [grey(depth(frame)[0]) for depth in estimators.values()]
            columns.append(np.concatenate([out.rgb[i, middle], grey(truth), *guesses]))
    picture = Image.fromarray(np.concatenate(columns, axis=1))
    picture.resize((ENLARGED * picture.width, ENLARGED * picture.height), Image.Resampling.NEAREST).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", nargs="+", default=["tiny", "world"])
    parser.add_argument("--clips", type=int, default=24, help="of each family")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    estimators = {name: make_depth(name) for name in arguments.names}
    found = {name: measure(depth, arguments.clips, arguments.size) for name, depth in estimators.items()}
    print("| family | " + " | ".join(f"{n} {c}" for n in found for c in COLUMNS) + " |")
    print("|---|" + "---|" * (len(found) * len(COLUMNS)))
    for family in KINDS:
        values = [f"{found[n][family][c]:.3f}" for n in found for c in COLUMNS]
        print(f"| {family} | " + " | ".join(values) + " |")
    if arguments.sheet is not None:
        sheet(estimators, arguments.size, arguments.sheet)


if __name__ == "__main__":
    main()
