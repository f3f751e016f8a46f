"""Clips to video files: the same frames make the same bytes."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldr1.files import write_atomically

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}  # suffixes that `write_video` knows
LEAST_FPS = 0.01  # containers keep rates as fractions of whole numbers
_CRF = "4"  # x264's quality: at 64 pixels a mean error below 1/255, a few kB a frame


def write_video(video: Tensor, fps: float, path: str | Path) -> None:
    """Write ``[frames, 3, h, w]`` in [0, 1] as H.264 with full colour resolution, almost without loss.

    Any size works, odd ones too. Folders are made. The file appears under its name only when it is complete.
    Raises ``ValueError`` for a suffix that is not a video's and for what is not a video, ``OSError`` when the file
    cannot be written (a full disk, no permission).
    """
    path = check_target(path)
    if video.ndim != 4 or video.shape[1] != 3 or 0 in video.shape:
        raise ValueError(f"{path}: a video is [frames, 3, height, width], not {list(video.shape)}")
    if not torch.isfinite(video).all():
        raise ValueError(f"{path}: the video contains values that are not finite; nothing was written")
    if video.min() < 0 or video.max() > 1:
        span = f"[{float(video.min()):.4g}, {float(video.max()):.4g}]"
        raise ValueError(f"{path}: the video's values span {span}, not [0, 1]; nothing was written")
    if not (math.isfinite(fps) and fps >= LEAST_FPS):
        raise ValueError(f"{path}: the frame rate must be a number from {LEAST_FPS} on, not {fps}")
    frames = (video.detach().float() * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    write_atomically(_encode(frames, fps, CONTAINERS[path.suffix.lower()]), path)


def check_target(path: str | Path) -> Path:
    """The path, if `write_video` could write a file of this name; raises ``ValueError`` if not."""
    path = Path(path)
    if path.suffix.lower() not in CONTAINERS:
        raise ValueError(f"{path}: unknown kind of video {path.suffix!r}; use one of {', '.join(CONTAINERS)}")
    if path.is_dir():
        raise ValueError(f"{path}: this is a directory; name a file")
    return path


def _encode(frames: npt.NDArray[np.uint8], fps: float, container: str) -> bytes:
    """RGB frames ``[frames, h, w, 3]`` as the bytes of a video file."""
    out = io.BytesIO()  # in memory, so that every error of the disk is one of Python's
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv444p"
        # x264's macroblock tree reads memory that nobody wrote: the same frames became different files
        stream.options = {"crf": _CRF, "preset": "medium", "mbtree": "0"}
        codec = stream.codec_context
        codec.thread_count = 1  # the number of threads changes the result too
        codec.color_range = 1  # said outright, so that players need not guess: 16-235 ...
        codec.colorspace, codec.color_primaries, codec.color_trc = 5, 6, 6  # ... and BT.601
        for rgb in frames:
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            file.mux(stream.encode(frame.reformat(format="yuv444p", dst_colorspace="itu601")))
        file.mux(stream.encode())
    return out.getvalue()
