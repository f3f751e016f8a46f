"""A run on a published model: held-out clips before, training, the same clips after; every phase resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from worldr1 import __version__
from worldr1.evaluate.metrics import compare
from worldr1.evaluate.published import measure_clips, watch
from worldr1.files import write_atomically
from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.plan import available_memory, check_memory, make_plan
from worldr1.policies.card import is_known, write_card
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.noise import camera_conditioned
from worldr1.policies.published import PUBLISHED
from worldr1.policies.registry import open_pipeline, open_policy, policy_class, policy_for
from worldr1.real_presets import RealPreset
from worldr1.rewards.real import level_of, load_networks, make_real_reward
from worldr1.train.distributed import ALONE, Processes
from worldr1.train.fit import check_same_settings
from worldr1.train.launch import join
from worldr1.train.loop import train
from worldr1.train.metrics import Row
from worldr1.train.monitor import HackMonitor
from worldr1.train.remote import placed
from worldr1.train.rollout import sample
from worldr1.types import Clip, Prompt, Reward, Rollout
from worldr1.video import read_video
from worldr1.video_write import write_video
from worldr1.worlds.prompts import write_prompts

OnHack = Literal["stop", "warn"]
GUARDS = {"motion": 0.9, "sharpness": 0.9}  # of the base model's own level
_EVAL_SEED, _HELD_OUT_PROMPTS = 90_000_000, 1  # the prompts' own seed: training's are written from another
_NUM_WATCHED = 8  # prompts that the monitor looks at
_LEAST_TRAVEL_M, _LEAST_TURN_DEG = 0.01, 1.0
_SCORE = "reward"


def mark_still(prompt: Prompt) -> Prompt:
    """The prompt, with ``travels: False`` among its facts where its camera stays and owes no parallax, and with
    ``camera: fixed`` where it does not turn either."""
    if prompt.camera is None:
        return prompt
    R, centres = prompt.camera.c2w[:, :3, :3], prompt.camera.c2w[:, :3, 3]
    if float((centres - centres[:1]).norm(dim=-1).max()) > _LEAST_TRAVEL_M:
        return prompt
    facts = {**prompt.facts, "travels": False}
    if float(rotation_angle_deg(R[:1].mT @ R).max()) < _LEAST_TURN_DEG:
        facts["camera"] = "fixed"
    return replace(prompt, facts=facts)


def write_judgeable(count: int, seed: int, **shape: int) -> list[Prompt]:
    """The first ``count`` training prompts without a zoom, which rewards cannot judge (`WorldReward`)."""
    number, found = count, list[Prompt]()
    while len(found) < count:
        number *= 2
        written = write_prompts("train", number, seed, **shape)
        found = [mark_still(p) for p in written if p.camera is None or not p.camera.zooms()]
    return found[:count]


class RealRun:
    """One experiment in its folder."""

    def __init__(self, preset: RealPreset, model: str, out: Path, command: str, processes: Processes = ALONE) -> None:
        """Opens the model; raises ``ValueError`` for one that is wrong, or too large for the device."""
        self.preset, self.model, self.out, self.command = preset, model, out, command
        self.processes, device = processes, processes.device
        wanted = policy_class(model)
        if wanted is not policy_for(PUBLISHED[preset.model].pipeline):
            raise ValueError(f"{model} is no {preset.model}; choose the preset of its kind")
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        job = replace(preset.job(), number_bytes=dtype.itemsize, devices=processes.count, shards=processes.shards)
        plan = make_plan(model, job)
        check_memory(plan, available_memory(device))
        self._check_config()
        load_networks(preset.stack)  # before minutes are spent on the clips of the base
        pipeline = open_pipeline(model, dtype)
        if processes.is_main:  # now that nothing is left that could be refused
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(self._config(), out / "config.json")
        processes.shard(pipeline)
        shape: dict[str, Any] = {"num_frames": preset.num_frames, "height": preset.height, "width": preset.width}
        options: dict[str, Any] = {"device": device, "memory": preset.memory, "text_cache": out / "texts"}
        self.policy = open_policy(pipeline, preset.sampler, **shape, **options)
        self.judged = open_policy(pipeline, preset.eval_sampler, **shape, **options)  # the same weights
        self.policy.add_lora(preset.train.lora_rank, preset.train.seed)
        count = preset.train.iterations * preset.train.prompts
        self.prompts = write_judgeable(count, 0, **shape)
        known = {p.text for p in self.prompts}
        written = write_judgeable(4 * (preset.num_eval + _NUM_WATCHED), _HELD_OUT_PROMPTS, **shape)
        others = [p for p in written if p.text not in known]
        self.eval_prompts = others[: preset.num_eval]
        self.watched_prompts = others[preset.num_eval : preset.num_eval + _NUM_WATCHED]

    def _config(self) -> str:
        return json.dumps({"model": self.model, **asdict(self.preset)}, indent=2)

    def _check_config(self) -> None:
        check_same_settings(self.out / "config.json", self._config(), "a run")

    def clips(self, phase: str, policy: DiffusersPolicy) -> list[Clip]:
        """Clips of the held-out prompts from noise that does not depend on the phase, one video file each."""
        folder, number = self.out / phase, len(self.eval_prompts)
        folder.mkdir(exist_ok=True)
        missing = self.processes.from_main([i for i in range(number) if not (folder / f"{i:03d}.mp4").exists()])
        for i, counts in self.processes.deal(missing):
            clip = sample(policy, [self.eval_prompts[i]], [_EVAL_SEED + i]).rollouts[0].clip
            if counts:
                write_video(clip.video, clip.fps, folder / f"{i:03d}.mp4")
        self.processes.wait()
        return [read_video(folder / f"{i:03d}.mp4") for i in range(number)]

    def reward(self, clips: Sequence[Clip]) -> Callable[[], Reward]:
        """How to build the preset's reward, its floors at the level of the base model's clips."""
        return partial(make_real_reward, self.preset.stack, level_of(self.preset.stack, self.eval_prompts, clips))

    def monitor(self, on_hack: OnHack) -> HackMonitor | None:
        """Looks at prompts of its own with what the reward does not use, while training goes on."""
        config = self.preset.train
        if not config.monitor_every:
            return None
        return HackMonitor(
            watch,
            self.watched_prompts,
            every=config.monitor_every,
            on_hack=on_hack,
            floors=GUARDS,
            videos=self.out / "validation" if self.processes.is_main else None,
            initial=camera_conditioned(self.policy, config.camera_noise) if config.camera_noise else None,
        )

    def measure(self, clips: Sequence[Clip], reward: Reward) -> dict[str, list[float | None]]:
        """Per held-out prompt: the reward and its terms, and what `measure_clips` finds without it."""
        scores = [reward([Rollout(p, c, ())])[0] for p, c in zip(self.eval_prompts, clips, strict=True)]
        out: dict[str, list[float | None]] = {_SCORE: [s.value for s in scores]}
        for term in scores[0].parts:
            out[f"{_SCORE}/{term}"] = [s.parts[term] for s in scores]
        return out | measure_clips(self.eval_prompts, clips)


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
    make: Callable[[Sequence[Clip]], Callable[[], Reward]] | None = None,
    on_hack: OnHack = "warn",
) -> int:
    """Before → training → after; returns the exit status: 0, or 1 when a guard fails.

    ``make`` says, from the base model's clips, how to build the reward; the preset's stack by default. Called again
    with the same folder, it continues where it stopped. In ``out``: ``before/`` and ``after/`` (videos), ``lora/``
    with its card, ``results.json``, and what `train` writes. Raises `HackedRewardError` when the monitor's alarm
    shall stop the run.
    """
    processes = join()
    run = RealRun(preset, model, out, command, processes)
    with run.policy.reference():
        before = run.clips("before", run.judged)
    build = (make or run.reward)(before)
    reward = build()
    by_index = run.prompts.__getitem__
    with placed(reward, build, preset.train) as scoring:
        monitor = run.monitor(on_hack)
        train(run.policy, scoring, by_index, preset.train, out, report, monitor=monitor, processes=processes)
    if processes.is_main:
        run.policy.save(str(out / "lora"))
    after = run.clips("after", run.judged)
    processes.leave()
    if not processes.is_main:
        return 0
    metrics = paired(run.measure(before, reward), run.measure(after, reward))
    found = {name: metrics[name]["after"] / max(1e-9, metrics[name]["before"]) for name in GUARDS}
    held = {n: {"value": v, "threshold": GUARDS[n], "pass": v >= GUARDS[n]} for n, v in found.items()}
    results = {"metrics": metrics, "guards": held, "command": command, "version": __version__}
    write_atomically(json.dumps(results, indent=2), out / "results.json")
    base = preset.hub if Path(model).is_dir() else model  # a directory's name says nothing
    write_card(out / "lora", base, f"worldr1/{preset.model}", results, None if is_known(base) else "other")
    return 0 if all(g["pass"] for g in held.values()) else 1
