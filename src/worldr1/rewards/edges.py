"""Where a picture has edges and texture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

_TEXTURE = 0.03  # difference of luminance between neighbours


def gradient(video: Tensor) -> Tensor:
    """Difference of luminance over two pixels, across and down, ``[b, f, h, w, 2]`` of ``[b, f, 3, h, w]``; 0 at the
    border."""
    gray = video.mean(2)
    across = pad(gray[..., 2:] - gray[..., :-2], (1, 1))
    down = pad(gray[..., 2:, :] - gray[..., :-2, :], (0, 0, 1, 1))
    return torch.stack([across, down], -1)


def textured(video: Tensor) -> Tensor:
    """Pixels ``[b, f, h, w]`` that differ from their neighbours."""
    gray = video.mean(2)
    across = pad(gray.diff(dim=-1).abs(), (0, 1))
    down = pad(gray.diff(dim=-2).abs(), (0, 0, 0, 1))
    return torch.maximum(across, down) > _TEXTURE
