"""Things fall, roll and collide; MuJoCo moves them, the camera mostly rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from worldr1.worlds.assets import ASSETS, Asset
from worldr1.worlds.assets.parts import box, material
from worldr1.worlds.camera import camera_track
from worldr1.worlds.families.settings import environment
from worldr1.worlds.families.split import Draw, FamilySpec
from worldr1.worlds.families.stage import Stage, distance_to_fit, vec3, yaw_rotation
from worldr1.worlds.physics import GROUND, Motion, Start, simulate
from worldr1.worlds.scene import Body, Move, Part, Quaternion, Scene

_ATTEMPTS = 6
_HARD_TOUCH_M_S = 0.5  # speed of approach that counts as a collision


@dataclass
class _Setup:
    """What is simulated: objects first, then fixed scenery. ``first`` and ``second`` are to collide."""

    assets: list[Asset] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    scenery: list[tuple[tuple[Part, ...], Start]] = field(default_factory=list)
    first: int = 0
    second: int = GROUND

    def add(self, asset: Asset, start: Start) -> None:
        self.assets.append(asset)
        self.starts.append(start)


_Make = Callable[[str], Asset]  # a new object of a category


def _pick(rng: np.random.Generator, *options: str) -> str:
    return options[int(rng.integers(len(options)))]


def _quaternion(rng: np.random.Generator) -> Quaternion:
    q = rng.normal(size=4)
    q /= np.linalg.norm(q)
    return (float(q[0]), float(q[1]), float(q[2]), float(q[3]))


def _yaw(angle: float) -> Quaternion:
    x, y, z, w = yaw_rotation(angle).tolist()
    return (x, y, z, w)


def _fall(rng: np.random.Generator, spec: FamilySpec, make: _Make) -> _Setup:
    """Objects dropped from different heights, tumbling."""
    setup = _Setup()
    count = spec.count(rng, (1, 2), (3, 4))
    for i in range(count):
        asset = make(_pick(rng, "crate", "ball", "barrel", "rock"))
        place = (1.35 * (i - (count - 1) / 2), rng.uniform(-0.5, 0.5), rng.uniform(1.6, 2.8))
        bounce = 0.7 if asset.category == "ball" else 0.25
        spin = rng.uniform(-2.5, 2.5, 3)
        setup.add(asset, Start(place, _quaternion(rng), spin_rad_s=(spin[0], spin[1], spin[2]), bounce=bounce))
    return setup


def _ramp(rng: np.random.Generator, spec: FamilySpec, make: _Make) -> _Setup:
    """A ball rolls down a ramp into whatever stands at its foot."""
    setup = _Setup()
    slope, length = rng.uniform(0.32, 0.5), rng.uniform(2.6, 3.2)
    thick, width = 0.12, 1.3
    ball = make("ball")
    up = np.array([-np.cos(slope), 0.0, np.sin(slope)])  # along the surface, from its foot at x = 0
    normal = np.array([np.sin(slope), 0.0, np.cos(slope)])
    centre = up * length / 2 - normal * thick / 2
    tilt: Quaternion = (0.0, float(np.sin(slope / 2)), 0.0, float(np.cos(slope / 2)))
    board = box(
        (length, width, thick), (0.0, 0.0, -thick / 2), material(_pick(rng, "grey", "brown", "white"), "wooden")
    )
    setup.scenery.append(((board,), Start(vec3(centre), tilt, fixed=True)))
    top = up * length * rng.uniform(0.8, 0.92) + normal * (ball.size_m[2] / 2 + 0.005)
    push = -up * rng.uniform(1.0, 1.8)
    setup.add(ball, Start(vec3(top), velocity_m_s=vec3(push), density_kg_m3=500, bounce=0.3))
    for i in range(spec.count(rng, (1, 1), (2, 3))):
        other = make(_pick(rng, "crate", "traffic cone", "barrel"))
        place = (0.9 + 1.1 * (i // 2) + other.size_m[0] / 2, (0.62 * (-1) ** i) * (i > 0), other.size_m[2] / 2 + 0.001)
        setup.add(other, Start(place, _yaw(rng.uniform(-0.15, 0.15)), density_kg_m3=60))
    setup.second = 1
    return setup


def _collision(rng: np.random.Generator, spec: FamilySpec, make: _Make) -> _Setup:
    """Two balls, or a ball and a crate, run into each other."""
    setup = _Setup()
    speed = {"easy": 2.2, "medium": 2.8, "hard": 3.6}[spec.difficulty] * rng.uniform(0.85, 1.1)
    gap = speed * rng.uniform(0.6, 0.9)
    offset = rng.uniform(-0.2, 0.2)
    for side, category in ((-1, "ball"), (1, _pick(rng, "ball", "crate", "barrel"))):
        asset = make(category)
        share = 1.0 if category == "ball" else 0.0
        x = side * (gap if share else 0.4)
        place = (x, side * offset / 2, asset.size_m[2] / 2 + 0.001)
        velocity = (-side * share * speed, 0.0, 0.0)
        spin = (0.0, -side * share * 2 * speed / asset.size_m[2], 0.0)
        setup.add(asset, Start(place, velocity_m_s=velocity, spin_rad_s=spin, bounce=0.6, density_kg_m3=150))
    setup.second = 1
    return setup


def _tower(rng: np.random.Generator, spec: FamilySpec, make: _Make) -> _Setup:
    """A ball hits a tower of crates."""
    setup = _Setup(second=1)
    ball = make("ball")
    speed = rng.uniform(4.0, 5.5)
    place = (-speed * rng.uniform(0.35, 0.55) - 0.9, rng.uniform(-0.12, 0.12), rng.uniform(0.7, 1.1))
    setup.add(ball, Start(place, velocity_m_s=(speed, 0.0, 1.6), density_kg_m3=600, bounce=0.3))
    height = 0.0
    for _ in range(spec.count(rng, (2, 2), (3, 4))):
        crate = make("crate").scaled(0.8)
        half = crate.size_m[2] / 2
        at = (rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05), height + half)
        setup.add(crate, Start(at, _yaw(rng.uniform(-0.2, 0.2)), density_kg_m3=70))
        height += 2 * half
    return setup


_SCENARIOS: tuple[tuple[str, Callable[[np.random.Generator, FamilySpec, _Make], _Setup]], ...] = (
    ("contact", _fall),
    ("collision", _ramp),
    ("collision", _collision),
    ("collision", _tower),
)


def sample(rng: np.random.Generator, spec: FamilySpec) -> Scene:
    """Planned: "contact" with the ground where things fall, else "collision" of the first object with the second,
    checked in the simulation. Raises ``ValueError`` should no attempt bring it about."""
    for _ in range(_ATTEMPTS):
        draw = Draw(rng, "dynamics", spec)
        kind = draw.moves(1)[0]
        if draw.axis != "move" and rng.random() < 0.75:
            kind = "fixed"
        event, scenario = _SCENARIOS[int(rng.integers(len(_SCENARIOS)))]
        setup = scenario(rng, spec, _maker(rng, draw))
        bodies = [Body(a.parts, i) for i, a in enumerate(setup.assets)]
        bodies += [Body(parts) for parts, _ in setup.scenery]
        starts = [*setup.starts, *(start for _, start in setup.scenery)]
        motion = simulate(bodies, starts, num_frames=spec.num_frames, fps=spec.fps)
        if any(c.approach_m_s > _HARD_TOUCH_M_S for c in motion.between(setup.first, setup.second)):
            return _film(rng, spec, draw, setup, motion, kind, event)
    raise ValueError("no simulation brought its event about; the scenarios' margins are too small")


def _maker(rng: np.random.Generator, draw: Draw) -> _Make:
    taken: list[str] = []

    def make(category: str) -> Asset:
        taken.append(draw.colour(category, taken))
        if category == "crate":
            return ASSETS[category](rng, taken[-1], _pick(rng, "wooden", "", "checked"))
        if category == "ball":  # patterned, so that one sees it roll
            return ASSETS[category](rng, taken[-1], _pick(rng, "striped", "checked"))
        return ASSETS[category](rng, taken[-1], "" if category == "traffic cone" else _pick(rng, "", "banded"))

    return make


def _film(
    rng: np.random.Generator, spec: FamilySpec, draw: Draw, setup: _Setup, motion: Motion, kind: str, event: str
) -> Scene:
    stage = Stage(spec)
    for i, asset in enumerate(setup.assets):
        moved = float(np.abs(np.diff(motion.position_m[:, i], axis=0)).max()) > 0.02
        stage.add(asset, motion.position_m[:, i], motion.rotation[:, i], dynamic=moved)
    for parts, start in setup.scenery:
        stage.scenery(parts, start.position_m, np.array(start.rotation))

    focal = round(rng.uniform(30, 42), 1)
    azimuth = np.pi / 2 * (1 if rng.random() < 0.5 else -1) + rng.uniform(-0.5, 0.5)
    forward = np.array([-np.cos(azimuth), -np.sin(azimuth), -rng.uniform(0.16, 0.34)])
    forward /= np.linalg.norm(forward)
    # by the end things have rolled away: what matters is where they are until then
    until = 8 * round(0.75 * spec.num_frames)
    points = np.concatenate([stage.points(i)[:until] for i in range(len(setup.assets))])
    target = (np.quantile(points, 0.03, axis=0) + np.quantile(points, 0.97, axis=0)) / 2
    distance = distance_to_fit(points, target, forward, 0.92 * 18 / focal, share=0.95)
    name = kind.split()[0]
    amount = {"fixed": 0.0, "orbit": rng.uniform(15, 30), "dolly": 0.16 * distance, "zoom": rng.uniform(1.15, 1.3)}[
        name
    ]
    if name in ("dolly", "zoom"):
        distance *= 1.15
    camera = camera_track(
        [Move(kind, 0.0, 1.0, round(float(amount), 2))],
        spec.num_frames,
        eye_m=vec3(target - forward * distance),
        target_m=vec3(target),
        focal_mm=focal,
    )
    around = environment(draw.setting(), azimuth + rng.uniform(-1.2, 1.2))
    return stage.scene("dynamics", camera, around, (event,))
