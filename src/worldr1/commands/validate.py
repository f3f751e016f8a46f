"""``worldr1 validate-rewards``: is the reward right about worlds whose truth is known?"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from worldr1.commands.arguments import ValidateRewards as Arguments
from worldr1.estimators.registry import make_depth, make_flow
from worldr1.evaluate.bench.attack import AttackConfig, attack
from worldr1.evaluate.bench.bench import run_named
from worldr1.evaluate.bench.chart import chart
from worldr1.evaluate.bench.config import QUICK, SIZES, BenchConfig
from worldr1.evaluate.bench.demands import checks
from worldr1.evaluate.bench.judges import JUDGES, combine_of
from worldr1.evaluate.bench.kept import begin, keep
from worldr1.evaluate.bench.statistics import summarise
from worldr1.evaluate.bench.table import markdown
from worldr1.files import write_atomically

_BY_DEFAULT = ("oracle", "estimated")
_ANSWERS = {True: "yes", False: "no", None: "not measured"}
_QUICK_ATTACK = AttackConfig(scenes=1, population=8, elites=3, iterations=4)


def run_validate(arguments: Arguments) -> None:
    """Render, score, and write the tables. Raises ``ValueError`` for a bench that cannot be made."""
    names = tuple(n for n in JUDGES if getattr(arguments, n)) or _BY_DEFAULT
    if arguments.stack == "tiny" and (arguments.depth or arguments.flow):
        raise ValueError("--depth and --flow are for --stack general; the tiny stack has its own estimators")
    if names == ("classical",) and (arguments.depth or arguments.flow):
        raise ValueError("--depth and --flow are not for the classical terms, which need neither; add --estimated")
    config = QUICK if arguments.quick else BenchConfig(size=SIZES[arguments.stack])
    config = replace(
        config,
        scenes=config.scenes if arguments.scenes is None else arguments.scenes,
        seed=arguments.seed,
        stack=arguments.stack,
        depth=arguments.depth or config.depth,
        flow=arguments.flow or config.flow,
        cells=config.cells if arguments.cells is None else arguments.cells,
        outer_cells=config.outer_cells if arguments.outer_cells is None else arguments.outer_cells,
        size=config.size if arguments.size is None else arguments.size,
        dynamic=arguments.dynamic,
    )
    for name, make in (("depth", make_depth), ("flow", make_flow)):
        _loads(name, getattr(arguments, name), make)
    arguments.out.mkdir(parents=True, exist_ok=True)  # before an hour of work rather than after
    console = Console(stderr=True)
    kept = arguments.out / "worlds.part"
    rows = begin(kept, config, names)
    left = sorted(set(range(config.scenes)) - {r.world for r in rows})
    if rows:
        console.print(
            f"going on from an interrupted run: {config.scenes - len(left)} of {config.scenes} worlds are there"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("worlds", total=config.scenes, completed=config.scenes - len(left))
        for part in run_named(config, names, arguments.workers, left):
            rows += part
            keep(kept, part)
            bar.advance(task)
    rows.sort(key=lambda r: r.world)  # workers finish in any order
    # every clip's terms, so that another way to combine them needs no second run
    write_atomically("".join(json.dumps(asdict(r), allow_nan=False) + "\n" for r in rows), arguments.out / "rows.jsonl")
    judges = {n: JUDGES[n](config) for n in names} if arguments.attack else {}
    summary = summarise(rows, {n: combine_of(n, config) for n in names})
    found = {n: asdict(attack(j, config, _QUICK_ATTACK if arguments.quick else None)) for n, j in judges.items()}
    command = _command(arguments, names, config)
    result = {
        "command": command,
        "bench": asdict(config),
        "checks": checks(summary),
        "judges": summary,
        "attack": found,
    }
    write_atomically(json.dumps(result, indent=1, allow_nan=False), arguments.out / "validation.json")
    write_atomically(markdown(summary, command, found), arguments.out / "validation.md")
    write_atomically(chart(summary), arguments.out / "validation.svg")
    kept.unlink()
    _print(result, arguments.out)


def _loads(option: str, name: str | None, make: Callable[[str], object]) -> None:
    """A network that cannot be loaded is refused now, not by every worker."""
    if name is None:
        return
    try:
        make(name)
    except (ImportError, OSError, ValueError) as error:
        raise ValueError(f"--{option} {name}: {error}") from error


def _command(arguments: Arguments, names: tuple[str, ...], config: BenchConfig) -> str:
    size = [*(["--quick"] if arguments.quick else []), f"--scenes {config.scenes}", f"--cells {config.cells}"]
    size += [] if config.outer_cells is None else [f"--outer-cells {config.outer_cells}"]
    size.append(f"--size {config.size}")
    chosen = [f"--{n}" for n in names] + [f"--{n}" for n in ("dynamic", "attack") if getattr(arguments, n)]
    chosen += [f"--{n} {shlex.quote(v)}" for n in ("depth", "flow") if (v := getattr(arguments, n)) is not None]
    return " ".join(["worldr1 validate-rewards", *chosen, *size, f"--stack {arguments.stack} --seed {arguments.seed}"])


def _print(result: dict[str, Any], out: Path) -> None:
    table = Table("demanded", *result["checks"], box=None, pad_edge=False)
    for name in dict.fromkeys(n for found in result["checks"].values() for n in found):
        answers = [_ANSWERS[found.get(name)] for found in result["checks"].values()]
        table.add_row(name, *answers)
    console = Console()
    console.print(table)
    for judge, found in result["attack"].items():
        verdict = "holds" if found["consistent"] else "is fooled"
        scores = f"best found {found['score']:.3f}, honest {found['honest_score']:.3f}"
        console.print(f"{judge}: {verdict} when optimised against ({scores})")
    console.print(f"{out / 'validation.md'}")
