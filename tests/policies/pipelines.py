"""Random pipelines of the supported diffusers classes, small enough to run in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    AutoencoderKLHunyuanVideo,
    AutoencoderKLLTXVideo,
    AutoencoderKLWan,
    CogVideoXDDIMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    WanPipeline,
    WanTransformer3DModel,
)
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from worldr1.policies.cogvideox import CogVideoXPolicy
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.hunyuanvideo import HunyuanVideoPolicy
from worldr1.policies.ltx import LTXVideoPolicy
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.wan import WanPolicy

TEXTS = ("a red box on grass", "the camera orbits left . a blue sphere", "sand")
WORDS = sorted({w for t in TEXTS for w in t.split()})
SAMPLER = SamplerConfig(steps=5, window=2, window_end=4)
POLICIES: dict[str, type[DiffusersPolicy]] = {
    "ltx": LTXVideoPolicy,
    "wan": WanPolicy,
    "wan22": WanPolicy,
    "wan5b": WanPolicy,
    "cogvideox": CogVideoXPolicy,
    "hunyuanvideo": HunyuanVideoPolicy,
}


def build(kind: str, seed: int = 0, **options: Any) -> Any:
    """A pipeline of the named model; its random velocity is neither zero nor blind to text and noise level."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        pipeline = globals()[f"_{kind}"](**options)
        for name in ("transformer", "transformer_2"):
            part = getattr(pipeline, name, None)
            for p in part.parameters() if part is not None else ():
                if p.ndim >= 2:
                    p.add_(0.1 * torch.randn_like(p))
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def policy(kind: str, pipeline: Any = None, sampler: SamplerConfig = SAMPLER, **options: Any) -> DiffusersPolicy:
    pipeline = build(kind) if pipeline is None else pipeline
    shape = {"num_frames": 9, "height": 32, "width": 64, "batch": 4} | options
    return POLICIES[kind](pipeline, sampler, **shape)


def open_plainly(directory: Path) -> Any:
    """A pipeline as diffusers opens it, its weights copied: in a mapped file they lie anywhere, and kernels then round.

    With other alignment the result differs in the sixth digit.
    """
    pipeline = DiffusionPipeline.from_pretrained(directory)
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        for weight in (*part.parameters(), *part.buffers()) if isinstance(part, torch.nn.Module) else ():
            weight.data = weight.data.clone()
    return pipeline


def own_pipeline(kind: str, pipeline: Any, seeds: list[int], guidance: float, **options: Any) -> torch.Tensor:
    """The result of diffusers' own pipeline for the first texts."""
    if kind == "hunyuanvideo":
        options |= {"true_cfg_scale": guidance, "negative_prompt": [""] * len(seeds)}
    else:
        options["guidance_scale"] = guidance
    if kind == "ltx":
        options["max_sequence_length"] = 16
    generators = [torch.Generator().manual_seed(s) for s in seeds]
    texts = list(TEXTS[: len(seeds)])
    shape = {"height": 32, "width": 64, "num_frames": 9, "num_inference_steps": SAMPLER.steps}
    frames: torch.Tensor = pipeline(texts, generator=generators, **(shape | options)).frames
    return frames


def tokenizer(length: int, extra: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    vocabulary = {w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", *WORDS, *extra])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=length
    )


def _t5(kind: Any, config: Any) -> Any:
    return kind(config(vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.0))


def _ltx(dynamic: bool = True) -> LTXPipeline:
    shared = {"spatio_temporal_scaling": (True, True), "layers_per_block": (1, 1, 1), "block_out_channels": (8, 16)}
    vae = AutoencoderKLLTXVideo(
        latent_channels=8,
        **shared,
        **{f"decoder_{k}": v for k, v in shared.items()},
        down_block_types=("LTXVideoDownBlock3D",) * 2,
        downsample_type=("conv", "conv"),
        decoder_inject_noise=(False,) * 3,
        upsample_residual=(False,) * 2,
        upsample_factor=(1, 1),
        patch_size=2,
        spatial_compression_ratio=8,
        temporal_compression_ratio=4,
    )
    vae.latents_mean, vae.latents_std = torch.randn(8) * 0.1, torch.rand(8) + 0.5
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=dynamic, base_shift=0.95, max_shift=2.05, base_image_seq_len=16, max_image_seq_len=4096,
        shift_terminal=0.1, shift=1.0,
    )  # fmt: skip
    transformer = LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, num_attention_heads=2, attention_head_dim=12, cross_attention_dim=24,
        num_layers=2, caption_channels=16,
    )  # fmt: skip
    return LTXPipeline(scheduler, vae, _t5(T5EncoderModel, T5Config), tokenizer(16), transformer)


