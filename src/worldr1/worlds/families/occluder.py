"""Something passes behind something larger and comes out unchanged, or the camera's own travel hides and reveals it.

Everything is laid out in the picture's horizontal tangents (x / depth), where "covered" and "beside" are intervals:
the camera stands just as far away as the path needs, so that what matters is large in the picture.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worldr1.worlds.assets import ASSETS, Asset
from worldr1.worlds.camera import camera_track
from worldr1.worlds.families.settings import environment
from worldr1.worlds.families.split import Draw, FamilySpec
from worldr1.worlds.families.stage import STRIDE_REACH, Stage, rolling, vec3
from worldr1.worlds.families.visibility import reappears
from worldr1.worlds.scene import Environment, Floats, Move, Scene

_Cast = tuple[tuple[str, ...], tuple[str, ...]]  # who passes behind whom; the larger has no gap to look through
_PASSING: tuple[_Cast, ...] = (
    (("ball", "traffic cone", "barrel", "crate"), ("wall", "bookcase", "crate")),
    (("pedestrian",), ("bookcase",)),
    (("car", "van"), ("truck",)),
)
# narrower ones, round which the camera need not go far
_ORBITED: tuple[_Cast, ...] = (
    (("ball", "traffic cone", "barrel", "crate"), ("crate", "bookcase")),
    (("pedestrian",), ("bookcase",)),
)
_VEHICLES = ("car", "van", "truck", "bus")
_TEXTURES = ("", "striped", "checked")
_ATTEMPTS = 8
_GAP = 0.03  # tangent between the mover's edge and the occluder's, or the picture's
_SENSOR_MM = 36.0


class _Extent(NamedTuple):
    """Half of an object's width across the view and of its depth along it."""

    across_m: float
    along_m: float


class _Layout(NamedTuple):
    """In the camera's ground plane, the occluder's middle at the origin."""

    distance_m: float  # of the camera from the occluder
    behind_m: float  # of the mover from the occluder
    travel_m: float  # half of what the mover travels sideways


def sample(rng: np.random.Generator, spec: FamilySpec) -> Scene:
    """Planned: "reappearance", by construction and checked by `reappears`; where the camera orbits, it is its own
    travel that hides a resting object. Raises ``ValueError`` should no attempt pass the check."""
    for _ in range(_ATTEMPTS):
        draw = Draw(rng, "occluder", spec)
        kind = "fixed" if rng.random() < 0.4 else draw.moves(1)[0]
        casts = _PASSING if kind == "fixed" else _ORBITED
        movers, occluders = casts[int(rng.integers(len(casts)))]
        mover = _asset(rng, draw, movers)
        occluder = _fitted(_asset(rng, draw, occluders, (mover.colour,)), mover)
        extra = [_asset(rng, draw, movers, (mover.colour,)) for _ in range(spec.count(rng, (0, 0), (2, 3)))]
        azimuth = rng.uniform(0, 2 * np.pi)
        around = environment(draw.setting(), azimuth + np.pi * rng.uniform(1.1, 1.9))  # the sun is behind the camera
        scene = _attempt(rng, spec, kind, azimuth, [mover, occluder, *extra], around)
        if reappears(scene, 0, [1]):
            return scene
    raise ValueError("no layout hid its object; the margins are too small")


def _asset(rng: np.random.Generator, draw: Draw, pool: tuple[str, ...], taken: tuple[str, ...] = ()) -> Asset:
    category = pool[int(rng.integers(len(pool)))]
    colour = draw.colour(category, taken)
    if category in ("ball", "barrel", "bookcase"):
        return ASSETS[category](rng, colour)
    if category == "wall":
        return ASSETS[category](rng, colour, ("brick", "", "striped")[int(rng.integers(3))])
    plain = category in _VEHICLES or category == "traffic cone"
    return ASSETS[category](rng, colour, "" if plain else _TEXTURES[int(rng.integers(len(_TEXTURES)))])


def _extent(asset: Asset) -> _Extent:
    """As the family turns it: vehicles and pedestrians broadside, all others with their front to the camera."""
    x, y, _ = asset.size_m
    if asset.category == "pedestrian":
        return _Extent(STRIDE_REACH * asset.size_m[2], y / 2)
    return _Extent(x / 2, y / 2) if asset.category in _VEHICLES else _Extent(y / 2, x / 2)


def _fitted(occluder: Asset, mover: Asset) -> Asset:
    """The occluder, grown where it would not cover the mover for some frames, and shrunk a little where it could do
    with less: the smaller it is, the larger both are in the picture."""
    need = max(
        1.5 * _extent(mover).across_m / _extent(occluder).across_m,
        1.12 * mover.size_m[2] / occluder.size_m[2],
    )
    return occluder.scaled(max(need, 0.8))


