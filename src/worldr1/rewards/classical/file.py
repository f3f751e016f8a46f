"""Measure a video file of any length: all of a short one, evenly spread windows of a long one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
    times_s: Mapping[int, float]  # when each frame that was measured is shown, by its number
    note: str = ""  # which part was measured, where it is not all


def measure_file(path: str | Path, header: Header | None = None, matcher: Matcher | None = None) -> MeasuredFile:
    """Measure with the memory of a few frames, with `measure_stream`'s ``matcher``; raises ``ValueError`` as
    `video.read_video` does."""
    header = header or read_header(path)
    parts: list[Measured] = []
    times: dict[int, float] = {}
    for start, frames in windows(path, header):
        first_two = list(islice(frames, 2))
        if len(first_two) < 2:  # the header promised more than is there
            continue
        parts.append(measure_stream(_keeping_times(chain(first_two, frames), start, times), matcher, start))
    if not parts:
        raise ValueError(f"{path}: damaged, the frames that its header promises are not there; download it again")
    measured = timed(join(parts), times)
    if not _is_long(header, LONG):
        return MeasuredFile(measured, len(times), length_s(list(times.values())), times)
    assert header.num_frames is not None
    note = f"{len(parts)} windows of {WINDOW_FRAMES} frames, spread evenly over the {header.num_frames} frames"
    return MeasuredFile(measured, header.num_frames, header.num_frames / header.fps, times, note)


def pick_frames(path: str | Path, header: Header, wanted: Collection[int]) -> dict[int, npt.NDArray[np.uint8]]:
    """Frames by the numbers that `measure_file` gives them in its pairs."""
    found = {}
    for start, frames in windows(path, header):
        last = max((i - start for i in wanted), default=-1)
        for index, (frame, _) in enumerate(islice(frames, max(0, last + 1)), start):
            if index in wanted:
                found[index] = frame
    return found


def length_s(times_s: Sequence[float]) -> float:
    """Length of a video of two frames or more; the last is shown as long as the others on average, whatever the rate
    does."""
    return (times_s[-1] - times_s[0]) * len(times_s) / (len(times_s) - 1)


def _is_long(header: Header, longest: int) -> bool:
    return header.num_frames is not None and header.num_frames > longest


def windows(
    path: str | Path,
    header: Header,
    *,
    longest: int | None = None,
    count: int | None = None,
    length: int | None = None,
) -> Iterator[tuple[int, Iterator[Timed]]]:
    """Number of the first frame and the frames of each of ``count`` windows of ``length`` frames; one window is all of
    a video of at most ``longest``, or of one that does not say. By default those of `measure_file`."""
    longest, count, length = longest or LONG, count or WINDOWS, length or WINDOW_FRAMES
    if not _is_long(header, longest):
        yield 0, iter_frames(path)
        return
    assert header.num_frames is not None
    for i in range(count):
        start = round(i * (header.num_frames - length) / (count - 1))
        yield start, islice(iter_frames(path, start / header.fps), length)


def _keeping_times(frames: Iterator[Timed], start: int, times: dict[int, float]) -> Iterator[npt.NDArray[np.uint8]]:
    for number, (frame, time_s) in enumerate(frames, start):
        times[number] = time_s
        yield frame
