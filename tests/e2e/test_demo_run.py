"""The miniature of the demo: every phase of the main job, end to end."""

import json
import re
from pathlib import Path

import pytest

from worldr1.demo import Run, check_guards, run_demo, run_experiment
from worldr1.presets import get_preset, load_tiny, override


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    out = tmp_path_factory.mktemp("demo")
    return out, run_demo(out, scale="debug")  # on every core there is; the rerun below goes on alone


def test_results_have_the_documented_layout(finished: tuple[Path, int]) -> None:
    out, status = finished
    results = json.loads((out / "results.json").read_text())
    assert status in (0, 1)
    assert status == (0 if all(g["pass"] for g in results["guards"].values()) else 1)
    assert {"violation_rate", "depth_error", "prompt_agreement"} <= results["metrics"].keys()
    for metric in results["metrics"].values():
        assert metric.keys() == {"before", "after", "ci95", "better"}
        low, high = metric["ci95"]
        assert low <= metric["after"] - metric["before"] + 1e-6
        assert high >= metric["after"] - metric["before"] - 1e-6
    assert results["seed"] == 0
    assert results["seconds"]["train_update"] > 0


def test_the_policy_was_trained(finished: tuple[Path, int]) -> None:
    rows = [json.loads(line) for line in (finished[0] / "metrics.jsonl").read_text().splitlines()]
    assert [r["iteration"] for r in rows] == [1, 2]
    assert all(r["gradient_norm"] > 0 and r["used"] > 0 for r in rows)
    assert (finished[0] / "lora" / "pytorch_lora_weights.safetensors").exists()


def test_report_is_one_offline_page(finished: tuple[Path, int]) -> None:
    page = (finished[0] / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "violation_rate" in page


def test_a_rerun_resumes_and_changes_nothing(finished: tuple[Path, int]) -> None:
    out, status = finished
    before = {p.name: p.read_bytes() for p in (out / "before.pt", out / "after.pt", out / "results.json")}
    assert run_experiment(get_preset("debug"), out, "worldr1 demo --scale debug") == status
    assert (out / "before.pt").read_bytes() == before["before.pt"]
    assert (out / "after.pt").read_bytes() == before["after.pt"]
    metrics = json.loads((out / "results.json").read_text())["metrics"]
    assert metrics == json.loads(before["results.json"])["metrics"]


def test_a_folder_with_another_run_is_refused(finished: tuple[Path, int]) -> None:
    with pytest.raises(ValueError, match="other settings"):
        run_experiment(override(get_preset("debug"), seed=1), finished[0], "worldr1 demo --seed 1")


def test_an_interrupt_leaves_a_valid_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "train", interrupt)
    assert run_experiment(get_preset("debug"), tmp_path, "worldr1 demo") == 130
    assert "interrupted" in (tmp_path / "report.html").read_text().lower()
    assert json.loads((tmp_path / "results.json").read_text())["metrics"] == {}


def test_a_lost_quality_fails_its_guard() -> None:
    same = {"before": 1.0, "after": 1.0}
    guards = check_guards({"motion": {"before": 1.0, "after": 0.8}, "sharpness": same, "prompt_agreement": same})
    assert not guards["motion"]["pass"]
    assert guards["sharpness"]["pass"]


def test_a_base_that_is_not_packaged_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("worldr1.presets.PACKAGED", tmp_path)
    with pytest.raises(ValueError, match="worldr1 pretrain tiny"):
        load_tiny("clean")
