"""Video files to clips. Every complaint about a file is one line that says what to do."""

from __future__ import annotations

import itertools
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch

from worldr1.media_end import is_cut_off
from worldr1.types import Clip

DEFAULT_FPS = 8.0  # where a file does not say
_LARGEST_PIXELS = 2**26  # of a frame: twice of 8K; only a damaged header asks for more
_TEXT_CODECS = ("ansi", "bintext", "idf", "xbin")  # FFmpeg renders terminal text as video


def read_video(path: str | Path) -> Clip:
    """The clip, ``[frames, 3, h, w]`` float32 in [0, 1], of a video file, or of a ``.npy`` array
    ``[frames, h, w, 3]`` of uint8 or of floats in [0, 1].

    Turns of 90° in the file's metadata are applied. Raises ``ValueError`` that names the file and what to do about it:
    missing, a directory, empty, unreadable, damaged, cut off where that can be told, without video, one frame, wrong
    shape, values that are not finite or outside [0, 1].
    """
    path = _checked(path)
    frames: list[npt.NDArray[Any]] = []
    fps = DEFAULT_FPS
    for frame, _, rate in _decode(path):
        frames.append(frame)
        fps = rate
    if len(frames) < 2:
        raise ValueError(f"{path}: only one frame; a video needs at least two")
    video = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous()
    return Clip(video / 255 if video.dtype == torch.uint8 else video, fps)


@dataclass(frozen=True)
class Header:
    """What a file says of its video before all of it is decoded."""

    size: tuple[int, int]  # (h, w), turned upright
    fps: float
    num_frames: int | None  # None where only decoding tells
    notes: Mapping[str, str] = field(default_factory=dict)  # what reading it leaves out or cannot tell


def read_header(path: str | Path) -> Header:
    """Size, rate and length of a video, its first two frames decoded; raises ``ValueError`` as `read_video`."""
    path = _checked(path)
    first = list(itertools.islice(_decode(path), 2))
    if len(first) < 2:
        raise ValueError(f"{path}: only one frame; a video needs at least two")
    fps, size = first[0][2], first[0][0].shape
    if path.suffix.lower() == ".npy":
        return Header((size[0], size[1]), fps, len(_open_array(path)))
    with av.open(os.path.abspath(path)) as container:
        stream = container.streams.video[0]
        seconds = (container.duration or 0) / av.time_base
        num_frames = stream.frames or round(seconds * fps) or None
        notes = _notes(next(container.decode(stream)))
        if is_cut_off(path, container.format.name) is None:
            notes["end"] = f"whether its end is missing cannot be told from this file ({container.format.name})"
        return Header((size[0], size[1]), fps, num_frames, notes)


def _notes(frame: av.VideoFrame) -> dict[str, str]:
    """What `_upright` leaves out of a frame."""
    notes = {}
    if frame.rotation % 90:
        notes["rotation"] = f"the file asks for a turn of about {frame.rotation}°; only multiples of 90° are applied"
    has_alpha = any(c.is_alpha for c in frame.format.components)
    if has_alpha and (frame.to_ndarray(format="rgba")[..., 3] < 255).any():
        notes["alpha"] = "its transparency is left out: the colours beneath are measured"
    return notes


def iter_frames(path: str | Path, start_s: float = 0.0) -> Iterator[tuple[npt.NDArray[np.uint8], float]]:
    """RGB frames ``[h, w, 3]`` from ``start_s`` on, each with its time in seconds: any length, constant memory.

    Raises ``ValueError`` as `read_video` does, for a damaged file when the damage is reached.
    """
    for frame, time_s, _ in _decode(_checked(path), start_s):
        yield frame if frame.dtype == np.uint8 else (frame * 255).round().astype(np.uint8), time_s


