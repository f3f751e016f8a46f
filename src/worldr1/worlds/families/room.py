"""A furnished room and a full turn of the camera: every object leaves the picture and comes back where it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldr1.worlds.assets import ASSETS, COLOURS, Asset
from worldr1.worlds.assets.parts import box, material
from worldr1.worlds.camera import camera_track
from worldr1.worlds.families.settings import environment
from worldr1.worlds.families.split import Draw, FamilySpec
from worldr1.worlds.families.stage import Stage, footprint_m
from worldr1.worlds.scene import Floats, Material, Move, Part, Scene, Vec3

_ALONG_WALLS = ("sofa", "bookcase", "table", "plant", "lamp", "statue", "chair", "barrel")
_INSIDE = ("chair", "plant", "vase", "ball", "crate")
_TEXTURES = ("", "", "striped", "checked", "speckled")
_WALL_M, _HEIGHT_M, _EYE_M = 0.12, 3.0, 1.45


def _walls(rng: np.random.Generator, half: Floats) -> list[Part]:
    """Four walls, each with a door, a window or a picture on its inside, so that no two look alike."""
    papers = ("", "brick", "striped", "wooden")
    tints = rng.permutation([c for c in COLOURS if c not in ("black", "grey")])
    parts = []
    for side, (axis, sign) in enumerate(((0, 1), (1, 1), (0, -1), (1, -1))):
        pale = [0.45 + 0.5 * c for c in COLOURS[str(tints[side])]]
        paper = material("white", papers[int(rng.integers(len(papers)))], repeat_m=0.5)
        surface = Material(
            paper.texture, (pale[0], pale[1], pale[2]), (0.85 * pale[0], 0.85 * pale[1], 0.85 * pale[2]), 0.5
        )
        middle, length = sign * (half[axis] + _WALL_M / 2), 2 * half[1 - axis] + (2 * _WALL_M if axis == 0 else 0)
        parts.append(_panel(axis, middle, 0.0, 0.0, (_WALL_M, length, _HEIGHT_M), surface))
        inner, along = sign * (half[axis] - 0.02), rng.uniform(-0.5, 0.5) * half[1 - axis]
        if side == 0:
            parts.append(_panel(axis, inner, along, 0.0, (0.04, 0.95, 2.1), material("brown", "wooden")))
        elif rng.random() < 0.6:
            glass = Material("tiles", (0.62, 0.78, 0.92), (0.95, 0.95, 0.95), 0.7, gloss=0.6)
            parts.append(_panel(axis, inner, along, 1.0, (0.04, 1.4, 1.2), glass))
        else:
            picture = material(str(tints[side + 4]), "checked", repeat_m=0.4)
            parts.append(_panel(axis, inner, along, 1.25, (0.04, 0.9, 0.7), picture))
    return parts


def _panel(axis: int, across: float, along: float, z: float, size: Vec3, surface: Material) -> Part:
    """A box that lies in a wall across x (``axis`` 0) or y; ``size`` is thickness, length, height."""
    if axis == 0:
        return box(size, (across, along, z), surface)
    return box((size[1], size[0], size[2]), (along, across, z), surface)


def _furniture(rng: np.random.Generator, draw: Draw, stage: Stage, half: Floats) -> None:
    """Pieces around the walls, facing inwards, then some nearer to the camera, none overlapping."""
    placed: list[tuple[Floats, float]] = []
    taken: list[str] = []

    def asset(pool: tuple[str, ...]) -> Asset:
        category = pool[int(rng.integers(len(pool)))]
        taken.append(draw.colour(category, taken))
        if category in ("table", "bookcase"):
            return ASSETS[category](rng, taken[-1])
        return ASSETS[category](rng, taken[-1], _TEXTURES[int(rng.integers(len(_TEXTURES)))])

    count = stage.spec.count(rng, (6, 7), (11, 14))
    inside = max(1, count // 4)
    for slot in range(count - inside):
        piece = asset(_ALONG_WALLS)
        side = slot % 4
        axis, sign = side % 2, 1 if side < 2 else -1
        radius = footprint_m(piece)
        for _ in range(20):
            reach = half[1 - axis] - piece.size_m[1] / 2 - 0.15
            spot = np.zeros(2)
            spot[axis] = sign * (half[axis] - piece.size_m[0] / 2 - 0.08)
            spot[1 - axis] = rng.uniform(-reach, reach)
            if all(np.linalg.norm(spot - p) > radius + r for p, r in placed):
                yaw = np.arctan2(-sign * (axis == 1), -sign * (axis == 0))
                stage.stand(piece, (*spot, 0.0), yaw, landmark=True)
                placed.append((spot, radius))
                break
    for _ in range(inside):
        piece = asset(_INSIDE)
        radius = footprint_m(piece)
        for _ in range(20):
            angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 2.2)
            spot = distance * np.array([np.cos(angle), np.sin(angle)])
            within = (np.abs(spot) + radius < half - 0.1).all()
            if within and all(np.linalg.norm(spot - p) > radius + r for p, r in placed):
                stage.stand(piece, (*spot, 0.0), rng.uniform(0, 2 * np.pi), landmark=True)
                placed.append((spot, radius))
                break


def sample(rng: np.random.Generator, spec: FamilySpec) -> Scene:
    """Planned: "return view": the last frame's camera stands as the first one's, after a full turn; nothing in the
    room has moved."""
    draw, stage = Draw(rng, "room", spec), Stage(spec)
    half = rng.uniform(2.6, 3.3, 2)
    _furniture(rng, draw, stage, half)
    stage.scenery(_walls(rng, half))
    kind = draw.moves(1)[0]
    turn = Move(kind, 0.0, 1.0, 360.0, "smooth" if rng.random() < 0.3 else "linear")
    heading = rng.uniform(0, 2 * np.pi)
    eye = rng.uniform(-0.25, 0.25, 2)
    camera = camera_track(
        [turn],
        spec.num_frames,
        eye_m=(eye[0], eye[1], _EYE_M),
        target_m=(eye[0] + 3 * np.cos(heading), eye[1] + 3 * np.sin(heading), _EYE_M - rng.uniform(0.35, 0.6)),
        focal_mm=round(rng.uniform(20, 25), 1),
    )
    c2w = camera.c2w.copy()
    c2w[-1] = c2w[0]  # it is, but for the rounding of a full turn
    camera = replace(camera, c2w=c2w)
    return stage.scene("room", camera, environment(draw.setting(), heading, indoors=True), ("return view",))
