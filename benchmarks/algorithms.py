"""Algorithms and ablations from the same base, prompts and evaluation noise: one JSON per run, then a table.

python benchmarks/algorithms.py run grpo nft ... [--seeds 0 1 2] [--minutes 3]
python benchmarks/algorithms.py table [--curves docs/curves.svg] [--against nft]

A run that has its JSON is not repeated, one that was interrupted continues from its checkpoint. One thread; the
CPU-minutes are those of sampling, reward and update, and fix the number of iterations by what one was measured to cost.
The base is sampled once per folder. ``--out`` keeps runs of another budget apart.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import matplotlib.pyplot as plt
import torch
from rich.console import Console

from worldr1.demo import Run, check_guards
from worldr1.evaluate.metrics import bootstrap_ci, compare, measure
from worldr1.policies.sde import SamplerConfig
from worldr1.presets import RATES, Preset, get_preset
from worldr1.runtime import quiet_libraries
from worldr1.train.advantage import TermWeight
from worldr1.train.algorithms import AWM, GRPO, NFT, PPO, Algorithm, RewardGradient
from worldr1.train.algorithms.best_of_n import best_of_n
from worldr1.train.checkpoint import Checkpoints

Change = Callable[[Preset], Preset]
OUT = Path("runs/algorithms")
LOOKED, VARIED = "monitor/held_out", "monitor/diversity"
PAIRED = ("violation_probability", "depth_error")  # kept by clip: variants share prompts and noise


def trained(**changes: Any) -> Change:
    return lambda p: replace(p, train=replace(p.train, **changes))


def sampled(**changes: Any) -> Change:
    return lambda p: replace(p, sampler=replace(p.sampler, **changes))


def using(algorithm: Algorithm) -> Change:
    return trained(algorithm=algorithm, lr=RATES[algorithm.name])


def without(term: str) -> Change:
    """The term is still measured and shown, but teaches nothing."""

    def change(p: Preset) -> Preset:
        weights: dict[str, TermWeight] = dict(p.train.weights)
        weights[term] = replace(weights[term], weight=0.0)
        return replace(p, train=replace(p.train, weights=weights))

    return change


def both(*changes: Change) -> Change:
    def change(p: Preset) -> Preset:
        for one in changes:
            p = one(p)
        return p

    return change


ALGORITHMS: dict[str, Change] = {
    "grpo": using(GRPO()),
    "grpo flow-sde": both(using(GRPO()), sampled(rule="flow-sde")),
    "grpo guard": using(GRPO(guard=True)),
    "grpo iso-temporal": using(GRPO(weights="iso-temporal")),
    "ppo": using(PPO()),
    "nft": using(NFT()),
    "awm": using(AWM()),
    "reward_gradient": using(RewardGradient()),
}
TERMS = ("depth", "flow", "constancy", "camera", "prompt", "parallax", "sharpness", "motion")
# of the default algorithm, which draws no steps: the window is GRPO's
ABLATIONS: dict[str, Change] = {
    **{f"without {term}": without(term) for term in TERMS},
    "with the decoupled phase": trained(dynamic_every=3),  # short runs would not come to a later one
    "with camera noise": trained(camera_noise=0.5),
    **{f"group {n}": trained(group=n, prompts=64 // n) for n in (2, 4, 16)},
    "KL 0": trained(kl_weight=0.0),
    "grpo KL 0.003": both(using(GRPO()), trained(kl_weight=0.003)),
    "grpo window 1": both(using(GRPO()), sampled(window=1)),
    "grpo window of all": both(using(GRPO()), sampled(window=5, window_end=5)),
}
BEST_OF = {"best of 8": 8}  # trains nothing, pays at inference
VARIANTS: dict[str, Change] = ALGORITHMS | {name: lambda p: p for name in BEST_OF} | ABLATIONS


class Experiment(Run):
    """A run that shares what is the same in all: the base's clips and the reward's floors, which are its level."""

    _rewards: ClassVar[dict[tuple[str, SamplerConfig], Any]] = {}

    def reward(self) -> Any:
        key = (self.preset.train.algorithm.name, self.preset.sampler)
        if key not in self._rewards:
            self._rewards[key] = super().reward()
        return self._rewards[key]

    def base(self, kept: Path) -> dict[str, torch.Tensor]:
        """Metrics of the base's clips; the first run leaves both in the folder ``kept`` for the others."""
        clips, metrics = kept / "before.pt", kept / "base.pt"
        if not metrics.exists():
            _, found = self.evaluate("before")
            shutil.copy(self.out / "before.pt", clips)
            torch.save(found, metrics)
        return dict(torch.load(metrics, weights_only=True))


