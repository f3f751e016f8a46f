"""Resting objects, outdoors or on a table, under every rigid camera move and sequences of up to three."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worldr1.worlds.assets import ASSETS, Asset
from worldr1.worlds.camera import camera_track
from worldr1.worlds.families.settings import environment
from worldr1.worlds.families.split import Draw, FamilySpec
from worldr1.worlds.families.stage import Stage, footprint_m, scatter
from worldr1.worlds.families.visibility import box_points, in_picture
from worldr1.worlds.scene import CameraTrack, Move, Scene

_OUTDOORS = (
    "crate",
    "ball",
    "barrel",
    "traffic cone",
    "table",
    "chair",
    "plant",
    "vase",
    "statue",
    "pillar",
    "lamp",
    "rock",
    "ring",
)
# on a table: category and its size there as a share of the one on the floor
_TABLETOP = {"block": 1.0, "ball": 0.17, "vase": 0.36, "plant": 0.27, "lamp": 0.22, "barrel": 0.18, "ring": 0.2}
_TEXTURES = ("", "striped", "banded", "checked", "speckled", "wooden")
_ATTEMPTS = 12


class _Place(NamedTuple):
    assets: list[Asset]
    table: Asset | None  # what they stand on, else the ground


def _objects(rng: np.random.Generator, draw: Draw, spec: FamilySpec) -> _Place:
    count = spec.count(rng, (2, 3), (5, 7))
    on_table = rng.random() < 0.35
    pool = tuple(_TABLETOP) if on_table else _OUTDOORS
    if spec.difficulty == "hard":  # similar ones: few categories, so that colour and place tell them apart
        pool = tuple(pool[i] for i in rng.permutation(len(pool))[:3])
    assets: list[Asset] = []
    taken: list[str] = []
    for _ in range(count):
        category = pool[int(rng.integers(len(pool)))]
        colour = draw.colour(category, taken)
        taken.append(colour)
        asset = ASSETS[category](rng, colour, _TEXTURES[int(rng.integers(len(_TEXTURES)))])
        assets.append(asset.scaled(_TABLETOP[category]) if on_table else asset)
    if not on_table:
        return _Place(assets, None)
    return _Place(assets, ASSETS["table"](rng, draw.colour("table", taken)))


def _moves(rng: np.random.Generator, kinds: list[str], distance_m: float, gentleness: float) -> tuple[Move, ...]:
    """The kinds one after another; ``gentleness`` (1, then less) shrinks what led the camera astray."""
    scale = gentleness / len(kinds) ** 0.5
    sizes = {
        "dolly": (0.25 * distance_m, 0.42 * distance_m),
        "truck": (0.22 * distance_m, 0.4 * distance_m),
        "pedestal": (0.14 * distance_m, 0.24 * distance_m),
        "pan": (10.0, 20.0),
        "tilt": (7.0, 13.0),
        "roll": (12.0, 35.0),
        "orbit": (35.0, 110.0),
    }
    cuts = [0.0, *np.cumsum(rng.dirichlet([6.0] * len(kinds))).round(3).tolist()]
    cuts[-1] = 1.0
    moves = []
    for kind, start, end in zip(kinds, cuts[:-1], cuts[1:], strict=True):
        name = kind.split()[0]
        amount = 1 + scale * rng.uniform(0.3, 0.7) if name == "zoom" else scale * rng.uniform(*sizes[name])
        moves.append(Move(kind, start, end, round(amount, 2), "smooth" if rng.random() < 0.6 else "linear"))
    return tuple(moves)


def sample(rng: np.random.Generator, spec: FamilySpec) -> Scene:
    """Planned: the camera's own move ("camera move"), with half of the objects in every frame."""
    draw = Draw(rng, "landmarks", spec)
    place = _objects(rng, draw, spec)
    stage = Stage(spec)
    radii = [footprint_m(a) for a in place.assets]
    spots = scatter(rng, radii, 1.1 * float(np.sqrt(np.square(radii).sum())), gap_m=0.25 * float(np.mean(radii)))
    spots -= spots.mean(0)
    reach = float((np.linalg.norm(spots, axis=-1) + radii).max())
    table = place.table.scaled(max(1.0, 2.05 * reach / place.table.size_m[1])) if place.table else None
    floor = table.size_m[2] if table else 0.0
    for asset, spot, yaw in zip(place.assets, spots, rng.uniform(0, 2 * np.pi, len(spots)), strict=True):
        stage.stand(asset, (*spot, floor), yaw, landmark=asset.size_m[2] > 0.9)
    if table:
        stage.stand(table, (0.0, 0.0, 0.0), landmark=True)
    setting = draw.setting()
    azimuth = rng.uniform(0, 2 * np.pi)
    count = {"easy": 1, "medium": int(rng.integers(1, 3)), "hard": int(rng.integers(1, 4))}[spec.difficulty]
    kinds = draw.moves(count)
    tall = max(a.size_m[2] for a in place.assets)
    camera = _camera(rng, spec, kinds, azimuth, reach, floor, tall)
    around = environment(setting, azimuth + rng.uniform(-1.2, 1.2))
    scene = stage.scene("landmarks", camera, around, ("camera move",))
    for attempt in range(1, _ATTEMPTS):
        if _well_framed(scene, len(place.assets), reach):
            return scene
        camera = _camera(rng, spec, kinds, azimuth, reach * (1 + 0.03 * attempt), floor, tall, 0.85**attempt)
        scene = stage.scene("landmarks", camera, around, ("camera move",))
    return scene


def _camera(
    rng: np.random.Generator,
    spec: FamilySpec,
    kinds: list[str],
    azimuth: float,
    reach: float,
    floor_m: float,
    tall_m: float,
    gentleness: float = 1.0,
) -> CameraTrack:
    focal = rng.uniform(30, 50)
    half = max(reach, 0.62 * tall_m)
    distance = half * (rng.uniform(0.82, 1.0) * focal / 18 + 0.45)
    if "dolly in" in kinds:
        distance *= 1.25
    elif "dolly out" in kinds or "zoom out" in kinds:
        distance *= 0.85
    height = distance * rng.uniform(0.22, 0.45)
    eye = (distance * np.cos(azimuth), distance * np.sin(azimuth), floor_m + 0.4 * tall_m + height)
    shake = rng.uniform(0.2, 0.6) if spec.difficulty == "hard" and rng.random() < 0.3 else 0.0
    return camera_track(
        _moves(rng, kinds, distance, gentleness),
        spec.num_frames,
        eye_m=eye,
        target_m=(0.0, 0.0, floor_m + 0.4 * tall_m),
        focal_mm=round(focal, 1),
        shake_deg=round(shake, 2),
        seed=int(rng.integers(2**31)),
    )


def _well_framed(scene: Scene, count: int, reach: float) -> bool:
    """Half of the objects in the picture throughout, most of them at first, and the camera outside of all."""
    inside = np.stack([in_picture(scene, box_points(scene, i)).mean(-1) > 0.5 for i in range(count)])
    eye = scene.camera.c2w[:, :3, 3]
    clear = (np.linalg.norm(eye[:, :2], axis=-1) > 1.05 * reach).all() and (eye[:, 2] > 0.15).all()
    return bool(clear and inside.mean(0).min() >= 0.5 and inside[:, 0].mean() > 0.6)
