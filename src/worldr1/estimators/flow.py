"""Optical flow from OpenCV's DIS (Kroeger et al. 2016): no weights, a few milliseconds a pair on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from cv2.typing import MatLike
from torch import Tensor

from worldr1.estimators.flow_start import brought, composed, keypoints, start

_LEAST_SIDE = 64  # smaller frames are enlarged: DIS matches patches of 8 pixels
_FINE_SIDE = 128  # what gives the flow of small frames a third less error, in four times the time
# of enlarged frames, which show no more detail in twice the pixels: on rendered worlds larger patches and more
# smoothness leave half as many errors over a pixel, and up to two fifths less error in all, in twice the time
_ENLARGED = {
    "PatchSize": 12,
    "PatchStride": 6,
    "VariationalRefinementAlpha": 40.0,
    "VariationalRefinementIterations": 10,
}


def to_gray(frames: Tensor, least_side: int = _LEAST_SIDE) -> list[MatLike]:
    """uint8 luminance images of frames ``[n, 3, h, w]`` in [0, 1], enlarged to at least ``least_side`` a side."""
    images = (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    factor = max(1, -(-least_side // min(images.shape[1:3])))
    gray = [cv2.cvtColor(np.ascontiguousarray(i), cv2.COLOR_RGB2GRAY) for i in images]
    if factor == 1:
        return gray
    return [cv2.resize(g, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC) for g in gray]


class DISFlow:
    """Dense flow between frame pairs, in pixels."""

    def __init__(self, threads: int = 2, *, shifted: bool = False) -> None:
        """``shifted`` starts from how the whole picture moves: without it, motion of more than a tenth of a small
        picture escapes the coarsest scale."""
        self.threads, self.shifted = threads, shifted

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow ``[n, h, w, 2]`` from ``first`` to ``second``, both ``[n, 3, h, w]`` in [0, 1].

        Raises ``ValueError`` when the shapes differ.
        """
        if first.shape != second.shape:
            raise ValueError(f"frames differ in shape: {tuple(first.shape)} and {tuple(second.shape)}")
        n = len(first)
        return self._between(self._gray(torch.cat([first, second])), [(i, n + i) for i in range(n)], first)

    def both_ways(self, video: Tensor, guess_px: Tensor | None = None) -> Tensor:
        """Flow ``[2, b, f-1, h, w, 2]`` to the next frame, and from it back, of videos ``[b, f, 3, h, w]`` in [0, 1].

        As two calls, but every frame is made gray once instead of four times. With ``guess_px``, flow of the same
        shape, the later picture is first brought back along it, by the picture's size at most, and what is left is
        looked for: edges of the guess stay sharp, which a start at DIS's coarsest scale does not keep.
        """
        b, f = video.shape[:2]
        ahead = [(i * f + t, i * f + t + 1) for i in range(b) for t in range(f - 1)]
        guess = None if guess_px is None else guess_px.flatten(0, 2)
        flow = self._between(self._gray(video.flatten(0, 1)), ahead + [(j, i) for i, j in ahead], video, guess)
        return flow.view(2, b, f - 1, *flow.shape[1:])

    def _gray(self, frames: Tensor) -> list[MatLike]:
        return to_gray(frames, _FINE_SIDE if self.shifted else _LEAST_SIDE)

    def _between(
        self, images: Sequence[MatLike], pairs: Sequence[tuple[int, int]], like: Tensor, guess: Tensor | None = None
    ) -> Tensor:
        """Flow ``[n, h, w, 2]`` between pairs of images of `to_gray`, for frames of the size and device of ``like``,
        around ``guess`` of that shape."""
        height, width = like.shape[-2:]
        factor = images[0].shape[1] / width
        enlarged = self.shifted and factor > 1

        def block(part: Sequence[int]) -> list[MatLike]:
            dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # not safe to share between threads
            dis.setFinestScale(0)
            for name, value in _ENLARGED.items() if enlarged else ():
                getattr(dis, f"set{name}")(value)
            return [between(dis, k) for k in part]

        def between(dis: cv2.DISOpticalFlow, k: int) -> MatLike:
            i, j = pairs[k]
            first, second = images[i], images[j]
            if guess is None:
                begin = start(first, second, known[i], known[j]) if self.shifted else None
                return dis.calc(first, second, begin)  # type: ignore[call-overload,no-any-return]
            # behind the camera a guess is boundless
            near = _resized(guess[k].clamp(-max(height, width), max(height, width)).cpu().numpy(), first.shape, factor)
            left = dis.calc(first, brought(second, near, first), None)  # type: ignore[call-overload]
            return composed(near, left)

        share = -(-len(pairs) // self.threads)
        blocks = [range(i, min(i + share, len(pairs))) for i in range(0, len(pairs), share)]
        with ThreadPoolExecutor(self.threads) as pool:
            known = list(pool.map(keypoints, images)) if self.shifted and guess is None else []
            flow = np.stack([f for part in pool.map(block, blocks) for f in part])
        if factor != 1:
            flow = np.stack([_resized(f, (height, width), 1 / factor) for f in flow])
        return torch.from_numpy(np.ascontiguousarray(flow)).to(like.device)


def _resized(flow: MatLike, shape: tuple[int, ...], factor: float) -> MatLike:
    """Flow in pixels of pictures of ``shape``, ``factor`` times as large."""
    if factor == 1:
        return flow
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    larger: MatLike = factor * cv2.resize(flow, (shape[1], shape[0]), interpolation=kind)
    return larger