def shown_path(path: str | Path) -> str:
    """A path as text that can be printed and written, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: this is a directory; name the video files in it")
    if not path.exists():
        raise ValueError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise ValueError(f"{path}: not a regular file; save the video to a file first")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty; write or download it again")
    return path


def shrunk(frame: npt.NDArray[Any], short_side: int) -> npt.NDArray[Any]:
    """A frame ``[h, w, c]`` whose shorter side has at most ``short_side`` pixels."""
    height, width = frame.shape[:2]
    if min(height, width) <= short_side:
        return frame
    factor = short_side / min(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))


Decoded = tuple[npt.NDArray[Any], float, float]  # frame [h, w, 3], its time in seconds, frames a second


def _decode(path: Path, start_s: float = 0.0) -> Iterator[Decoded]:
    """The frames of a file one by one, all of one size; floats, where an array has them, are finite and in [0, 1]."""
    decode = _decode_array if path.suffix.lower() == ".npy" else _decode_container
    size: tuple[int, ...] = ()
    for count, decoded in enumerate(decode(path, start_s)):
        size = size or decoded[0].shape[:2]
        if decoded[0].shape[:2] != size:
            raise ValueError(f"{path}: the frames change size at frame {count}; cut the video there")
        yield decoded
    if not size and not start_s:
        raise ValueError(f"{path}: the video has no frames; write or download it again")


def _open_array(path: Path) -> npt.NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OverflowError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a NumPy array; write it with numpy.save") from error
    if not isinstance(array, np.ndarray) or array.ndim != 4 or array.shape[-1] != 3 or 0 in array.shape:
        found = list(array.shape) if isinstance(array, np.ndarray) else "an archive"
        raise ValueError(f"{path}: the array must be [frames, height, width, 3], not {found}")
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{path}: the array must be uint8 or float in [0, 1], not {array.dtype}")
    return array


def _decode_array(path: Path, start_s: float) -> Iterator[Decoded]:
    array = _open_array(path)
    for index in range(math.ceil(start_s * DEFAULT_FPS), len(array)):
        frame = np.array(array[index])
        if frame.dtype != np.uint8:
            frame = frame.astype(np.float32)
            if not np.isfinite(frame).all():
                raise ValueError(f"{path}: contains values that are not finite (NaN or infinity); repair the array")
            if frame.min() < 0 or frame.max() > 1:
                span = f"[{frame.min():.4g}, {frame.max():.4g}]"
                raise ValueError(f"{path}: values span {span}; floats must lie in [0, 1], so rescale or save uint8")
        yield frame, index / DEFAULT_FPS, DEFAULT_FPS


def _upright(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """RGB ``[h, w, 3]`` of a decoded frame, turned as its metadata asks where that is a multiple of 90°."""
    rgb = frame.to_ndarray(format="rgb24")
    quarters, rest = divmod(frame.rotation, 90)
    return rgb if rest else np.ascontiguousarray(np.rot90(rgb, quarters))


def _decode_container(path: Path, start_s: float) -> Iterator[Decoded]:
    count = 0
    try:
        # an absolute path is no protocol, whatever the file is called
        with av.open(os.path.abspath(path), options={"protocol_whitelist": "file"}) as container:
            if not start_s and is_cut_off(path, container.format.name):
                raise ValueError(f"{path}: cut off, the file ends before its video does; write or download it again")
            if not container.streams.video:
                raise ValueError(f"{path}: no video in this file, only other streams; name a video file")
            stream = container.streams.video[0]
            codec = stream.codec_context
            if codec is None:
                raise ValueError(f"{path}: its codec is unknown; convert it to mp4")
            if codec.name in _TEXT_CODECS:
                raise ValueError(f"{path}: this is text, not a video; name a video file")
            if codec.width * codec.height > _LARGEST_PIXELS:
                raise ValueError(f"{path}: frames of {codec.width}x{codec.height} pixels; downscale the video first")
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
            origin = float((stream.start_time or 0) * (stream.time_base or 0))
            if start_s > 0 and stream.time_base:
                container.seek(int((start_s + origin) / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                time_s = count / rate + start_s if frame.time is None else frame.time - origin
                if time_s < start_s - 0.5 / rate:  # decoding begins at the key frame before
                    continue
                if frame.is_corrupt:
                    raise ValueError(f"{path}: {_damaged(count)}")
                yield _upright(frame), time_s, rate
                count += 1
    except av.error.FFmpegError as error:
        if count:
            raise ValueError(f"{path}: {_damaged(count)}") from error
        raise ValueError(f"{path}: not a video that can be read ({error.strerror}); convert it to mp4") from error


def _damaged(count: int) -> str:
    return f"damaged after {count} frames; write or download it again"
