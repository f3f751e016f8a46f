"""The plan against what it foretells: published sizes, real networks, counted operations and kept bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch.utils.flop_counter import FlopCounterMode

from policies.pipelines import build as build_pipeline
from policies.pipelines import policy
from worldr1 import plan as module
from worldr1.plan import (
    GIB,
    Job,
    block_bytes,
    build,
    check_memory,
    configuration,
    describe,
    evaluation_flops,
    make_plan,
)
from worldr1.policies.diffusers_policy import Memory
from worldr1.policies.registry import policy_for
from worldr1.policies.sde import SamplerConfig

SHAPES = {
    "wan-1.3b": (81, 480, 832),
    "wan-14b": (81, 480, 832),
    "wan-5b": (121, 704, 1280),
    "ltx-2b": (121, 512, 704),
    "wan2.2-14b": (81, 480, 832),
    "cogvideox-5b": (49, 480, 720),
    "hunyuanvideo": (61, 544, 960),
}
JOB = Job(81, 480, 832, SamplerConfig(steps=20, window=2, window_end=10), 4, 8, 100, lora_rank=32)


def job_for(name: str) -> Job:
    frames, height, width = SHAPES[name]
    return replace(JOB, num_frames=frames, height=height, width=width)


@pytest.mark.parametrize(
    ("name", "transformer", "tokens", "latent"),
    [
        ("wan-1.3b", 1_418_996_800, 32_760, (21, 60, 104)),
        ("wan-14b", 14_288_491_584, 32_760, (21, 60, 104)),
        ("ltx-2b", 1_923_385_472, 5_632, (16, 16, 22)),
        ("cogvideox-5b", 5_570_283_072, 17_550, (13, 60, 90)),
        ("wan2.2-14b", 2 * 14_288_491_584, 32_760, (21, 60, 104)),
        ("hunyuanvideo", 12_821_012_544, 32_640, (16, 68, 120)),
    ],
)
def test_published_models(name: str, transformer: int, tokens: int, latent: tuple[int, int, int]) -> None:
    """Parameters as the hub's files hold them; nothing is downloaded."""
    plan = make_plan(name, job_for(name))
    assert plan.parameters["transformer"] == transformer
    assert (plan.tokens, plan.latent) == (tokens, latent)


def inputs(name: str, transformer: Any, plan: module.Plan) -> dict[str, Any]:
    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(*shape, device="meta", dtype=torch.bfloat16)

    frames, height, width = plan.latent
    common = {"timestep": torch.empty(1, device="meta"), "return_dict": False}
    if name.startswith("wan"):
        return {"hidden_states": empty(1, 16, *plan.latent), "encoder_hidden_states": empty(1, 64, 4096), **common}
    if name.startswith("ltx"):
        return {
            "hidden_states": empty(1, plan.tokens, 128),
            "encoder_hidden_states": empty(1, 128, 4096),
            "encoder_attention_mask": empty(1, 128),
            "num_frames": frames,
            "height": height,
            "width": width,
            "rope_interpolation_scale": (8 / 25, 32, 32),
            **common,
        }
    if name == "hunyuanvideo":
        return {
            "hidden_states": empty(1, 16, *plan.latent),
            "encoder_hidden_states": empty(1, 256, 4096),
            "encoder_attention_mask": empty(1, 256),
            "pooled_projections": empty(1, 768),
            "guidance": empty(1),
            **common,
        }
    rotary = torch.empty(plan.tokens, transformer.config.attention_head_dim, device="meta")
    return {
        "hidden_states": empty(1, frames, 16, height, width),
        "encoder_hidden_states": empty(1, 226, 4096),
        "image_rotary_emb": (rotary, rotary),
        **common,
    }


class Fused(torch.autograd.Function):
    """Attention that keeps what a fused kernel keeps: the inputs and the result."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, out)
        return out


@pytest.mark.parametrize("name", ["wan-1.3b", "ltx-2b", "cogvideox-5b", "hunyuanvideo"])
def test_operations_and_kept_bytes_at_real_size(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by torch on two layers of the real width and length, without memory, on the meta device."""
    published = configuration(name)
    few = {"num_layers": 2} | ({"num_single_layers": 2} if name == "hunyuanvideo" else {})
    monkeypatch.setitem(module.PUBLISHED, name, replace(published, transformer=published.transformer | few))
    plan = make_plan(name, job_for(name))
    transformer: Any = build(module.PUBLISHED[name].transformer).requires_grad_(False).to(torch.bfloat16)
    given = inputs(name, transformer, plan)
    attended = plan.tokens + (226 if name.startswith("cog") else 0)

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        transformer(**given)
    assert evaluation_flops(transformer, attended) == pytest.approx(counter.get_total_flops(), rel=0.03)

    targets = list(policy_for(published.pipeline).lora_targets)
    transformer.add_adapter(LoraConfig(r=32, lora_alpha=64, target_modules=targets))
    assert plan.trainable == sum(p.numel() for p in transformer.parameters() if p.requires_grad)
    fused = lambda query, key, value, **_: Fused.apply(query, key, value)  # noqa: E731
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused)
    kept: dict[int, int] = {}

    def remember(x: torch.Tensor) -> torch.Tensor:
        storage = x.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda x: x):
        out = transformer(**given)  # noqa: F841 – keeps the graph alive
    weights = {p.untyped_storage()._cdata for p in transformer.parameters()}
    measured = sum(size for storage, size in kept.items() if storage not in weights) / sum(few.values())
    assert block_bytes(transformer, attended)[0] == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize("kind", ["wan", "ltx", "cogvideox", "wan22", "wan5b", "hunyuanvideo"])
