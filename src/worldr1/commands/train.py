"""`worldr1 train PRESET`: the main job with a preset of your choice."""

from __future__ import annotations

import torch

from worldr1.commands.arguments import Train
from worldr1.demo import run_experiment
from worldr1.presets import get_preset, override
from worldr1.runtime import usable_cpus


def run_train(arguments: Train) -> int:
    """Run a preset; returns the exit status. Raises ``ValueError`` for an unknown preset."""
    preset = override(get_preset(arguments.preset), seed=arguments.seed, iterations=arguments.iterations)
    torch.set_num_threads(usable_cpus())
    command = f"worldr1 train {arguments.preset} --seed {arguments.seed}"
    if arguments.iterations is not None:
        command += f" --iterations {arguments.iterations}"
    return run_experiment(preset, arguments.out, command)
