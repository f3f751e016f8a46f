"""From a model's directory to a LoRA that vanilla diffusers loads: two steps of training, interrupted in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from policies.pipelines import build, open_plainly
from worldr1.plan import GIB, make_plan
from worldr1.policies.lora_export import LOW_NOISE_LORA
from worldr1.policies.registry import open_pipeline, open_policy
from worldr1.policies.sde import SamplerConfig
from worldr1.real_presets import REAL_PRESETS, RealPreset, get_real_preset, override, weights_of, with_stack
from worldr1.real_run import RealRun, mark_still, paired, run_real, write_judgeable
from worldr1.rewards.downscaled import shrink
from worldr1.rewards.published import get_stack
from worldr1.train.monitor import HackedRewardError, HackedRewardWarning
from worldr1.train.rollout import sample
from worldr1.types import Clip, Prompt, Rollout, Score
from worldr1.worlds.prompts import write_prompts

PRESETS = {
    "wan": "wan-1.3b",
    "wan22": "wan2.2-14b",
    "ltx": "ltx-2b",
    "cogvideox": "cogvideox-5b",
    "hunyuanvideo": "hunyuanvideo",
}
SAMPLER = SamplerConfig(steps=4, window=1, window_end=2)


class Brightness:
    """A reward without estimators: the mean of the picture."""

    differentiable = False

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        clips = [s.clip if isinstance(s, Rollout) else s for s in samples]
        return [Score(float(c.video.mean()), {"depth": float(c.video.mean())}) for c in clips]


def small(kind: str) -> RealPreset:
    preset = override(
        with_stack(get_real_preset(PRESETS[kind]), get_stack("packaged")),
        {"num_frames": 9, "height": 32, "width": 64},
        {"iterations": 2, "prompts": 1, "group": 3, "lora_rank": 4, "checkpoint_every": 1},
    )
    train = replace(preset.train, lr=0.02, ema=0.0, monitor_every=0)  # so much that two steps show
    return replace(preset, sampler=SAMPLER, eval_sampler=SAMPLER, train=train, num_eval=2)


@pytest.mark.parametrize("kind", sorted(PRESETS))
def test_two_steps_resume_and_load_into_diffusers(kind: str, tmp_path: Path) -> None:
    build(kind).save_pretrained(tmp_path / "model")
    model, preset = str(tmp_path / "model"), small(kind)

    def stop(_row: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    rows: list[dict[str, Any]] = []

    def run(folder: str, report: Callable[[dict[str, Any]], None] = rows.append) -> int:
        return run_real(preset, model, tmp_path / folder, "test", report, lambda _clips: Brightness)

    assert run("whole") in (0, 1)
    assert len(rows) == 2
    assert rows[0]["used"] > 0
    rows.clear()
    with pytest.raises(KeyboardInterrupt):
        run("parts", lambda r: stop(r) if r["iteration"] == 2 else None)
    assert run("parts") in (0, 1)
    assert [r["iteration"] for r in rows] == [2]  # the first one was kept
    whole, parts = (load_file(tmp_path / n / "lora" / "pytorch_lora_weights.safetensors") for n in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
    assert any(w.abs().max() > 0 for k, w in whole.items() if "lora_B" in k)

    ours_policy = open_policy(open_pipeline(model), SAMPLER, num_frames=9, height=32, width=64, exact=True)
    ours_policy.load(str(tmp_path / "whole" / "lora"))
    prompt = write_prompts("train", 1)[0]
    ours = sample(ours_policy, [prompt], [3]).rollouts[0].clip.video
    plain = open_plainly(tmp_path / "model")
    options: dict[str, Any] = {
        "height": 32,
        "width": 64,
        "num_frames": 9,
        "num_inference_steps": 4,
        "output_type": "pt",
    }
    if kind == "ltx":
        options["max_sequence_length"] = 16

    if kind != "hunyuanvideo":  # its guidance is distilled
        options["guidance_scale"] = 1.0

    def own() -> torch.Tensor:
        generator = [torch.Generator().manual_seed(3)]
        frames: torch.Tensor = plain([prompt.text], generator=generator, **options).frames
        return frames[0]

    base = own()
    plain.load_lora_weights(tmp_path / "whole" / "lora")
    if kind == "wan22":
        plain.load_lora_weights(tmp_path / "whole" / "lora", weight_name=LOW_NOISE_LORA, load_into_transformer_2=True)
    assert torch.equal(own(), ours)
    assert (base - ours).abs().max() > 1e-3
    card = (tmp_path / "whole" / "lora" / "README.md").read_text()
    assert f"base_model: {preset.hub}" in card
    assert ("load_into_transformer_2" in card) == (kind == "wan22")


def test_the_packaged_reward_judges_real_models(tmp_path: Path) -> None:
    build("ltx").save_pretrained(tmp_path / "model")
    assert run_real(small("ltx"), str(tmp_path / "model"), tmp_path / "out", "test") in (0, 1)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {"reward/depth", "sharpness", "motion"} <= set(results["metrics"])
    assert "reward/prompt" not in results["metrics"]
    assert len(list((tmp_path / "out" / "after").glob("*.mp4"))) == 2


def test_a_model_of_another_kind_and_another_run_are_refused(tmp_path: Path) -> None:
    build("ltx").save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match=r"is no wan-1\.3b"):
        RealRun(small("wan"), str(tmp_path / "model"), tmp_path / "out", "test")
    RealRun(small("ltx"), str(tmp_path / "model"), tmp_path / "out", "test")
    with pytest.raises(ValueError, match="holds a run with other settings: num_eval is 2 there and 3 here"):
        RealRun(replace(small("ltx"), num_eval=3), str(tmp_path / "model"), tmp_path / "out", "test")


@pytest.mark.parametrize("name", sorted(REAL_PRESETS))
def test_presets_can_be_planned_and_fit_their_name(name: str) -> None:
    preset = REAL_PRESETS[name]
    plan = make_plan(preset.model, preset.job())
    assert preset.train.group == 8
    assert preset.hub.count("/") == 1
    if name.endswith("-24gb"):
        assert plan.peak < 24e9
    assert plan.peak < 141e9
    with pytest.raises(ValueError, match=r"did you mean 'wan-1\.3b'"):
        get_real_preset("wan-1.3")
    assert plan.peak > GIB


def test_a_shrunk_rollout_keeps_its_camera() -> None:
    prompt = write_prompts("train", 1, num_frames=3, height=256, width=512)[0]
    assert prompt.camera is not None
    small_one = shrink(Rollout(prompt, Clip(torch.rand(3, 3, 256, 512)), ()), 128)
    assert isinstance(small_one, Rollout)
    assert small_one.clip.video.shape == (3, 3, 128, 256)
    assert small_one.prompt.camera is not None
    torch.testing.assert_close(small_one.prompt.camera.K[:, :2], prompt.camera.K[:, :2] / 2)
    assert torch.equal(small_one.prompt.camera.c2w, prompt.camera.c2w)


def test_pairs_without_both_values_do_not_count() -> None:
    metrics = paired({"a": [1.0, None, 3.0], "b": [None, 1.0, None]}, {"a": [2.0, 9.0, 4.0], "b": [1.0, 1.0, 1.0]})
    assert set(metrics) == {"a"}
    assert (metrics["a"]["before"], metrics["a"]["after"], metrics["a"]["prompts"]) == (2.0, 3.0, 2)


def test_the_weights_are_those_of_the_stacks_terms() -> None:
    for name in ("default", "packaged"):
        preset = with_stack(get_real_preset("wan-1.3b"), get_stack(name))
        assert preset.train.weights == weights_of(preset.stack)
        assert preset.train.weights["motion"].guard
        assert preset.train.weights["depth"].geometric
    assert "epipolar" in get_real_preset("wan-1.3b").train.weights
    assert "epipolar" not in with_stack(get_real_preset("wan-1.3b"), get_stack("packaged")).train.weights
    assert "semantic" in weights_of(get_stack("default", judge="me/judge"))


def test_a_camera_that_only_turns_owes_no_parallax() -> None:
    prompts = [mark_still(p) for p in write_prompts("train", 120, num_frames=9)]

    def kinds(**facts: object) -> set[str]:
        chosen = [p for p in prompts if all(p.facts.get(k) == v for k, v in facts.items())]
        return {m["kind"] for p in chosen for m in p.facts["moves"]}

    still = {"fixed", "zoom in", "zoom out"}
    turns = {"pan left", "pan right", "tilt up", "tilt down", "roll clockwise", "roll counterclockwise"}
    assert kinds(travels=False) <= still | turns
    assert kinds(travels=False, camera=None) & turns  # it shows new views, which have to be right
    assert kinds(camera="fixed") <= still
    assert kinds(travels=None) - still - turns
    assert mark_still(Prompt("no camera")) == Prompt("no camera")


def test_training_prompts_ask_for_no_zoom() -> None:
    prompts = write_judgeable(60, 0, num_frames=9)
    kinds = [m["kind"] for p in prompts for m in p.facts["moves"]]
    assert len(prompts) == 60
    assert not any(k.startswith("zoom") for k in kinds)
    assert any(m["kind"].startswith("zoom") for p in write_prompts("train", 60) for m in p.facts["moves"])
    assert [p.text for p in prompts[:20]] == [p.text for p in write_judgeable(20, 0, num_frames=9)]


def test_the_eight_bit_optimiser_is_in_the_plan() -> None:
    preset = get_real_preset("wan-1.3b")
    saved = override(preset, {}, {"optimizer": "adamw8bit"})
    assert saved.job().eight_bit
    assert make_plan("wan-1.3b", saved.job()).peak < make_plan("wan-1.3b", preset.job()).peak


def test_the_monitor_stops_a_hacked_run_and_only_warns_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/evaluate/test_published.py` has what it sees; here the clips lose their sharpness after the base's."""
    build("ltx").save_pretrained(tmp_path / "model")
    looks: list[int] = []

    def blunted(rollouts: Sequence[Rollout]) -> dict[str, torch.Tensor]:
        looks.append(len(rollouts))
        ones = torch.ones(len(rollouts))
        return {"held_out": ones, "motion": ones, "sharpness": ones if len(looks) == 1 else 0.5 * ones}

    monkeypatch.setattr("worldr1.real_run.watch", blunted)
    monkeypatch.setattr("worldr1.real_run._NUM_WATCHED", 2)
    preset = small("ltx")
    preset = replace(preset, train=replace(preset.train, monitor_every=1, lr=1e-6))

    def run(on_hack: Any, out: Path) -> int:
        return run_real(preset, str(tmp_path / "model"), out, "test", make=lambda _: Brightness, on_hack=on_hack)

    with pytest.raises(HackedRewardError, match=r"sharpness is 0\.50 of the base's"):
        run("stop", tmp_path / "out")
    assert looks == [4, 4]  # two prompts of its own, twice
    with pytest.warns(HackedRewardWarning, match="sharpness"):
        assert run("warn", tmp_path / "out") in (0, 1)  # goes on where it stopped
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    assert {"monitor/held_out", "monitor/motion", "monitor/diversity"} <= rows[1].keys()
