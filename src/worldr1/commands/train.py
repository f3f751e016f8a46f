"""`worldr1 train PRESET`: before, training, after, for the packaged model or a published one."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from difflib import get_close_matches

import torch
from rich.console import Console

from worldr1.commands.arguments import Train
from worldr1.demo import run_experiment
from worldr1.plan import describe, make_plan
from worldr1.presets import PRESETS, get_preset, override
from worldr1.real_presets import REAL_PRESETS, get_real_preset
from worldr1.real_presets import override as override_real
from worldr1.real_run import run_real
from worldr1.runtime import usable_cpus
from worldr1.train.algorithms import make_algorithm
from worldr1.train.metrics import Row

_REAL_ONLY = ("model", "frames", "height", "width", "held_out")


def run_train(arguments: Train) -> int:
    """Run a preset; returns the exit status. Raises ``ValueError`` for an unknown preset or an option it lacks."""
    torch.set_num_threads(usable_cpus())
    if arguments.preset in REAL_PRESETS:
        return _train_published(arguments)
    if arguments.preset not in PRESETS:
        names = [*PRESETS, *REAL_PRESETS]
        close = get_close_matches(arguments.preset, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(names)}"
        raise ValueError(f"unknown preset {arguments.preset!r}: {hint}")
    for name in _REAL_ONLY:
        if getattr(arguments, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for published models; {arguments.preset} has its own")
    if arguments.dry_run:
        raise ValueError("--dry-run plans runs on published models, for example: worldr1 train wan-1.3b --dry-run")
    changes = {k: getattr(arguments, k) for k in ("seed", "iterations", "prompts", "group", "algorithm")}
    preset = override(get_preset(arguments.preset), **changes)
    return run_experiment(preset, arguments.out, command_line(arguments), arguments.on_hack)


def _train_published(arguments: Train) -> int:
    shape = {"num_frames": arguments.frames, "height": arguments.height, "width": arguments.width}
    training = {k: getattr(arguments, k) for k in ("seed", "iterations", "prompts", "group")}
    preset = override_real(get_real_preset(arguments.preset), {**shape, "num_eval": arguments.held_out}, training)
    if arguments.algorithm is not None:
        preset = replace(preset, train=replace(preset.train, algorithm=make_algorithm(arguments.algorithm)))
    model = arguments.model or preset.hub
    if arguments.dry_run:
        print(describe(make_plan(model if arguments.model else preset.model, preset.job())))
        return 0
    console = Console()

    def show(row: Row) -> None:
        seconds = sum(v for k, v in row.items() if k.startswith("seconds_") and isinstance(v, float))
        console.print(f"iteration {row['iteration']}: reward {row['reward']:.4f}, {seconds:.1f} s")

    status = run_real(preset, model, arguments.out, command_line(arguments), show)
    console.print(f"LoRA, card and videos: {arguments.out}")
    return status


def command_line(arguments: Train) -> str:
    """The command that these arguments came from, without those left at their defaults and without ``--out``."""
    words = ["worldr1", "train", arguments.preset]
    for f in fields(arguments):
        value = getattr(arguments, f.name)
        if f.name not in ("preset", "out") and value is not None and value is not False and value != f.default:
            words += [f"--{f.name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return shlex.join(words)
