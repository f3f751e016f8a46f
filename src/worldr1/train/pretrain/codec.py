"""Stage 1: the causal video autoencoder, on rendered clips."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKLLTXVideo
from torch import Tensor

from worldr1.policies.codec import decode, encode, normalise, to_model
from worldr1.train.fit import FitConfig, Progress, fit

LATENT_NOISE = 0.1  # added before decoding, so that small errors of the sampler decode to small errors
NUM_TEST = 64


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of videos in [0, 1]."""
    return float(-10 * torch.log10(((a - b) ** 2).mean()))


def train_codec(
    codec: AutoencoderKLLTXVideo, video: Tensor, config: FitConfig, directory: Path, progress: Progress
) -> dict[str, float]:
    """Fit the codec to ``video`` (uint8 ``[clips, frames, h, w, 3]``) and set its latent statistics.

    The loss is the absolute error of pixels plus that of their spatial and temporal differences, which
    keeps edges. Returns the PSNR in dB on the last 64 clips, which are not trained on.
    """
    device = next(codec.parameters()).device

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        x = to_model(video[indices]).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            z = codec.encode(x).latent_dist.mode()
            noise = torch.randn(z.shape, generator=generator).to(z)
            y = codec.decode(z + LATENT_NOISE * noise).sample
        y = y.float()
        edges = sum((y.diff(dim=d) - x.diff(dim=d)).abs().mean() for d in (-1, -2, -3))
        scale = (z.float().square().mean() - 1).clamp(min=0)  # keeps the noise small beside the latents
        result: Tensor = (y - x).abs().mean() + 0.5 * edges + 0.01 * scale
        return result

    fit(codec, loss, len(video) - NUM_TEST, config, directory, progress=progress)
    sample = encode(codec, video[:: max(1, len(video) // 1024)])
    codec.latents_mean.copy_(sample.mean((0, 2, 3, 4)))
    codec.latents_std.copy_(sample.std((0, 2, 3, 4)))
    test = video[-NUM_TEST:]
    truth = test.permute(0, 1, 4, 2, 3).float() / 255
    return {"psnr_db": psnr(decode(codec, normalise(codec, encode(codec, test))), truth)}
