"""The miniature of `worldr1 pretrain`: every stage, resumed, ends in weights that load."""

from pathlib import Path

import pytest
import torch
from rich.console import Console

from worldr1.commands.pretrain import pretrain, run_pretrain
from worldr1.estimators.depth import WORLD_SIDE, TransformersDepth
from worldr1.estimators.flow_network import WorldFlow
from worldr1.policies.tiny_policy import PACKAGED, load_pipeline
from worldr1.train.pretrain.config import DEBUG
from worldr1.train.pretrain.package import MAX_PACKAGED_BYTES, install


def test_all_stages_and_a_rerun(tmp_path: Path) -> None:
    quiet = Console(quiet=True)
    measured = pretrain(DEBUG, tmp_path, "cpu", quiet)
    assert {"codec", "depth", "tagger", "inspector", "held_out_depth", "filmed_depth", "world_flow"} <= {
        k for k, v in measured.items() if v
    }
    weights = tmp_path / "weights"
    mixed, clean = load_pipeline(weights / "tiny"), load_pipeline(weights / "tiny", weights / "tiny-clean")
    a, b = mixed.transformer.proj_in.weight, clean.transformer.proj_in.weight
    assert a.shape == b.shape
    assert not a.equal(b)
    assert TransformersDepth(weights / "depth").metric
    assert TransformersDepth(weights / "world-depth").metric
    files = {f.name: f.read_bytes() for f in weights.rglob("*.safetensors")}
    assert pretrain(DEBUG, tmp_path, "cpu", quiet) == measured
    assert {f.name: f.read_bytes() for f in weights.rglob("*.safetensors")} == files
    assert install(weights, tmp_path / "package") > 0
    assert (tmp_path / "package" / "tiny" / "model_index.json").exists()


def test_general_worlds_alone(tmp_path: Path) -> None:
    measured = pretrain(DEBUG, tmp_path, "cpu", Console(quiet=True), only="world-depth")
    assert set(measured) == {f"{stage}_depth" for stage in ("world", "large", "more", "wall", "last", "filmed")}
    assert [p.name for p in (tmp_path / "weights").iterdir() if p.is_dir()] == ["world-depth"]
    frames = torch.rand(2, 3, 64, 64)
    assert TransformersDepth(tmp_path / "weights" / "world-depth", WORLD_SIDE)(frames).shape == (2, 64, 64)
    assert set(pretrain(DEBUG, tmp_path, "cpu", Console(quiet=True), only="world-flow")) == {"world_flow"}
    flow = WorldFlow(tmp_path / "weights" / "world_flow.safetensors")
    assert flow(frames, frames).shape == (2, 64, 64, 2)
    assert not (tmp_path / "corpus.pt").exists()


def test_the_budget_counts_what_stays_in_the_package(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder, name, size in ((source, "new", 2), (source, "both", 3), (target, "both", 5), (target, "old", 7)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(bytes(size))
    assert install(source, target) == 2 + 3 + 7
    assert {f.name: f.stat().st_size for f in target.iterdir()} == {"new": 2, "both": 3, "old": 7}
    (target / "old").write_bytes(bytes(MAX_PACKAGED_BYTES - 4))
    with pytest.raises(ValueError, match="may carry 30"):
        install(source, target)


def test_the_package_keeps_its_budget() -> None:
    held = sum(f.stat().st_size for f in PACKAGED.rglob("*") if f.is_file())
    assert 20_000_000 < held <= MAX_PACKAGED_BYTES


def test_unknown_preset(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tiny"):
        run_pretrain("huge", tmp_path, "cpu", 1, install_weights=False)
