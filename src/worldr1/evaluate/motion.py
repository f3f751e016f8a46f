"""The evaluation's own motion: Farneback's polynomial expansion, not the DIS flow that rewards use."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

_ENLARGE = 3  # for frames under 64 pixels: the method fits polynomials to windows of 15 pixels


class FarnebackFlow:
    """Dense flow between frame pairs, in pixels (Farnebäck 2003)."""

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow ``[n, h, w, 2]`` from ``first`` to ``second``, both ``[n, 3, h, w]`` in [0, 1]."""
        height, width = first.shape[-2:]
        factor = _ENLARGE if min(height, width) < 64 else 1
        size = (width * factor, height * factor)
        flows = []
        for a, b in zip(_gray(first), _gray(second), strict=True):
            a, b = (cv2.resize(x, size, interpolation=cv2.INTER_CUBIC) for x in (a, b))
            flow = cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 7, 1.5, 0)  # type: ignore[call-overload]
            flows.append(cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / factor)
        return torch.from_numpy(np.stack(flows))


def _gray(frames: Tensor) -> list[cv2.typing.MatLike]:
    """Luminance as uint8 images; the enlargement differs from that of `estimators.flow`, so nothing is shared."""
    images = (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [cv2.cvtColor(np.ascontiguousarray(i), cv2.COLOR_RGB2GRAY) for i in images]
