"""Raw frames beside the shards, for training on a CPU: decoding an MP4 costs more there than a small model's step."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worldr1.files import write_atomically


def frames_path(out: Path, shard: int) -> Path:
    return out / "frames" / f"{shard:06d}.npy"


def write_frames(out: Path, shard: int, videos: list[npt.NDArray[np.uint8]]) -> None:
    """Write the frames of a shard's clips. Raises ``OSError`` when the disk does not take them."""
    buffer = io.BytesIO()
    np.save(buffer, np.stack(videos), allow_pickle=False)
    write_atomically(buffer.getvalue(), frames_path(out, shard))


def open_frames(out: Path, shard: int) -> npt.NDArray[np.uint8]:
    """A shard's frames ``[clips, frames, h, w, 3]``, read from the disk as they are used.

    Raises ``ValueError`` when the dataset was made without them.
    """
    path = frames_path(out, shard)
    if not path.is_file():
        raise ValueError(f"{path} is missing; make the dataset with --store-frames")
    frames: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    return frames
