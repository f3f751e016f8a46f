"""What ``worldr1 generate`` is asked for: every video with its prompt, its seeds and its file."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from worldr1.commands.arguments import Generate as Arguments
from worldr1.video_write import CONTAINERS, LEAST_FPS

_COUNTS = ("num", "best_of", "steps", "frames", "size", "height", "width")


@dataclass(frozen=True)
class Request:
    """One video to be made: the best of the samples with these seeds."""

    text: str
    seeds: tuple[int, ...]
    path: Path


def targets(out: Path, num: int) -> list[Path]:
    """The files to write: ``x.mp4``, or ``x-0.mp4``, ``x-1.mp4``, ... for several."""
    return [out] if num == 1 else [out.with_name(f"{out.stem}-{i}{out.suffix}") for i in range(num)]


def requests_of(arguments: Arguments) -> list[Request]:
    """Everything that is asked for, in order; raises ``ValueError`` for what is impossible or cannot be read."""
    for name in _COUNTS:
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    if arguments.fps is not None and not (math.isfinite(arguments.fps) and arguments.fps >= LEAST_FPS):
        raise ValueError(f"--fps must be a number from {LEAST_FPS} on, not {arguments.fps}")
    if (arguments.prompt is None) == (arguments.prompts is None):
        raise ValueError("generate needs either --prompt TEXT or --prompts FILE")
    if arguments.prompt is not None:
        entries = [(arguments.prompt, arguments.seed, arguments.out)]
    else:
        assert arguments.prompts is not None
        if arguments.out.is_file() or arguments.out.suffix.lower() in CONTAINERS:
            raise ValueError(f"with --prompts, --out is a directory; {arguments.out} is, or looks like, a file")
        entries = read_prompts(arguments.prompts, arguments.out, arguments.seed)
    out = []
    for text, seed, path in entries:
        for i, target in enumerate(targets(path, arguments.num)):
            first = seed + i * arguments.best_of
            out.append(Request(text, tuple(range(first, first + arguments.best_of)), target))
    return out


def read_prompts(file: Path, out: Path, seed: int) -> list[tuple[str, int, Path]]:
    """Text, seed and target of every line of a JSONL file; raises ``ValueError`` that names the first bad line."""
    if not file.is_file():
        raise ValueError(f"no such file: {file}; --prompts takes a JSONL file")
    entries: list[tuple[str, int, Path]] = []
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is no text in UTF-8 ({error}); --prompts takes a JSONL file") from error
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        where = f"{file}, line {number + 1}"
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f'{where} is not JSON ({error}); write {{"prompt": "..."}}') from error
        if not isinstance(entry, dict) or not isinstance(entry.get("prompt"), str):
            raise ValueError(f'{where} has no prompt; write {{"prompt": "..."}}')
        if unknown := set(entry) - {"prompt", "seed", "name"}:
            raise ValueError(f"{where} has unknown keys: {', '.join(sorted(unknown))}; use prompt, seed and name")
        name, own = entry.get("name", f"{number:05d}"), entry.get("seed", seed)
        if not isinstance(name, str) or not re.fullmatch(r"[\w.-]*\w", name):
            raise ValueError(f"{where}: {name!r} is no file name; use letters, digits, dot, dash and underscore")
        if type(own) is not int:
            raise ValueError(f"{where}: the seed must be a whole number, not {own!r}")
        target = out / f"{name}.mp4"
        if target in [e[2] for e in entries]:
            raise ValueError(f"{where}: the name {name} is taken by an earlier line")
        entries.append((entry["prompt"], own, target))
    if not entries:
        raise ValueError(f"{file} holds no prompts")
    return entries
