"""Batches, candidates and the file beside every video; `tests/test_cli.py` has the single prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from policies.pipelines import build, open_plainly, own_pipeline, policy
from worldr1 import cli
from worldr1.commands import generate as module
from worldr1.commands.arguments import Generate
from worldr1.commands.best_of import Chooser
from worldr1.commands.requests import requests_of
from worldr1.commands.settings import Settings, settings_of
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.lora_export import LOW_NOISE_LORA
from worldr1.policies.registry import open_pipeline, open_policy
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny import TinyConfig, build_pipeline
from worldr1.policies.tiny_policy import TinyPolicy
from worldr1.real_presets import REAL_PRESETS
from worldr1.train.rollout import sample
from worldr1.types import Clip, Prompt
from worldr1.video import read_video
from worldr1.video_write import write_video
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


def test_a_video_says_what_it_was_made_from(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Chooser, "score", lambda _self, text, clip: 0.25 if (text, clip.fps) == (TEXTS[0], 12) else None
    )
    assert generate(model, tmp_path / "x.mp4", "--prompt", TEXTS[0], "--seed", 7, "--fps", 12) == 0
    made = beside(tmp_path / "x.mp4")
    assert (made["prompt"], made["seed"], made["score"]) == (TEXTS[0], 7, 0.25)
    assert generate(model, tmp_path / "y.mp4", "--prompt", TEXTS[0], "--frames", 1) == 0
    assert beside(tmp_path / "y.mp4")["score"] is None  # one frame tells nothing
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
    judge = Chooser(16, 16)
    clips = [Clip(torch.rand(5, 3, 16, 16)) for _ in range(4)]
    values = dict(zip(map(id, clips), (None, 0.0, 0.7, 0.2), strict=True))
    judge.score = lambda _text, clip: values[id(clip)]  # type: ignore[method-assign]
    assert judge.best("", clips) == (2, [None, 0.0, 0.7, 0.2])
    assert judge.best("", clips[:2])[0] == 1
    assert judge.best("", clips[:1])[0] == 0
    with pytest.raises(ValueError, match="at least 16 pixels"):
        Chooser(8, 64)


def test_large_clips_are_judged_as_by_the_score_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """From 128 pixels on by terms that know any footage, not by the tiny worlds' depth network."""
    noise = torch.rand(1, 3, 32, 80, generator=torch.Generator().manual_seed(0))
    plane = torch.nn.functional.interpolate(noise, (128, 320), mode="bicubic").clamp(0, 1)[0]
    clip = Clip(torch.stack([plane[:, :, 3 * t : 3 * t + 192] for t in range(7)]))
    write_video(clip.video, clip.fps, tmp_path / "x.mp4")
    for prompt in ("a wall", "a wall, locked-off shot"):
        assert cli.main(["score", str(tmp_path / "x.mp4"), "--prompt", prompt, "--json"]) == 0
        (scored,) = json.loads(capfd.readouterr().out)["videos"]
        assert scored["score"] is not None
        assert Chooser(128, 192).score(prompt, clip) == pytest.approx(scored["score"], abs=0.02)


FPS = {"wan": 16, "wan22": 16, "wan5b": 24, "cogvideox": 8, "ltx": 25, "hunyuanvideo": 15}


