"""Gradients of a picture's luminance."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def gradient(video: Tensor) -> Tensor:
    """Difference of luminance over two pixels, across and down, ``[b, f, h, w, 2]`` of ``[b, f, 3, h, w]``; 0 at the
    border."""
    gray = video.mean(2)
    across = pad(gray[..., 2:] - gray[..., :-2], (1, 1))
    down = pad(gray[..., 2:, :] - gray[..., :-2, :], (0, 0, 1, 1))
    return torch.stack([across, down], -1)
