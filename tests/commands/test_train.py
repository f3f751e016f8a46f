"""What `worldr1 train` understands, and what it refuses before anything is loaded."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from policies.pipelines import build
from worldr1 import cli
from worldr1.commands.arguments import Train
from worldr1.commands.train import command_line, run_train


def test_the_command_is_recorded_without_defaults_and_place() -> None:
    arguments = Train("tiny", Path("/elsewhere"), seed=3, algorithm="nft", prompts=4)
    assert command_line(arguments) == "worldr1 train tiny --seed 3 --algorithm nft --prompts 4"
    remote = Train("tiny", rewards="ray", reward_workers=2)
    assert command_line(remote) == "worldr1 train tiny --rewards ray --reward-workers 2"
    assert command_line(Train("wan-1.3b", model="my model")) == "worldr1 train wan-1.3b --model 'my model'"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (Train("wan-1.3"), "did you mean 'wan-1.3b'"),
        (Train("tinny"), "did you mean 'tiny'"),
        (Train("tiny", model="somewhere"), "--model is for published models"),
        (Train("tiny", held_out=4), "--held-out is for published models"),
        (Train("tiny", reward_stack="research"), "--reward-stack is for published models"),
        (Train("wan-1.3b", reward_stack="reserch"), "did you mean 'research'"),
        (Train("tiny", camera="pycolmap"), "--camera is for published models"),
        (Train("wan-1.3b", camera="colmap"), "unknown camera estimator 'colmap'; use one of pycolmap"),
        (Train("wan-1.3b", camera="pycolmap", reward_stack="packaged"), "packaged stack has no camera"),
        (Train("tiny", segments="some/sam2"), "--segments is for published models"),
        (Train("wan-1.3b", segments="some/sam2", reward_stack="packaged"), "packaged stack has no segments"),
        (Train("demo", dry_run=True), "worldr1 train wan-1.3b --dry-run"),
        (Train("debug", algorithm="grop"), "grpo"),
        (Train("debug", rewards="ray", algorithm="reward_gradient"), "reward_gradient backpropagates"),
        (Train("debug", reward_workers=0), "reward_workers must be 1 or more"),
        (Train("wan-1.3b", model="/no/such/place"), "/no/such/place"),
        (Train("wan-1.3b", iterations=0), "--iterations must be at least 1, not 0"),
        (Train("wan-1.3b", held_out=1), "--held-out must be at least 2, not 1"),
        (Train("wan-1.3b", camera_noise=1.5), "camera_noise is a share between 0 and 1"),
        (Train("debug", camera_noise=-1.0), "camera_noise is a share between 0 and 1"),
    ],
)
def test_what_cannot_run_is_refused(arguments: Train, complaint: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ValueError, match=complaint):
        run_train(Train(**{**vars(arguments), "out": out}))
    assert not out.exists()


@pytest.mark.parametrize("preset", ["debug", "wan-1.3b"])
def test_without_ray_nothing_is_begun(preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worldr1.commands.train.find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=r"pip install 'worldr1\[ray\]', or use --rewards local"):
        run_train(Train(preset, tmp_path / "run", rewards="ray"))
    assert not (tmp_path / "run").exists()


def test_the_plan_of_a_published_model_is_printed_without_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_train(Train("wan-1.3b", dry_run=True, frames=33)) == 0
    printed = capsys.readouterr().out
    assert "1.419 B" in printed
    assert "9x60x104" in printed  # (33 - 1) / 4 + 1 latent frames
    assert "depth-anything/Depth-Anything-V2-Small-hf, licence apache-2.0" in printed
    assert run_train(Train("wan-14b", dry_run=True, reward_stack="research-vggt")) == 0
    assert "facebook/VGGT-1B), licence cc-by-nc-4.0, research only" in capsys.readouterr().out


# --- from the command line: one line on stderr and status 2 --------------------------------------------------------

SMALL = ("--height", "32", "--width", "64", "--frames", "9", "--reward-stack", "packaged")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    build("wan").save_pretrained(directory)
    return directory


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert cli.main([str(a) for a in arguments]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("worldr1: ")
    return lines[0]


@pytest.mark.parametrize("command", ["train", "generate"])
def test_models_that_cannot_run_are_one_line(
    command: str, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ("--out", tmp_path / "out.mp4")
    before = ("train", "wan-1.3b", *SMALL) if command == "train" else ("generate", "--prompt", "sand", *SMALL[:-2])

    def line(directory: Path) -> str:
        return refused(capfd, *before, *out, "--model", directory)

    assert "no such model directory" in line(tmp_path / "nowhere")
    assert "no model_index.json" in line(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    shutil.rmtree(copy / "vae")
    assert "lacks its vae" in line(copy)
    with monkeypatch.context() as hurried:
        hurried.setattr("time.sleep", lambda _seconds: None)  # between the hub client's attempts
        assert "no diffusers pipeline at the hub under no-such/model" in line(Path("no-such/model"))
    shutil.copytree(model / "vae", copy / "vae")
    (copy / "transformer" / "config.json").write_text("{")
    assert "transformer/config.json in" in line(copy)
    (copy / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    assert "is a FluxPipeline; worldr1 runs LTXPipeline" in line(copy)

    for place in ("worldr1.real_run", "worldr1.commands.generate"):
        monkeypatch.setattr(f"{place}.available_memory", lambda _device: 50_000)
        monkeypatch.setattr(f"{place}.open_pipeline", None)  # nothing may be loaded
    found = line(model)
    assert re.search(r"not enough memory: \w.* needs about 0\.\d+ GiB and 0\.000 GiB are free; use a -24gb", found)
    assert not (tmp_path / "out.mp4").exists()


def test_memory_that_runs_out_after_all_is_one_line(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. And much more")

    monkeypatch.setattr("worldr1.commands.generate.open_policy", full)
    line = refused(capfd, "generate", "--prompt", "sand", *SMALL[:-2], "--model", model, "--out", tmp_path / "x.mp4")
    assert line.startswith("worldr1: out of memory: CUDA out of memory; ask for fewer")


def test_a_reward_network_that_is_not_there_is_named_before_anything_is_sampled(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worldr1.real_run.open_pipeline", None)
    out = ("--out", tmp_path / "run", "--model", model, "--depth-model", tmp_path)
    line = refused(capfd, "train", "wan-1.3b", *SMALL[:-1], "default", *out)
    assert "cannot load its depth" in line
    assert "--reward-stack packaged" in line
    assert not (tmp_path / "run").exists()  # so that the next try is not refused for its other settings
