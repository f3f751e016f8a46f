"""Hand-made general scenes at 64 pixels with exact evidence: what each term is shown violated and clean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from worldr1.estimators.depth import MAX_DEPTH_M
from worldr1.rewards.evidence import Evidence, gather_evidence
from worldr1.types import Prompt
from worldr1.worlds.render import WarpRenderer, camera_of
from worldr1.worlds.rendered import FIRST_OBJECT, Rendered
from worldr1.worlds.scene import Body, CameraTrack, Environment, Material, ObjectInfo, Part, Scene

FRAMES, SIZE, FOCAL_MM = 13, 64, 28.0
COLOURS = ((0.85, 0.15, 0.1), (0.1, 0.25, 0.85), (0.9, 0.75, 0.1), (0.1, 0.6, 0.3), (0.6, 0.2, 0.7))


def facing(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Camera-to-world matrices ``[frames, 4, 4]`` at ``eye`` ``[frames, 3]`` looking at ``target``."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    c2w = np.tile(np.eye(4), (len(eye), 1, 1))
    c2w[:, :3] = np.stack([right, np.cross(forward, right), forward, eye], -1)
    return c2w


def orbit(degrees: float = 35.0, frames: int = FRAMES, there_and_back: bool = False) -> np.ndarray:
    t = np.linspace(-0.5, 0.5, frames)
    if there_and_back:
        t = np.abs(np.linspace(-1, 1, frames)) - 0.5
    angle = np.radians(degrees) * t - np.pi / 2
    eye = np.stack([5 * np.cos(angle), 5 * np.sin(angle), np.full(frames, 1.9)], -1)
    return facing(eye, np.tile([0.0, 0.0, 0.5], (frames, 1)))


def push(metres: float = 1.8, frames: int = FRAMES) -> np.ndarray:
    y = np.linspace(-5.2, -5.2 + metres, frames)
    eye = np.stack([np.zeros(frames), y, np.full(frames, 1.6)], -1)
    return facing(eye, eye + np.array([0.0, 1.0, -0.22]))


def pan_away_and_return(sideways: float = 1.0, frames: int = FRAMES) -> np.ndarray:
    """Looks at the scene, turns away, and looks again from ``sideways`` metres further right."""
    t = np.linspace(0, 1, frames)
    turn = np.radians(75) * np.sin(np.pi * t) ** 2
    eye = np.stack([-0.5 * sideways + sideways * t, np.full(frames, -4.6), np.full(frames, 1.7)], -1)
    ahead = np.stack([np.sin(turn), np.cos(turn), np.full(frames, -0.25)], -1)
    return facing(eye, eye + ahead)


def still(frames: int = FRAMES) -> np.ndarray:
    return np.repeat(push(0.0, 2)[:1], frames, 0)


def scene(
    c2w: np.ndarray,
    seed: int = 0,
    *,
    mover: bool = False,
    occluder: bool = False,
    focal_mm: np.ndarray | float = FOCAL_MM,
) -> Scene:
    """Three boxes and balls on textured ground before a wall; the first one may move, a wall may stand before it."""
    rng = np.random.default_rng(seed)
    frames = len(c2w)
    bodies, place = [], []
    for i in range(3):
        half = rng.uniform(0.3, 0.45, 3)
        colour = COLOURS[(i + seed) % len(COLOURS)]
        dark = tuple(0.55 * c for c in colour)
        shape = ("box", "cylinder", "sphere")[i]
        if shape == "sphere":
            half[:] = half[0]
        material = Material("checker", colour, dark, 0.25)  # type: ignore[arg-type]
        bodies.append(Body((Part(shape, tuple(half), material),), i))  # type: ignore[arg-type]
        spot = np.array([(-1.3, 0.0, 1.2)[i] + rng.uniform(-0.2, 0.2), rng.uniform(-0.6, 0.4), half[2]])
        place.append(np.tile(spot, (frames, 1)))
    if mover:
        place[0][:, 0] = np.linspace(-2.1, 2.1, frames)
        place[0][:, 1] = -1.2 if not occluder else 0.9
    wall = Material("bricks", (0.6, 0.4, 0.3), (0.3, 0.2, 0.15), 0.5)
    bodies.append(Body((Part("box", (8.0, 0.2, 3.0), wall),)))
    place.append(np.tile([0.0, 4.0, 1.5], (frames, 1)))
    if occluder:
        plate = Material("wood", (0.5, 0.35, 0.2), (0.3, 0.2, 0.1), 0.4)
        bodies.append(Body((Part("box", (0.75, 0.1, 0.8), plate),)))
        place.append(np.tile([0.0, -1.6, 0.8], (frames, 1)))
        place[1][:, 0], place[2][:, 0] = 2.6, 3.4
    info = ObjectInfo("thing", "red", (0.8, 0.8, 0.8), 0.5, dynamic=mover)
    turns = np.tile([0.0, 0.0, 0.0, 1.0], (frames, len(bodies), 1))
    focal = np.broadcast_to(np.asarray(focal_mm, float), (frames,)).copy()
    ground = Material("tiles", (0.7, 0.7, 0.65), (0.35, 0.35, 0.4), 0.8)
    return Scene(
        "hand", seed, tuple(bodies), (info,) * 3, np.stack(place, 1), turns, CameraTrack(c2w, focal),
        Environment(ground, visibility_m=60.0),
    )  # fmt: skip


def scaled(clean: Scene, body: int, factors: np.ndarray) -> Scene:
    """The scene with one body pumping: it keeps standing on the ground."""
    scale = np.ones_like(clean.position_m)
    scale[:, body] = factors[:, None]
    position = clean.position_m.copy()
    position[:, body, 2] *= factors
    return replace(clean, position_m=position, scale=scale)


def gone(clean: Scene, body: int, start: int) -> Scene:
    """The scene without one body from ``start`` on."""
    present = np.ones(clean.position_m.shape[:2], bool)
    present[start:, body] = False
    return replace(clean, present=present)


def recoloured(clean: Scene, body: int, start: int) -> Scene:
    """The scene with one body in another colour from ``start`` on."""
    part = clean.bodies[body].parts[0]
    r, g, b = part.material.colour
    material = replace(part.material, colour=(g, b, r), second=(0.5 * g, 0.5 * b, 0.5 * r))
    twin = Body((replace(part, material=material),), clean.bodies[body].instance)
    present = np.ones(clean.position_m.shape[:2], bool)
    present[start:, body] = False
    return replace(
        clean,
        bodies=(*clean.bodies, twin),
        position_m=np.concatenate([clean.position_m, clean.position_m[:, body : body + 1]], 1),
        rotation=np.concatenate([clean.rotation, clean.rotation[:, body : body + 1]], 1),
        present=np.concatenate([present, ~present[:, body : body + 1]], 1),
        scale=None,
    )


def moved(clean: Scene, body: int, start: int, by: tuple[float, float, float]) -> Scene:
    position = clean.position_m.copy()
    position[start:, body] += by
    return replace(clean, position_m=position)


def render(scenes: Sequence[Scene]) -> Rendered:
    return WarpRenderer()(scenes, SIZE, SIZE)


def evidence_of(
    scenes: Sequence[Scene], rendered: Rendered | None = None, prompts: Sequence[Prompt | None] | None = None
) -> Evidence:
    """Evidence from the renderer's own depth, flow and instances; the camera is recovered from them as ever."""
    out = rendered or render(scenes)
    video = torch.from_numpy(out.rgb).permute(0, 1, 4, 2, 3).float() / 255
    ids = torch.from_numpy(out.instance_ids).long()
    K = torch.stack([camera_of(s, SIZE, SIZE).K[0] for s in scenes])
    b = len(video)
    depth = torch.from_numpy(out.depth_m).clamp(max=MAX_DEPTH_M)
    forward = torch.from_numpy(out.flow_px[:, :-1]).flatten(0, 1)
    backward = torch.from_numpy(out.backward_flow_px[:, 1:]).flatten(0, 1)

    def true_depth(_frames: Tensor) -> Tensor:
        return depth.flatten(0, 1)

    def true_flow(_first: Tensor, _second: Tensor) -> Tensor:
        return torch.cat([forward, backward])

    asked = prompts or [None] * b
    evidence = gather_evidence(video, K, asked, true_depth, true_flow)
    return replace(evidence, segments=(ids - FIRST_OBJECT + 1).clamp(min=0))


def swept(video: Tensor) -> Tensor:
    """Clips ``[b, f, 3, h, w]`` under a warm lamp that sweeps over the picture, a quarter brighter below it."""
    f, w = video.shape[1], video.shape[-1]
    where = torch.linspace(-1, 1, w) - torch.linspace(-1.2, 1.2, f)[:, None]
    lamp = 0.25 * torch.exp(-2 * where**2)[:, None, None] * torch.tensor([1.0, 0.85, 0.6]).view(3, 1, 1)
    return video * (1 + lamp)