def test_a_directory_is_planned_from_its_configuration(kind: str, tmp_path: Path) -> None:
    pipeline = build_pipeline(kind)
    pipeline.save_pretrained(tmp_path)
    for weights in tmp_path.rglob("*.safetensors"):
        weights.unlink()
    plan = make_plan(str(tmp_path), replace(JOB, num_frames=9, height=32, width=64, lora_rank=4))
    transformers = [t for t in (pipeline.transformer, getattr(pipeline, "transformer_2", None)) if t is not None]
    assert plan.parameters["transformer"] == sum(p.numel() for t in transformers for p in t.parameters())
    assert plan.parameters["vae"] == sum(p.numel() for p in pipeline.vae.parameters())
    assert plan.parameters["text_encoder"] == sum(p.numel() for p in pipeline.text_encoder.parameters())
    model = policy(kind, pipeline)
    assert plan.latent == model.shape
    model.add_lora(4)
    assert plan.trainable == sum(p.numel() for p in model.trainable())


def test_evaluations_follow_the_job() -> None:
    plan = make_plan("ltx-2b", job_for("ltx-2b"))
    assert plan.evaluations == {"sampling": 640, "update": 128, "backward": 128}
    guided = replace(job_for("ltx-2b"), sampler=replace(JOB.sampler, guidance=3.0), memory=Memory(checkpoint=True))
    assert make_plan("ltx-2b", guided).evaluations == {"sampling": 1280, "update": 256, "backward": 384}
    slow, fast = (make_plan("ltx-2b", job_for("ltx-2b"), tflops=t) for t in (100, 400))
    assert slow.hours == pytest.approx(4 * fast.hours)


def test_what_saves_memory_saves_it_where_it_should() -> None:
    job = job_for("wan-1.3b")
    plain = make_plan("wan-1.3b", job)
    saved = make_plan("wan-1.3b", replace(job, memory=Memory(True, 1, True, True), eight_bit=True))
    for phase in ("sampling", "decoding", "update"):
        assert saved.memory[phase] < plain.memory[phase]
    assert saved.peak < 24 * GIB < plain.peak
    check_memory(saved, 24 * GIB)
    with pytest.raises(ValueError, match=r"not enough memory: update needs about .* 24 GiB are free"):
        check_memory(plain, 24 * GIB)


def test_impossible_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use --frames 77 or 81"):
        make_plan("wan-1.3b", replace(JOB, num_frames=80))
    with pytest.raises(ValueError, match="no such model directory"):
        make_plan("wan-2b", JOB)
    build_pipeline("ltx").save_pretrained(tmp_path)
    (tmp_path / "transformer" / "config.json").unlink()
    with pytest.raises(ValueError, match="no transformer/config"):
        make_plan(str(tmp_path), JOB)


def test_the_description_names_every_number() -> None:
    text = describe(make_plan("wan-1.3b", JOB))
    for part in ("1.419 B", "23.6 M", "21x60x104", "32760", "memory of text encoder", "peak, update", "GPU hours"):
        assert part in text


def test_devices_share_the_samples_and_shards_the_weights() -> None:
    job = job_for("wan-14b")
    one, eight = make_plan("wan-14b", job), make_plan("wan-14b", replace(job, devices=8))
    divided = make_plan("wan-14b", replace(job, devices=8, shards=8))
    assert one.hours == eight.hours == divided.hours  # of all together
    assert "hours on 8 devices" in describe(eight)
    assert "on the clock" not in describe(one)
    assert eight.memory["sampling"] == one.memory["sampling"]
    assert eight.memory["update"] < one.memory["update"]  # 4 samples each in the place of 32
    weights = 2 * one.parameters["transformer"]
    saved = eight.memory["sampling"] - divided.memory["sampling"]
    assert saved == pytest.approx(weights * (1 - 1 / 8 - 2 / 40), rel=1e-6)  # two of 40 blocks are whole at a time
    with pytest.raises(ValueError, match="do not divide among 64 devices; use --prompts 8"):
        make_plan("wan-14b", replace(job, devices=64))
    with pytest.raises(ValueError, match="5 shards do not fit 8 devices"):
        make_plan("wan-14b", replace(job, devices=8, shards=5))
