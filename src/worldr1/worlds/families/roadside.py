"""What stands along a street: markings, kerbs, pavements, buildings, trees, signs and lights."""

from __future__ import annotations

import numpy as np

from worldr1.worlds.assets import ASSETS
from worldr1.worlds.assets.parts import box
from worldr1.worlds.families.split import Draw, FamilySpec
from worldr1.worlds.families.stage import Stage
from worldr1.worlds.scene import Material, Part

PARKING_M, PAVEMENT_M = 2.5, 2.8
_LENGTH_M, _BEHIND_M = 160.0, 20.0  # of the street, and how much of it is behind the start
_FAR_M = 75.0  # the last building begins before here
_WHITE = Material("plain", (0.86, 0.86, 0.84))
_DASHED = Material("stripes", (0.86, 0.86, 0.84), (0.28, 0.28, 0.30), 6.0)
_KERB = Material("bricks", (0.60, 0.60, 0.58), (0.45, 0.45, 0.44), 1.0)
_PAVING = Material("tiles", (0.62, 0.60, 0.57), (0.52, 0.50, 0.48), 1.0)


def _strip(width: float, height: float, y: float, surface: Material) -> Part:
    return box((_LENGTH_M, width, height), (_LENGTH_M / 2 - _BEHIND_M, y, 0.0), surface)


def line_street(rng: np.random.Generator, stage: Stage, draw: Draw, kerb_m: float, *, clear: bool) -> None:
    """Build both sides of a street whose kerbs are ``kerb_m`` from its middle; ``clear`` leaves the right-hand
    pavement empty, so that nothing but the plan hides who is there."""
    lane = kerb_m - PARKING_M
    parts = [_strip(0.15, 0.01, 0.0, _DASHED)]
    for side in (-1, 1):
        parts.append(_strip(0.12, 0.01, side * lane, _WHITE))
        parts.append(_strip(0.2, 0.14, side * (kerb_m + 0.1), _KERB))
        parts.append(_strip(PAVEMENT_M - 0.2, 0.12, side * (kerb_m + PAVEMENT_M / 2 + 0.1), _PAVING))
    stage.scenery(parts)
    for side in (-1, 1):
        _facades(rng, stage, draw, side, side * (kerb_m + PAVEMENT_M + 0.3))
        if clear and side < 0:
            continue
        _furniture(rng, stage, draw, side, side * (kerb_m + 0.6))


def _facades(rng: np.random.Generator, stage: Stage, draw: Draw, side: int, front_y: float) -> None:
    """A row of buildings with gaps, facing the road."""
    x, count = rng.uniform(4, 12), stage.spec.count(rng, (2, 2), (4, 4))
    for _ in range(count):
        texture = ("brick", "brick", "", "tiled")[int(rng.integers(4))]
        building = ASSETS["building"](rng, draw.colour("building"), texture)
        depth, width, _ = building.size_m
        x += width / 2
        stage.stand(building, (x, front_y + side * depth / 2, 0.0), -side * np.pi / 2, landmark=True)
        x += width / 2 + rng.uniform(0.5, 5.0)
        if x > _FAR_M:
            break


def _furniture(rng: np.random.Generator, stage: Stage, draw: Draw, side: int, y: float) -> None:
    """Trees at intervals, and between them a sign or a traffic light that faces who comes along its side."""
    count, step = _trees(stage.spec), rng.uniform(9, 13)
    x = rng.uniform(9, 14)
    for slot in range(count):
        stage.stand(ASSETS["tree"](rng, draw.colour("tree")), (x + slot * step, y + side * 1.6, 0.0), landmark=True)
    category = "traffic light" if rng.random() < 0.4 else "traffic sign"
    post = ASSETS[category](rng, draw.colour(category))
    yaw = np.pi if side < 0 else 0.0  # right-hand traffic
    stage.stand(post, (x + (rng.integers(1, 3) - 0.5) * step, y - side * 0.1, 0.0), yaw, landmark=True)


def _trees(spec: FamilySpec) -> int:
    return {"easy": 1, "medium": 2, "hard": 3}[spec.difficulty]
