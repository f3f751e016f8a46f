"""Batches, candidates and the file beside every video; `tests/test_cli.py` has the single prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from policies.pipelines import build
from worldr1 import cli
from worldr1.commands import generate as module
from worldr1.commands.best_of import Judge
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.registry import open_pipeline, open_policy
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny import TinyConfig, build_pipeline
from worldr1.policies.tiny_policy import TinyPolicy
from worldr1.train.rollout import sample
from worldr1.types import Clip, Prompt
from worldr1.video import read_video
from worldr1.worlds.tiny.captions import vocabulary

SMALL = TinyConfig(codec_channels=(16, 16), text_width=32, width=32, heads=2, layers=1)
TEXTS = ("a red box on grass", "a blue sphere on sand", "the camera orbits left . a red box on grass")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    build_pipeline(SMALL, vocabulary()).save_pretrained(directory)
    return directory


def prompts_file(directory: Path, *entries: dict[str, Any]) -> Path:
    path = directory / "prompts.jsonl"
    path.write_text("".join(json.dumps(e) + "\n" for e in entries))
    return path


def generate(model: Path, out: Path, *more: object) -> int:
    options = ["--model", model, "--steps", 2, "--frames", 5, "--size", 16, *more]
    return cli.main(["generate", "--out", str(out), *map(str, options)])


def beside(path: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return made


def test_a_video_says_what_it_was_made_from(tmp_path: Path, model: Path) -> None:
    assert generate(model, tmp_path / "x.mp4", "--prompt", TEXTS[0], "--seed", 7, "--fps", 12) == 0
    made = beside(tmp_path / "x.mp4")
    assert (made["prompt"], made["seed"], made["score"]) == (TEXTS[0], 7, None)
    assert made["settings"]["model"] == str(model)
    assert (made["settings"]["height"], made["settings"]["frames"]) == (16, 5)
    assert read_video(tmp_path / "x.mp4").fps == pytest.approx(12)


def test_a_batch_continues_where_it_stopped(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    entries = [{"prompt": TEXTS[0]}, {"prompt": TEXTS[1], "name": "sphere", "seed": 5}, {"prompt": TEXTS[2]}]
    file, out = prompts_file(tmp_path, *entries), tmp_path / "out"
    write, written = module._write, []

    def stop_at_the_second(*arguments: Any) -> None:
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(arguments[0])
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", stop_at_the_second)
        assert generate(model, out, "--prompts", file) == 130
    assert [p.name for p in out.glob("*.mp4")] == ["00000.mp4"]
    first = (out / "00000.mp4").stat().st_mtime_ns

    assert generate(model, out, "--prompts", file) == 0
    assert sorted(p.name for p in out.iterdir()) == sorted(
        f"{n}.{s}" for n in ("00000", "sphere", "00002") for s in ("mp4", "json")
    )
    assert (out / "00000.mp4").stat().st_mtime_ns == first
    assert beside(out / "sphere.mp4")["seed"] == 5
    assert "1 of 3 videos are there already" in capfd.readouterr().err

    monkeypatch.setattr(module, "_open", None)  # nothing is left to do, so no model is needed
    assert generate(model, out, "--prompts", file) == 0
    assert generate(model, out, "--prompts", file, "--seed", 9) == 2
    assert "other settings" in capfd.readouterr().err


def test_the_videos_of_a_batch_are_those_of_single_prompts(tmp_path: Path, model: Path) -> None:
    file = prompts_file(tmp_path, *({"prompt": t} for t in TEXTS))
    assert generate(model, tmp_path / "out", "--prompts", file, "--num", 2) == 0
    assert len(list((tmp_path / "out").glob("*.mp4"))) == 6
    assert generate(model, tmp_path / "x.mp4", "--prompt", TEXTS[1], "--seed", 1) == 0
    several, single = (read_video(p).video for p in (tmp_path / "out" / "00001-1.mp4", tmp_path / "x.mp4"))
    assert (several - single).abs().max() < 0.05


def test_the_best_of_several_is_kept(tmp_path: Path, model: Path) -> None:
    """The kept clip is the one of the highest score, and is the clip of its seed."""
    options = ("--prompt", TEXTS[0], "--steps", 3, "--num", 2, "--best-of", 3)
    assert generate(model, tmp_path / "x.mp4", *options) == 0
    for i in range(2):
        made = beside(tmp_path / f"x-{i}.mp4")
        assert [c["seed"] for c in made["candidates"]] == [3 * i, 3 * i + 1, 3 * i + 2]
        scored = {c["seed"]: c["score"] for c in made["candidates"] if c["score"] is not None}
        if scored:
            assert made["score"] == max(scored.values()) == scored[made["seed"]]
        assert generate(model, tmp_path / "y.mp4", "--prompt", TEXTS[0], "--steps", 3, "--seed", made["seed"]) == 0
        kept, alone = (read_video(tmp_path / f"{n}.mp4").video for n in (f"x-{i}", "y"))
        assert (kept - alone).abs().max() < 0.05


def test_a_score_is_preferred_to_none_and_a_higher_one_to_a_lower() -> None:
    judge = Judge(16, 16)
    clips = [Clip(torch.rand(5, 3, 16, 16)) for _ in range(4)]
    values = dict(zip(map(id, clips), (None, 0.0, 0.7, 0.2), strict=True))
    judge.score = lambda _text, clip: values[id(clip)]  # type: ignore[method-assign]
    assert judge.best("", clips) == (2, [None, 0.0, 0.7, 0.2])
    assert judge.best("", clips[:2])[0] == 1
    assert judge.best("", clips[:1])[0] == 0
    with pytest.raises(ValueError, match="at least 16 pixels"):
        Judge(8, 64)


def test_large_clips_are_judged_downscaled() -> None:
    judge, seen = Judge(256, 512), []
    judge.reward = lambda samples: seen.append(samples[0].clip.video.shape) or [Judge]  # type: ignore
    with pytest.raises(AttributeError):
        judge.score("", Clip(torch.rand(2, 3, 256, 512)))
    assert seen == [(2, 3, 128, 256)]


@pytest.mark.parametrize("kind", ["wan", "cogvideox", "ltx"])
def test_every_model_generates(tmp_path: Path, kind: str) -> None:
    build(kind).save_pretrained(tmp_path / "model")
    options = ("--height", 32, "--width", 64, "--frames", 9, "--prompt", "a red box on grass", "--guidance", 3)
    assert generate(tmp_path / "model", tmp_path / "x.mp4", *options) == 0
    clip = read_video(tmp_path / "x.mp4")
    assert clip.video.shape == (9, 3, 32, 64)
    assert clip.fps == pytest.approx({"wan": 16, "cogvideox": 8, "ltx": 25}[kind])


def test_refusals(tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def line(*more: object, out: Path = tmp_path / "out") -> str:
        assert generate(model, out, *more) == 2
        return capfd.readouterr().err

    assert "either --prompt TEXT or --prompts FILE" in line()
    assert "either --prompt TEXT or --prompts FILE" in line("--prompt", "x", "--prompts", tmp_path / "x")
    assert "no such file" in line("--prompts", tmp_path / "none.jsonl")
    assert "--best-of must be at least 1" in line("--prompt", "x", "--best-of", 0, out=tmp_path / "x.mp4")
    assert "square videos" in line("--prompt", "x", "--height", 32, out=tmp_path / "x.mp4")
    for entry, reason in (
        ({"prompt": 3}, "line 1 has no prompt"),
        ({"prompt": "x", "sed": 1}, "unknown keys: sed"),
        ({"prompt": "x", "name": "../x"}, "is no file name"),
        ({"prompt": "x", "seed": "1"}, "must be a whole number"),
        ({"prompt": " "}, "prompt is empty"),
    ):
        assert reason in line("--prompts", prompts_file(tmp_path, entry))
    file = prompts_file(tmp_path, {"prompt": "x", "name": "a"}, {"prompt": "y", "name": "a"})
    assert "line 2: the name a is taken" in line("--prompts", file)
    assert "looks like a file" in line("--prompts", file, out=tmp_path / "x.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prompts.jsonl"]


def test_a_tiny_directory_gets_the_tiny_policy(model: Path) -> None:
    sampler = SamplerConfig(steps=2, window=1, window_end=1)
    shape = {"num_frames": 5, "height": 16, "width": 16}
    policy: DiffusersPolicy = open_policy(open_pipeline(str(model)), sampler, **shape)
    assert isinstance(policy, TinyPolicy)
    own = TinyPolicy(build_pipeline(SMALL, vocabulary()), sampler, num_frames=5, size=16)
    a, b = (sample(p, [Prompt(TEXTS[0])], [1]).rollouts[0].clip.video for p in (policy, own))
    torch.testing.assert_close(a, b, atol=1e-3, rtol=0)
