"""Optical flow from torchvision's RAFT (Teed & Deng 2020), an extra."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_LEAST_SIDE = 128  # smaller frames are enlarged: RAFT's correlation pyramid needs features of 16 pixels
_MULTIPLE = 8


class RAFTFlow:
    """Dense flow between frame pairs, in pixels; ``model`` is ``"raft_small"``, ``"raft_large"`` or a loaded network.

    Raises ``ImportError`` where torchvision is missing.
    """

    def __init__(self, model: str | torch.nn.Module = "raft_small", batch: int = 8) -> None:
        self.batch = batch
        if isinstance(model, str):
            try:
                from torchvision.models import optical_flow  # type: ignore[import-not-found]
            except ImportError as error:
                raise ImportError("RAFT needs torchvision: pip install 'worldr1[raft]'") from error
            builders: dict[str, Any] = {"raft_small": optical_flow.raft_small, "raft_large": optical_flow.raft_large}
            if model not in builders:
                raise ValueError(f"unknown RAFT {model!r}; use raft_small or raft_large")
            model = builders[model](weights="DEFAULT").eval()
        self.model: Any = model

    @torch.inference_mode()
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow ``[n, h, w, 2]`` from ``first`` to ``second``, both ``[n, 3, h, w]`` in [0, 1].

        Raises ``ValueError`` when the shapes differ.
        """
        if first.shape != second.shape:
            raise ValueError(f"frames differ in shape: {tuple(first.shape)} and {tuple(second.shape)}")
        height, width = first.shape[-2:]
        factor = max(1.0, _LEAST_SIDE / min(height, width))
        size = [-(-round(factor * s) // _MULTIPLE) * _MULTIPLE for s in (height, width)]
        device = next(self.model.parameters()).device
        out = []
        for pair in zip(first.split(self.batch), second.split(self.batch), strict=True):
            a, b = (
                torch.nn.functional.interpolate(x.to(device), size, mode="bilinear", align_corners=False) * 2 - 1
                for x in pair
            )
            flow = self.model(a, b)[-1]  # the last of its refinements
            out.append(torch.nn.functional.interpolate(flow, (height, width), mode="bilinear", align_corners=False))
        flow = torch.cat(out).to(first.device)
        scale = torch.tensor([width / size[1], height / size[0]], device=flow.device)
        return flow.permute(0, 2, 3, 1) * scale
