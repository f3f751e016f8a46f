"""Corruptions of real footage: what no rigid world seen by one moving camera looks like, and what proves nothing.

Each takes frames ``[frames, h, w, 3]`` uint8 and gives as many of the same size; ``other`` is a different clip for
the cut. All draws come from ``seed``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Video = npt.NDArray[np.uint8]  # [frames, h, w, 3]
Array = npt.NDArray[Any]

_SENSOR_NOISE = 1.0  # grey levels: a still picture held before a camera is not bit-identical
_PERIOD = 9  # frames of one wobble


def static(video: Video, other: Video, seed: int) -> Video:  # noqa: ARG001 - every corruption is called alike
    """The first frame, held."""
    return _noisy([video[0]] * len(video), seed)


def pan_only(video: Video, other: Video, seed: int) -> Video:  # noqa: ARG001
    """A window that slides over the first frame: motion without depth."""
    height, width = video.shape[1:3]
    centres = np.linspace(0.4, 0.6, len(video)) * width
    return _noisy([_window(video[0], x, height / 2, 0.78) for x in centres], seed)


def zoom_only(video: Video, other: Video, seed: int) -> Video:  # noqa: ARG001
    """A window that shrinks on the first frame (Ken Burns)."""
    height, width = video.shape[1:3]
    sizes = np.linspace(0.95, 0.7, len(video))
    return _noisy([_window(video[0], width / 2, height / 2, s) for s in sizes], seed)


def rubber(video: Video, other: Video, seed: int) -> Video:  # noqa: ARG001
    """The whole picture wobbles smoothly, by 1.2 % of the diagonal."""
    return _wobble(video, 0.012, seed)


def local_warp(video: Video, other: Video, seed: int) -> Video:  # noqa: ARG001
    """What stands in the middle wobbles, by 2 % of the diagonal; the rest is left alone."""
    height, width = video.shape[1:3]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    near = np.exp(-((x - width / 2) ** 2 + (y - height / 2) ** 2) / (2 * (0.18 * height) ** 2))
    return _wobble(video, 0.02, seed, near[..., None])


def cut(video: Video, other: Video, seed: int) -> Video:  # noqa: ARG001
    """The second half is another place."""
    half = len(video) // 2
    size = (video.shape[2], video.shape[1])
    return np.stack([*video[:half], *(cv2.resize(frame, size) for frame in other[half : len(video)])])


def shuffle(video: Video, other: Video, seed: int) -> Video:  # noqa: ARG001
    """The frames in a random order."""
    return video[np.random.default_rng(seed).permutation(len(video))]


def flicker(video: Video, other: Video, seed: int) -> Video:  # noqa: ARG001
    """Every frame's brightness is drawn anew, with a spread of 10 %."""
    gains = 1 + 0.1 * np.random.default_rng(seed).normal(size=(len(video), 1, 1, 1))
    return np.clip(video * gains, 0, 255).astype(np.uint8)


CORRUPTIONS: Mapping[str, Callable[[Video, Video, int], Video]] = {
    "static": static,
    "pan only": pan_only,
    "zoom only": zoom_only,
    "rubber": rubber,
    "local warp": local_warp,
    "cut": cut,
    "frame order": shuffle,
    "flicker": flicker,
}


def _noisy(frames: list[Video], seed: int) -> Video:
    rng = np.random.default_rng(seed)
    noisy = [np.clip(frame + rng.normal(0, _SENSOR_NOISE, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
    return np.stack(noisy)


def _window(frame: Video, x: float, y: float, size: float) -> Video:
    """The window of ``size`` times the frame around (x, y), enlarged to the frame."""
    height, width = frame.shape[:2]
    to_window = np.array([[1 / size, 0, width / 2 - x / size], [0, 1 / size, height / 2 - y / size]], np.float32)
    return np.asarray(cv2.warpAffine(frame, to_window, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def _wobble(video: Video, amplitude: float, seed: int, where: Array | float = 1.0) -> Video:
    """Shift pixels along a smooth random field that swings with a period of nine frames."""
    height, width = video.shape[1:3]
    rng = np.random.default_rng(seed)
    reach = amplitude * float(np.hypot(height, width)) * where
    draws = [rng.normal(size=(6, 6, 2)).astype(np.float32) for _ in range(2)]
    sine, cosine = (cv2.resize(d, (width, height), interpolation=cv2.INTER_CUBIC) * reach for d in draws)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    frames = []
    for index, frame in enumerate(video):
        phase = 2 * np.pi * index / _PERIOD
        shift = np.sin(phase) * sine + np.cos(phase) * cosine
        maps = (x + shift[..., 0]).astype(np.float32), (y + shift[..., 1]).astype(np.float32)
        frames.append(cv2.remap(frame, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
    return np.stack(frames).astype(np.uint8)
