"""Motion by MuJoCo: bodies and how they start in, poses at the video's frame rate and contacts out.

A body collides as its parts: boxes, spheres, ellipsoids, cylinders and capsules as such, cones and meshes as their
convex hulls. Steps are 4 ms or shorter and divide the frame interval, so that every frame is a simulated instant.
One thread and no random numbers: the same input gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from worldr1.worlds.meshes import get_mesh
from worldr1.worlds.scene import Body, Floats, Part, Quaternion, Vec3

GRAVITY_M_S2 = 9.81
GROUND = -1  # partner in a `Contact` with the ground plane
_MAX_STEP_S = 0.004
_CONTACT_RAD_S = 120.0  # of the spring at a contact: half a period takes six steps, a fall of 1 m sinks 4 cm in
_CONE_SIDES = 16
_PRIMITIVES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
}


@dataclass(frozen=True)
class Start:
    """How a body enters the simulation."""

    position_m: Vec3
    rotation: Quaternion = (0.0, 0.0, 0.0, 1.0)
    velocity_m_s: Vec3 = (0.0, 0.0, 0.0)
    spin_rad_s: Vec3 = (0.0, 0.0, 0.0)  # about the body's own axes
    fixed: bool = False  # never moves: a ramp, a wall
    density_kg_m3: float = 200.0
    friction: float = 0.6  # sliding; that of the bouncier of two touching bodies counts, else the larger
    bounce: float = 0.1  # coefficient of restitution in [0, 1); that of the bouncier of two bodies counts


@dataclass(frozen=True)
class Contact:
    """Two bodies that touched without a break."""

    bodies: tuple[int, int]  # indices into the bodies, ascending; the first may be GROUND
    start_s: float
    end_s: float
    approach_m_s: float  # speed of the centres towards each other along the normal, at the first touch
    impulse_n_s: float  # integral of the normal force


@dataclass(frozen=True)
class Motion:
    """What a simulation did, sampled at the frames."""

    position_m: Floats  # [frames, bodies, 3]
    rotation: Floats  # [frames, bodies, 4]
    energy_j: Floats  # [frames] kinetic and potential
    contacts: tuple[Contact, ...]

    def between(self, a: int, b: int) -> list[Contact]:
        """Contacts of two bodies, in order of time."""
        return [c for c in self.contacts if c.bodies == (min(a, b), max(a, b))]


def simulate(
    bodies: Sequence[Body], starts: Sequence[Start], *, num_frames: int, fps: float, ground: bool = True
) -> Motion:
    """Let ``bodies`` move freely from ``starts`` (frame 0) over an optional ground plane at z = 0.

    Raises ``ValueError`` when a body has no start, all are fixed, or there is no frame.
    """
    if len(bodies) != len(starts):
        raise ValueError(f"{len(bodies)} bodies and {len(starts)} starts; give every body one")
    if num_frames < 1 or fps <= 0:
        raise ValueError(f"{num_frames} frames at {fps} per second; both have to be positive")
    if all(s.fixed for s in starts):
        raise ValueError("all bodies are fixed; nothing would move, so do not simulate")
    steps = math.ceil(1 / (fps * _MAX_STEP_S))
    model = _compile(bodies, starts, 1 / (fps * steps), ground)
    data = mujoco.MjData(model)
    moving = [i for i, s in enumerate(starts) if not s.fixed]
    for k, i in enumerate(moving):
        data.qvel[6 * k : 6 * k + 3], data.qvel[6 * k + 3 : 6 * k + 6] = starts[i].velocity_m_s, starts[i].spin_rad_s

    position = np.tile([s.position_m for s in starts], (num_frames, 1, 1)).astype(np.float64)
    rotation = np.tile([s.rotation for s in starts], (num_frames, 1, 1)).astype(np.float64)
    energy = np.zeros(num_frames)
    log = _ContactLog(model)
    for frame in range(num_frames):
        if frame:
            for _ in range(steps):
                velocity = data.qvel.copy() if log.expects_touch(data) else None
                mujoco.mj_step(model, data)
                log.update(data, velocity)
        pose = data.qpos.reshape(-1, 7)
        position[frame, moving] = pose[:, :3]
        rotation[frame, moving] = pose[:, [4, 5, 6, 3]]  # MuJoCo writes w first
        energy[frame] = _energy(model, data)
    return Motion(position, rotation, energy, log.finish(data.time))


def _energy(model: Any, data: Any) -> float:
    mujoco.mj_fwdPosition(model, data)
    mujoco.mj_energyPos(model, data)
    mujoco.mj_energyVel(model, data)
    return float(data.energy.sum())


def _compile(bodies: Sequence[Body], starts: Sequence[Start], step_s: float, ground: bool) -> Any:
    spec = mujoco.MjSpec()
    spec.option.timestep = step_s
    spec.option.gravity = [0, 0, -GRAVITY_M_S2]
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC  # its first force of a contact is the normal one
    if ground:
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], friction=[0.6, 0.005, 0.0001], priority=-1
        )
    for index, (body, start) in enumerate(zip(bodies, starts, strict=True)):
        x, y, z, w = start.rotation
        node = spec.worldbody.add_body(name=str(index), pos=start.position_m, quat=[w, x, y, z])
        if not start.fixed:
            node.add_freejoint()
        for number, part in enumerate(body.parts):
            _add_geom(spec, node, part, start, f"{index}/{number}")
    return spec.compile()


def _add_geom(spec: Any, node: Any, part: Part, start: Start, name: str) -> None:
    # a mass on a spring whose damping ratio is this rebounds with the wanted share of its speed
    decay = -math.log(max(start.bounce, 1e-3))
    damping = decay / math.hypot(math.pi, decay)
    x, y, z, w = part.rotation
    shared: dict[str, Any] = {
        "pos": part.offset_m,
        "quat": [w, x, y, z],
        "density": start.density_kg_m3,
        "friction": [start.friction, 0.005, 0.0001],
        "solref": [-(_CONTACT_RAD_S**2), -2 * damping * _CONTACT_RAD_S],
        "priority": round(100 * start.bounce),
    }
    a, b, c = part.half_size_m
    if part.shape in _PRIMITIVES:
        kind, size = _PRIMITIVES[part.shape], [a, b, c]
        if part.shape == "sphere" and a == b == c:
            kind = mujoco.mjtGeom.mjGEOM_SPHERE  # exact and much cheaper than an ellipsoid
        elif part.shape == "cylinder":
            size = [a, c, 0]
        elif part.shape == "capsule":
            size = [a, c - a, 0]
        node.add_geom(type=kind, size=size, **shared)
        return
    spec.add_mesh(name=name, uservert=(_hull_points(part) * part.half_size_m).ravel())
    node.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, **shared)


def _hull_points(part: Part) -> Floats:
    """Points ``[n, 3]`` in the cube of half side 1 whose convex hull a cone or mesh collides as."""
    if part.shape == "cone":
        angle = np.arange(_CONE_SIDES) * 2 * np.pi / _CONE_SIDES
        rim = np.stack([np.cos(angle), np.sin(angle), -np.ones(_CONE_SIDES)], axis=-1)
        return np.vstack([rim, [0.0, 0.0, 1.0]])
    return np.asarray(get_mesh(part.mesh).vertices, np.float64)


class _ContactLog:
    """Joins the contact points of successive steps to `Contact`s."""

    def __init__(self, model: Any) -> None:
        self._body_of_geom = (model.geom_bodyid - 1).tolist()  # MuJoCo's body 0 is the world: GROUND
        self._dof = {i: int(model.body_dofadr[i + 1]) for i in range(model.nbody - 1)}
        self._step_s = float(model.opt.timestep)
        self._open: dict[tuple[int, int], list[float]] = {}  # pair: start, approach, impulse
        self._closed: list[Contact] = []
        self._points = 0

    def expects_touch(self, data: Any) -> bool:
        """Whether the next step may bring a new contact whose approach has to be measured."""
        return int(data.ncon) != self._points or not self._points

    def update(self, data: Any, before: Floats | None) -> None:
        self._points = int(data.ncon)
        if not self._points and not self._open:
            return
        force: dict[tuple[int, int], float] = {}
        first: dict[tuple[int, int], int] = {}
        contact = data.contact
        for k, ((g, h), address) in enumerate(zip(contact.geom.tolist(), contact.efc_address.tolist(), strict=True)):
            i, j = self._body_of_geom[g], self._body_of_geom[h]
            pair = (i, j) if i < j else (j, i)
            if address >= 0:
                force[pair] = force.get(pair, 0.0) + float(data.efc_force[address])
                first.setdefault(pair, k)
        now = float(data.time)
        for pair, newton in force.items():
            if pair not in self._open:
                velocity = data.qvel if before is None else before
                self._open[pair] = [now, self._approach(pair, contact.frame[first[pair]][:3], velocity), 0.0]
            self._open[pair][2] += newton * self._step_s
        for pair in [p for p in self._open if p not in force]:
            self._close(pair, now)

    def _approach(self, pair: tuple[int, int], normal: Floats, velocity: Floats) -> float:
        relative = np.zeros(3)
        for body, sign in zip(pair, (-1, 1), strict=True):
            start = self._dof.get(body, -1)
            if start >= 0:
                relative += sign * velocity[start : start + 3]
        return abs(float(relative @ normal))

    def _close(self, pair: tuple[int, int], now: float) -> None:
        start, approach, impulse = self._open.pop(pair)
        self._closed.append(Contact(pair, start, now, approach, impulse))

    def finish(self, now: float) -> tuple[Contact, ...]:
        for pair in list(self._open):
            self._close(pair, now)
        return tuple(sorted(self._closed, key=lambda c: (c.start_s, c.bodies)))
