"""The camera of a clip from networks that look at all its frames together; they know nothing of our depth or flow."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.estimators.multiview import DepthAnything3Depth, VGGTDepth, package
from worldr1.estimators.structure import Structure

# such a network has an answer for any frames, also for those of no world
NO_CHECK = "a learned camera does not tell how well one rigid world explains the clip"
NO_POSE = "the network found no camera for this clip"


class VGGTCamera:
    """`structure.CameraEstimator` of VGGT (Wang et al. 2025), package ``vggt``."""

    def __init__(self, model: str = "facebook/VGGT-1B", device: str | None = None) -> None:
        """Raises ``ImportError`` that names the package."""
        self._network = VGGTDepth(model, device)
        self._decode = package("vggt.utils.pose_enc").pose_encoding_to_extri_intri

    @torch.inference_mode()
    def __call__(self, video: Tensor, _K: Tensor) -> Structure:
        """The camera of a clip ``[f, 3, h, w]`` in [0, 1]; the network finds intrinsics of its own."""
        told = self._network.predict(video)["pose_enc"]  # [1, f, 9]: translation, quaternion, fields of view
        world_to_camera, _ = self._decode(told, self._network.input_size(*video.shape[-2:]))
        return from_world_to_camera(world_to_camera[0].float().cpu())


class DepthAnything3Camera:
    """`structure.CameraEstimator` of Depth Anything 3, package ``depth_anything_3``."""

    def __init__(self, model: str = "depth-anything/DA3-LARGE", device: str | None = None) -> None:
        """Raises ``ImportError`` that names the package."""
        self._model, self._network = model, DepthAnything3Depth(model, device)

    @torch.inference_mode()
    def __call__(self, video: Tensor, _K: Tensor) -> Structure:
        """As `VGGTCamera`; raises ``ValueError`` for a model that looks at single frames."""
        told = self._network.predict(video).extrinsics
        if told is None:
            raise ValueError(f"{self._model} finds no cameras; use one that does, like depth-anything/DA3-LARGE")
        return from_world_to_camera(torch.as_tensor(told).float().cpu())


def from_world_to_camera(extrinsics: Tensor) -> Structure:
    """What OpenCV's matrices ``[f, 3 or 4, 4]``, from the world to the camera, say; frames without one are missing."""
    frames = len(extrinsics)
    there = torch.isfinite(extrinsics).flatten(1).all(1)
    c2w = torch.full((frames, 4, 4), torch.nan)
    if not bool(there.any()):
        return Structure(c2w, there, frames, silent=NO_POSE)
    w2c = torch.eye(4).repeat(int(there.sum()), 1, 1)
    w2c[:, :3] = extrinsics[there, :3]
    c2w[there] = w2c[0] @ torch.linalg.inv(w2c)  # relative to the first one
    return Structure(c2w, there, frames, silent=NO_CHECK)
