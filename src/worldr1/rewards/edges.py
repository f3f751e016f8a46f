"""Where a picture has edges and texture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

_TEXTURE, FAINT = 0.03, 0.01  # difference of luminance between neighbours
_REACH = 32  # near is a 32nd of the shorter side
_SIDE, _MOST = 64, 2.0  # shorter side that these are for


def steepness(video: Tensor) -> float:
    """What differences between pixels are multiplied by, so that they are those of the same picture at `_SIDE` pixels
    of the shorter side: 1 there, at most `_MOST`, as noise is multiplied too."""
    return min(max(min(video.shape[-2:]) / _SIDE, 1.0), _MOST)


def gradient(video: Tensor) -> Tensor:
    """Difference of luminance over two pixels, times `steepness`, across and down, ``[b, f, h, w, 2]`` of
    ``[b, f, 3, h, w]``; 0 at the border."""
    gray = steepness(video) * video.mean(2)
    across = pad(gray[..., 2:] - gray[..., :-2], (1, 1))
    down = pad(gray[..., 2:, :] - gray[..., :-2, :], (0, 0, 1, 1))
    return torch.stack([across, down], -1)


def reduced(video: Tensor) -> Tensor:
    """``[b, f, 3, h, w]`` averaged down to about `_SIDE` pixels of the shorter side, where grain is averaged away."""
    factor = max(1, min(video.shape[-2:]) // _SIDE)
    small: Tensor = avg_pool2d(video.flatten(0, 1), factor, ceil_mode=True).unflatten(0, video.shape[:2])
    return small


def _textured(video: Tensor, least: float) -> Tensor:
    """Pixels of the `reduced` picture, 1 where they differ from their neighbours by ``least``: grain is no texture."""
    gray = reduced(video).mean(2)
    across = pad(gray.diff(dim=-1).abs(), (0, 1))
    down = pad(gray.diff(dim=-2).abs(), (0, 0, 0, 1))
    return (torch.maximum(across, down) > least).float()


def textured(video: Tensor) -> Tensor:
    """Pixels ``[b, f, h, w]`` that differ from their neighbours in the `reduced` picture."""
    return interpolate(_textured(video, _TEXTURE), video.shape[-2:], mode="nearest").bool()


def near_texture(video: Tensor, least: float = _TEXTURE) -> Tensor:
    """Pixels ``[b, f, h, w]`` within a 32nd of the picture's shorter side of those that differ from their neighbours by
    ``least`` in the `reduced` picture."""
    found = _textured(video, least)
    reach = max(1, min(found.shape[-2:]) // _REACH)
    return interpolate(max_pool2d(found, 2 * reach + 1, 1, reach), video.shape[-2:], mode="nearest").bool()
