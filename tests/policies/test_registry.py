"""Opening models: the right policy for a directory, and a clear line for everything else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from policies.pipelines import POLICIES, SAMPLER, TEXTS, build
from worldr1.policies.registry import open_pipeline, policy_class
from worldr1.train.rollout import sample
from worldr1.types import Prompt


@pytest.fixture(scope="module")
def wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wan")
    build("wan").save_pretrained(directory)
    return directory


@pytest.mark.parametrize("kind", sorted(POLICIES))
def test_a_directory_opens_as_its_policy(kind: str, tmp_path: Path) -> None:
    built = build(kind)
    built.save_pretrained(tmp_path)
    found = policy_class(str(tmp_path))
    assert found is POLICIES[kind]
    shape = {"num_frames": 9, "height": 32, "width": 32}
    clips = [
        sample(found(p, SAMPLER, **shape), [Prompt(TEXTS[0])], [3]).rollouts[0].clip.video
        for p in (built, open_pipeline(str(tmp_path)))
    ]
    assert torch.equal(*clips)


def test_half_precision_leaves_the_codec_whole(wan: Path) -> None:
    pipeline = open_pipeline(str(wan), torch.bfloat16)
    assert pipeline.transformer.blocks[0].attn1.to_q.weight.dtype == torch.bfloat16
    assert pipeline.text_encoder.dtype == torch.bfloat16
    assert pipeline.vae.dtype == torch.float32
    assert not any(p.requires_grad for p in pipeline.transformer.parameters())
    policy = policy_class(str(wan))(pipeline, SAMPLER, num_frames=5, height=32, width=32)
    assert sample(policy, [Prompt(TEXTS[0])], [3]).rollouts[0].clip.video.isfinite().all()


def test_wrong_directories_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such model directory: nowhere/at/all"):
        policy_class("nowhere/at/all")
    with pytest.raises(ValueError, match=r"no model_index\.json in"):
        policy_class(str(tmp_path))
    (tmp_path / "model_index.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        policy_class(str(tmp_path))
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(ValueError, match="is a FluxPipeline; worldr1 runs LTXPipeline"):
        policy_class(str(tmp_path))


def test_a_missing_component_is_named(wan: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(wan, copy)
    shutil.rmtree(copy / "text_encoder")
    with pytest.raises(ValueError, match="lacks its text_encoder"):
        policy_class(str(copy))


def test_damaged_weights_are_named(wan: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(wan, copy)
    weights = copy / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged or not of this model"):
        open_pipeline(str(copy))
