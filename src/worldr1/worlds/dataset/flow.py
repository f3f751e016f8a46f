"""Optical flow from depth, segmentation and poses, so that a dataset need not store it.

In the plane-plus-parallax form (Irani & Anandan 1996) a pixel p at depth Z goes to ``H p + e / Z``, with the
homography H and epipole e of whatever it shows; the sky is the case 1/Z = 0. Where this misses the rendered flow by
more than a tolerance (limbs that move against their body, silhouettes) the rendered vectors are kept as a patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from worldr1.worlds.rendered import FIRST_OBJECT

Array = npt.NDArray[Any]
Truth = Mapping[str, Array]  # the arrays of a clip's `gt.npz`, listed in `sample`
Direction = Literal["forward", "backward"]

TOLERANCE_PX = 0.05
STEP = {"forward": 1, "backward": -1}


def recompute_flow(truth: Truth, direction: Direction = "forward") -> npt.NDArray[np.float32]:
    """Flow ``[frames, h, w, 2]`` in pixels to the next (or previous) frame, 0 where there is none.

    Differs from the rendered flow by at most `TOLERANCE_PX` in each component.
    """
    flow = rigid_flow(truth, direction)
    flow.reshape(-1, 2)[truth[f"{direction}_patch_at"]] = truth[f"{direction}_patch_px"]
    return flow


def flow_patch(truth: Truth, flow_px: Array, direction: Direction) -> dict[str, Array]:
    """What `rigid_flow` gets wrong of the rendered flow ``[frames, h, w, 2]``: flat pixel indices and vectors."""
    wrong = ~(np.abs(rigid_flow(truth, direction) - flow_px) <= TOLERANCE_PX).all(axis=-1)  # NaN is wrong too
    at = np.flatnonzero(wrong).astype(np.uint32)
    vectors = flow_px.reshape(-1, 2)[at].astype(np.float32)
    return {f"{direction}_patch_at": at, f"{direction}_patch_px": vectors}


def rigid_flow(truth: Truth, direction: Direction) -> npt.NDArray[np.float32]:
    """The flow if every instance moved as one rigid body and the rest stood still."""
    depth_m, ids = truth["depth_m"], truth["instance_ids"]
    frames, height, width = depth_m.shape
    flow = np.zeros((frames, height, width, 2), np.float32)
    step = STEP[direction]
    here = np.arange(frames)[:-1] if step > 0 else np.arange(frames)[1:]
    if not len(here):
        return flow
    H, e = _transfer(truth, here, here + step)
    instances = H.shape[1]
    table = np.concatenate([H, e[..., None]], axis=-1).reshape(-1, 12).astype(np.float32)
    row = np.arange(len(here))[:, None, None] * instances + ids[here]
    with np.errstate(divide="ignore"):  # nothing is at depth 0 but what float16 cannot tell from it
        inverse = 1 / depth_m[here].astype(np.float32)
    x = np.arange(width, dtype=np.float32) + 0.5
    y = (np.arange(height, dtype=np.float32) + 0.5)[:, None]

    def component(i: int) -> Array:
        a, b, c, d = (table[:, 4 * i + j].take(row) for j in range(4))
        return np.asarray(a * x + b * y + c + d * inverse)

    with np.errstate(divide="ignore", invalid="ignore"):  # points that come to lie in the camera's plane
        scale = component(2)
        flow[here, ..., 0] = component(0) / scale - x
        flow[here, ..., 1] = component(1) / scale - y
    return flow


def _transfer(truth: Truth, here: Array, there: Array) -> tuple[Array, Array]:
    """Homographies ``[n, instances, 3, 3]`` and epipoles ``[n, instances, 3]`` from frames ``here`` to ``there``."""
    frames, objects = truth["position_m"].shape[:2]
    poses = np.tile(np.eye(4), (frames, FIRST_OBJECT + objects, 1, 1))
    if objects:
        turns = Rotation.from_quat(truth["rotation"].reshape(-1, 4)).as_matrix()
        poses[:, FIRST_OBJECT:, :3, :3] = turns.reshape(frames, objects, 3, 3)
        poses[:, FIRST_OBJECT:, :3, 3] = truth["position_m"]
    c2w, K = truth["c2w"], truth["intrinsics"]
    motion = poses[there] @ np.linalg.inv(poses[here])
    motion = np.linalg.inv(c2w[there])[:, None] @ motion @ c2w[here][:, None]
    H = K[there][:, None] @ motion[..., :3, :3] @ np.linalg.inv(K[here])[:, None]
    e = (K[there][:, None] @ motion[..., :3, 3:])[..., 0]
    return H, e
