"""Parts of diffusers' Wan that take their place: exact up to rounding, and faster, most of all on a CPU.

Each is a subclass of what it replaces, without weights of its own, so that names in files and LoRAs stay.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanRMS_norm
from diffusers.models.transformers.transformer_wan import WanAttnProcessor, WanRotaryPosEmbed, WanTimeTextImageEmbedding
from torch import Tensor, nn


class Embedding(WanTimeTextImageEmbedding):  # type: ignore[misc]
    """The conditions' embedding, letting an attention bias ``[n, length]`` through beside the text states."""

    def forward(self, timestep: Tensor, encoder_hidden_states: Any, *rest: Any, **options: Any) -> tuple[Any, ...]:
        if not isinstance(encoder_hidden_states, tuple):
            plain: tuple[Any, ...] = super().forward(timestep, encoder_hidden_states, *rest, **options)
            return plain
        states, bias = encoder_hidden_states
        time, projected, text, image = super().forward(timestep, states, *rest, **options)
        return time, projected, (text, bias), image


class BiasedCrossAttention(WanAttnProcessor):  # type: ignore[misc]
    """Wan's attention, adding the bias that came with the text states to the keys' scores.

    The bias travels with the states instead of being kept aside, so that a checkpointed block finds its own again.
    """

    def __call__(self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Any = None, *rest: Any) -> Tensor:
        if isinstance(encoder_hidden_states, tuple):
            states, bias = encoder_hidden_states
            encoder_hidden_states, rest = states, (bias[:, None, None, :],)
        result: Tensor = super().__call__(attn, hidden_states, encoder_hidden_states, *rest)
        return result


class Rotary(WanRotaryPosEmbed):  # type: ignore[misc]
    """Rotations by position, made once per shape; for float32 on a CPU as the complex numbers that they are."""

    def forward(self, hidden_states: Tensor) -> Any:
        made: dict[Any, Any] = self.__dict__.setdefault("_made", {})
        key = (hidden_states.shape[2:], hidden_states.dtype, hidden_states.device)
        if key not in made:
            cos, sin = super().forward(hidden_states)
            complex_too = key[1] == torch.float32 and key[2].type == "cpu"
            made[key] = torch.complex(cos[..., ::2], sin[..., 1::2]) if complex_too else (cos, sin)
        return made[key]


class SelfAttention(WanAttnProcessor):  # type: ignore[misc]
    """Wan's attention for the rotations of `Rotary`: one complex product in the place of eight strided operations."""

    def __call__(self, attn: Any, hidden_states: Tensor, text: Any, mask: Any, rotary: Any) -> Tensor:
        if isinstance(rotary, tuple):
            usual: Tensor = super().__call__(attn, hidden_states, text, mask, rotary)
            return usual
        query, key = (norm(to(hidden_states)) for norm, to in ((attn.norm_q, attn.to_q), (attn.norm_k, attn.to_k)))
        query, key = (rotate(x.unflatten(2, (attn.heads, -1)), rotary).transpose(1, 2) for x in (query, key))
        value = attn.to_v(hidden_states).unflatten(2, (attn.heads, -1)).transpose(1, 2)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = attn.to_out[1](attn.to_out[0](mixed.transpose(1, 2).flatten(2)))
        return out


def rotate(x: Tensor, by: Tensor) -> Tensor:
    """``x`` ``[..., 2k]`` with each pair of neighbours turned by the unit complex numbers ``by`` ``[..., k]``."""
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * by).flatten(-2)


class CodecNorm(WanRMS_norm):  # type: ignore[misc]
    """The codec's normalisation over channels: PyTorch's own norm over any axis but the last is very slow on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or x.dtype != torch.float32 or not self.channel_first:
            usual: Tensor = super().forward(x)
            return usual
        length = (x.square().sum(1, keepdim=True) + 1e-24).sqrt()
        scaled: Tensor = x / length * self.scale * self.gamma + self.bias
        return scaled
