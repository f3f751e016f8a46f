"""``worldr1 score``: how well one world and one camera explain a video."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worldr1.commands.arguments import Score as Arguments
from worldr1.commands.score_backends import LEAST_SIDE, check_backend, choose_backend, load_backend
from worldr1.commands.score_file import score_file
from worldr1.commands.score_table import print_scores
from worldr1.report.score_page import ScoredVideo, write_score_page
from worldr1.video import Header, read_header

_PAGES = (".html", ".htm")


def run_score(arguments: Arguments) -> None:
    """Check every file, then score them. Raises ``ValueError`` that names the first file that cannot be scored."""
    if not arguments.files:
        raise ValueError("score needs at least one video file: worldr1 score clip.mp4")
    check_backend(arguments.backend)
    if arguments.report is not None:
        check_report(arguments.report, arguments.files)
    headers = [_checked(path) for path in arguments.files]
    backends = [choose_backend(arguments.backend, *header.size) for header in headers]
    learned = {name: load_backend(name) for name in dict.fromkeys(backends) if name != "classical"}
    scored = [
        score_file(
            path,
            header,
            learned.get(backend),
            arguments.prompt,
            static_scene=arguments.static_scene,
            pictures=arguments.report is not None,
        )
        for path, header, backend in zip(arguments.files, headers, backends, strict=True)
    ]
    if arguments.report is not None:
        depths = [learned[b].depth if b in learned else None for b in backends]
        write_score_page(scored, depths, arguments.report)
    rows = [_row(s) for s in scored]
    if arguments.json:
        print(json.dumps({"videos": rows}, indent=2, allow_nan=False))
    else:
        print_scores(rows)


def check_report(path: Path, files: Sequence[Path]) -> None:
    """Raise ``ValueError`` where the page would take the place of something else."""
    if path.is_dir():
        raise ValueError(f"{path}: this is a directory; name a file for the report, such as scores.html")
    if path.suffix.lower() not in _PAGES:
        raise ValueError(f"--report {path}: a page's name ends in .html; nothing else is overwritten")
    if path.exists() and any(file.exists() and file.samefile(path) for file in files):
        raise ValueError(f"--report {path}: this is one of the videos; choose another name")


def _checked(path: Path) -> Header:
    header = read_header(path)
    height, width = header.size
    if min(height, width) < LEAST_SIDE:
        raise ValueError(f"{path}: {width}x{height} pixels are too few to measure; use at least {LEAST_SIDE} a side")
    return header


def _row(scored: ScoredVideo) -> dict[str, Any]:
    return {
        "file": str(scored.path),
        "score": scored.score.value,
        "parts": scored.score.parts,
        "notes": scored.score.notes,
        "frames": scored.num_frames,
        "seconds": scored.seconds,
    }
