"""The packaged policy: LTX-Video's architecture with a configuration that trains and samples on a CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXPipeline, LTXVideoTransformer3DModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

TEXT_LENGTH = 24  # tokens; every caption of `worlds.captions` is shorter


@dataclass(frozen=True)
class TinyConfig:
    """Sizes of the tiny model; one latent token stands for 8x8 pixels of 2 frames."""

    latent_channels: int = 16
    codec_channels: tuple[int, int] = (48, 96)
    text_width: int = 128
    width: int = 192
    heads: int = 4
    layers: int = 6


def build_codec(config: TinyConfig) -> AutoencoderKLLTXVideo:
    """A causal video autoencoder, 8x8 spatial and 2x temporal compression."""
    shared = {
        "spatio_temporal_scaling": (True, False),
        "layers_per_block": (1, 1, 1),
        "block_out_channels": config.codec_channels,
    }
    return AutoencoderKLLTXVideo(
        latent_channels=config.latent_channels,
        **shared,
        **{f"decoder_{k}": v for k, v in shared.items()},
        down_block_types=("LTXVideoDownBlock3D",) * 2,
        downsample_type=("conv", "conv"),
        decoder_inject_noise=(False,) * 3,
        upsample_residual=(False,) * 2,
        upsample_factor=(1, 1),
        patch_size=4,
        decoder_causal=True,
        spatial_compression_ratio=8,
        temporal_compression_ratio=2,
    )


def is_tiny(codec: Mapping[str, Any]) -> bool:
    """Whether a pipeline was built here, by its codec's configuration: only this one is 2x in time and 8x in space."""
    return (codec.get("temporal_compression_ratio"), codec.get("spatial_compression_ratio")) == (2, 8)


def build_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A word tokenizer that ends every text with ``</s>``, as T5's does."""
    vocabulary = {w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=TEXT_LENGTH,
    )


def build_text_encoder(config: TinyConfig, vocabulary_size: int) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary_size,
            d_model=config.text_width,
            d_kv=32,
            d_ff=2 * config.text_width,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
        )
    )


def build_transformer(config: TinyConfig) -> LTXVideoTransformer3DModel:
    return LTXVideoTransformer3DModel(
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        patch_size=1,
        patch_size_t=1,
        num_attention_heads=config.heads,
        attention_head_dim=config.width // config.heads,
        cross_attention_dim=config.width,
        num_layers=config.layers,
        caption_channels=config.text_width,
    )


def build_pipeline(config: TinyConfig, words: Sequence[str], seed: int = 0) -> LTXPipeline:
    """An untrained tiny pipeline; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = build_tokenizer(words)
        return LTXPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=2.0),
            vae=build_codec(config),
            text_encoder=build_text_encoder(config, len(tokenizer)),
            tokenizer=tokenizer,
            transformer=build_transformer(config),
        )
