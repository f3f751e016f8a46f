"""Where a family puts its bodies until they are a `Scene`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worldr1.worlds.assets import Asset
from worldr1.worlds.families.split import FamilySpec
from worldr1.worlds.scene import STUFF, Body, CameraTrack, Environment, Floats, ObjectInfo, Part, Scene, Vec3

_STRIDE_M = 1.45  # two steps
_SWING_RAD = 0.5
STRIDE_REACH = 0.28  # how far a walker's foot gets before its middle, as a share of its height
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
_CORNERS = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])


def vec3(v: Floats) -> Vec3:
    return (float(v[0]), float(v[1]), float(v[2]))


def yaw_rotation(yaw_rad: npt.ArrayLike) -> Floats:
    """Quaternions ``[..., 4]`` of turns about the vertical."""
    half = np.asarray(yaw_rad, np.float64) / 2
    zero = np.zeros_like(half)
    return np.stack([zero, zero, np.sin(half), np.cos(half)], axis=-1)


def _cross(a: Floats, b: Floats) -> Floats:
    """The vector product; `numpy.cross` spends ten times as long on checking its axes."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def turn(rotation: Floats, vector: npt.ArrayLike) -> Floats:
    """Vectors ``[..., 3]`` turned by unit quaternions ``[..., 4]``."""
    v = np.asarray(vector, np.float64)
    axis, w = rotation[..., :3], rotation[..., 3:]
    turned: Floats = v + 2 * _cross(axis, _cross(axis, v) + w * v)
    return turned


def compose(a: Floats, b: Floats) -> Floats:
    """The rotation that does ``b`` and then ``a``; quaternions ``[..., 4]``."""
    va, wa, vb, wb = a[..., :3], a[..., 3:], b[..., :3], b[..., 3:]
    vector = wa * vb + wb * va + _cross(va, vb)
    return np.concatenate([vector, wa * wb - (va * vb).sum(-1, keepdims=True)], axis=-1)


def rolling(path_m: Floats, radius_m: float) -> Floats:
    """Quaternions ``[frames, 4]`` of a ball that rolls along ``path_m`` ``[frames, 3]`` without slipping."""
    rotation = np.tile(UPRIGHT, (len(path_m), 1))
    for frame, step in enumerate(np.diff(path_m, axis=0), start=1):
        length = float(np.hypot(step[0], step[1]))
        half = length / radius_m / 2
        axis = np.array([-step[1], step[0], 0.0]) / max(length, 1e-9)
        rotation[frame] = compose(np.array([*(axis * np.sin(half)), np.cos(half)]), rotation[frame - 1])
    return rotation


