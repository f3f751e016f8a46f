"""HunyuanVideo as a policy: a guidance-distilled flow model with two text encoders."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor, nn

from worldr1.policies.diffusers_policy import Compression, DiffusersPolicy

DISTILLED_GUIDANCE = 6.0  # the guidance that the transformer is told it works with; costs no second evaluation


class HunyuanVideoPolicy(DiffusersPolicy):
    """A `HunyuanVideoPipeline`. `SamplerConfig.guidance` is classifier-free, on top of the distilled."""

    # the joint blocks' text side (add_*_proj) stays as it is: the LoRA changes how video tokens are made
    native_fps: ClassVar[float] = 15.0
    text_length: ClassVar[int] = 256
    joint_guidance: bool = False

    @staticmethod
    def compression(pipeline: Any) -> Compression:
        config, pixels = pipeline.transformer.config, pipeline.vae_scale_factor_spatial
        if config.patch_size_t != 1:
            raise ValueError(f"HunyuanVideo with {config.patch_size_t} latent frames a token is not supported, only 1")
        return Compression(pipeline.vae_scale_factor_temporal, pixels, pixels * config.patch_size)

    def schedule(self) -> tuple[list[float], Tensor]:
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(self.pipeline.scheduler.config)
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 0.0, self.sampler.steps + 1)[:-1])
        return scheduler.sigmas.tolist(), scheduler.timesteps

    def text_encoders(self) -> list[nn.Module]:
        return [self.pipeline.text_encoder, self.pipeline.text_encoder_2]

    def embed_one(self, text: str) -> tuple[Tensor, ...]:
        states, pooled, mask = self.pipeline.encode_prompt(
            text, max_sequence_length=self.text_length, device=self.device
        )
        return states, pooled, mask

    def predict(self, x: Tensor, step: int, *text: Tensor) -> Tensor:
        transformer = self.pipeline.transformer
        dtype = transformer.dtype
        states, pooled, mask = (t.to(dtype) for t in text)
        guidance = torch.full((len(x),), DISTILLED_GUIDANCE * 1000, dtype=dtype, device=x.device)
        out: Tensor = transformer(
            hidden_states=self.unpack(x).to(dtype),
            timestep=self.timesteps[step].to(x.device).expand(len(x)),
            encoder_hidden_states=states,
            encoder_attention_mask=mask,
            pooled_projections=pooled,
            guidance=guidance,
            return_dict=False,
        )[0]
        return self.pack(out.float())

    def decode_latents(self, latents: Tensor) -> Tensor:
        vae = self.pipeline.vae
        video: Tensor = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
        return video
