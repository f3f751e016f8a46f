"""LTX-Video's parts as functions: text embedding, velocity, packing, decoding. Works on any `LTXPipeline`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import LTXPipeline
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

LATENT_FPS = 8.0  # frame rate the positions are computed for; the tiny corpora's own


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


def velocity(
    pipeline: LTXPipeline,
    tokens: Tensor,
    sigma: Tensor,
    text: Tensor,
    mask: Tensor,
    shape: tuple[int, ...],
    fps: float,
) -> Tensor:
    """The transformer's velocity ε − x₀ at noise level ``sigma`` (``[clips]`` in [0, 1]), float32.

    ``tokens`` ``[clips, tokens, channels]``, ``text`` ``[clips, length, width]``, ``mask`` ``[clips, length]``,
    ``shape`` the latent ``(frames', h', w')``.
    """
    scale = (
        pipeline.vae_temporal_compression_ratio / fps,
        pipeline.vae_spatial_compression_ratio,
        pipeline.vae_spatial_compression_ratio,
    )
    device = tokens.device.type
    # the plain attention kernel: on a CPU the fused one's backward pass is nearly half of a training step
    backends = [SDPBackend.MATH] if device == "cpu" else list(SDPBackend.__members__.values())
    with torch.autocast(device, dtype=torch.bfloat16), sdpa_kernel(backends):
        out: Tensor = pipeline.transformer(
            hidden_states=tokens,
            encoder_hidden_states=text,
            timestep=sigma * 1000,
            encoder_attention_mask=mask,
            num_frames=shape[0],
            height=shape[1],
            width=shape[2],
            rope_interpolation_scale=scale,
            return_dict=False,
        )[0]
    return out.float()
