"""The published models: hub id, licence and configuration, enough to plan a run without downloading anything.

Values that are the class's own defaults are left out. Licences are those on the models' hub pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_T5_XXL = {
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}
_T5 = {"_class_name": "T5EncoderModel", "vocab_size": 32128, **_T5_XXL}
_UMT5 = {"_class_name": "UMT5EncoderModel", "vocab_size": 256384, **_T5_XXL}
_WAN_14B = {
    "_class_name": "WanTransformer3DModel",
    "num_attention_heads": 40,
    "attention_head_dim": 128,
    "ffn_dim": 13824,
    "num_layers": 40,
}


@dataclass(frozen=True)
class Published:
    """A model of a hub; each part is its ``config.json``."""

    hub: str
    licence: str  # the hub's identifier, or "other"
    licence_link: str
    pipeline: str
    transformer: dict[str, Any]
    text_encoder: dict[str, Any]  # the large one, where there are two
    vae: dict[str, Any]
    experts: int = 1  # transformers of this configuration


PUBLISHED = {
    "wan-1.3b": Published(
        "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
        "apache-2.0",
        "",
        "WanPipeline",
        {
            "_class_name": "WanTransformer3DModel",
            "num_attention_heads": 12,
            "attention_head_dim": 128,
            "ffn_dim": 8960,
            "num_layers": 30,
        },
        _UMT5,
        {"_class_name": "AutoencoderKLWan"},
    ),
    "wan-14b": Published(
        "Wan-AI/Wan2.1-T2V-14B-Diffusers",
        "apache-2.0",
        "",
        "WanPipeline",
        _WAN_14B,
        _UMT5,
        {"_class_name": "AutoencoderKLWan"},
    ),
    "wan2.2-14b": Published(
        "Wan-AI/Wan2.2-T2V-A14B-Diffusers",
        "apache-2.0",
        "",
        "WanPipeline",
        _WAN_14B,
        _UMT5,
        {"_class_name": "AutoencoderKLWan"},
        experts=2,
    ),
    "wan-5b": Published(
        "Wan-AI/Wan2.2-TI2V-5B-Diffusers",
        "apache-2.0",
        "",
        "WanPipeline",
        {
            "_class_name": "WanTransformer3DModel",
            "num_attention_heads": 24,
            "attention_head_dim": 128,
            "ffn_dim": 14336,
            "num_layers": 30,
            "in_channels": 48,
            "out_channels": 48,
        },
        _UMT5,
        {
            "_class_name": "AutoencoderKLWan",
            "base_dim": 160,
            "decoder_base_dim": 256,
            "z_dim": 48,
            "is_residual": True,
            "in_channels": 12,
            "out_channels": 12,
            "patch_size": 2,
            "scale_factor_spatial": 16,
        },
    ),
    "ltx-2b": Published(
        "Lightricks/LTX-Video",
        "other",
        "https://huggingface.co/Lightricks/LTX-Video",
        "LTXPipeline",
        {"_class_name": "LTXVideoTransformer3DModel"},
        _T5,
        {"_class_name": "AutoencoderKLLTXVideo"},
    ),
    "cogvideox-5b": Published(
        "zai-org/CogVideoX-5b",
        "other",
        "https://huggingface.co/zai-org/CogVideoX-5b/blob/main/LICENSE",
        "CogVideoXPipeline",
        {
            "_class_name": "CogVideoXTransformer3DModel",
            "num_attention_heads": 48,
            "num_layers": 42,
            "use_rotary_positional_embeddings": True,
        },
        _T5,
        {"_class_name": "AutoencoderKLCogVideoX"},
    ),
    "hunyuanvideo": Published(
        "hunyuanvideo-community/HunyuanVideo",
        "other",
        "https://huggingface.co/tencent/HunyuanVideo/blob/main/LICENSE",
        "HunyuanVideoPipeline",
        {"_class_name": "HunyuanVideoTransformer3DModel"},
        {
            "_class_name": "LlamaModel",
            "vocab_size": 128320,
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
        },
        {"_class_name": "AutoencoderKLHunyuanVideo"},
    ),
}
