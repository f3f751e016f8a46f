"""Measure a video file of any length: all of a short one, evenly spread windows of a long one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worldr1.estimators.matching import Matcher
from worldr1.rewards.classical.stream import Measured, join, measure_stream, timed
from worldr1.video import Header, iter_frames, read_header

WINDOWS, WINDOW_FRAMES = 8, 48
LONG = 600  # frames; beyond that windows are measured instead: 20 s at 30 a second

Timed = tuple[npt.NDArray[np.uint8], float]  # frame [h, w, 3] and its time in seconds


@dataclass(frozen=True)
class MeasuredFile:
    """What a file gave."""

    measured: Measured
    num_frames: int  # of the video: counted, or for a long one what its header says
    seconds: float
    note: str = ""  # which part was measured, where it is not all


def measure_file(path: str | Path, header: Header | None = None, matcher: Matcher | None = None) -> MeasuredFile:
    """Measure with the memory of a few frames, with `measure_stream`'s ``matcher``; raises ``ValueError`` as
    `video.read_frames` does."""
    header = header or read_header(path)
    parts: list[Measured] = []
    for start, frames in _windows(path, header):
        first_two = list(islice(frames, 2))
        if len(first_two) < 2:  # the header promised more than is there
            continue
        times: list[float] = []
        measured = measure_stream(_keeping_times(chain(first_two, frames), times), matcher, start)
        parts.append(timed(measured, times, start))
    if not parts:
        raise ValueError(f"{path}: damaged, the frames that its header promises are not there; download it again")
    measured = join(parts)
    if not _is_long(header):
        # the last frame is shown as long as the others on average, whatever the rate does
        seconds = (times[-1] - times[0]) * len(times) / (len(times) - 1)
        return MeasuredFile(measured, len(times), seconds)
    assert header.num_frames is not None
    note = f"{len(parts)} windows of {WINDOW_FRAMES} frames, spread evenly over the {header.num_frames} frames"
    return MeasuredFile(measured, header.num_frames, header.num_frames / header.fps, note)


def pick_frames(path: str | Path, header: Header, wanted: Collection[int]) -> dict[int, npt.NDArray[np.uint8]]:
    """Frames by the numbers that `measure_file` gives them in its pairs."""
    found = {}
    for start, frames in _windows(path, header):
        last = max((i - start for i in wanted), default=-1)
        for index, (frame, _) in enumerate(islice(frames, max(0, last + 1)), start):
            if index in wanted:
                found[index] = frame
    return found


def _is_long(header: Header) -> bool:
    return header.num_frames is not None and header.num_frames > LONG


def _windows(path: str | Path, header: Header) -> Iterator[tuple[int, Iterator[Timed]]]:
    """Number of the first frame and the frames of each window; one window is all of a video that is not long."""
    if not _is_long(header):
        yield 0, iter_frames(path)
        return
    assert header.num_frames is not None
    for i in range(WINDOWS):
        start = round(i * (header.num_frames - WINDOW_FRAMES) / (WINDOWS - 1))
        yield start, islice(iter_frames(path, start / header.fps), WINDOW_FRAMES)


def _keeping_times(frames: Iterator[Timed], times: list[float]) -> Iterator[npt.NDArray[np.uint8]]:
    for frame, time_s in frames:
        times.append(time_s)
        yield frame
