"""Clips that prove nothing: what a policy finds when a reward can be had without a consistent world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from worldr1.evaluate.bench.camera_corruptions import slowed
from worldr1.evaluate.bench.edits import SceneEdit
from worldr1.evaluate.bench.image_corruptions import ClipEdit
from worldr1.evaluate.bench.shown import Shown, reorder
from worldr1.worlds.rendered import SCENERY, SKY
from worldr1.worlds.scene import STUFF, Scene

_NEARLY = 0.04  # share of the path that a nearly still camera covers
_LOOP = 3  # frames from one end of a ping-pong loop to the other
_BARE_WALL_M = 3.0


def static(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """The first frame, held."""
    return reorder(shown, [0] * len(shown.clip.video))


def near_static(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """The camera covers 4 % of its path."""
    return slowed(scene, _NEARLY)


def flat(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """One colour: a bare wall three metres away."""
    truth = shown.truth
    colour = shown.clip.video.mean((0, 2, 3))[None, :, None, None]
    zero = torch.zeros_like(truth.flow_px)
    depth, wall = torch.full_like(truth.depth_m, _BARE_WALL_M), torch.full_like(truth.instance_ids, SCENERY)
    return shown.with_truth(colour.expand_as(shown.clip.video).clone(), depth, wall, zero, zero)


def pure_noise(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """Every pixel of every frame is drawn anew: there is no truth, estimators have to answer."""
    truth = shown.truth
    video = torch.from_numpy(rng.uniform(size=shown.clip.video.shape)).float()
    unknown = torch.full_like(truth.flow_px, torch.nan)
    nothing = torch.full_like(truth.instance_ids, SKY)
    return shown.with_truth(video, torch.full_like(truth.depth_m, torch.nan), nothing, unknown, unknown)


def ping_pong(shown: Shown, rng: np.random.Generator, amount: float) -> Shown:  # noqa: ARG001
    """The first frames, forwards and backwards, over and over."""
    phase = np.arange(len(shown.clip.video)) % (2 * _LOOP)
    return reorder(shown, [int(min(p, 2 * _LOOP - p)) for p in phase])


def frozen_background(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:  # noqa: ARG001
    """The background stands still while the objects move as if the camera did."""
    c2w = scene.camera.c2w
    carry = c2w[:1] @ np.linalg.inv(c2w)
    bodies = [i for i, b in enumerate(scene.bodies) if b.instance != STUFF]
    position, rotation = scene.position_m.copy(), scene.rotation.copy()
    position[:, bodies] = np.einsum("fij,fbj->fbi", carry[:, :3, :3], position[:, bodies]) + carry[:, None, :3, 3]
    for frame in range(scene.num_frames):
        turned = Rotation.from_matrix(carry[frame, :3, :3]) * Rotation.from_quat(rotation[frame, bodies])
        rotation[frame, bodies] = turned.as_quat()
    camera = replace(scene.camera, c2w=np.repeat(c2w[:1], scene.num_frames, axis=0))
    return replace(scene, position_m=position, rotation=rotation, camera=camera)


SCENE_HACKS: Mapping[str, SceneEdit] = {"near-static": near_static, "frozen background": frozen_background}
CLIP_HACKS: Mapping[str, ClipEdit] = {
    "static": static,
    "flat": flat,
    "pure noise": pure_noise,
    "ping-pong loop": ping_pong,
}
