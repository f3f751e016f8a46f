"""Optical flow from OpenCV's DIS (Kroeger et al. 2016): no weights, a few milliseconds a pair on a CPU."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch import Tensor

_LEAST_SIDE = 64  # smaller frames are enlarged: DIS matches patches of 8 pixels
_FINE_SIDE = 128  # what gives the flow of small frames a third less error, in four times the time


def to_gray(frames: Tensor, least_side: int = _LEAST_SIDE) -> list[cv2.typing.MatLike]:
    """uint8 luminance images of frames ``[n, 3, h, w]`` in [0, 1], enlarged to at least 64 pixels a side."""
    images = (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    factor = max(1, -(-least_side // min(images.shape[1:3])))
    gray = [cv2.cvtColor(np.ascontiguousarray(i), cv2.COLOR_RGB2GRAY) for i in images]
    if factor == 1:
        return gray
    return [cv2.resize(g, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC) for g in gray]


def _start(first: cv2.typing.MatLike, second: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """The shift ``[h, w, 2]`` of the whole picture by phase correlation, at a shorter side of 64 pixels."""
    height, width = first.shape[:2]
    factor = _LEAST_SIDE / min(height, width)
    size = (round(factor * width), round(factor * height))
    a, b = (cv2.resize(x, size, interpolation=cv2.INTER_AREA).astype(np.float32) for x in (first, second))
    (dx, dy), _ = cv2.phaseCorrelate(a, b, cv2.createHanningWindow(size, cv2.CV_32F))
    return np.tile(np.array([dx / factor, dy / factor], np.float32), (height, width, 1))


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
        least = _FINE_SIDE if self.shifted else _LEAST_SIDE
        a, b = to_gray(first, least), to_gray(second, least)
        height, width = first.shape[-2:]

        def block(indices: range) -> list[cv2.typing.MatLike]:
            dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # not safe to share between threads
            dis.setFinestScale(0)
            return [dis.calc(a[i], b[i], _start(a[i], b[i]) if self.shifted else None) for i in indices]  # type: ignore[call-overload]

        share = -(-len(a) // self.threads)
        blocks = [range(i, min(i + share, len(a))) for i in range(0, len(a), share)]
        with ThreadPoolExecutor(self.threads) as pool:
            flow = np.stack([f for part in pool.map(block, blocks) for f in part])
        factor = flow.shape[2] / width
        if factor != 1:
            flow = np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in flow]) / factor
        return torch.from_numpy(np.ascontiguousarray(flow)).to(first.device)
