"""A run on a published model: held-out clips before, training, the same clips after; every phase resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worldr1 import __version__
from worldr1.evaluate.metrics import compare, motion, sharpness
from worldr1.evaluate.motion import FarnebackFlow
from worldr1.plan import check_memory, make_plan
from worldr1.policies.card import write_card
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.published import PUBLISHED
from worldr1.policies.registry import open_pipeline, open_policy, policy_class, policy_for
from worldr1.real_presets import RealPreset
from worldr1.rewards import guards
from worldr1.rewards.stack import make_reward
from worldr1.train.fit import write_text_atomically
from worldr1.train.loop import train
from worldr1.train.metrics import Row
from worldr1.types import Clip, Prompt, Reward, Rollout, Score
from worldr1.video import read_video, write_video
from worldr1.worlds.prompts import write_prompts

SHORT_SIDE = 128  # pixels that the packaged estimators look at
GUARDS = {"motion": 0.9, "sharpness": 0.9}  # of the base model's own level
_EVAL_SEED, _HELD_OUT_PROMPTS = 90_000_000, 1  # the prompts' own seed: training's are written from another
_SCORE = "reward"


class Downscaled:
    """A reward that is shown clips of at most `SHORT_SIDE` pixels on the short side."""

    differentiable = False

    def __init__(self, reward: Reward) -> None:
        self.reward = reward

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        return self.reward([shrink(s) for s in samples])


def shrink(sample: Rollout | Clip) -> Rollout | Clip:
    """The sample with a smaller video, and a prompt camera that fits it."""
    if isinstance(sample, Rollout):
        small = shrink(sample.clip)
        assert isinstance(small, Clip)
        return Rollout(_fit(sample.prompt, small.video), small, ())
    scale = SHORT_SIDE / min(sample.video.shape[-2:])
    if scale >= 1:
        return sample
    return Clip(torch.nn.functional.interpolate(sample.video, scale_factor=scale, mode="area"), sample.fps)


def _fit(prompt: Prompt, video: Tensor) -> Prompt:
    """A prompt whose camera's intrinsics are for pixels of ``video``; its principal point is the picture's centre."""
    if prompt.camera is None:
        return prompt
    height, width = video.shape[-2:]
    K = prompt.camera.K
    scale = torch.stack([width / 2 / K[:, 0, 2], height / 2 / K[:, 1, 2], torch.ones(len(K))], 1).to(K)
    camera = type(prompt.camera)(prompt.camera.c2w, K * scale[:, :, None])
    return Prompt(prompt.text, camera, prompt.family, prompt.seed, prompt.facts)


class RealRun:
    """One experiment in its folder."""

    def __init__(self, preset: RealPreset, model: str, out: Path, command: str) -> None:
        """Opens the model; raises ``ValueError`` for one that is wrong, or too large for the device."""
        self.preset, self.model, self.out, self.command = preset, model, out, command
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        wanted = policy_class(model)
        if wanted is not policy_for(PUBLISHED[preset.model].pipeline):
            raise ValueError(f"{model} is no {preset.model}; choose the preset of its kind")
        if device.type == "cuda":
            check_memory(make_plan(model, preset.job()), torch.cuda.mem_get_info()[0])
        self._check_config()
        pipeline = open_pipeline(model, torch.bfloat16 if device.type == "cuda" else torch.float32)
        shape: dict[str, Any] = {"num_frames": preset.num_frames, "height": preset.height, "width": preset.width}
        options: dict[str, Any] = {"device": device, "memory": preset.memory, "text_cache": out / "texts"}
        self.policy = open_policy(pipeline, preset.sampler, **shape, **options)
        self.judged = open_policy(pipeline, preset.eval_sampler, **shape, **options)  # the same weights
        self.policy.add_lora(preset.train.lora_rank, preset.train.seed)
        self.prompts = write_prompts("train", preset.train.iterations * preset.train.prompts, 0, **shape)
        known = {p.text for p in self.prompts}
        written = write_prompts("train", 4 * preset.num_eval, _HELD_OUT_PROMPTS, **shape)
        self.eval_prompts = [p for p in written if p.text not in known][: preset.num_eval]

    def _check_config(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / "config.json"
        text = json.dumps({"model": self.model, **asdict(self.preset)}, indent=2)
        if path.exists() and path.read_text() != text:
            raise ValueError(f"{self.out} holds a run with other settings; choose another --out or delete it")
        write_text_atomically(text, path)

    def clips(self, phase: str, policy: DiffusersPolicy) -> list[Clip]:
        """Clips of the held-out prompts from noise that does not depend on the phase, one video file each."""
        folder = self.out / phase
        folder.mkdir(exist_ok=True)
        for i, prompt in enumerate(self.eval_prompts):
            path = folder / f"{i:03d}.mp4"
            if not path.exists():
                clip = policy.sample([prompt], [_EVAL_SEED + i])[0].clip
                write_video(clip.video, clip.fps, path)
        return [read_video(folder / f"{i:03d}.mp4") for i in range(len(self.eval_prompts))]

    def reward(self, clips: Sequence[Clip]) -> Downscaled:
        """The packaged reward, its floors at the level of the base model's clips."""
        samples = [shrink(Rollout(p, c, ())) for p, c in zip(self.eval_prompts, clips, strict=True)]
        measured = make_reward(guards.Floor(), guards.Floor(), with_prompt=False).evidence(samples)
        sharp, moving = (guards.Floor(default=float(q(measured).mean())) for q in (guards.sharpness, guards.motion))
        return Downscaled(make_reward(sharp, moving, with_prompt=False))

    def measure(self, clips: Sequence[Clip], reward: Reward) -> dict[str, list[float | None]]:
        """Per held-out prompt: the reward and its terms, and sharpness and motion by other instruments."""
        scores = [reward([Rollout(p, c, ())])[0] for p, c in zip(self.eval_prompts, clips, strict=True)]
        out: dict[str, list[float | None]] = {_SCORE: [s.value for s in scores]}
        for term in scores[0].parts:
            out[f"{_SCORE}/{term}"] = [s.parts[term] for s in scores]
        small = [shrink(c) for c in clips]
        videos = [c.video[None] for c in small if isinstance(c, Clip)]
        out["sharpness"] = [float(sharpness(v)) for v in videos]
        out["motion"] = [float(motion(v, FarnebackFlow())) for v in videos]
        return out


