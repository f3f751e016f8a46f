"""The miniature of `worldr1 pretrain`: every stage, resumed, ends in weights that load."""

from pathlib import Path

import pytest
from rich.console import Console

from worldr1.commands.pretrain import DEBUG, pretrain, run_pretrain
from worldr1.estimators.depth import TransformersDepth
from worldr1.policies.ltx_policy import load_pipeline
from worldr1.train.pretrain.package import install


def test_all_stages_and_a_rerun(tmp_path: Path) -> None:
    quiet = Console(quiet=True)
    measured = pretrain(DEBUG, tmp_path, "cpu", quiet)
    assert {"codec", "depth", "tagger", "inspector", "held_out_depth"} <= {k for k, v in measured.items() if v}
    weights = tmp_path / "weights"
    mixed, clean = load_pipeline(weights / "tiny"), load_pipeline(weights / "tiny", weights / "tiny-clean")
    a, b = mixed.transformer.proj_in.weight, clean.transformer.proj_in.weight
    assert a.shape == b.shape
    assert not a.equal(b)
    assert TransformersDepth(weights / "depth").metric
    files = {f.name: f.read_bytes() for f in weights.rglob("*.safetensors")}
    assert pretrain(DEBUG, tmp_path, "cpu", quiet) == measured
    assert {f.name: f.read_bytes() for f in weights.rglob("*.safetensors")} == files
    assert install(weights, tmp_path / "package") > 0
    assert (tmp_path / "package" / "tiny" / "model_index.json").exists()


def test_unknown_preset(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tiny"):
        run_pretrain("huge", tmp_path, "cpu", 1, install_weights=False)
