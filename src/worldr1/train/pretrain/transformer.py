"""Stages 2 and 3: the text encoder and the flow-matching transformer, first on single latent frames, then clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import LTXPipeline
from torch import Tensor, nn

from worldr1.policies.ltx import LATENT_FPS, embed_tokens, pack, tokenise, velocity
from worldr1.train.fit import FitConfig, Progress, fit

TEXT_DROPOUT = 0.1  # share of the captions replaced by "", for classifier-free guidance


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Muon's share: the 2-D weights inside the transformer's blocks, without the modulation tables."""
    return parameter.ndim == 2 and "transformer_blocks" in name and "scale_shift" not in name


def train_transformer(
    pipeline: LTXPipeline,
    latents: Tensor,
    captions: Sequence[str],
    config: FitConfig,
    directory: Path,
    progress: Progress,
    *,
    first_frame_only: bool,
) -> None:
    """Fit transformer and text encoder to normalised ``latents`` ``[clips, channels, frames', h', w']``.

    The flow-matching loss of Lipman et al. 2023 (arXiv:2210.02747): x_σ = (1−σ)x₀ + σε, target ε − x₀, with
    σ logit-normal (Esser et al. 2024, arXiv:2403.03206), leaning to noise. ``first_frame_only`` trains on the
    first latent frame, which is cheap and teaches appearance and layout.
    """
    net = nn.ModuleDict({"transformer": pipeline.transformer, "text_encoder": pipeline.text_encoder})
    device = pipeline.transformer.device
    if first_frame_only:
        latents = latents[:, :, :1]
    shape = tuple(latents.shape[2:])
    tokens = pack(latents)
    ids, masks = tokenise(pipeline, captions)
    empty_ids, empty_mask = tokenise(pipeline, [""])

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        x0 = tokens[indices]
        size = len(indices)
        dropped = (torch.rand(size, generator=generator) < TEXT_DROPOUT)[:, None]
        batch_ids = torch.where(dropped, empty_ids, ids[indices]).to(device)
        batch_masks = torch.where(dropped, empty_mask, masks[indices]).to(device)
        sigma = torch.sigmoid(torch.randn(size, generator=generator) + 0.3)[:, None, None]
        noise = torch.randn(x0.shape, generator=generator)
        noisy = ((1 - sigma) * x0 + sigma * noise).to(device)
        text = embed_tokens(pipeline, batch_ids)
        v = velocity(pipeline, noisy, sigma[:, 0, 0].to(device), text, batch_masks, shape, LATENT_FPS)
        return nn.functional.mse_loss(v, (noise - x0).to(device))

    fit(net, loss, len(tokens), config, directory, is_matrix=is_matrix, progress=progress)