def paired(before: dict[str, list[float | None]], after: dict[str, list[float | None]]) -> dict[str, Any]:
    """`compare` over the prompts where both clips have a value; a metric without two of those is left out."""
    out: dict[str, Any] = {}
    for name in before:
        both = [(a, b) for a, b in zip(before[name], after[name], strict=True) if a is not None and b is not None]
        if len(both) > 1:
            a, b = (torch.tensor(values) for values in zip(*both, strict=True))
            out |= {name: compare({name: a}, {name: b})[name] | {"prompts": len(both)}}
    return out


def run_real(
    preset: RealPreset,
    model: str,
    out: Path,
    command: str,
    report: Callable[[Row], None] = lambda _row: None,
    make: Callable[[Sequence[Clip]], Reward] | None = None,
) -> int:
    """Before → training → after; returns the exit status: 0, or 1 when a guard fails.

    ``make`` builds the reward from the base model's clips; the packaged one by default. Called again with the same
    folder, it continues where it stopped. In ``out``: ``before/`` and ``after/`` (videos), ``lora/`` with its card,
    ``results.json``, and what `train` writes.
    """
    run = RealRun(preset, model, out, command)
    with run.policy.reference():
        before = run.clips("before", run.judged)
    reward = (make or run.reward)(before)
    by_index = run.prompts.__getitem__
    train(run.policy, reward, by_index, preset.train, out, report)
    run.policy.save(str(out / "lora"))
    after = run.clips("after", run.judged)
    metrics = paired(run.measure(before, reward), run.measure(after, reward))
    found = {name: metrics[name]["after"] / max(1e-9, metrics[name]["before"]) for name in GUARDS}
    held = {n: {"value": v, "threshold": GUARDS[n], "pass": v >= GUARDS[n]} for n, v in found.items()}
    results = {"metrics": metrics, "guards": held, "command": command, "version": __version__}
    write_text_atomically(json.dumps(results, indent=2), out / "results.json")
    write_card(out / "lora", preset.hub, f"worldr1/{preset.model}", results)
    return 0 if all(g["pass"] for g in held.values()) else 1
