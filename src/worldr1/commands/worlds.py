"""``worldr1 worlds``: make, show and export datasets of rendered clips."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from worldr1.commands.arguments import Worlds as Arguments
from worldr1.worlds.dataset.config import ALL, DatasetConfig
from worldr1.worlds.dataset.export import FORMATS, export_dataset
from worldr1.worlds.dataset.generate import Summary, make_dataset
from worldr1.worlds.dataset.show import show_dataset
from worldr1.worlds.families import FAMILIES


def run_worlds(arguments: Arguments) -> None:
    """Do what was asked for. Raises ``ValueError`` for what cannot be done."""
    match arguments.action:
        case "make":
            _make(arguments)
        case "show":
            folder = _folder(arguments)
            path = arguments.out or folder / "sheet.png"
            show_dataset(folder, path, arguments.clips)
            print(path)
        case "export":
            if arguments.out is None or arguments.format is None:
                raise ValueError(f"export needs --out DIR and --format, one of {', '.join(FORMATS)}")
            count = export_dataset(_folder(arguments), arguments.out, arguments.format)
            print(f"{count} clips in {arguments.out}")


def _folder(arguments: Arguments) -> Path:
    if arguments.folder is None:
        raise ValueError(f"which dataset? worldr1 worlds {arguments.action} DIR")
    return arguments.folder


def _make(arguments: Arguments) -> None:
    if arguments.folder is not None:
        raise ValueError(f"worlds make takes no folder; write --out {arguments.folder}")
    if arguments.family is None:
        raise ValueError(f"--family is missing; use one of {', '.join([*FAMILIES, ALL])}")
    if arguments.count is None or arguments.out is None:
        raise ValueError("--count and --out are needed: how many clips, and in which folder")
    config = DatasetConfig(
        family=arguments.family,
        count=arguments.count,
        seed=arguments.seed,
        size=arguments.size,
        frames=arguments.frames,
        fps=arguments.fps,
        difficulty=arguments.difficulty,
        split=arguments.split,
        captions=arguments.captions,
        renderer=arguments.renderer,
        clips_per_shard=arguments.shard,
        store_flow=arguments.store_flow,
        store_frames=arguments.store_frames,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("clips", total=config.count)
        summary = make_dataset(
            config,
            arguments.out,
            executor=arguments.executor,
            workers=arguments.workers,
            progress=lambda done: bar.advance(task, done),
        )
    print(_line(summary, arguments.out))


def _line(summary: Summary, out: Path) -> str:
    rate = f", {summary.new / summary.seconds:.1f} a second" if summary.new else ""
    each = summary.bytes / summary.clips / 1000
    return f"{summary.clips} clips in {out} ({summary.new} new{rate}; {each:.0f} kB each)"