@pytest.mark.parametrize("kind", sorted(FPS))
def test_every_model_generates_what_diffusers_does(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a LoRA that two lines of diffusers load, to the bit."""
    build(kind).save_pretrained(tmp_path / "model")
    model = policy(kind)
    with torch.no_grad():
        for p in model.add_lora(4):
            p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(5)))
    model.save(str(tmp_path / "lora"))
    written: list[Clip] = []
    monkeypatch.setattr(module, "_write", lambda _request, clip, *_: written.append(clip))
    shape = ("--height", 32, "--width", 64, "--frames", 9, "--steps", 5)
    options = (*shape, "--prompt", TEXTS[0], "--seed", 4, "--guidance", 3, "--lora", tmp_path / "lora")
    assert generate(tmp_path / "model", tmp_path / "x.mp4", *options) == 0
    assert written[0].fps == FPS[kind]

    plain = open_plainly(tmp_path / "model")
    base = own_pipeline(kind, plain, [4], 3.0, output_type="pt")[0]
    plain.load_lora_weights(tmp_path / "lora")
    if kind == "wan22":
        plain.load_lora_weights(tmp_path / "lora", weight_name=LOW_NOISE_LORA, load_into_transformer_2=True)
    own = own_pipeline(kind, plain, [4], 3.0, output_type="pt")[0]
    assert torch.equal(written[0].video, own)
    assert (own - base).abs().max() > 0.01


def test_what_the_command_leaves_open_suits_the_model(tmp_path: Path, model: Path) -> None:
    def settings(where: str | None, **said: Any) -> Settings:
        return settings_of(Generate(tmp_path / "x.mp4", model=where, **said))

    tiny = (12, 1.0, 9, 32, 32)
    for found in (settings(None), settings(str(model))):
        assert (found.steps, found.guidance, found.frames, found.height, found.width) == tiny
    for kind, name in (("wan", "wan-1.3b"), ("ltx", "ltx-2b"), ("hunyuanvideo", "hunyuanvideo")):
        build(kind).save_pretrained(tmp_path / kind)
        preset = REAL_PRESETS[name]
        for where in (str(tmp_path / kind), preset.hub):
            found = settings(where)
            assert (found.frames, found.height, found.width) == (preset.num_frames, preset.height, preset.width)
            assert (found.steps, found.guidance) == (preset.eval_sampler.steps, preset.eval_sampler.guidance)
    said = settings(REAL_PRESETS["wan-1.3b"].hub, size=64, width=96, guidance=1.0, frames=9)
    assert (said.height, said.width, said.guidance, said.frames, said.steps) == (64, 96, 1.0, 9, 30)
    assert settings(REAL_PRESETS["wan-5b"].hub).height == 704  # its own, not the first Wan's


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
    assert "looks like, a file" in line("--prompts", file, out=tmp_path / "x.mp4")
    assert "looks like, a file" in line("--prompts", file, out=file)
    file.write_bytes(b'{"prompt": "\xff"}')
    assert "no text in UTF-8" in line("--prompts", file)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prompts.jsonl"]


def test_a_directory_of_videos_may_have_a_dot_in_its_name(tmp_path: Path, model: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps({"prompt": "a red\u2028box"}, ensure_ascii=False))
    assert generate(model, tmp_path / "wan2.2", "--prompts", file) == 0
    assert sorted(p.name for p in (tmp_path / "wan2.2").iterdir()) == ["00000.json", "00000.mp4"]


def test_a_tiny_directory_gets_the_tiny_policy(model: Path) -> None:
    sampler = SamplerConfig(steps=2, window=1, window_end=1)
    shape = {"num_frames": 5, "height": 16, "width": 16}
    policy: DiffusersPolicy = open_policy(open_pipeline(str(model)), sampler, **shape)
    assert isinstance(policy, TinyPolicy)
    own = TinyPolicy(build_pipeline(SMALL, vocabulary()), sampler, num_frames=5, size=16)
    a, b = (sample(p, [Prompt(TEXTS[0])], [1]).rollouts[0].clip.video for p in (policy, own))
    torch.testing.assert_close(a, b, atol=1e-3, rtol=0)


def test_noise_follows_the_camera_words_of_a_prompt(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Chooser, "score", lambda _self, _text, _clip: None)
    starts: list[object] = []

    def watched(policy: DiffusersPolicy, prompts: list[Prompt], seeds: list[int], **options: Any) -> Any:
        starts.append([options["initial"](p, torch.Generator().manual_seed(s)) for p, s in zip(prompts, seeds)])  # noqa: B905
        return sample(policy, prompts, seeds, **options)

    monkeypatch.setattr(module, "sample", watched)
    for i, text in enumerate((TEXTS[2], TEXTS[0])):
        assert generate(model, tmp_path / f"{i}.mp4", "--prompt", text, "--frames", 9, "--camera-noise", 1) == 0
    assert beside(tmp_path / "0.mp4")["settings"]["camera_noise"] == 1
    assert "no single camera move is understood in 'a red box on grass'" in capfd.readouterr().err
    small = open_policy(
        open_pipeline(str(model)),
        SamplerConfig(2, window=1, window_end=1),
        num_frames=9,
        height=16,
        width=16,
        exact=True,
    )
    white = small.draw([torch.Generator().manual_seed(0)])[0]
    assert torch.equal(starts[1][0], white)  # type: ignore[index]
    assert not torch.allclose(starts[0][0], white)  # type: ignore[index]
    assert generate(model, tmp_path / "x.mp4", "--prompt", TEXTS[2], "--camera-noise", 1.5) == 2
    assert "--camera-noise is a share between 0 and 1, not 1.5" in capfd.readouterr().err


@pytest.mark.parametrize("fps", [0.0, -8.0, 1e-4, float("nan"), float("inf")])
def test_a_rate_that_no_file_can_have_is_refused_before_sampling(fps: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--fps must be a number from 0\.01 on"):
        requests_of(Generate(out=tmp_path / "x.mp4", prompt=TEXTS[0], fps=fps))
