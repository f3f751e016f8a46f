"""Adapters: which layers, what diffusers makes of the saved file, and the export that other programs read."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from policies.pipelines import POLICIES, SAMPLER, TEXTS, build, policy
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.lora_export import LORA_FILE, LOW_NOISE_LORA, export_comfyui, read_lora

MODELS = sorted(POLICIES)


def trained(kind: str) -> DiffusersPolicy:
    model = policy(kind)
    model.add_lora(4)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in model.trainable():
            p.add_(0.3 * torch.randn(p.shape, generator=generator))
    return model


def velocity_at(model: DiffusersPolicy, step: int = 1) -> Tensor:
    with torch.no_grad():
        x = model.draw([torch.Generator().manual_seed(s) for s in range(3)])
        return model.velocity(x, step, *model.embed(TEXTS))


def adapter(transformer: Any) -> dict[str, Tensor]:
    return {re.sub(r"\.default(_\d+)?\.", ".", k): p for k, p in transformer.named_parameters() if "lora_" in k}


@pytest.mark.parametrize("kind", MODELS)
def test_a_fresh_adapter_changes_nothing_and_the_reference_is_the_base(kind: str) -> None:
    model = policy(kind)
    base = velocity_at(model)
    assert model.add_lora(4)
    assert torch.equal(velocity_at(model), base)
    with torch.no_grad():
        for p in model.trainable():
            p.add_(0.1)
    assert (velocity_at(model) - base).abs().max() > 0.01
    with model.reference():
        assert torch.equal(velocity_at(model), base)


@pytest.mark.parametrize("kind", MODELS)
def test_the_adapter_is_on_every_attention_of_every_block(kind: str) -> None:
    model = policy(kind)
    model.add_lora(4)
    for part in model.adapted():
        linear = {n.removesuffix(".base_layer") for n, m in part.named_modules() if isinstance(m, torch.nn.Linear)}
        attention = {n for n in linear if n.endswith(("to_q", "to_k", "to_v", "to_out.0"))}
        assert attention
        assert {k.rsplit(".lora_", 1)[0] for k in adapter(part)} == attention


@pytest.mark.parametrize("kind", MODELS)
def test_two_lines_of_diffusers_load_what_was_trained(kind: str, tmp_path: Path) -> None:
    """From a saved pipeline directory, as a user would: every key is used, and the result is the same."""
    build(kind).save_pretrained(tmp_path / "model")
    model = trained(kind)
    model.save(str(tmp_path / "lora"))

    plain = DiffusionPipeline.from_pretrained(tmp_path / "model")
    plain.load_lora_weights(tmp_path / "lora", weight_name=LORA_FILE)

    saved = load_file(tmp_path / "lora" / LORA_FILE)
    with safe_open(tmp_path / "lora" / LORA_FILE, "pt") as file:
        settings = json.loads(file.metadata()["lora_adapter_metadata"])
    assert settings["transformer.target_modules"] == sorted(model.lora_targets)  # so that bytes tell the same LoRA
    loaded = {f"transformer.{k}": p for k, p in adapter(plain.transformer).items()}
    assert set(loaded) == set(saved)
    loaded_policy = policy(kind, plain)
    if kind == "wan22":  # the low-noise expert has a file of its own
        plain.load_lora_weights(tmp_path / "lora", weight_name=LOW_NOISE_LORA, load_into_transformer_2=True)
    for step in (0, 4):
        torch.testing.assert_close(velocity_at(loaded_policy, step), velocity_at(model, step), atol=1e-6, rtol=0)
    assert (velocity_at(policy(kind)) - velocity_at(model)).abs().max() > 0.01

    ours = policy(kind, sampler=replace(SAMPLER, window=1, window_end=1))  # as when nothing is trained
    ours.load(str(tmp_path / "lora"))
    for step in (0, 4):
        torch.testing.assert_close(velocity_at(ours, step), velocity_at(model, step), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", MODELS)
def test_a_fused_adapter_is_the_same_model_without_one(kind: str) -> None:
    model = trained(kind)
    steps = range(SAMPLER.steps)
    apart = [velocity_at(model, i) for i in steps]
    model.fuse()
    assert not any("lora" in n for part in model.transformers() for n, _ in part.named_modules())
    for i in steps:
        torch.testing.assert_close(velocity_at(model, i), apart[i], atol=1e-5, rtol=0)
    assert (velocity_at(policy(kind)) - apart[1]).abs().max() > 0.01


@pytest.mark.parametrize("kind", ["ltx", "wan"])
def test_the_comfyui_export_loses_no_key_and_no_strength(kind: str, tmp_path: Path) -> None:
    """Diffusers reads that format too, through its own conversion: there and back again."""
    model = trained(kind)
    model.save(str(tmp_path))
    written = export_comfyui(tmp_path, tmp_path / "out" / "comfyui.safetensors")
    exported, saved = load_file(tmp_path / "out" / "comfyui.safetensors"), load_file(tmp_path / LORA_FILE)
    assert written == {tmp_path / "out" / "comfyui.safetensors": len(exported)}
    assert len(exported) == len(saved)
    first = "diffusion_model.blocks.0.self_attn.o.lora_A.weight"
    assert (first if kind == "wan" else "diffusion_model.transformer_blocks.0.attn1.to_out.0.lora_A.weight") in exported
    back = build(kind)
    back.load_lora_weights(tmp_path / "out" / "comfyui.safetensors")
    assert len(adapter(back.transformer)) == len(saved)
    torch.testing.assert_close(velocity_at(policy(kind, back)), velocity_at(model), atol=1e-5, rtol=0)


def test_the_comfyui_export_of_hunyuanvideo_changes_the_original_layers_alike(tmp_path: Path) -> None:
    """The original's fused matrices, put together from diffusers' layers: with the export, and with the adapter."""
    model = trained("hunyuanvideo")
    model.save(str(tmp_path))
    export_comfyui(tmp_path, tmp_path / "x.safetensors")
    exported = load_file(tmp_path / "x.safetensors")
    before, after = policy("hunyuanvideo").pipeline.transformer, model.pipeline.transformer
    model.fuse()
    double, single = "transformer_blocks.0", "single_transformer_blocks.0"
    refiner, text = "context_embedder.token_refiner.refiner_blocks.0", "txt_in.individual_token_refiner.blocks.0"
    qkv = ["attn.to_q", "attn.to_k", "attn.to_v"]
    fused = {
        "double_blocks.0.img_attn_qkv": [f"{double}.{n}" for n in qkv],
        "double_blocks.0.img_attn_proj": [f"{double}.attn.to_out.0"],
        "single_blocks.0.linear1": [f"{single}.{n}" for n in (*qkv, "proj_mlp")],
        f"{text}.self_attn_qkv": [f"{refiner}.{n}" for n in qkv],
        f"{text}.self_attn_proj": [f"{refiner}.attn.to_out.0"],
    }
    assert {k.rsplit(".lora_", 1)[0] for k in exported} == {f"diffusion_model.{k}" for k in fused}
    for name, layers in fused.items():
        A, B = (exported[f"diffusion_model.{name}.lora_{m}.weight"] for m in "AB")
        weight = torch.cat([before.get_submodule(n).weight for n in layers])
        wanted = torch.cat([after.get_submodule(n).weight for n in layers])
        torch.testing.assert_close(weight + B @ A, wanted, atol=1e-5, rtol=0)
        assert (wanted - weight).abs().max() > 0.01
    changed = {n for n, p in after.named_parameters() if not torch.equal(p, before.get_parameter(n))}
    assert changed == {f"{n}.weight" for layers in fused.values() for n in layers if "proj_mlp" not in n}


def test_the_comfyui_export_has_a_file_for_each_expert(tmp_path: Path) -> None:
    model = trained("wan22")
    model.save(str(tmp_path))
    high, low = tmp_path / "out" / "x.safetensors", tmp_path / "out" / "x-low-noise.safetensors"
    written = export_comfyui(tmp_path, high)
    assert written == {high: len(load_file(tmp_path / LORA_FILE)), low: len(load_file(tmp_path / LOW_NOISE_LORA))}
    back = build("wan22")
    back.load_lora_weights(high)
    back.load_lora_weights(low, load_into_transformer_2=True)
    for step in (0, 4):  # the first is the high-noise expert's, the last the other's
        torch.testing.assert_close(
            velocity_at(policy("wan22", back), step), velocity_at(model, step), atol=1e-5, rtol=0
        )
    assert sorted(p.name for p in high.parent.iterdir()) == [low.name, high.name]


def test_a_lora_of_two_experts_needs_both(tmp_path: Path) -> None:
    trained("wan22").save(str(tmp_path))
    with pytest.raises(ValueError, match="two experts; this model has one transformer"):
        policy("wan").load(str(tmp_path))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("kind", "other"),
    [("wan", "ltx"), ("ltx", "wan"), ("cogvideox", "ltx"), ("hunyuanvideo", "wan"), ("ltx", "hunyuanvideo")],
)
def test_a_lora_of_another_model_is_refused_in_one_line(kind: str, other: str, tmp_path: Path) -> None:
    trained(other).save(str(tmp_path))
    model = policy(kind)
    with pytest.raises(ValueError, match=r"belongs to another model: it changes \w*blocks\.0\.attn"):
        model.load(str(tmp_path))
    assert not adapter(model.pipeline.transformer)


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pytorch_lora_weights"):
        read_lora(tmp_path / LORA_FILE)
    trained("cogvideox").save(str(tmp_path))
    assert read_lora(tmp_path / LORA_FILE)[1] == 2
    with pytest.raises(ValueError, match="take diffusers' format"):
        export_comfyui(tmp_path, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"end in \.safetensors"):
        export_comfyui(tmp_path, tmp_path / "x.pt")
    trained("wan22").save(str(tmp_path))
    (tmp_path / LOW_NOISE_LORA).write_bytes(b"\x00" * 99)
    with pytest.raises(ValueError, match="is damaged"):
        export_comfyui(tmp_path, tmp_path / "x.safetensors")
    assert not list(tmp_path.glob("x*"))
