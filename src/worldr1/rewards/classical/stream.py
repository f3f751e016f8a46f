"""Measure a stream of frames of any length with the memory of a few."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from worldr1.estimators.matching import Matcher, SIFTMatcher
from worldr1.rewards.classical.pairs import Pair, View, measure_pair, view
from worldr1.rewards.guards import DARK, FLAT, FROZEN

GAPS = (1, 3, 8, 16)  # frames between the two of a pair
_LEAST_SIDE, _LARGEST_SIDE = 192, 400  # of the working image's shorter side: SIFT needs pixels, time has limits
_LONGEST_SIDE = 2**15 - 2  # OpenCV looks up no more


@dataclass(frozen=True)
class Measured:
    """What a stream gave."""

    num_frames: int
    pairs: tuple[Pair, ...]  # of all gaps, in order of their second frame
    dark: float  # share of frames that are black or uniform
    frozen: float  # share of steps in which nothing changes at all
    untextured: int  # pairs in which a frame had too little texture

    def at_gap(self, gap: int) -> list[Pair]:
        return [p for p in self.pairs if p.second - p.first == gap]


def working_size(height: int, width: int) -> tuple[int, int]:
    """Size (w, h) in which frames of ``height`` x ``width`` are measured; ``ValueError`` for a mere strip."""
    short = min(height, width)
    factor = min(max(short, _LEAST_SIDE), _LARGEST_SIDE) / short
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if max(size) > _LONGEST_SIDE:
        raise ValueError(f"frames of {width}x{height} pixels are too narrow to be measured; cut the video to a part")
    return size


def measure_stream(frames: Iterable[npt.NDArray[np.uint8]], matcher: Matcher | None = None, start: int = 0) -> Measured:
    """Measure RGB frames ``[h, w, 3]`` one after the other; the first one is frame number ``start`` of its video.

    ``matcher`` is SIFT by default; what the terms call usual was measured with it.
    Raises ``ValueError`` for fewer than two frames or frames of different sizes.
    """
    matcher = matcher or SIFTMatcher()
    recent: deque[View] = deque(maxlen=max(GAPS) + 1)
    pairs: list[Pair] = []
    dark = frozen = untextured = count = 0
    previous: npt.NDArray[Any] | None = None
    shape: tuple[int, ...] = ()
    for index, frame in enumerate(frames):
        if shape and frame.shape != shape:
            raise ValueError(f"the frames change size at frame {index}: {shape[:2]} to {frame.shape[:2]}")
        shape = frame.shape
        size = working_size(*frame.shape[:2])
        larger = size[0] > frame.shape[1]
        image = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA))
        small = cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        dark += bool(small.mean() < DARK or small.std((0, 1)).max() < FLAT)
        frozen += previous is not None and bool(np.abs(small - previous).mean() < FROZEN)
        previous, count = small, index + 1
        recent.append(view(start + index, image, matcher))
        for gap in GAPS:
            if gap < len(recent):
                pair = measure_pair(recent[-1 - gap], recent[-1], matcher)
                untextured += pair is None
                pairs += [] if pair is None else [pair]
    if count < 2:
        raise ValueError("a video needs at least two frames to be checked")
    return Measured(count, tuple(pairs), dark / count, frozen / (count - 1), untextured)


def timed(measured: Measured, times_s: Mapping[int, float]) -> Measured:
    """With the seconds of every pair; ``times_s`` says when each frame is shown, by its number."""
    pairs = (replace(p, seconds=times_s[p.second] - times_s[p.first]) for p in measured.pairs)
    return replace(measured, pairs=tuple(pairs))


def join(parts: Sequence[Measured]) -> Measured:
    """Windows of one video as one measurement; raises ``ValueError`` for none."""
    if not parts:
        raise ValueError("there is no window to join")
    frames = sum(p.num_frames for p in parts)
    return Measured(
        frames,
        tuple(pair for p in parts for pair in p.pairs),
        sum(p.dark * p.num_frames for p in parts) / frames,
        sum(p.frozen * (p.num_frames - 1) for p in parts) / (frames - len(parts)),
        sum(p.untextured for p in parts),
    )