def preset_of(variant: str, seed: int, iterations: int, watch: int) -> Preset:
    tiny = get_preset("tiny")
    preset = VARIANTS[variant](replace(tiny, train=replace(tiny.train, prompts=8)))
    changes = {"seed": seed, "iterations": iterations, "monitor_every": watch}
    return replace(preset, train=replace(preset.train, **changes))


def cost(variant: str, directory: Path) -> float:
    """CPU-seconds of one iteration, measured once on a short run and kept, so that all seeds do the same."""
    path = directory / "cost.json"
    if not path.exists():
        rows = Experiment(preset_of(variant, 0, 3, 50), directory / "cost", "", Console(quiet=True)).train()
        path.write_text(json.dumps(min(cpu_seconds([r]) for r in rows)))
    return float(json.loads(path.read_text()))


def cpu_seconds(rows: Sequence[dict[str, Any]]) -> float:
    return sum(r[f"seconds_cpu_{phase}"] for r in rows for phase in ("sample", "reward", "update"))


def run(variant: str, seed: int, minutes: float, watch: int, directory: Path) -> None:
    """One run, if its JSON is not there yet."""
    name = variant.replace(" ", "-")
    result = directory / f"{name}-{seed}.json"
    if result.exists():
        return
    iterations = 0 if variant in BEST_OF else max(1, round(60 * minutes / cost(variant, directory / name)))
    preset = preset_of(variant, seed, iterations, watch)
    experiment = Experiment(preset, directory / name / str(seed), "", Console(quiet=True))
    before = experiment.base(directory)
    if variant in BEST_OF:
        after, videos, seconds, rows = *chosen(experiment, BEST_OF[variant]), []
    else:
        rows = experiment.train()
        _, after = experiment.evaluate("after")
        videos, seconds = iterations * preset.train.prompts * preset.train.group, cpu_seconds(rows)
    metrics = compare(before, after)
    told = {
        "variant": variant,
        "seed": seed,
        "iterations": iterations,
        "videos": videos,
        "cpu_minutes": seconds / 60,
        "metrics": metrics,
        "guards": check_guards(metrics),
        "curve": curve(experiment, rows) if rows else [],
        "clips": {name: after[name].tolist() for name in PAIRED},
    }
    result.write_text(json.dumps(told, indent=1))