class Stage:
    """Collects bodies with their poses at every frame."""

    def __init__(self, spec: FamilySpec) -> None:
        self.spec = spec
        self.time_s = np.arange(spec.num_frames) / spec.fps
        self.objects: list[ObjectInfo] = []
        self.assets: list[Asset] = []
        self._bodies: list[Body] = []
        self._position: list[Floats] = []
        self._rotation: list[Floats] = []

    def stand(
        self,
        asset: Asset,
        foot_m: npt.ArrayLike,
        yaw_rad: npt.ArrayLike = 0.0,
        *,
        dynamic: bool = False,
        landmark: bool = False,
    ) -> int:
        """An upright object with the middle of its underside at ``foot_m`` (``[3]`` or ``[frames, 3]``). Limbs swing
        with the way that it walks. Returns its instance."""
        centre = np.add(foot_m, (0, 0, asset.size_m[2] / 2))
        return self.add(asset, centre, yaw_rotation(yaw_rad), dynamic=dynamic, landmark=landmark)

    def add(
        self,
        asset: Asset,
        centre_m: npt.ArrayLike,
        rotation: Floats = UPRIGHT,
        *,
        dynamic: bool = False,
        landmark: bool = False,
    ) -> int:
        """An object with its centre at ``centre_m``; poses with or without a leading axis of frames."""
        instance = len(self.objects)
        self.objects.append(asset.info(dynamic=dynamic, landmark=landmark))
        self.assets.append(asset)
        centre, rotation = self._put(asset.parts, centre_m, rotation, instance)
        if asset.limbs:
            steps = np.linalg.norm(np.diff(centre[:, :2], axis=0), axis=-1)
            walked = np.concatenate([[0.0], np.cumsum(steps)])
            swing = _SWING_RAD if walked[-1] > 0.1 else 0.0
            for limb in asset.limbs:
                half = swing * np.sin(2 * np.pi * walked / _STRIDE_M + limb.phase_rad + 0.6) / 2
                zero = np.zeros_like(half)
                swung = np.stack([zero, np.sin(half), zero, np.cos(half)], axis=-1)
                self._put(limb.parts, centre + turn(rotation, limb.hinge_m), compose(rotation, swung), instance)
        return instance

    def scenery(
        self, parts: Sequence[Part], centre_m: npt.ArrayLike = (0.0, 0.0, 0.0), rotation: Floats = UPRIGHT
    ) -> None:
        """Parts that are no object."""
        self._put(tuple(parts), centre_m, rotation, STUFF)

    def points(self, instance: int) -> Floats:
        """The corners of an object's box at all frames: ``[frames * 8, 3]``."""
        body = next(i for i, b in enumerate(self._bodies) if b.instance == instance)
        corners = _CORNERS * self.objects[instance].size_m
        return (turn(self._rotation[body][:, None], corners) + self._position[body][:, None]).reshape(-1, 3)

    def _put(
        self, parts: tuple[Part, ...], centre_m: npt.ArrayLike, rotation: Floats, instance: int
    ) -> tuple[Floats, Floats]:
        frames = self.spec.num_frames
        self._bodies.append(Body(parts, instance))
        self._position.append(np.broadcast_to(np.asarray(centre_m, np.float64), (frames, 3)))
        self._rotation.append(np.broadcast_to(rotation, (frames, 4)))
        return self._position[-1], self._rotation[-1]

    def scene(self, family: str, camera: CameraTrack, environment: Environment, planned: tuple[str, ...] = ()) -> Scene:
        return Scene(
            family=family,
            seed=0,
            bodies=tuple(self._bodies),
            objects=tuple(self.objects),
            position_m=np.stack(self._position, axis=1),
            rotation=np.stack(self._rotation, axis=1),
            camera=camera,
            environment=environment,
            fps=self.spec.fps,
            difficulty=self.spec.difficulty,
            split=self.spec.split,
            planned=planned,
        )


def scatter(
    rng: np.random.Generator, radii: Sequence[float], extent_m: float, *, gap_m: float = 0.15, attempts: int = 40
) -> Floats:
    """Places ``[n, 2]`` for discs of ``radii`` in a disc that starts at ``extent_m`` and grows until they fit."""
    places: list[Floats] = []
    for radius in radii:
        reach = extent_m
        while True:
            angle, distance = rng.uniform(0, 2 * np.pi, attempts), reach * np.sqrt(rng.uniform(0, 1, attempts))
            tries = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * distance[:, None]
            free = np.ones(attempts, bool)
            for place, other in zip(places, radii, strict=False):
                free &= np.linalg.norm(tries - place, axis=-1) > radius + other + gap_m
            if free.any():
                places.append(tries[int(np.argmax(free))])
                break
            reach *= 1.15
    return np.array(places).reshape(-1, 2)


def distance_to_fit(points: Floats, target: Floats, forward: Floats, limit: float, *, share: float = 1.0) -> float:
    """How far before ``target`` a camera that looks ``forward`` has to stand for ``share`` of ``points`` ``[n, 3]`` to
    be within the tangent ``limit`` of its axis, sideways and up."""
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    offset = points - target
    aside = np.maximum(np.abs(offset @ right), np.abs(offset @ np.cross(forward, right)))
    return float(np.quantile(aside / limit - offset @ forward, share))


def footprint_m(asset: Asset) -> float:
    """Radius of the circle that an upright object keeps inside of, whichever way it faces."""
    return float(np.hypot(asset.size_m[0], asset.size_m[1]) / 2)
