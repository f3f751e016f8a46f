"""The main job: held-out clips before, training, the same clips after, and the report that compares them."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor

from worldr1 import __version__
from worldr1.evaluate.depth_unet import load_depth_unet
from worldr1.evaluate.inspector import load_inspector
from worldr1.evaluate.metrics import Instruments, compare, measure
from worldr1.evaluate.motion import FarnebackFlow
from worldr1.files import write_atomically
from worldr1.policies.noise import camera_conditioned
from worldr1.policies.tiny_policy import TinyPolicy
from worldr1.presets import Preset, PromptSource, get_preset, load_tiny, override
from worldr1.report.page import Pair, ReportData, write_report
from worldr1.report.sheet import write_sheet
from worldr1.rewards import guards
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.differentiable import DifferentiableWorldReward
from worldr1.rewards.stack import make_reward
from worldr1.runtime import usable_cpus
from worldr1.train.distributed import ALONE, Processes
from worldr1.train.fit import check_same_settings, save_atomically
from worldr1.train.launch import join, on_every_core
from worldr1.train.loop import train
from worldr1.train.monitor import HackMonitor
from worldr1.train.remote import placed
from worldr1.train.rollout import sample
from worldr1.train.selftest import as_rollout, run_self_tests
from worldr1.types import Prompt, Reward, Rollout
from worldr1.worlds.tiny.corpus import CorpusConfig, prompt_at, scene_at
from worldr1.worlds.tiny.motion import FIXED
from worldr1.worlds.tiny.render import render_clips
from worldr1.worlds.tiny.scene import TinyScene

GUARD_THRESHOLDS = {"motion": 0.9, "sharpness": 0.9, "prompt_agreement": 0.95}  # of the base model's own level
_EVAL_SEED, _CALIBRATION_SEED = 90_000_000, 80_000_000
_HEADROOM = 2.0  # guards end there, well above the base's level: their mean must follow the clips' mean
_CALIBRATION = 128  # base clips that set the floors of the guards
_SHOWN = 12
_WATCHED = 24  # prompts of the monitor


class Run:
    """One experiment in its folder: every phase is kept, so that a rerun continues where the last one stopped."""

    def __init__(
        self,
        preset: Preset,
        out: Path,
        command: str,
        console: Console,
        on_hack: Literal["stop", "warn"] = "warn",
        processes: Processes = ALONE,
    ) -> None:
        self.processes = processes
        self.preset, self.out, self.command, self.console, self.on_hack = preset, out, command, console, on_hack
        self.seconds: dict[str, float] = {}
        out.mkdir(parents=True, exist_ok=True)
        with processes.main_first():
            self._check_config()
        pipeline, num_frames = load_tiny(preset.base), preset.prompts.num_frames
        processes.shard(pipeline)
        self.policy = TinyPolicy(pipeline, preset.sampler, num_frames=num_frames)
        self.judged = TinyPolicy(pipeline, preset.eval_sampler, num_frames=num_frames)  # the same weights
        self.policy.add_lora(preset.train.lora_rank, preset.train.seed)
        self.train_prompts = PromptSource(preset.prompts, held_out=False)
        held_out = PromptSource(preset.prompts, held_out=True)
        self.eval_prompts = held_out.first(preset.num_eval)
        # watched while training, so never among those that results are reported on
        self.watched_prompts = [held_out(k) for k in range(preset.num_eval, preset.num_eval + _WATCHED)]
        self.instruments = Instruments(load_depth_unet(), load_inspector(), FarnebackFlow())

    def _check_config(self) -> None:
        """Write the resolved configuration, or refuse a folder that holds another run."""
        path, text = self.out / "config.json", json.dumps(asdict(self.preset), indent=2)
        check_same_settings(path, text, "a run")
        if not path.exists():
            write_atomically(text, path)

    def scene_of(self, prompt: Prompt) -> TinyScene:
        """The scene that a prompt was written about."""
        return scene_at(self.preset.prompts, prompt.seed)

    def evaluate(self, phase: str) -> tuple[Tensor, dict[str, Tensor]]:
        """Clips of the held-out prompts, from noise that does not depend on the phase, and their metrics."""
        path = self.out / f"{phase}.pt"
        started = time.perf_counter()
        if not self.processes.from_main(path.exists()) and self.processes.takes_part:
            seeds = [_EVAL_SEED + p.seed for p in self.eval_prompts]
            share = self.preset.train.camera_noise if phase == "after" else 0.0  # the base model knows white noise
            initial = camera_conditioned(self.judged, share) if share else None
            rollouts = sample(self.judged, self.eval_prompts, seeds, initial=initial).rollouts
            video = torch.stack([r.clip.video for r in rollouts])
            state = {"video": (video * 255).round().byte(), "seconds": time.perf_counter() - started}
            if self.processes.is_main:
                save_atomically(state, path)
        self.processes.wait()
        state = torch.load(path, weights_only=True)
        self.seconds[phase] = state["seconds"]
        video = state["video"].float() / 255
        return video, measure(video, self.eval_prompts, self.instruments)

    def reward(self) -> tuple[Callable[[], WorldReward | DifferentiableWorldReward], dict[str, float]]:
        """How to build the reward, its floors at the base model's own clips' level, and how those clips meet them."""
        prompts = self.train_prompts.first(_CALIBRATION)
        # drawn as in training, since drawing changes the motion
        window = self.preset.sampler.usual_window() if self.preset.train.algorithm.draws else range(0)
        with self.policy.reference():
            rollouts = sample(self.policy, prompts, [_CALIBRATION_SEED + 2 * p.seed for p in prompts], window).rollouts
        measured = make_reward(guards.Floor(), guards.Floor()).evidence(rollouts)
        floors, targets = {}, {}
        share = {"sharpness": 1.0, "motion": self.preset.motion_share}
        for name, quantity, fact in (("sharpness", guards.sharpness, "ground"), ("motion", guards.motion, "camera")):
            values = quantity(measured)
            floor = guards.floor_from(values, prompts, fact, _HEADROOM)
            if name == "motion":  # little moves under a fixed camera: relative to that, a trifle would pay for the rest
                floor = replace(floor, levels={**floor.levels, FIXED: 0.0})
            demanded = torch.tensor([floor.of(p) > 0 for p in prompts])
            floors[name] = floor
            targets[name] = share[name] * float(guards.against_floor(values, prompts, floor)[demanded].mean())
        build = partial(make_reward, floors["sharpness"], floors["motion"])
        if self.preset.train.algorithm.name == "reward_gradient":
            return lambda: DifferentiableWorldReward(build()), targets
        return build, targets

    def self_test(self, reward: Reward) -> dict[str, float]:
        """What the run rests on; raises `SelfTestError`."""
        prompts, window = self.train_prompts.first(2) * 4, self.preset.sampler.usual_window()
        algorithm = self.preset.train.algorithm
        return run_self_tests(self.policy, reward, prompts, window, *_good_and_bad(), algorithm)

    def _monitor(self) -> HackMonitor | None:
        """The evaluation's instruments, looking at prompts of their own while training goes on."""
        config = self.preset.train
        if not config.monitor_every:
            return None

        def measured(rollouts: Sequence[Rollout]) -> dict[str, Tensor]:
            video = torch.stack([r.clip.video for r in rollouts])
            found = measure(video, [r.prompt for r in rollouts], self.instruments)
            kept = {name: found[name] for name in ("motion", "sharpness", "prompt_agreement")}
            return {"held_out": 1 - found["violation_probability"], **kept}

        return HackMonitor(
            measured,
            self.watched_prompts,
            every=config.monitor_every,
            on_hack=self.on_hack,
            videos=self.out / "validation" if self.processes.is_main else None,
            initial=camera_conditioned(self.policy, config.camera_noise) if config.camera_noise else None,
        )

    def train(self) -> list[dict[str, Any]]:
        """Self-tests, then training."""
        config = self.preset.train
        build, targets = self.reward()
        targets = self.processes.from_main(targets)
        reward = build()
        self_test = self.self_test(reward)
        self.console.print("self-tests passed: " + ", ".join(f"{k} {v:.4g}" for k, v in self_test.items()))
        if self.processes.is_main:
            write_atomically(json.dumps(self_test, indent=2), self.out / "selftest.json")
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with placed(reward, build, config) as scoring, Progress(*columns, console=self.console) as progress:
            name = config.algorithm.name
            task = progress.add_task(name, total=config.iterations)

            def show(row: dict[str, Any]) -> None:
                progress.update(task, completed=row["iteration"], description=f"{name}  reward {row['reward']:.3f}")

            rows = train(
                self.policy,
                scoring,
                self.train_prompts,
                config,
                self.out,
                show,
                targets,
                dynamic_prompts=PromptSource(replace(self.preset.prompts, occluder=1.0), held_out=False),
                monitor=self._monitor(),
                processes=self.processes,
            )
        for part in ("sample", "reward", "update", "monitor"):
            self.seconds[f"train_{part}"] = sum(r.get(f"seconds_{part}", 0.0) for r in rows)
        if self.processes.is_main:
            self.policy.save(str(self.out / "lora"))
        return rows