def _wan_transformer(channels: int = 8) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, in_channels=channels, out_channels=channels, text_dim=16,
        freq_dim=16, ffn_dim=32, num_layers=2, rope_max_seq_len=32,
    )  # fmt: skip


def _wan(**options: Any) -> WanPipeline:
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=8, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.1 * i for i in range(8)], latents_std=[1 + 0.1 * i for i in range(8)],
    )  # fmt: skip
    scheduler = options.pop("scheduler", None) or FlowMatchEulerDiscreteScheduler(shift=3.0)
    return WanPipeline(tokenizer(512), _t5(UMT5EncoderModel, UMT5Config), vae, scheduler, _wan_transformer(), **options)


def _wan22() -> WanPipeline:
    return _wan(transformer_2=_wan_transformer(), boundary_ratio=0.875)


def _wan5b() -> WanPipeline:
    """As Wan 2.2 TI2V-5B: residual codec of 16x16x4 pixels, every token told its time."""
    vae = AutoencoderKLWan(
        base_dim=4, decoder_base_dim=8, z_dim=12, dim_mult=[1, 1, 1, 1], num_res_blocks=1, is_residual=True,
        temperal_downsample=[False, True, True], in_channels=12, out_channels=12, patch_size=2,
        scale_factor_spatial=16, latents_mean=[0.1 * i for i in range(12)],
        latents_std=[1 + 0.1 * i for i in range(12)],
    )  # fmt: skip
    scheduler, encoder = FlowMatchEulerDiscreteScheduler(shift=5.0), _t5(UMT5EncoderModel, UMT5Config)
    return WanPipeline(tokenizer(512), encoder, vae, scheduler, _wan_transformer(12), expand_timesteps=True)


def _cogvideox(rotary: bool = True, patch_size_t: int | None = None) -> CogVideoXPipeline:
    vae = AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 8, 8), latent_channels=8, layers_per_block=1, norm_num_groups=4,
        sample_height=32, sample_width=64,
    )  # fmt: skip
    transformer = CogVideoXTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, in_channels=8, out_channels=8, time_embed_dim=8,
        text_embed_dim=16, num_layers=2, sample_width=8, sample_height=4, sample_frames=9, max_text_seq_length=226,
        use_rotary_positional_embeddings=rotary, patch_size_t=patch_size_t, patch_bias=patch_size_t is None,
    )  # fmt: skip
    scheduler = CogVideoXDDIMScheduler(
        beta_schedule="scaled_linear", prediction_type="v_prediction", clip_sample=False, snr_shift_scale=1.0,
        rescale_betas_zero_snr=True, timestep_spacing="trailing",
    )  # fmt: skip
    return CogVideoXPipeline(tokenizer(226), _t5(T5EncoderModel, T5Config), vae, transformer, scheduler)


def _hunyuanvideo() -> HunyuanVideoPipeline:
    vae = AutoencoderKLHunyuanVideo(
        latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4,
        mid_block_add_attention=False,
    )  # fmt: skip
    transformer = HunyuanVideoTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16, num_layers=1,
        num_single_layers=1, num_refiner_layers=1, text_embed_dim=16, pooled_projection_dim=8, rope_axes_dim=(4, 6, 6),
    )  # fmt: skip
    llama = LlamaModel(
        LlamaConfig(vocab_size=40, hidden_size=16, intermediate_size=16, num_hidden_layers=4, num_attention_heads=2,
                    pad_token_id=0)
    )  # fmt: skip
    clip = CLIPTextModel(
        CLIPTextConfig(vocab_size=40, hidden_size=8, intermediate_size=16, projection_dim=8, num_attention_heads=2,
                       num_hidden_layers=1, pad_token_id=0, bos_token_id=2, eos_token_id=1)
    )  # fmt: skip
    return HunyuanVideoPipeline(
        llama, tokenizer(400), transformer, vae, FlowMatchEulerDiscreteScheduler(shift=7.0), clip, tokenizer(77)
    )
