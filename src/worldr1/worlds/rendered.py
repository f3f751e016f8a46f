"""What a renderer returns, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from worldr1.worlds.scene import Scene

SKY, SCENERY, FIRST_OBJECT = 0, 1, 2  # values of `Rendered.instance_ids`


@dataclass(frozen=True)
class Rendered:
    """A batch of clips as arrays; leading axes ``[clips, frames]``."""

    rgb: np.ndarray[Any, np.dtype[np.uint8]]  # [clips, frames, h, w, 3]
    depth_m: np.ndarray[Any, np.dtype[np.float32]]  # [clips, frames, h, w] z-depth, inf for the sky
    instance_ids: np.ndarray[Any, np.dtype[np.int32]]  # [clips, frames, h, w] FIRST_OBJECT + index into objects
    amodal_bits: np.ndarray[Any, np.dtype[np.uint32]]  # [clips, frames, h, w] bit i: object i projects here
    flow_px: np.ndarray[Any, np.dtype[np.float32]]  # [clips, frames, h, w, 2] to the next frame; 0 in the last
    backward_flow_px: np.ndarray[Any, np.dtype[np.float32]]  # to the previous frame; 0 in the first


class Renderer(Protocol):
    """Scenes of equal length in, clips with exact truth out.

    Raises ``ValueError`` for scenes of different lengths or none, ``ImportError`` naming the extra to install.
    """

    name: str

    def __call__(self, scenes: Sequence[Scene], height: int, width: int) -> Rendered: ...