def curve(experiment: Experiment, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the monitor saw of the base and then of the policy."""
    saved = Checkpoints(experiment.out / "checkpoints").newest()
    assert saved is not None  # training leaves one
    base = {f"monitor/{name}": float(values.mean()) for name, values in saved["base"].items()}
    looks = [{k: v for k, v in r.items() if k == "iteration" or "/" in k} for r in rows if LOOKED in r]
    return [{"iteration": 0, **base}, *looks]


def chosen(experiment: Experiment, n: int) -> tuple[dict[str, torch.Tensor], int, float]:
    """Metrics of the best of ``n`` base samples by the training reward, how many were drawn, CPU-seconds."""
    started, prompts = time.process_time(), experiment.eval_prompts
    first = 90_000_000 + 1_000_000 * experiment.preset.train.seed
    build, _ = experiment.reward()
    with experiment.judged.reference():
        best = best_of_n(experiment.judged, build(), prompts, [first + n * p.seed for p in prompts], n)
    video = torch.stack([rollout.clip.video for rollout, _ in best])
    used = time.process_time() - started
    return measure(video, prompts, experiment.instruments), n * len(prompts), used


def load(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Results by variant, in the order of `VARIANTS`."""
    found = [json.loads(p.read_text()) for p in sorted(directory.glob("*-[0-9]*.json"))]
    return {v: runs for v in VARIANTS if (runs := [r for r in found if r["variant"] == v])}


def table(directory: Path) -> str:
    """A Markdown row per variant: means over seeds, each seed's violation rate, guards passed."""
    lines = [
        "| variant | violation rate | by seed | depth error | motion | sharpness | agreement | diversity | CPU min "
        "| videos |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    runs = load(directory)
    before = next(iter(runs.values()))[0]["metrics"]
    varied = next((r["curve"][0][VARIED] for some in runs.values() for r in some if r["curve"]), float("nan"))
    lines.append(
        f"| base | {before['violation_rate']['before']:.3f} | | {before['depth_error']['before']:.4f} | | | "
        f"| {varied:.3f} | | |"
    )
    for variant, some in runs.items():

        def mean(name: str, key: str = "after", some: list[dict[str, Any]] = some) -> float:
            return sum(r["metrics"][name][key] for r in some) / len(some)

        def guard(name: str, some: list[dict[str, Any]] = some) -> str:
            held = sum(r["guards"][name]["pass"] for r in some)
            share = sum(r["guards"][name]["value"] for r in some) / len(some)
            return f"{share:.2f}" if held == len(some) else f"{share:.2f} (fails {len(some) - held} of {len(some)})"

        seeds = ", ".join(f"{r['metrics']['violation_rate']['after']:.3f}" for r in some)
        cells = [variant, f"{mean('violation_rate'):.3f}", seeds, f"{mean('depth_error'):.4f}"]
        cells += [guard(g) for g in ("motion", "sharpness", "prompt_agreement")]
        left = [r["curve"][-1][VARIED] for r in some if r["curve"]]
        cells.append(f"{sum(left) / len(left):.3f}" if left else "")
        cells += [f"{sum(r['cpu_minutes'] for r in some) / len(some):.1f}", str(some[0]["videos"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def pairs(directory: Path, against: str) -> str:
    """A Markdown row per variant: its clips less those of the variant ``against`` with the same seed, prompt and noise,
    and the 95 % interval of the mean."""
    runs = load(directory)
    lines = [f"| variant, less {against} | {' | '.join(PAIRED)} |", "|---|" + "---|" * len(PAIRED)]
    for variant, some in runs.items():
        cells = [variant]
        for name in PAIRED:
            ours = {r["seed"]: torch.tensor(r["clips"][name]) for r in some if "clips" in r}
            theirs = {r["seed"]: torch.tensor(r["clips"][name]) for r in runs[against] if "clips" in r}
            shared = sorted(ours.keys() & theirs.keys())
            if not shared or variant == against:
                continue
            change = torch.cat([ours[s] - theirs[s] for s in shared])
            low, high = bootstrap_ci(change)
            cells.append(f"{float(change.mean()):+.4f} [{low:+.4f}, {high:+.4f}]")
        if len(cells) > 1:
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(directory: Path, picture: Path) -> None:
    """What the monitors saw over the videos sampled, a line per algorithm, its seeds as a band."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    shown = {
        LOOKED: "1 − violation probability (24 watched prompts)",
        "monitor/motion": "motion (px/frame)",
    }
    for variant, some in load(directory).items():
        if variant not in ALGORITHMS:
            continue
        for axis, (key, label) in zip(axes, shown.items(), strict=True):
            videos = [point["iteration"] * some[0]["videos"] / some[0]["iterations"] for point in some[0]["curve"]]
            values = torch.tensor([[point[key] for point in r["curve"]] for r in some])
            (line,) = axis.plot(videos, values.mean(0), label=variant)
            axis.fill_between(videos, values.amin(0), values.amax(0), color=line.get_color(), alpha=0.12)
            axis.set(xlabel="videos sampled", ylabel=label)
    axes[0].legend(fontsize="small")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("variants", nargs="*", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="CPU-minutes of a run")
    parser.add_argument("--watch", type=int, default=5, help="iterations between looks of the monitor")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--curves", type=Path, help="with table: also draw the curves into this picture")
    parser.add_argument("--against", choices=VARIANTS, help="with table: also pair every clip with this variant's")
    args = parser.parse_args()
    if unknown := [v for v in args.variants if v not in VARIANTS]:
        parser.error(f"unknown variant {unknown[0]!r}; use some of {', '.join(VARIANTS)}")
    if args.what == "table":
        print(table(args.out))
        if args.against:
            print(f"\n{pairs(args.out, args.against)}")
        if args.curves:
            draw(args.out, args.curves)
        return
    torch.set_num_threads(1)
    quiet_libraries()
    for variant in args.variants or VARIANTS:
        for seed in args.seeds:
            run(variant, seed, args.minutes, args.watch, args.out)


if __name__ == "__main__":
    main()
