"""Pictures of lettering for signs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

_ROWS = 48  # pixels of a picture's height
_MARGIN = 0.12  # of its height, on each side
_FONT = cv2.FONT_HERSHEY_DUPLEX


@lru_cache(maxsize=4096)
def picture_of(text: str, aspect: float) -> npt.NDArray[Any]:
    """``text`` on one line as a mask ``[h, w]`` of 0 to 255, as large as it fits a face ``aspect`` times as wide as
    high. Raises ``ValueError`` for characters that the font lacks."""
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"a sign can carry printable ASCII characters only, not {text!r}")
    columns = int(np.clip(round(_ROWS * aspect), 8, 16 * _ROWS))
    fine = 4  # drawn larger, then averaged: the font has no fractional positions
    thickness = max(2, fine * _ROWS // 24)
    margin = int(_MARGIN * fine * _ROWS)
    (width, height), below = cv2.getTextSize(text, _FONT, 1.0, 1)
    scale = min((fine * columns - 2 * margin) / width, (fine * _ROWS - 2 * margin) / (height + below))
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thickness)
    canvas = np.zeros((fine * _ROWS, fine * columns), np.uint8)
    origin = ((canvas.shape[1] - width) // 2, (canvas.shape[0] + height - below // 2) // 2)
    cv2.putText(canvas, text, origin, _FONT, scale, 255, thickness, cv2.LINE_AA)
    return np.asarray(cv2.resize(canvas, (columns, _ROWS), interpolation=cv2.INTER_AREA))
