"""A drive along a street: the camera is at the dashboard of a car that keeps its lane, traffic drives on the right.

The road runs along x, its middle is y = 0, the ego car drives towards +x in the lane at y < 0. Vehicles follow their
lane with constant acceleration: on a flat road nothing is gained by simulating wheels. They never touch, because each
lane is filled from the front with gaps that hold at every frame.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from worldr1.worlds.assets import ASSETS, Asset
from worldr1.worlds.camera import camera_track
from worldr1.worlds.families.roadside import PARKING_M, line_street
from worldr1.worlds.families.settings import environment
from worldr1.worlds.families.split import Draw, FamilySpec
from worldr1.worlds.families.stage import Stage
from worldr1.worlds.families.visibility import box_points, hidden_points, in_picture, reappears
from worldr1.worlds.scene import Floats, Move, Scene

LANE_M = 3.5
_EYE_M = 1.35
_KERB_M = LANE_M + PARKING_M  # from the middle of the road
_ATTEMPTS = 9  # three of each plan


class _Street:
    """What a plan needs: the stage, the random numbers, and how the ego car drives."""

    def __init__(self, rng: np.random.Generator, spec: FamilySpec) -> None:
        self.rng, self.spec = rng, spec
        self.draw, self.stage = Draw(rng, "street", spec), Stage(spec)
        low, high = {"easy": (3.0, 4.5), "medium": (4.0, 6.5), "hard": (5.5, 9.0)}[spec.difficulty]
        self.speed = rng.uniform(low, high)
        self.duration = float(self.stage.time_s[-1])
        self.ego_x = self.speed * self.stage.time_s
        self.colours: list[str] = []

    def asset(self, *categories: str) -> Asset:
        category = categories[int(self.rng.integers(len(categories)))]
        colour = self.draw.colour(category, self.colours)
        self.colours.append(colour)
        return ASSETS[category](self.rng, colour)

    def along(self, asset: Asset, x: Floats | float, y: float, *, towards: int = 1) -> int:
        """Put a vehicle or walker on a line along the road, facing +x or (``towards`` -1) the ego car."""
        x = np.broadcast_to(np.asarray(x, np.float64), self.stage.time_s.shape)
        path = np.stack([x, np.full_like(x, y), np.zeros_like(x)], axis=-1)
        return self.stage.stand(asset, path, 0.0 if towards > 0 else np.pi, dynamic=bool(np.ptp(x) > 0.05))


def _reappearance(street: _Street) -> tuple[int, list[int]]:
    """An oncoming truck passes before somebody who waits, or a car that is parked, on the far side."""
    rng = street.rng
    frame = int(rng.integers(round(0.35 * len(street.ego_x)), round(0.6 * len(street.ego_x))))
    near = rng.uniform(9.0, 10.5) + 0.4 * street.speed * street.duration  # ahead of the ego car when it is hidden
    target_x = street.ego_x[frame] + near
    if rng.random() < 0.3:
        target = street.along(street.asset("pedestrian"), target_x, LANE_M + 0.75, towards=-1)
        y = LANE_M + 0.75
    else:
        y = LANE_M + PARKING_M / 2
        target = street.along(street.asset("car"), target_x, y, towards=-1)
    truck = street.asset("truck", "bus")
    speed = rng.uniform(9.0, 14.0)
    cross = street.ego_x[frame] + near * LANE_M / (y + LANE_M / 2)  # where the line of sight meets the truck's lane
    x = cross - speed * (street.stage.time_s - street.stage.time_s[frame])
    return target, [street.along(truck, x, LANE_M / 2, towards=-1)]


def _emergence(street: _Street) -> tuple[int, list[int]]:
    """A pedestrian crosses from behind a parked truck or van."""
    rng = street.rng
    parked = street.asset("truck", "van")
    front = street.speed * street.duration + rng.uniform(3.5, 6.0)
    occluder = street.along(parked, front - parked.size_m[0] / 2, -(LANE_M + PARKING_M / 2))
    walker = street.asset("pedestrian")
    speed = rng.uniform(1.5, 2.1)
    y = -(LANE_M + 0.9) + speed * (street.stage.time_s - 0.45 * street.duration)
    x = np.full_like(y, front + rng.uniform(0.7, 1.1))
    path = np.stack([x, y, np.zeros_like(y)], axis=-1)
    return street.stage.stand(walker, path, np.pi / 2, dynamic=True), [occluder]


def _exit(street: _Street) -> tuple[int, list[int]]:
    """An oncoming vehicle passes and leaves the picture."""
    rng = street.rng
    speed = rng.uniform(6.0, 11.0)
    start = (speed + street.speed) * street.duration * rng.uniform(0.75, 0.95)
    vehicle = street.along(street.asset("car", "van"), start - speed * street.stage.time_s, LANE_M / 2, towards=-1)
    return vehicle, []


def _comes_out(scene: Scene, target: int, others: list[int]) -> bool:
    hidden = hidden_points(scene, target, others, certain=True).mean(-1)
    shown = hidden_points(scene, target, others, certain=False).mean(-1)
    inside = in_picture(scene, box_points(scene, target)).mean(-1)
    return bool(hidden[0] > 0.8 and inside[0] > 0.9 and ((shown < 0.25) & (inside > 0.8)).any())


def _leaves(scene: Scene, target: int, _: list[int]) -> bool:
    inside = in_picture(scene, box_points(scene, target)).mean(-1)
    return bool(inside[:3].min() > 0.9 and inside[-1] == 0)


_Plan = Callable[[_Street], tuple[int, list[int]]]
_PLANS: tuple[tuple[str, _Plan, Callable[[Scene, int, list[int]], bool]], ...] = (
    ("reappearance", _reappearance, reappears),
    ("occlusion", _emergence, _comes_out),
    ("exit", _exit, _leaves),
)


def sample(rng: np.random.Generator, spec: FamilySpec) -> Scene:
    """Planned: "reappearance" behind an oncoming truck, "occlusion" by a parked one, or "exit" of a vehicle; laid out
    for it and checked by geometry. Raises ``ValueError`` should no attempt pass."""
    first = int(rng.integers(len(_PLANS)))
    for attempt in range(_ATTEMPTS):
        street = _Street(rng, spec)
        event, plan, holds = _PLANS[(first + attempt // 3) % len(_PLANS)]
        target, others = plan(street)
        crossing = event == "occlusion"
        _traffic(street, oncoming=event == "exit", ahead=not crossing)
        line_street(street.rng, street.stage, street.draw, _KERB_M, clear=crossing)
        scene = _film(street, event)
        if holds(scene, target, others):
            return scene
    raise ValueError("no drive brought its event about; the plans' margins are too small")


def _traffic(street: _Street, *, oncoming: bool, ahead: bool) -> None:
    """Vehicles before the ego car and, behind the planned one, towards it, each in the middle of its lane."""
    rng, time = street.rng, street.stage.time_s
    count = street.spec.count(rng, (0, 1), (2, 3))
    if ahead:
        x = 9.0 + rng.uniform(0, 4)
        for _ in range(count):
            asset = street.asset("car", "car", "van", "truck")
            # it may brake or speed up, and stays ahead of the ego car and of the one before
            speed = street.speed + rng.uniform(-0.2, 0.8)
            braking = rng.uniform(-0.6, 0.6)
            x += asset.size_m[0] / 2
            street.along(asset, x + speed * time + braking * time**2 / 2, -LANE_M / 2)
            x += asset.size_m[0] / 2 + rng.uniform(6, 12) + (0.8 + street.duration) * street.duration
    if oncoming:
        x = (street.speed + 11.0) * street.duration + 12.0
        for _ in range(count):
            asset = street.asset("car", "car", "van")
            street.along(asset, x - 7.0 * time, LANE_M / 2, towards=-1)
            x += asset.size_m[0] + rng.uniform(6, 14)
    for i in range(count):  # walkers on the pavements, between the posts and the trees, too far apart to meet
        side = 1 if rng.random() < 0.5 else -1
        y = side * (_KERB_M + rng.uniform(1.35, 1.6))
        towards = 1 if rng.random() < 0.5 else -1
        start = street.speed * street.duration + 8 + 3.6 * street.duration * i + rng.uniform(0, 2)
        street.along(street.asset("pedestrian"), start + towards * rng.uniform(1.0, 1.6) * time, y, towards=towards)


def _film(street: _Street, event: str) -> Scene:
    rng = street.rng
    kind = street.draw.moves(1)[0]
    y = -LANE_M / 2 + rng.uniform(-0.15, 0.15)
    shake = 0.15 if street.spec.difficulty == "hard" else 0.0
    camera = camera_track(
        [Move(kind, 0.0, 1.0, round(street.speed * street.duration, 3))],
        street.spec.num_frames,
        eye_m=(0.0, y, _EYE_M),
        target_m=(20.0, y, _EYE_M),  # level, so that driving is a dolly along the optical axis
        focal_mm=round(rng.uniform(24, 28), 1),
        shake_deg=shake,
        seed=int(rng.integers(2**31)),
    )
    around = environment(street.draw.setting(), rng.uniform(0, 2 * np.pi))
    return street.stage.scene("street", camera, around, (event,))
