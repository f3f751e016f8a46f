"""Contact sheets: clips as rows of frames, several versions of a prompt side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from worldr1.files import write_atomically

_GAP = 4  # pixels between versions


def write_sheet(columns: Sequence[Tensor], path: Path, *, every: int = 2, scale: int = 2) -> None:
    """Write a PNG with a row per clip; each column is one version of all clips, ``[clips, frames, 3, h, w]``.

    Shows every second frame by default, enlarged. Raises ``ValueError`` when the columns differ in shape.
    """
    if len({c.shape for c in columns}) != 1:
        raise ValueError("all columns of a sheet must have the same shape")
    strips = []
    for column in columns:
        frames = (column[:, ::every].clamp(0, 1) * 255).round().byte()
        n, f, _, h, w = frames.shape
        strip = frames.permute(0, 3, 1, 4, 2).reshape(n * h, f * w, 3)
        strips += [strip, torch.full((n * h, _GAP, 3), 255, dtype=torch.uint8)]
    sheet = torch.cat(strips[:-1], dim=1).numpy()
    sheet = cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))
    write_atomically(encoded.tobytes(), path)
