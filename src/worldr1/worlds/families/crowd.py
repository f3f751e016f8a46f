"""Many alike: walkers that cross each other's way, balls that roll past each other, or a group at rest seen by a
moving camera. Which is which can be told by colour and by following it."""

from __future__ import annotations

import numpy as np

from worldr1.worlds.assets import ASSETS, Asset
from worldr1.worlds.camera import camera_track
from worldr1.worlds.families.settings import environment
from worldr1.worlds.families.split import Draw, FamilySpec
from worldr1.worlds.families.stage import Stage, distance_to_fit, footprint_m, rolling, scatter, vec3
from worldr1.worlds.families.visibility import hidden_share
from worldr1.worlds.scene import Move, Scene

_RESTING = ("crate", "barrel", "traffic cone", "chair", "vase", "plant", "pedestrian")
_ATTEMPTS = 6
_HIDDEN = 0.3  # share of an object's points that others have to hide for an occlusion to count


def sample(rng: np.random.Generator, spec: FamilySpec) -> Scene:
    """Planned: "occlusion": some object is hidden by another for a while; checked by geometry. Raises
    ``ValueError`` should no attempt bring it about."""
    for attempt in range(_ATTEMPTS):
        draw = Draw(rng, "crowd", spec)
        moving = rng.random() < 0.6 or attempt > 2
        scene = _moving(rng, spec, draw) if moving else _resting(rng, spec, draw)
        if _occludes(scene):
            return scene
    raise ValueError("no crowd hid one of its own; place them closer")


def _members(rng: np.random.Generator, spec: FamilySpec, draw: Draw, category: str) -> list[Asset]:
    """Alike: two to four colours among all of them, fewer the harder."""
    count = min(spec.count(rng, (4, 5), (9, 12)), 7 if category == "ball" else 12)
    colours: list[str] = []
    for _ in range({"easy": 6, "medium": 4, "hard": 2}[spec.difficulty]):
        colours.append(draw.colour(category, colours))
    picks = [colours[i % len(colours)] for i in range(count)]
    return [ASSETS[category](rng, c, "striped") if category == "ball" else ASSETS[category](rng, c) for c in picks]


def _moving(rng: np.random.Generator, spec: FamilySpec, draw: Draw) -> Scene:
    """Everybody keeps to a lane of its own, so that nobody bumps into anybody, and the lanes are seen edge-on."""
    category = "pedestrian" if rng.random() < 0.65 else "ball"
    members = _members(rng, spec, draw, category)
    stage = Stage(spec)
    spacing = 1.15 * max(m.size_m[1] for m in members) + 0.1
    low, high = {"easy": (0.8, 1.2), "medium": (1.0, 1.5), "hard": (1.2, 2.0)}[spec.difficulty]
    duration = stage.time_s[-1]
    reach = 0.2 * spacing * len(members) + 0.6
    for lane, index in enumerate(rng.permutation(len(members))):
        asset, speed = members[index], rng.uniform(low, high) * (1 if lane % 2 else -1)
        # where it is half-way through the clip: near the middle, where all cross
        x = rng.uniform(-reach, reach) + speed * (stage.time_s - duration / 2)
        path = np.stack([x, np.full_like(x, (lane - (len(members) - 1) / 2) * spacing), np.zeros_like(x)], axis=-1)
        radius = asset.size_m[2] / 2
        if category == "ball":
            stage.add(asset, np.add(path, (0, 0, radius)), rolling(path, radius), dynamic=True)
        else:
            stage.stand(asset, path, 0.0 if speed > 0 else np.pi, dynamic=True)
    return _film(rng, spec, draw, stage, -np.pi / 2 + rng.uniform(-0.35, 0.35) + np.pi * (rng.random() < 0.5))


def _resting(rng: np.random.Generator, spec: FamilySpec, draw: Draw) -> Scene:
    members = _members(rng, spec, draw, _RESTING[int(rng.integers(len(_RESTING)))])
    stage = Stage(spec)
    radii = [footprint_m(m) for m in members]
    spots = scatter(rng, radii, 1.2 * float(np.sqrt(np.square(radii).sum())), gap_m=0.3 * radii[0])
    for asset, spot, yaw in zip(members, spots, rng.uniform(0, 2 * np.pi, len(spots)), strict=True):
        stage.stand(asset, (*spot, 0.0), yaw)
    return _film(rng, spec, draw, stage, rng.uniform(0, 2 * np.pi))


def _film(rng: np.random.Generator, spec: FamilySpec, draw: Draw, stage: Stage, azimuth: float) -> Scene:
    focal = round(rng.uniform(30, 42), 1)
    forward = np.array([-np.cos(azimuth), -np.sin(azimuth), -rng.uniform(0.14, 0.3)])
    forward /= np.linalg.norm(forward)
    points = np.concatenate([stage.points(i) for i in range(len(stage.objects))])
    target = np.median(points, axis=0)
    distance = distance_to_fit(points, target, forward, 0.95 * 18 / focal, share=0.88)
    moving = any(o.dynamic for o in stage.objects)
    kind, second = draw.moves(2)
    if kind == "fixed" and not moving:  # nothing would happen
        kind = second
    name = kind.split()[0]
    amount = {
        "fixed": 0.0,
        "orbit": rng.uniform(15, 30) if moving else rng.uniform(40, 90),
        "truck": rng.uniform(0.12, 0.22) * distance,
        "dolly": rng.uniform(0.12, 0.2) * distance,
        "pedestal": rng.uniform(0.1, 0.2) * distance,
    }[name]
    camera = camera_track(
        [Move(kind, 0.0, 1.0, round(float(amount), 2), "smooth" if rng.random() < 0.5 else "linear")],
        spec.num_frames,
        eye_m=vec3(target - forward * distance),
        target_m=vec3(target),
        focal_mm=focal,
    )
    around = environment(draw.setting(), azimuth + rng.uniform(-1.2, 1.2))
    return stage.scene("crowd", camera, around, ("occlusion",))


def _occludes(scene: Scene) -> bool:
    """Whether somebody is hidden in one frame and, by as much again, less so in another."""
    share = hidden_share(scene, stride=2)
    return bool(((share.max(0) > _HIDDEN) & (share.min(0) < share.max(0) - _HIDDEN)).any())
