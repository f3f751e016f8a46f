"""The causal video codec as functions: videos to normalised latents and back."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLLTXVideo
from torch import Tensor


def to_model(video: Tensor) -> Tensor:
    """uint8 ``[clips, frames, h, w, 3]`` to the codec's ``[clips, 3, frames, h, w]`` in [-1, 1]."""
    return video.permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def to_video(decoded: Tensor) -> Tensor:
    """The codec's ``[clips, 3, frames, h, w]`` to ``[clips, frames, 3, h, w]`` in [0, 1]."""
    return ((decoded.float() + 1) / 2).clamp(0, 1).transpose(1, 2)


@torch.inference_mode()
def encode(codec: AutoencoderKLLTXVideo, video: Tensor, batch: int = 64) -> Tensor:
    """Latents ``[clips, channels, frames', h', w']`` of uint8 videos, not yet normalised."""
    device = codec.device
    out = []
    for part in video.split(batch):
        with torch.autocast(device.type, dtype=torch.bfloat16):
            out.append(codec.encode(to_model(part).to(device)).latent_dist.mode().float().cpu())
    return torch.cat(out)


def normalise(codec: AutoencoderKLLTXVideo, latents: Tensor) -> Tensor:
    """Latents to zero mean and unit variance per channel, the space the transformer works in."""
    mean, std = (s.view(1, -1, 1, 1, 1).to(latents) for s in (codec.latents_mean, codec.latents_std))
    result: Tensor = (latents - mean) / std
    return result


@torch.inference_mode()
def decode(codec: AutoencoderKLLTXVideo, latents: Tensor, batch: int = 64) -> Tensor:
    """Normalised latents to videos ``[clips, frames, 3, h, w]`` in [0, 1]."""
    mean, std = (s.view(1, -1, 1, 1, 1).to(codec.device) for s in (codec.latents_mean, codec.latents_std))
    out = []
    for part in latents.split(batch):
        with torch.autocast(codec.device.type, dtype=torch.bfloat16):
            raw = part.to(codec.device) * std / codec.config.scaling_factor + mean
            out.append(to_video(codec.decode(raw).sample).cpu())
    return torch.cat(out)