def _passing(rng: np.random.Generator, occluder: _Extent, mover: _Extent, limit: float) -> _Layout:
    """The nearest camera that sees the mover whole on both sides of the occluder; ``limit`` is the picture's edge."""
    behind = occluder.along_m + mover.along_m + rng.uniform(0.25, 0.6) * (occluder.along_m + mover.across_m)

    def edge(distance: float) -> float:
        covered = occluder.across_m / (distance - occluder.along_m)
        return covered + 2 * mover.across_m / (distance + behind - mover.along_m) + 2 * _GAP

    near, far = occluder.along_m + 0.1, 400.0
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if edge(middle) > limit else (near, middle)
    beside = limit - mover.across_m / (far + behind - mover.along_m) - _GAP
    return _Layout(far, behind, beside * (far + behind))


def _orbiting(rng: np.random.Generator, occluder: _Extent, mover: _Extent) -> tuple[_Layout, float]:
    """A camera that circles the resting object at ``distance_m + behind_m``, and the angle (radians) to either side of
    the occluder at which it sees the object beside it."""
    wide, narrow = np.hypot(*occluder), np.hypot(*mover)  # from aslant
    behind = rng.uniform(1.35, 1.7) * (wide + narrow)
    radius = behind * rng.uniform(1.9, 2.2)
    angle = np.radians(np.arange(20, 80))
    x, y = behind * np.sin(angle), radius - behind * np.cos(angle)
    clear = x / y > wide / np.hypot(x, y) + narrow / radius + _GAP
    return _Layout(radius - behind, behind, 0.0), float(angle[np.argmax(clear)] if clear.any() else angle[-1])


def _attempt(
    rng: np.random.Generator, spec: FamilySpec, kind: str, azimuth: float, assets: list[Asset], around: Environment
) -> Scene:
    mover, occluder, *extra = assets
    focal = round(rng.uniform(30, 40), 1)
    limit = 0.98 * _SENSOR_MM / 2 / focal
    fixed, angle = kind == "fixed", 0.0
    if fixed:
        layout = _passing(rng, _extent(occluder), _extent(mover), limit)
    else:
        layout, angle = _orbiting(rng, _extent(occluder), _extent(mover))
    stage = Stage(spec)
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    forward = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    side = 1 if rng.random() < 0.5 else -1

    share = stage.time_s / stage.time_s[-1]
    start, end = rng.uniform(0, 0.08), rng.uniform(0.92, 1)
    x = side * layout.travel_m * (2 * np.clip((share - start) / (end - start), 0, 1) - 1)
    path = x[:, None] * right + layout.behind_m * forward
    heading = azimuth if side > 0 else azimuth + np.pi
    if fixed and mover.category == "ball":
        stage.add(mover, np.add(path, (0, 0, mover.size_m[2] / 2)), rolling(path, mover.size_m[2] / 2), dynamic=True)
    else:
        stage.stand(mover, path, _facing(mover, heading, azimuth), dynamic=fixed)
    turned = azimuth + np.pi * (rng.random() < 0.5)
    stage.stand(occluder, np.zeros(3), _facing(occluder, turned, azimuth), landmark=True)
    _background(rng, stage, extra, layout, limit, right, forward)

    height = rng.uniform(0.6, 0.92) * min(occluder.size_m[2], 2.4)
    target = np.add(layout.behind_m * forward, (0, 0, 0.65 * height + 0.14 * mover.size_m[2]))
    # an orbit to the left circles clockwise seen from above, so it begins on the right
    begin = angle if kind == "orbit left" else -angle
    radius = layout.distance_m + layout.behind_m
    eye = target + radius * (np.sin(begin) * right - np.cos(begin) * forward)
    eye[2] = height
    move = Move("fixed", 0, 1, 0) if fixed else Move(kind, 0, 1, round(float(np.degrees(2 * angle)), 1))
    camera = camera_track(
        [move], spec.num_frames, eye_m=vec3(eye), target_m=vec3(target), focal_mm=focal, sensor_mm=_SENSOR_MM
    )
    return stage.scene("occluder", camera, around, ("reappearance",))


def _facing(asset: Asset, heading: float, azimuth: float) -> float:
    return heading if asset.category in (*_VEHICLES, "pedestrian") else azimuth - np.pi / 2


def _background(
    rng: np.random.Generator,
    stage: Stage,
    extra: list[Asset],
    layout: _Layout,
    limit: float,
    right: Floats,
    forward: Floats,
) -> None:
    """Resting objects behind the mover's path, side by side, where they can hide nothing."""
    slots = rng.permutation(max(len(extra), 1) + 1)
    for slot, asset in zip(slots, extra, strict=False):
        depth = layout.behind_m + 2.2 * max(asset.size_m[:2]) + rng.uniform(0.2, 0.5) * layout.distance_m
        reach = limit * (depth + layout.distance_m)
        x = reach * (-0.85 + 1.7 * (slot + rng.uniform(0.3, 0.7)) / len(slots))
        stage.stand(asset, x * right + depth * forward, rng.uniform(0, 2 * np.pi))
