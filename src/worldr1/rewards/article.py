"""The article's own reward, complete and batched: the baseline that the project's terms are measured against."""

from __future__ import annotations

from torch import Tensor

from worldr1.geometry.camera import inside, pixel_grid, sample
from worldr1.rewards.evidence import DepthEstimator, FlowEstimator
from worldr1.rewards.term import masked_mean


class WorldR1ConsistencyReward:
    """Depth of each frame against the next frame's, carried back along the optical flow.

    Follows the sketch in the article on World-R1: minus the mean |depth_t − warp(depth_{t+1}, flow)| over the picture,
    summed over the pairs and divided by the number of frames; 0 is best. Pixels that flow leads out of the
    picture count for nothing. Differentiable with respect to the frames wherever the estimators are.

    **Its flaw**: it asks depth to stay the same along the flow, but when the camera moves forward the true depth of
    everything shrinks, so an honest push-in is punished for being honest. `rewards.depth.depth_term`
    compensates the camera's motion; use this class as a baseline only.
    """

    differentiable = True

    def __init__(self, depth_estimator: DepthEstimator, flow_estimator: FlowEstimator) -> None:
        self.depth_estimator = depth_estimator  # [n, 3, h, w] in [0, 1] -> depth [n, h, w]
        self.flow_estimator = flow_estimator  # [n, 3, h, w] twice -> flow in pixels [n, h, w, 2]

    def calculate_reward(self, frames: Tensor) -> Tensor:
        """Rewards ``[batch]``, at most 0, of ``frames`` ``[batch, frames, 3, h, w]`` in [0, 1].

        All pairs go through the estimators at once, every frame through the depth network once. Raises
        ``ValueError`` for another shape or fewer than two frames.
        """
        if frames.ndim != 5 or frames.shape[1] < 2:
            raise ValueError(f"frames must be [batch, at least 2, 3, h, w], not {list(frames.shape)}")
        batch, num_frames, _, height, width = frames.shape
        # time first: then all frames but the last, and all but the first, are parts of one tensor and no copies
        frames = frames.transpose(0, 1).flatten(0, 1)
        depth = self.depth_estimator(frames)[:, None]
        flow = self.flow_estimator(frames[:-batch], frames[batch:])
        warped = self.warp_using_flow(depth[batch:], flow)
        seen = inside(pixel_grid(height, width, frames) + flow, height, width)
        penalty = masked_mean((depth[:-batch] - warped).abs()[:, 0], seen, (1, 2))
        return -penalty.view(num_frames - 1, batch).sum(0) / num_frames

    def warp_using_flow(self, target: Tensor, flow: Tensor) -> Tensor:
        """``target`` ``[n, c, h, w]`` looked up where ``flow`` ``[n, h, w, 2]`` (pixels; x, y) leads: same shape.

        Bilinear; positions outside take the border's value.
        """
        return sample(target, pixel_grid(target.shape[-2], target.shape[-1], target) + flow)
