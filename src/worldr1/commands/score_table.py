"""Scores as tables that fit a terminal, or 80 columns where there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from worldr1.video import shown_path

BLOCKS = 3  # files up to which each has a block with its reasons beside the terms
_FILE_SHARE = 0.3  # of the width, at most, for the names of many files
_LEAST_NAME = 16
_NAMED = 3  # files that a note is said of by name


def print_scores(rows: Sequence[dict[str, Any]], console: Console | None = None) -> None:
    """Print rows ``{"file", "score", "parts", "notes", ...}``: a block for each of a few files, else a line for each,
    in as many tables as the terms need."""
    console = console or Console()
    tables = _blocks(rows) if len(rows) <= BLOCKS else _lines(rows, console.width)
    for table in tables:
        console.print(table)


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _blocks(rows: Sequence[dict[str, Any]]) -> Iterator[RenderableType]:
    for index, row in enumerate(rows):
        if index:
            yield ""
        head = Table.grid(padding=(0, 2))
        head.add_column(justify="right", no_wrap=True)
        head.add_column(overflow="fold")
        head.add_row(Text(_cell(row["score"]), style="bold"), Text(shown_path(row["file"]), style="bold"))
        yield head
        terms = Table.grid(padding=(0, 2))
        terms.add_column(justify="right", no_wrap=True)
        terms.add_column(no_wrap=True)
        terms.add_column()
        for name, value in row["parts"].items():
            terms.add_row(_cell(value), name, Text(row["notes"].get(name, ""), style="dim"))
        for name, note in row["notes"].items():
            if name not in row["parts"]:
                terms.add_row("", name, Text(note, style="dim"))
        yield terms


def _lines(rows: Sequence[dict[str, Any]], width: int) -> Iterator[RenderableType]:
    folder = os.path.commonpath([os.path.dirname(row["file"]) for row in rows]) if _share_root(rows) else ""
    names = [shown_path(os.path.relpath(row["file"], folder) if folder else row["file"]) for row in rows]
    if folder:
        yield Text(f"in {shown_path(folder)}:")
    longest = max(_LEAST_NAME, min(max(map(len, names)), int(_FILE_SHARE * width)))
    terms = list(dict.fromkeys(term for row in rows for term in row["parts"]))
    for index, part in enumerate(_fitting(terms, width - longest - len("  score"))):
        if index:
            yield ""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("file", overflow="fold", width=longest)
        for name in ("score", *part):
            table.add_column(name, justify="right", no_wrap=True)
        for name, row in zip(names, rows, strict=True):
            table.add_row(Text(name), _cell(row["score"]), *(_cell(row["parts"].get(t)) for t in part))
        yield table
    said: dict[tuple[str, str], list[str]] = {}
    for name, row in zip(names, rows, strict=True):
        for term, note in row["notes"].items():
            said.setdefault((term, note), []).append(name)
    if said:
        yield ""
    for (term, note), whose in said.items():
        more = f" and {len(whose) - _NAMED} more" if len(whose) > _NAMED else ""
        files = "all files" if len(whose) == len(rows) else ", ".join(whose[:_NAMED]) + more
        yield Text(f"{term}: {note} ({files})", style="dim")


def _share_root(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the files' names all begin at the root, or none does: others have no folder in common."""
    return len({os.path.isabs(row["file"]) for row in rows}) == 1


def _fitting(terms: Sequence[str], width: int) -> Iterator[list[str]]:
    """The terms in order, as many together as ``width`` holds as columns; at least one."""
    part: list[str] = []
    for term in terms:
        if part and sum(2 + max(len(t), 5) for t in [*part, term]) > width:
            yield part
            part = []
        part.append(term)
    yield part
