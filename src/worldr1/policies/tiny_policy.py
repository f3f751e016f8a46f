"""The packaged tiny LTX-Video as a policy: float32 weights, computed in bfloat16, square clips at 8 frames a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, LTXPipeline
from torch import Tensor

from worldr1.policies.codec import decode
from worldr1.policies.ltx import LATENT_FPS, LTXVideoPolicy, embed_tokens, tokenise, unpack, velocity
from worldr1.policies.sde import SamplerConfig

PACKAGED = Path(__file__).parent.parent / "weights"


def load_pipeline(model: str | Path, other: Path | None = None) -> LTXPipeline:
    """A pipeline in float32 from a hub id or directory, with transformer and text encoder from ``other`` if given.

    Raises ``ValueError`` when there is no pipeline.
    """
    try:
        pipeline = LTXPipeline.from_pretrained(str(model), dtype=torch.float32)
    except (OSError, KeyError) as error:
        raise ValueError(f"no LTX pipeline in {model}: {error}") from error
    if other is not None:
        for name in ("transformer", "text_encoder"):
            part = getattr(pipeline, name)
            setattr(pipeline, name, type(part).from_pretrained(str(other / name), dtype=torch.float32))
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.transformer):
        part.requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class TinyPolicy(LTXVideoPolicy):
    """The tiny model's policy. It embeds every batch anew: its text encoder is trained with it and costs nothing."""

    lora_targets: ClassVar[tuple[str, ...]] = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")
    native_fps: ClassVar[float] = LATENT_FPS

    def __init__(
        self, pipeline: LTXPipeline, sampler: SamplerConfig, *, num_frames: int = 9, size: int = 32, batch: int = 64
    ) -> None:
        super().__init__(pipeline, sampler, num_frames=num_frames, height=size, width=size, batch=batch)

    def schedule(self) -> tuple[list[float], Tensor]:
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(self.pipeline.scheduler.config)
        scheduler.set_timesteps(sigmas=torch.linspace(1, 1 / self.sampler.steps, self.sampler.steps).tolist())
        return scheduler.sigmas.tolist(), scheduler.timesteps

    def prepare(self, texts: Sequence[str]) -> None: ...

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> tuple[Tensor, ...]:
        ids, mask = tokenise(self.pipeline, texts)
        return embed_tokens(self.pipeline, ids), mask

    def predict(self, x: Tensor, step: int, *text: Tensor) -> Tensor:
        states, mask = text
        sigma = torch.full((len(x),), self.sigmas[step])
        return velocity(self.pipeline, x, sigma, states, mask, self.shape, LATENT_FPS)

    def draw(self, generators: Sequence[torch.Generator]) -> Tensor:
        size = (self.shape[0] * self.shape[1] * self.shape[2], self.latent_channels())
        return torch.stack([torch.randn(size, generator=g) for g in generators])

    def decode(self, x: Tensor) -> Tensor:
        return decode(self.pipeline.vae, unpack(x, self.shape))
