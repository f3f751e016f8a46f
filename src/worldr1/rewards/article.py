"""The article's own reward, complete and batched: the baseline that the project's terms are measured against."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.geometry.camera import pixel_grid, sample
from worldr1.rewards.evidence import DepthEstimator, FlowEstimator


class WorldR1ConsistencyReward:
    """Depth of each frame against the next frame's, carried back along the optical flow.

    Follows the sketch in the article on World-R1: minus the mean |depth_t − warp(depth_{t+1}, flow)| over all of the
    picture, summed over the pairs and divided by the number of frames; 0 is best. Where flow leads out of the picture
    the article says nothing; there the border's depth is compared.

    Differentiable with respect to the frames wherever the estimators are. A `TransformersDepth` is. The flow of this
    library's estimators is not: it is held, and gradients pass through depth and its warping.

    **Its flaw**: it asks depth to stay the same along the flow, but when the camera moves forward the true depth of
    everything shrinks, so an honest push-in is punished for being honest. `rewards.depth.depth_term`
    compensates the camera's motion; use this class as a baseline only.
    """

    differentiable = True

    def __init__(self, depth_estimator: DepthEstimator, flow_estimator: FlowEstimator) -> None:
        self.depth_estimator = depth_estimator  # [n, 3, h, w] in [0, 1] -> depth [n, h, w] or [n, 1, h, w]
        self.flow_estimator = flow_estimator  # [n, 3, h, w] twice -> flow in pixels [n, h, w, 2]

    def calculate_reward(self, generated_frames: Tensor) -> Tensor:
        """Rewards ``[batch]``, at most 0, of ``generated_frames`` ``[batch, frames, 3, h, w]`` in [0, 1].

        All pairs go through the estimators at once, every frame through the depth network once; a ``clipwise`` one
        (see `gather_evidence`) is called once per clip. Raises ``ValueError`` for another shape, fewer than two frames
        or depth of another shape.
        """
        if generated_frames.ndim != 5 or generated_frames.shape[1] < 2:
            raise ValueError(f"frames must be [batch, at least 2, 3, h, w], not {list(generated_frames.shape)}")
        batch, num_frames = generated_frames.shape[:2]
        # time first: then all frames but the last, and all but the first, are parts of one tensor and no copies
        frames = generated_frames.transpose(0, 1).flatten(0, 1)
        depth = self._depth(generated_frames)
        flow = _plain(self.flow_estimator(frames[:-batch], frames[batch:]))
        warped = self.warp_using_flow(depth[batch:], flow)
        penalty = (depth[:-batch] - warped).abs().mean((1, 2, 3))
        return -penalty.view(num_frames - 1, batch).sum(0) / num_frames

    def warp_using_flow(self, target_tensor: Tensor, flow: Tensor) -> Tensor:
        """``target_tensor`` ``[n, c, h, w]`` where ``flow`` ``[n, h, w, 2]`` (pixels; x, y) leads: same shape.

        Bilinear; positions outside take the border's value.
        """
        height, width = target_tensor.shape[-2:]
        return sample(target_tensor, pixel_grid(height, width, target_tensor) + flow)

    def _depth(self, frames: Tensor) -> Tensor:
        """Depth ``[frames * batch, 1, h, w]``, time first, of ``[batch, frames, 3, h, w]``."""
        if getattr(self.depth_estimator, "clipwise", False):
            depth = torch.stack([self.depth_estimator(clip) for clip in frames]).transpose(0, 1).flatten(0, 1)
        else:
            depth = self.depth_estimator(frames.transpose(0, 1).flatten(0, 1))
        depth = _plain(depth if depth.ndim == 4 else depth[:, None])
        if depth.shape[1:] != (1, *frames.shape[-2:]):
            raise ValueError(f"the depth estimator must answer [n, h, w] or [n, 1, h, w], not {list(depth.shape)}")
        return depth


def _plain(measured: Tensor) -> Tensor:
    """What inference mode has made cannot take part in a backward pass, its copy can."""
    return measured.clone() if measured.is_inference() else measured