def _good_and_bad() -> tuple[Rollout, Rollout]:
    """A clean and a violated rendering of one scene, as rollouts."""
    clean, broken = CorpusConfig(seed=7, violated=0.0), CorpusConfig(seed=7, violated=1.0)
    prompt = prompt_at(clean, 3)
    good, bad = render_clips([scene_at(clean, 3), scene_at(broken, 3)])
    return as_rollout(prompt, good), as_rollout(prompt, bad)


def check_guards(metrics: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The quality floors: the level after as a share of the level before."""
    out = {}
    for name, threshold in GUARD_THRESHOLDS.items():
        value = metrics[name]["after"] / max(1e-9, metrics[name]["before"])
        out[name] = {"value": value, "threshold": threshold, "pass": value >= threshold}
    return out


def _pairs(
    prompts: list[Prompt], before: Tensor, after: Tensor, a: dict[str, Tensor], b: dict[str, Tensor], order: list[int]
) -> list[Pair]:
    shown = ("violation_probability", "depth_error", "prompt_agreement")
    return [
        Pair(prompts[i].text, before[i], after[i], {k: (float(a[k][i]), float(b[k][i])) for k in shown})
        for i in order[:_SHOWN]
    ]


def run_experiment(preset: Preset, out: Path, command: str, on_hack: Literal["stop", "warn"] = "warn") -> int:
    """Before → training → after → report in ``out``; returns the exit status: 0, 1 a failed guard, 130 interrupted."""
    processes = join()
    console = Console(quiet=not processes.is_main)
    run = Run(preset, out, command, console, on_hack, processes)
    results: dict[str, Any] = {"metrics": {}, "guards": {}}
    rows: list[dict[str, Any]] = []
    pairs: list[Pair] = []
    worst: list[Pair] = []
    interrupted = False
    try:
        console.print(f"sampling {preset.num_eval} held-out prompts from the base model")
        before, measured = run.evaluate("before")
        rows = run.train()
        after, measured_after = run.evaluate("after")
        processes.leave()
        if not processes.is_main:
            return 0
        results["metrics"] = compare(measured, measured_after)
        results["guards"] = check_guards(results["metrics"])
        count = min(_SHOWN, preset.num_eval)
        real = torch.stack([c.video for c in render_clips([run.scene_of(p) for p in run.eval_prompts[:count]])])
        write_sheet([real, before[:count], after[:count]], out / "sheet.png")
        by_damage = torch.argsort(measured_after["violation_probability"], descending=True).tolist()
        pairs = _pairs(run.eval_prompts, before, after, measured, measured_after, list(range(preset.num_eval)))
        worst = _pairs(run.eval_prompts, before, after, measured, measured_after, by_damage)
    except KeyboardInterrupt:
        if not processes.is_main:
            return 130
        interrupted = True
        rows = _read_rows(out / "metrics.jsonl")
    results |= {"seconds": run.seconds, "command": command, "version": __version__, "seed": preset.train.seed}
    write_atomically(json.dumps(results, indent=2), out / "results.json")
    write_report(ReportData(results, rows, pairs, worst, asdict(preset), interrupted), out / "report.html")
    _print_summary(console, results, out, interrupted)
    if interrupted:
        return 130
    return 0 if all(g["pass"] for g in results["guards"].values()) else 1


def run_everywhere(preset: Preset, out: Path, command: str, on_hack: Literal["stop", "warn"] = "warn") -> int:
    """`run_experiment` on all cores: ``command`` is what other processes are told to carry out, but for ``--out``."""
    torch.set_num_threads(usable_cpus())
    arguments = [*shlex.split(command)[1:], "--out", str(out)]
    # rewards on Ray are scored by processes of their own
    alone = preset.train.rewards == "ray"
    with on_every_core(arguments, 1 if alone else preset.train.prompts * preset.train.group):
        return run_experiment(preset, out, command, on_hack)


def run_demo(out: Path, seed: int = 0, scale: str = "demo") -> int:
    """`worldr1 demo`: the main job at demo size."""
    command = f"worldr1 demo --seed {seed}" + (f" --scale {scale}" if scale != "demo" else "")
    return run_everywhere(override(get_preset(scale), seed=seed), out, command)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _print_summary(console: Console, results: dict[str, Any], out: Path, interrupted: bool) -> None:
    if interrupted:
        console.print(f"interrupted; run the same command again to continue. Report so far: {out / 'report.html'}")
        return
    table = Table("metric", "before", "after", "95 % interval of the change")
    for name, m in results["metrics"].items():
        table.add_row(name, f"{m['before']:.4f}", f"{m['after']:.4f}", f"{m['ci95'][0]:+.4f} … {m['ci95'][1]:+.4f}")
    console.print(table)
    for name, g in results["guards"].items():
        verdict = "ok" if g["pass"] else "FAILED"
        console.print(f"guard {name}: {g['value']:.2f} of the base, at least {g['threshold']:.2f} needed: {verdict}")
    console.print(f"report: {out / 'report.html'}")
