"""A video as one picture: its frames from left to right, which CSS then plays without a script."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import torch
from torch import Tensor

SHOWN_PX = 160  # longest side of a video on the page; larger frames are shrunk to it, or the file would explode


@dataclass(frozen=True)
class Sprite:
    """An embedded video and the size to show one frame at, in CSS pixels."""

    png_base64: str
    num_frames: int
    width: int
    height: int


def embed(video: Tensor) -> Sprite:
    """The sprite of ``[frames, 3, h, w]`` in [0, 1]. Raises ``ValueError`` as `sprite_png` does."""
    png = sprite_png(video)
    h, w = video.shape[-2:]
    scale: float = SHOWN_PX // max(h, w)  # whole multiples keep every pixel square
    if scale * max(h, w) < 0.75 * SHOWN_PX:
        scale = SHOWN_PX / max(h, w)
    width, height = max(1, round(w * scale)), max(1, round(h * scale))
    return Sprite(base64.b64encode(png).decode("ascii"), len(video), width, height)


def sprite_png(video: Tensor) -> bytes:
    """PNG with 8 bits a channel, ``[h, frames * w]`` pixels, of ``[frames, 3, h, w]`` in [0, 1].

    Frames larger than ``SHOWN_PX`` are shrunk to it. Raises ``ValueError`` for another shape or for values
    outside the range.
    """
    if video.ndim != 4 or video.shape[1] != 3 or 0 in video.shape:
        raise ValueError(f"a video of the report is {list(video.shape)}; pass [frames, 3, h, w], none of them 0")
    video = video.detach().float().cpu()
    if not bool(((video > -1e-3) & (video < 1 + 1e-3)).all()):  # NaN fails too
        raise ValueError("a video of the report has values outside [0, 1]; clamp the decoder's output first")
    frames, _, h, w = video.shape
    if max(h, w) > SHOWN_PX:
        scale = SHOWN_PX / max(h, w)
        h, w = max(1, round(h * scale)), max(1, round(w * scale))
        video = torch.nn.functional.interpolate(video, (h, w), mode="area")
    sheet = (video.permute(2, 0, 3, 1).reshape(h, frames * w, 3) * 255).round().clamp(0, 255).byte().numpy()
    _, png = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    return bytes(png)
