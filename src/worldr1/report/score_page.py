"""One self-contained HTML page of scored videos: the terms, and where and when each video breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from worldr1.files import write_atomically
from worldr1.report import charts
from worldr1.report.score_pictures import depth_strip, heat_strip, side_by_side, tracks
from worldr1.report.template import load_template
from worldr1.rewards.classical.file import MeasuredFile, pick_frames
from worldr1.rewards.classical.pairs import Pair
from worldr1.rewards.classical.stream import Measured
from worldr1.types import Score
from worldr1.video import Header, shown_path

STRIP, TRACKED = 8, 12  # frames of the strip, and of the tracks around the worst moment
_FLICKER = 0.2  # of log brightness in a step: as bad as a step of which nothing is rigid
# from 0 to 1, how bad a step is that stands out: honest real footage had at most .34 (.46 as a bus drove through the
# picture), a warp in the middle of it .39 and more, cuts and flicker over .9
_STANDS_OUT = 0.35

Depth = Callable[[Tensor], Tensor]  # frames [n, 3, h, w] in [0, 1] to metres [n, h, w]


@dataclass(frozen=True)
class ScoredVideo:
    """A video's score, and what was measured on the way."""

    path: Path
    header: Header
    score: Score
    num_frames: int
    seconds: float
    measured: MeasuredFile | None  # matched features; the page has to be shown them


def write_score_page(videos: Sequence[ScoredVideo], depths: Sequence[Depth | None], path: Path) -> None:
    """Write the page; an older one at ``path`` survives a failure. ``depths`` are the videos' depth estimators.

    Raises ``OSError`` where the disk refuses, ``ValueError`` where a video can no longer be read.
    """
    write_atomically(render(videos, depths), path)


def render(videos: Sequence[ScoredVideo], depths: Sequence[Depth | None]) -> str:
    """The page as text."""
    template = load_template("score_page.html")
    pages = [_video(video, depth) for video, depth in zip(videos, depths, strict=True)]
    return template.render(videos=pages, size=charts)


def worst_step(measured: Measured) -> tuple[Pair, str] | None:
    """The pair of the shortest gap that speaks most against one world, and how, which is nothing where no pair stands
    out; ``None`` without pairs."""
    steps = measured.at_gap(1) or list(measured.pairs)
    if not steps:
        return None
    usual = float(np.median([p.matched for p in steps])) or 1.0
    gain = float(np.median([p.gain for p in steps]))

    def reasons(pair: Pair) -> list[tuple[float, str]]:
        rigid, matched = pair.inliers * pair.coverage, min(1.0, pair.matched / usual)
        return [
            (1 - rigid, f"{1 - rigid:.0%} of what is matched or textured follows no rigid motion"),
            (1 - matched, f"only {pair.matched:.0%} of the keypoints find a partner, {usual:.0%} do usually"),
            (min(1.0, abs(pair.gain - gain) / _FLICKER), f"brightness changes by {np.expm1(pair.gain):+.0%}"),
        ]

    pair = max(steps, key=lambda p: max(reasons(p))[0])
    how_bad, what = max(reasons(pair))
    return pair, what if how_bad > _STANDS_OUT else ""


def _video(video: ScoredVideo, depth: Depth | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": shown_path(video.path.name),
        "path": shown_path(video.path),
        "score": "–" if video.score.value is None else f"{video.score.value:.3f}",
        "rows": [
            {"term": term, "value": value, "note": video.score.notes.get(term, "")}
            for term, value in video.score.parts.items()
        ],
        "notes": {name: note for name, note in video.score.notes.items() if name not in video.score.parts},
        "size": f"{video.header.size[1]} × {video.header.size[0]}",
        "num_frames": video.num_frames,
        "seconds": f"{video.seconds:.2f}",
        "charts": [],
        "strip": "",
        "worst": None,
        "tracks": "",
        "depth": "",
    }
    measured = video.measured.measured if video.measured is not None else None
    pairs = list(measured.pairs) if measured is not None else []
    last = pairs[-1].second if pairs else video.num_frames - 1
    numbers = sorted({p.first for p in pairs}) or list(range(last + 1))
    strip = [numbers[i] for i in np.linspace(0, len(numbers) - 1, min(STRIP, len(numbers))).round().astype(int)]
    worst = worst_step(measured) if measured is not None else None
    around: list[int] = []
    if worst is not None:
        start = max(numbers[0], worst[0].first - TRACKED // 2)
        around = [i for i in range(start, start + TRACKED) if i <= last]
    ends = [worst[0].first, worst[0].second] if worst is not None else []
    frames = pick_frames(video.path, video.header, {*strip, *around, *ends})
    if worst is not None and video.measured is not None and all(i in frames for i in ends):
        pair, what = worst
        when = f"frames {pair.first} and {pair.second}, {video.measured.times_s[pair.first]:.2f} s"
        picture = side_by_side(frames[pair.first], frames[pair.second])
        shown["worst"] = {"when": when, "what": what, "picture": picture.png, "caption": picture.caption}
        shown["tracks"] = tracks([frames[i] for i in around if i in frames])
    present = {i: frames[i] for i in strip if i in frames}
    shown["strip"] = heat_strip(present, pairs) if present else ""
    shown["depth"] = depth_strip(list(present.values()), depth) if depth is not None and present else ""
    if measured is not None:
        shown["charts"] = _charts(measured)
    return shown


def _charts(measured: Measured) -> list[charts.Chart]:
    steps = measured.at_gap(1)
    frames = [float(p.second) for p in steps]
    curves: dict[str, list[float | None]] = {
        "rigid": [p.inliers * p.coverage for p in steps],
        "keypoints matched": [p.matched for p in steps],
        "log change of brightness": [p.gain for p in steps],
    }
    return [charts.line_chart(name, "per step", frames, values) for name, values in curves.items()] if steps else []
