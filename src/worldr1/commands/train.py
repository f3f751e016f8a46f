"""`worldr1 train PRESET`: before, training, after, for the packaged model or a published one."""

from __future__ import annotations

import os
import shlex
from dataclasses import fields, replace
from difflib import get_close_matches
from importlib.util import find_spec

import torch
from rich.console import Console

from worldr1.commands.arguments import Train
from worldr1.demo import run_everywhere
from worldr1.plan import describe, make_plan
from worldr1.presets import PRESETS, get_preset, override
from worldr1.real_presets import REAL_PRESETS, get_real_preset, with_stack
from worldr1.real_presets import override as override_real
from worldr1.real_run import run_real
from worldr1.rewards.published import describe_stack, get_stack
from worldr1.runtime import usable_cpus
from worldr1.train.algorithms import make_algorithm
from worldr1.train.config import TrainConfig
from worldr1.train.metrics import Row

_SETTINGS = ("seed", "iterations", "prompts", "group", "camera_noise")  # of every preset
_LEAST = {"iterations": 1, "prompts": 1, "held_out": 2}  # of fewer held-out prompts there is no interval
_REAL_ONLY = (
    "model",
    "frames",
    "height",
    "width",
    "held_out",
    "optimizer",
    "reward_stack",
    "depth_model",
    "judge",
    "camera",
    "segments",
)


def run_train(arguments: Train) -> int:
    """Run a preset; returns the exit status. Raises ``ValueError`` for an unknown preset or an option it lacks."""
    torch.set_num_threads(usable_cpus())
    if (arguments.devices, arguments.shards) != (1, 1) and not arguments.dry_run:
        raise ValueError(
            "--devices and --shards belong to --dry-run; a run takes the GPUs it is launched on, for example with: "
            "accelerate launch --multi_gpu --num_processes 8 -m worldr1 train wan-1.3b"
        )
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
    changes = {k: getattr(arguments, k) for k in (*_SETTINGS, "algorithm")}
    preset = override(get_preset(arguments.preset), **changes)
    preset = replace(preset, train=_scored(preset.train, arguments))
    return run_everywhere(preset, arguments.out, command_line(arguments), arguments.on_hack)


def _train_published(arguments: Train) -> int:
    for name, least in _LEAST.items():
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise ValueError(f"--{name.replace('_', '-')} must be at least {least}, not {value}")
    shape = {"num_frames": arguments.frames, "height": arguments.height, "width": arguments.width}
    training = {k: getattr(arguments, k) for k in (*_SETTINGS, "optimizer")}
    preset = override_real(get_real_preset(arguments.preset), {**shape, "num_eval": arguments.held_out}, training)
    if arguments.algorithm is not None:
        preset = replace(preset, train=replace(preset.train, algorithm=make_algorithm(arguments.algorithm)))
    preset = replace(preset, train=_scored(preset.train, arguments))
    chosen = arguments.reward_stack or preset.stack.name
    stack = get_stack(chosen, arguments.depth_model, arguments.judge, arguments.camera, arguments.segments)
    preset = with_stack(preset, stack)
    model = arguments.model or preset.hub
    if arguments.dry_run:
        job = replace(preset.job(), devices=arguments.devices, shards=arguments.shards)
        print(describe(make_plan(model if arguments.model else preset.model, job)))
        print("\n".join(f"{'reward ' + stack.name:26}{line}" for line in describe_stack(stack)))
        return 0
    console = Console(quiet=os.environ.get("RANK", "0") != "0")  # of several processes one speaks

    def show(row: Row) -> None:
        seconds = sum(v for k, v in row.items() if k.startswith("seconds_") and isinstance(v, float))
        console.print(f"iteration {row['iteration']}: reward {row['reward']:.4f}, {seconds:.1f} s")

    status = run_real(preset, model, arguments.out, command_line(arguments), show, on_hack=arguments.on_hack)
    console.print(f"LoRA, card and videos: {arguments.out}")
    return status


def _scored(train: TrainConfig, arguments: Train) -> TrainConfig:
    """The settings with the place and the number of workers of the reward; raises ``ValueError`` without Ray."""
    workers = train.reward_workers if arguments.reward_workers is None else arguments.reward_workers
    scored = replace(train, rewards=arguments.rewards, reward_workers=workers)
    if scored.rewards == "ray" and find_spec("ray") is None:  # before minutes are spent on the clips of the base
        raise ValueError("--rewards ray needs Ray: pip install 'worldr1[ray]', or use --rewards local")
    return scored


def command_line(arguments: Train) -> str:
    """The command that these arguments came from, without those left at their defaults and without ``--out``."""
    words = ["worldr1", "train", arguments.preset]
    for f in fields(arguments):
        value = getattr(arguments, f.name)
        if f.name not in ("preset", "out") and value is not None and value is not False and value != f.default:
            words += [f"--{f.name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return shlex.join(words)
