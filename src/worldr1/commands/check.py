"""``worldr1 check [PRESET]``: the self-tests that every run starts with, alone."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from rich.table import Table

from worldr1.demo import Run
from worldr1.presets import get_preset, override
from worldr1.runtime import usable_cpus


def run_check(preset: str, algorithm: str | None = None) -> None:
    """Print what the self-tests of a preset measure.

    Raises ``ValueError`` for an unknown preset or algorithm, for one that cannot learn with the preset's sampler,
    and for the first self-test that fails, with what to look at.
    """
    torch.set_num_threads(usable_cpus())
    console = Console()
    settings = override(get_preset(preset), algorithm=algorithm)
    with TemporaryDirectory() as folder:
        run = Run(settings, Path(folder), f"worldr1 check {preset}", console)
        build, _ = run.reward()
        measured = run.self_test(build())
    table = Table("self-test", "measured", title=f"{preset}, {settings.train.algorithm.name}: all passed")
    for name, value in measured.items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)
