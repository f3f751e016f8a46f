"""LTX-Video: its parts as functions, and the policy that follows `LTXPipeline` to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, LTXPipeline
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from worldr1.policies.diffusers_policy import Compression, DiffusersPolicy

LATENT_FPS = 8.0  # frame rate the tiny model's positions are computed for; the tiny corpora's own


def pack(latents: Tensor) -> Tensor:
    """Latents ``[clips, channels, frames', h', w']`` to tokens ``[clips, frames'*h'*w', channels]``."""
    return latents.flatten(2).transpose(1, 2).contiguous()


def unpack(tokens: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Inverse of `pack`; ``shape`` is ``(frames', h', w')``."""
    latents: Tensor = tokens.transpose(1, 2).unflatten(2, shape)
    return latents


def tokenise(pipeline: LTXPipeline, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both ``[texts, length]``, padded to the tokenizer's length."""
    out = pipeline.tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt")
    return out.input_ids, out.attention_mask.bool()


def embed_tokens(pipeline: LTXPipeline, ids: Tensor) -> Tensor:
    """Text states ``[texts, length, width]``; like the pipeline, without a mask over the padding."""
    states: Tensor = pipeline.text_encoder(ids)[0]
    return states


def call_transformer(
    pipeline: LTXPipeline,
    tokens: Tensor,
    timestep: Tensor,
    text: Tensor,
    mask: Tensor,
    shape: tuple[int, ...],
    fps: float,
) -> Tensor:
    """The transformer's velocity ε − x₀ at ``timestep`` (``[clips]`` in [0, 1000]), in its own number type.

    ``tokens`` ``[clips, tokens, channels]``, ``text`` ``[clips, length, width]``, ``mask`` ``[clips, length]``,
    ``shape`` the latent ``(frames', h', w')``.
    """
    scale = (
        pipeline.vae_temporal_compression_ratio / fps,
        pipeline.vae_spatial_compression_ratio,
        pipeline.vae_spatial_compression_ratio,
    )
    out: Tensor = pipeline.transformer(
        hidden_states=tokens,
        encoder_hidden_states=text,
        timestep=timestep,
        encoder_attention_mask=mask,
        num_frames=shape[0],
        height=shape[1],
        width=shape[2],
        rope_interpolation_scale=scale,
        return_dict=False,
    )[0]
    return out


def velocity(
    pipeline: LTXPipeline,
    tokens: Tensor,
    sigma: Tensor,
    text: Tensor,
    mask: Tensor,
    shape: tuple[int, ...],
    fps: float,
) -> Tensor:
    """The velocity at noise level ``sigma`` (``[clips]`` in [0, 1]), computed in bfloat16, returned in float32."""
    device = tokens.device.type
    # the plain attention kernel: on a CPU the fused one's backward pass is nearly half of a training step
    backends = [SDPBackend.MATH] if device == "cpu" else list(SDPBackend.__members__.values())
    with torch.autocast(device, dtype=torch.bfloat16), sdpa_kernel(backends):
        return call_transformer(pipeline, tokens, sigma * 1000, text, mask, shape, fps).float()


class LTXVideoPolicy(DiffusersPolicy):
    """LTX-Video as a policy; latents are packed one token per cell, as the transformer takes them."""

    native_fps: ClassVar[float] = 25.0
    text_length: ClassVar[int] = 128

    @staticmethod
    def compression(pipeline: Any) -> Compression:
        patch = (pipeline.transformer.config.patch_size_t, pipeline.transformer.config.patch_size)
        if patch != (1, 1):
            raise ValueError(f"LTX transformers with patches of {patch} are not supported; published ones have (1, 1)")
        pixels = pipeline.vae_spatial_compression_ratio
        return Compression(pipeline.vae_temporal_compression_ratio, pixels, pixels)

    def schedule(self) -> tuple[list[float], Tensor]:
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(self.pipeline.scheduler.config)
        config, tokens = scheduler.config, self.shape[0] * self.shape[1] * self.shape[2]
        # longer videos start from more noise: the shift's exponent is linear in the number of tokens
        rise = (config.max_shift - config.base_shift) / (config.max_image_seq_len - config.base_image_seq_len)
        mu = config.base_shift + rise * (tokens - config.base_image_seq_len)
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / self.sampler.steps, self.sampler.steps), mu=mu)
        return scheduler.sigmas.tolist(), scheduler.timesteps

    def embed_one(self, text: str) -> tuple[Tensor, ...]:
        length = min(self.text_length, self.pipeline.tokenizer.model_max_length)
        states: tuple[Tensor, ...] = self.pipeline.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=length, device=self.device
        )[:2]
        return states

    def predict(self, x: Tensor, step: int, *text: Tensor) -> Tensor:
        states, mask = text
        timestep = self.timesteps[step].to(x.device).expand(len(x))
        dtype = self.pipeline.transformer.dtype
        tokens = x.to(dtype)
        return call_transformer(self.pipeline, tokens, timestep, states.to(dtype), mask, self.shape, self.fps).float()

    def decode_latents(self, latents: Tensor) -> Tensor:
        vae = self.pipeline.vae
        mean, std = (s.view(1, -1, 1, 1, 1).to(latents) for s in (vae.latents_mean, vae.latents_std))
        raw = (latents * std / vae.config.scaling_factor + mean).to(vae.dtype)
        # newer decoders remove the last noise themselves; at time 0 they are told that there is none
        time = torch.zeros(len(raw), device=raw.device, dtype=raw.dtype) if vae.config.timestep_conditioning else None
        video: Tensor = vae.decode(raw, time, return_dict=False)[0]
        return video
