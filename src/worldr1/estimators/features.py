"""Deep features of pictures: DINOv2 (Oquab et al. 2023), or any `transformers` vision model with a class token."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModel, PreTrainedModel

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TransformersFeatures:
    """Unit vectors that say what a picture shows. ``model`` is a hub id, a directory or a loaded model.

    Raises ``OSError`` when the model cannot be loaded.
    """

    def __init__(self, model: str | Path | PreTrainedModel = "facebook/dinov2-small", side: int = 224) -> None:
        if isinstance(model, (str, Path)):
            model = AutoModel.from_pretrained(str(model), dtype=torch.float32).eval()
        self.model = model
        patch = int(model.config.patch_size)
        self.side = max(patch, side // patch * patch)

    @torch.inference_mode()
    def __call__(self, pictures: Tensor, batch: int = 64) -> Tensor:
        """Unit vectors ``[n, d]`` of pictures ``[n, 3, h, w]`` in [0, 1]."""
        device = next(self.model.parameters()).device
        mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (_MEAN, _STD))
        out = []
        for part in pictures.split(batch):
            size = (self.side, self.side)
            resized = torch.nn.functional.interpolate(part.to(device), size, mode="bicubic", antialias=True)
            token = self.model(pixel_values=(resized - mean) / std).last_hidden_state[:, 0]
            out.append(torch.nn.functional.normalize(token.float(), dim=-1))
        return torch.cat(out).to(pictures.device)
