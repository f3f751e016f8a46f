"""HunyuanVideo's LoRA on the layers of the original checkpoint, which holds q, k and v in one matrix."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_BLOCKS = (
    # diffusers' block, the original's, the name of its fused layer and of its output
    (r"transformer_blocks\.(\d+)", "double_blocks.{}", "img_attn_qkv", "img_attn_proj"),
    (r"single_transformer_blocks\.(\d+)", "single_blocks.{}", "linear1", ""),
    (
        r"context_embedder\.token_refiner\.refiner_blocks\.(\d+)",
        "txt_in.individual_token_refiner.blocks.{}",
        "self_attn_qkv",
        "self_attn_proj",
    ),
)
_MLP = 4  # widths of the MLP's rows, which follow q, k and v in a single block's linear1: the published mlp_ratio


def is_hunyuan(weights: Mapping[str, Tensor]) -> bool:
    """Whether a LoRA in diffusers' format changes single-stream blocks, which of our models HunyuanVideo alone has."""
    return any(key.startswith("transformer.single_transformer_blocks.") for key in weights)


def to_original(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices ``transformer.LAYER.lora_A.weight`` [r, in] and ``lora_B`` [out, r] for the original's layers.

    Where three layers become one, A holds theirs below each other, [3r, in], and B theirs on a diagonal of blocks,
    [3 out, 3r] (and zeros for an MLP's rows), so that B A is what they did. Keys are those of diffusion-pipe, without
    a prefix. Raises ``ValueError`` for a layer that has no counterpart, or for q, k and v that are not all there.
    """
    layers: dict[str, dict[str, tuple[Tensor, Tensor]]] = {}
    for key in weights:
        layer, found = re.fullmatch(r"transformer\.(.+)\.lora_([AB])\.weight", key), None
        if layer is not None:
            found = re.fullmatch(r"(.+)\.attn\.(to_q|to_k|to_v|to_out\.0)", layer[1])
        if layer is None or found is None:
            raise ValueError(f"{key} is no LoRA matrix of HunyuanVideo's attention, which is all that can be exported")
        if layer[2] == "A":
            stem = f"transformer.{layer[1]}"
            pair = weights[key], weights[f"{stem}.lora_B.weight"]
            layers.setdefault(found[1], {})[found[2]] = pair
    out = {}
    for block, parts in layers.items():
        name, fused, output = _original(block)
        if not {"to_q", "to_k", "to_v"} <= parts.keys():
            raise ValueError(
                f"the LoRA changes {', '.join(sorted(parts))} of {block}; export needs to_q, to_k and to_v"
            )
        qkv = [parts[part] for part in ("to_q", "to_k", "to_v")]
        B = torch.block_diag(*(b for _, b in qkv))
        if fused == "linear1":
            B = torch.cat([B, B.new_zeros(_MLP * len(qkv[0][1]), B.shape[1])])
        out[f"{name}.{fused}.lora_A.weight"] = torch.cat([a for a, _ in qkv])
        out[f"{name}.{fused}.lora_B.weight"] = B
        if "to_out.0" in parts:
            A, B = parts["to_out.0"]
            out |= {f"{name}.{output}.lora_A.weight": A, f"{name}.{output}.lora_B.weight": B}
    return out


def _original(block: str) -> tuple[str, str, str]:
    for pattern, name, fused, output in _BLOCKS:
        found = re.fullmatch(pattern, block)
        if found is not None:
            return name.format(found[1]), fused, output
    raise ValueError(f"HunyuanVideo has no attention in {block}")
