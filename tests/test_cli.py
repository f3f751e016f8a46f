"""The command line: quick help, suggestions, one line and status 2 for whatever the user can put right."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from worldr1 import cli
from worldr1.commands.arguments import Info, Train
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny import TinyConfig, build_pipeline
from worldr1.policies.tiny_policy import TinyPolicy, load_pipeline
from worldr1.types import Clip
from worldr1.video import read_video
from worldr1.video_write import write_video
from worldr1.worlds.tiny.captions import caption, vocabulary
from worldr1.worlds.tiny.corpus import CorpusConfig, scene_at
from worldr1.worlds.tiny.render import render_clips

SMALL = TinyConfig(codec_channels=(16, 16), text_width=32, width=32, heads=2, layers=1)
PROMPT = "the camera orbits left . a red box on grass"
HEAVY = ("torch", "diffusers", "transformers", "warp", "peft", "cv2", "av", "numpy")

Capture = pytest.CaptureFixture[str]
Refused = Callable[..., str]


@pytest.fixture
def refused(capfd: Capture) -> Refused:
    """Runs a command that must fail as the user's error and returns its one line."""

    def run(*arguments: object) -> str:
        capfd.readouterr()
        assert cli.main([str(a) for a in arguments]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1, err
        assert err.startswith("worldr1: ")
        assert "Traceback" not in err
        return err

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained pipeline."""
    directory = tmp_path_factory.mktemp("model")
    build_pipeline(SMALL, vocabulary()).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def rendered() -> tuple[str, Clip]:
    """Caption and clip of a rendered scene."""
    scene = scene_at(CorpusConfig(violated=0.0, occluder=0.0), 3)
    return caption(scene), render_clips([scene])[0]


# --- help and spelling -------------------------------------------------------------------------------------------


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys, worldr1.cli\n"
        "try: worldr1.cli.main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        f"print('loaded:', sorted({set(HEAVY)!r} & set(sys.modules)))\n"
    )
    started = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    seconds = time.perf_counter() - started
    assert result.returncode == 0, result.stderr
    assert "loaded: []" in result.stdout
    for name in ("demo", "pretrain", "train", "generate", "score", "info"):
        assert name in result.stdout
    assert seconds < 3  # about .2 s on an idle machine


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["demo", "--sed", "3"], "--seed"),
        (["generate", "--prompt", "x", "--out", "x.mp4", "--guidence", "2"], "--guidance"),
        (["score", "x.mp4", "--jsno"], "--json"),
        (["train"], "PRESET"),
        ([], "score"),
    ],
)
def test_unknown_options_are_answered(arguments: list[str], suggestion: str, capfd: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    err = capfd.readouterr().err
    assert suggestion in err
    assert "Traceback" not in err


def test_unknown_subcommands_are_answered(refused: Refused) -> None:
    assert "did you mean score?" in refused("scroe", "x.mp4")
    assert "did you mean generate?" in refused("genrate")
    assert "use one of demo, pretrain" in refused("zzz")


# --- errors and exit statuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\n  second"), "worldr1: first second\n"),
        (ValueError(), "worldr1: ValueError\n"),
        (FloatingPointError("the loss is not finite"), "worldr1: the loss is not finite\n"),
        (OSError(errno.ENOSPC, "No space left on device"), "worldr1: No space left on device\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.pt"), "worldr1: a.pt: No such file\n"),
    ],
)
def test_user_errors(error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(cli, "run", fail)
    monkeypatch.delenv("WORLDR1_DEBUG", raising=False)
    assert cli.main(["info"]) == 2
    assert capfd.readouterr() == ("", line)
    monkeypatch.setenv("WORLDR1_DEBUG", "1")
    with pytest.raises(type(error)):
        cli.main(["info"])


def test_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise TypeError("a bug")

    monkeypatch.setattr(cli, "run", fail)
    with pytest.raises(TypeError):
        cli.main(["info"])


def test_interrupt(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupt)
    assert cli.main(["info"]) == 130
    assert capfd.readouterr() == ("", "worldr1: interrupted\n")


def test_demo_passes_the_guards_verdict_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def run_demo(*arguments: object) -> int:
        seen.append(arguments)
        return 1

    monkeypatch.setitem(sys.modules, "worldr1.demo", types.SimpleNamespace(run_demo=run_demo))
    assert cli.main(["demo", "--out", "there", "--seed", "5"]) == 1
    assert seen == [(Path("there"), 5, "demo")]


def test_training_commands_get_their_options(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def run_pretrain(*arguments: object) -> int:
        seen.append(arguments)
        return 0

    def run_train(arguments: object) -> int:
        seen.append(arguments)
        return 1  # a guard failed

    stubs = {"train": {"run_train": run_train}, "pretrain": {"run_pretrain": run_pretrain}}
    for name, functions in stubs.items():
        monkeypatch.setitem(sys.modules, f"worldr1.commands.{name}", types.SimpleNamespace(**functions))
    assert cli.main(["train", "tiny", "--iterations", "7"]) == 1
    assert cli.main(["pretrain", "tiny", "--out", "there", "--threads", "2", "--install-weights"]) == 0
    assert cli.main(["pretrain", "tiny", "--threads", "1", "--only", "world-depth"]) == 0
    first, *rest = seen
    assert first == Train("tiny", iterations=7)
    assert rest == [
        ("tiny", Path("there"), "cpu", 2, True, None),
        ("tiny", Path("runs/pretrain"), "cpu", 1, False, "world-depth"),
    ]


# --- score -------------------------------------------------------------------------------------------------------


def test_score_as_json(tmp_path: Path, rendered: tuple[str, Clip], capfd: Capture) -> None:
    text, clip = rendered
    write_video(clip.video, clip.fps, tmp_path / "clip.mp4")
    large = torch.nn.functional.interpolate(clip.video, scale_factor=5, mode="bilinear").clamp(0, 1)
    np.save(tmp_path / "large.npy", large.permute(0, 2, 3, 1).numpy())
    np.save(tmp_path / "black.npy", np.zeros((9, 32, 32, 3), np.uint8))
    files = [str(tmp_path / name) for name in ("clip.mp4", "large.npy", "black.npy")]
    assert cli.main(["score", *files, "--backend", "tiny", "--json"]) == 0
    videos = json.loads(capfd.readouterr().out)["videos"]
    assert [v["file"] for v in videos] == files
    terms = {"depth", "flow", "constancy", "parallax", "camera", "sharpness", "motion"}
    for video in videos:
        assert set(video) >= {"file", "score", "parts", "notes", "frames", "seconds"}
        assert set(video["parts"]) >= terms
        assert all(v is None or 0 <= v <= 1 for v in [video["score"], *video["parts"].values()])
        assert {t for t, v in video["parts"].items() if v is None} == set(video["notes"]) - {"size"}
        assert video["frames"] == 9
        assert video["seconds"] == pytest.approx(9 / 8)
    assert videos[0]["parts"]["sharpness"] == videos[0]["parts"]["motion"] == 1
    assert videos[0]["parts"]["camera"] is None
    assert videos[1]["notes"]["size"].startswith("downscaled from 160x160 to 128x128")
    assert "size" not in videos[0]["notes"]
    assert videos[2]["score"] == videos[2]["parts"]["sharpness"] == videos[2]["parts"]["motion"] == 0
    assert cli.main(["score", files[0], "--json", "--prompt", text]) == 0
    assert json.loads(capfd.readouterr().out)["videos"][0]["parts"]["camera"] is not None


def test_score_as_table(tmp_path: Path, rendered: tuple[str, Clip], capfd: Capture) -> None:
    write_video(rendered[1].video, 8.0, tmp_path / "a[red]b.mp4")
    assert cli.main(["score", str(tmp_path / "a[red]b.mp4")]) == 0
    out = capfd.readouterr().out
    assert "parallax" in out
    assert "names no camera path" in " ".join(out.split())
    assert "[red]" in out  # file names are not markup


def test_score_refuses_bad_files(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is checked before any is scored, so nothing is printed however late the bad one comes."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("scoring began")

    monkeypatch.setattr("worldr1.commands.score.load_backend", never)
    good = tmp_path / "good.mp4"
    write_video(torch.rand(3, 3, 32, 32), 8.0, good)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video " * 99)
    write_video(torch.rand(1, 3, 32, 32), 8.0, tmp_path / "one.mp4")
    write_video(torch.rand(3, 3, 8, 32), 8.0, tmp_path / "small.mp4")
    np.save(tmp_path / "nan.npy", np.full((3, 32, 32, 3), np.nan))
    before = sorted(tmp_path.iterdir())
    for name, reason in {
        "missing.mp4": "no such file",
        "empty.mp4": "is empty",
        "text.mp4": "not a video",
        "one.mp4": "only one frame",
        "small.mp4": "too few",
        "nan.npy": "not finite",
    }.items():
        line = refused("score", good, tmp_path / name)
        assert name in line
        assert reason in line
    assert "directory" in refused("score", tmp_path)
    assert "at least one video" in refused("score")
    assert sorted(tmp_path.iterdir()) == before


# --- generate ----------------------------------------------------------------------------------------------------


def generate(model: Path, out: Path, *more: object) -> int:
    options = ["--model", model, "--steps", 2, "--frames", 5, "--size", 16, *more]
    return cli.main(["generate", "--prompt", PROMPT, "--out", str(out), *map(str, options)])


def test_generate(tmp_path: Path, model: Path, capfd: Capture) -> None:
    assert generate(model, tmp_path / "new" / "x.mp4") == 0
    captured = capfd.readouterr()
    assert captured.out == f"{tmp_path / 'new' / 'x.mp4'}\n"
    assert "warning" not in captured.err
    clip = read_video(tmp_path / "new" / "x.mp4")
    assert clip.video.shape == (5, 3, 16, 16)
    assert clip.fps == pytest.approx(8.0)


def test_generate_is_a_function_of_the_seed(tmp_path: Path, model: Path) -> None:
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        assert generate(model, tmp_path / f"{name}.mp4", "--seed", seed) == 0
    a, b, c = ((tmp_path / f"{name}.mp4").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert generate(model, tmp_path / "x.mp4", "--seed", 4, "--num", 2) == 0
    assert not (tmp_path / "x.mp4").exists()
    for i, name in enumerate("ac"):
        several, single = (read_video(tmp_path / f).video for f in (f"x-{i}.mp4", f"{name}.mp4"))
        assert (several - single).abs().max() < 0.05


def test_generate_with_lora_and_guidance(tmp_path: Path, model: Path) -> None:
    policy = TinyPolicy(load_pipeline(model), SamplerConfig(), num_frames=5, size=16)
    with torch.no_grad():
        for parameter in policy.add_lora(rank=4):
            parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    policy.save(str(tmp_path / "lora"))
    assert generate(model, tmp_path / "base.mp4") == 0
    assert generate(model, tmp_path / "tuned.mp4", "--lora", tmp_path / "lora") == 0
    assert generate(model, tmp_path / "guided.mp4", "--guidance", 6) == 0
    base, tuned, guided = ((tmp_path / f"{n}.mp4").read_bytes() for n in ("base", "tuned", "guided"))
    assert base != tuned
    assert base != guided


def test_generate_names_unknown_words(tmp_path: Path, model: Path, capfd: Capture) -> None:
    options = ["--model", str(model), "--steps", "1", "--frames", "3", "--size", "16"]
    text = "A red zebra on grass and a zebra; the camera is " + "fixed " * 20
    assert cli.main(["generate", "--prompt", text, "--out", str(tmp_path / "x.mp4"), *options]) == 0
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    assert "does not know 'zebra', 'and', ';'" in warnings[0]
    assert "the model reads 24" in warnings[1]


def test_generate_refuses(tmp_path: Path, model: Path, refused: Refused) -> None:
    out = tmp_path / "out" / "x.mp4"

    def line(*more: object, prompt: str = PROMPT, to: Path = out) -> str:
        return refused("generate", "--prompt", prompt, "--out", to, "--model", model, *more)

    assert "use one of .mp4" in line(to=tmp_path / "x.txt")
    assert "prompt is empty" in line(prompt="  ")
    for option in ("--num", "--steps", "--frames", "--size"):
        assert f"{option} must be at least 1" in line(option, 0)
    assert "--seed must be" in line("--seed", -1)
    assert "use --frames 5 or 7" in line("--frames", 6)
    assert "use --size 16" in line("--size", 20)
    assert "no pytorch_lora_weights.safetensors" in line("--lora", tmp_path / "none")
    assert "no such model directory" in line("--model", tmp_path / "none")
    assert "no model_index.json" in line("--model", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_generate_refuses_damaged_weights(tmp_path: Path, model: Path, refused: Refused) -> None:
    lora = tmp_path / "lora"
    lora.mkdir()
    (lora / "pytorch_lora_weights.safetensors").write_bytes(b"\x00" * 100)
    small = ("--frames", 5, "--size", 16)
    common = ("generate", "--prompt", PROMPT, "--out", tmp_path / "x.mp4", *small)
    assert "LoRA in" in refused(*common, "--model", model, "--lora", lora)
    broken = tmp_path / "broken"
    build_pipeline(replace(SMALL, layers=2), vocabulary()).save_pretrained(broken)
    weights = broken / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert str(broken) in refused(*common, "--model", broken)
    assert not (tmp_path / "x.mp4").exists()


def test_generate_on_a_full_disk(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("worldr1.files.os.fsync", fail)
    assert generate(model, tmp_path / "x.mp4") == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1, captured.err
    assert "No space left on device" in captured.err
    assert str(tmp_path / "x.mp4") in captured.err
    assert list(tmp_path.iterdir()) == []


# --- info --------------------------------------------------------------------------------------------------------


def test_info(capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "depth").mkdir()
    (tmp_path / "depth" / "model.safetensors").write_bytes(b"x" * 2_000_000)
    monkeypatch.setattr("worldr1.commands.info.WEIGHTS", tmp_path)
    assert cli.main(["info", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["packages"]["torch"] == torch.__version__
    assert set(found["packages"]) == {"torch", "diffusers", "transformers", "peft", "warp", "opencv", "av"}
    assert found["devices"][0] == "cpu"
    assert found["torch_threads"] == torch.get_num_threads()
    assert found["weights_bytes"] == {"depth": 2_000_000}
    assert "dev" in found["extras_missing"]
    assert cli.run(Info()) == 0
    assert "depth 2.00 MB" in capfd.readouterr().out
