"""Training clips for the estimators: rendered, and as the codec and a hurried sampler would show them."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLLTXVideo
from torch import Tensor

from worldr1.policies.codec import decode


def degrade(codec: AutoencoderKLLTXVideo, latents: Tensor, seed: int) -> Tensor:
    """uint8 ``[clips, frames, h, w, 3]`` decoded from normalised latents with noise of 0 to 0.4 per clip.

    Estimators meet samples, not renderings: trained on these too, they do not mistake blur for a flaw.
    """
    generator = torch.Generator().manual_seed(seed)
    strength = 0.4 * torch.rand(len(latents), 1, 1, 1, 1, generator=generator)
    noise = torch.randn(latents.shape, generator=generator)
    video = decode(codec, (latents + strength * noise) / (1 + strength**2).sqrt())
    return (video * 255).round().byte().permute(0, 1, 3, 4, 2)


def mix(rendered: Tensor, degraded: Tensor) -> Tensor:
    """Every other clip degraded; both ``[clips, frames, h, w, 3]`` in the same order."""
    out = rendered.clone()
    out[::2] = degraded[::2]
    return out
