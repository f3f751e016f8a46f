"""A random tiny pipeline: the real classes at a size that runs in milliseconds."""

from __future__ import annotations

import torch
from diffusers import LTXPipeline

from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny import TinyConfig, build_pipeline
from worldr1.policies.tiny_policy import TinyPolicy
from worldr1.types import Prompt
from worldr1.worlds.tiny.captions import vocabulary

CONFIG = TinyConfig(latent_channels=8, codec_channels=(16, 32), text_width=32, width=48, heads=4, layers=1)
SAMPLER = SamplerConfig(steps=6, window=2, window_end=4)
TEXTS = (
    "the camera orbits left . a red box on grass",
    "the camera pushes in . a blue sphere on sand",
    "the camera is fixed . a yellow cylinder moves left behind an orange box on tiles",
)


def toy_pipeline(seed: int = 0) -> LTXPipeline:
    """As `load_pipeline` would return it; its random velocity is neither zero nor blind to text and noise level."""
    pipeline = build_pipeline(CONFIG, vocabulary(), seed)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed + 1)
        for p in pipeline.transformer.parameters():
            if p.ndim == 2:
                p.add_(0.1 * torch.randn_like(p))
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.transformer):
        part.requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def toy_policy(seed: int = 0, size: int = 16) -> TinyPolicy:
    return TinyPolicy(toy_pipeline(seed), SAMPLER, num_frames=5, size=size)


def toy_prompts(count: int) -> list[Prompt]:
    return [Prompt(TEXTS[i % len(TEXTS)]) for i in range(count)]
