"""The report: complete, escaped, offline, and honest about what is missing."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from worldr1.report.charts import line_chart, smooth, ticks
from worldr1.report.page import Pair, ReportData, render, write_report
from worldr1.report.sprites import sprite_png

NASTY = "a red <script>alert('x')</script> cube & the camera \"orbits\" left"
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags close in order, and keeps what the tests look at."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.cells: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"script", "style"} & set(self.open):
            return
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.cells[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def row(self, name: str) -> list[str]:
        rows = [[" ".join(c.split()) for c in cells] for cells in self.cells]
        return next(r for r in rows if r[0] == name)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def make_video(seed: int, frames: int = 3, h: int = 8, w: int = 12) -> torch.Tensor:
    return torch.rand(frames, 3, h, w, generator=torch.Generator().manual_seed(seed))


def make_data(**changes: Any) -> ReportData:
    data = ReportData(
        results={
            "metrics": {
                "warp error": {"before": 0.05, "after": 0.031, "ci95": [-0.025, -0.013], "better": "lower"},
                "prompt agreement": {"before": 0.9, "after": 0.85, "ci95": [-0.08, -0.02], "better": "higher"},
                "motion": {"before": 0.4, "after": 0.41, "ci95": [-0.02, 0.04], "better": "higher"},
            },
            "guards": {
                "sharpness": {"value": 0.97, "threshold": 0.9, "pass": True},
                "saturation": {"value": 0.42, "threshold": 0.8, "pass": False},
            },
            "seconds": {"sampling": 5025.0, "update": 75.4},
            "command": "worldr1 train --preset tiny <&>",
            "version": "1.2.3",
            "seed": 17,
        },
        rows=[
            {"iteration": k + 1, "reward": 0.2 + 0.01 * k, "reward/depth": None if k == 4 else 0.1 * k, "kl": 0.0}
            for k in range(9)
        ],
        pairs=[
            Pair(NASTY, make_video(0), make_video(1), {"warp error": (0.061, 0.022)}),
            Pair("a blue ball", make_video(2), make_video(3)),
        ],
        worst=[Pair("a <b>green</b> cone", make_video(4), make_video(5), {"motion": (0.5, math.nan)})],
        config={"train": {"lr": 4e-4, "note": "</pre><script>"}},
    )
    return replace(data, **changes)


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = render(make_data())
    addresses = [v for _, attrs in Page(html).tags for k, v in attrs.items() if k in ("src", "href")]
    assert len(addresses) == 1 + 6  # the empty icon and the videos
    assert all(a is not None and a.startswith("data:") for a in addresses)
    assert "url(" not in html
    assert "@import" not in html


def test_the_document_is_well_formed() -> None:
    parsed = Page(render(make_data()))
    assert parsed.all("html") == [{"lang": "en"}]
    assert len(parsed.all("h1")) == 1
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))
    labels = {a["aria-labelledby"] for _, a in parsed.tags if "aria-labelledby" in a}
    assert labels <= set(ids)
    assert all(a.get("alt") for a in parsed.all("img"))


def test_text_from_outside_is_escaped() -> None:
    html = render(make_data())
    parsed = Page(html)
    for prompt in (NASTY, "a blue ball", "a <b>green</b> cone"):
        assert prompt in parsed.text
    alts = [a["alt"] for a in parsed.all("img")]
    assert alts[:2] == [f"Before: {NASTY}", f"After: {NASTY}"]
    assert "<script>alert" not in html
    assert parsed.all("b") == []
    assert len(parsed.all("script")) == 1
    assert "worldr1 train --preset tiny <&>" in parsed.text
    assert "</pre><script>" in parsed.text


def test_metrics_show_numbers_and_verdicts() -> None:
    parsed = Page(render(make_data()))
    row = ["warp error", "↓ lower", "0.0500", "0.0310", "−0.0190", "[−0.0250, −0.0130]", "✓ better"]
    assert parsed.row("warp error") == row
    assert parsed.row("prompt agreement")[-1] == "✗ worse"
    assert parsed.row("motion")[-1] == "○ not clear"


def test_a_metric_without_an_interval_gets_no_verdict() -> None:
    results = {"metrics": {"fvd": {"before": 120.0, "after": 80.0, "ci95": None, "better": "lower"}}}
    expected = ["fvd", "↓ lower", "120", "80", "−40", "not estimated", "– unknown"]
    assert Page(render(make_data(results=results))).row("fvd") == expected


def test_a_failed_guard_is_named_at_the_top() -> None:
    parsed = Page(render(make_data()))
    assert parsed.row("sharpness")[1:] == ["0.970", "0.900", "✓ pass"]
    assert parsed.row("saturation")[1:] == ["0.420", "0.800", "✗ fail"]
    assert "1 of 2 guards failed: saturation" in parsed.text
    assert parsed.text.index("1 of 2 guards failed") < parsed.text.index("Held-out metrics")
    passing = {"guards": {"sharpness": {"value": 1.0, "threshold": 0.9, "pass": True}}}
    assert "failed" not in Page(render(make_data(results=passing))).text


def test_the_better_figure_of_a_pair_is_marked() -> None:
    html = render(make_data())
    assert "<td>0.0610</td>" in html
    assert "<td><strong>0.0220</strong></td>" in html
    assert "<td>—</td>" in html  # not a number is not a value
    assert "nan" not in Page(html).text.split()


def test_an_interrupted_run_has_a_page_that_says_so() -> None:
    data = ReportData({}, [], [], [], {}, interrupted=True)
    text = Page(render(data)).text
    assert "This run was interrupted after 0 iterations" in text
    for what in ("held-out metrics", "guards", "training iterations", "videos to compare", "times by phase"):
        assert f"interrupted before there were {what}" in text
    assert "interrupted" not in Page(render(replace(data, interrupted=False))).text
    partly = render(make_data(results={"metrics": {}}, pairs=[], worst=[], interrupted=True))
    assert "interrupted after 9 iterations" in Page(partly).text
    assert "<path" in partly


def test_times_are_in_readable_units() -> None:
    parsed = Page(render(make_data()))
    assert parsed.row("sampling")[1:3] == ["1 h 23 min", "99 %"]
    assert parsed.row("update")[1:3] == ["1 min 15 s", "1 %"]


def test_sprites_decode_to_the_frames() -> None:
    data = make_data()
    images = Page(render(data)).all("img")
    pictures = [base64.b64decode(str(a["src"]).removeprefix("data:image/png;base64,")) for a in images]
    videos = [v for p in [*data.pairs, *data.worst] for v in (p.before, p.after)]
    for png, video in zip(pictures, videos, strict=True):
        bgr = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        assert bgr is not None
        assert bgr.shape == (8, 3 * 12, 3)
        for k, frame in enumerate(video):
            expected = (frame.permute(1, 2, 0) * 255).round().byte().numpy()
            np.testing.assert_array_equal(bgr[:, 12 * k : 12 * (k + 1), ::-1], expected)


def test_large_videos_are_shrunk_but_keep_their_shape() -> None:
    video = torch.cat([torch.zeros(2, 3, 240, 320), torch.ones(1, 3, 240, 320)])
    picture = cv2.imdecode(np.frombuffer(sprite_png(video), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (120, 3 * 160, 3)
    assert picture[:, :320].max() == 0
    assert picture[:, 320:].min() == 255


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (torch.zeros(3, 8, 8), r"pass \[frames, 3, h, w\]"),
        (torch.zeros(0, 3, 8, 8), r"pass \[frames, 3, h, w\]"),
        (torch.full((2, 3, 8, 8), 1.5), "clamp"),
        (torch.full((2, 3, 8, 8), math.nan), "clamp"),
    ],
)
def test_bad_videos_are_refused(video: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sprite_png(video)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"results": {"metrics": {"m": {"before": 1.0, "after": 2.0, "better": "bigger"}}}}, "lower"),
        ({"results": {"metrics": {"m": {"before": 1.0, "better": "lower"}}}}, "after"),
        ({"results": {"guards": {"g": {"value": 1.0}}}}, "threshold"),
        ({"rows": [{"reward": 1.0}]}, "iteration"),
        ({"config": {"device": torch.device("cpu")}}, "JSON-able"),
    ],
)
def test_bad_layouts_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(make_data(**changes))


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "run" / "report.html"
    write_report(make_data(), path)
    assert path.read_text(encoding="utf-8") == render(make_data())
    assert list(path.parent.iterdir()) == [path]


def test_the_old_page_survives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("worldr1.files.os.replace", refuse)
        with pytest.raises(OSError, match="disk full"):
            write_report(make_data(), path)
    with pytest.raises(ValueError, match="iteration"):
        write_report(make_data(rows=[{}]), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_curves_have_gaps_where_a_term_has_no_value() -> None:
    chart = line_chart("depth", "score", [1, 2, 3, 4, 5], [0.0, 1.0, None, math.nan, 0.5])
    assert len(re.findall("M", chart.raw)) == 2
    assert len(re.findall("L", chart.raw)) == 1
    ys = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", chart.raw)]
    assert ys[0] > ys[2] > ys[1]  # SVG's y points down
    assert line_chart("depth", "score", [1.0], [None]).raw == ""


def test_one_term_per_chart() -> None:
    charts = [a["aria-label"] for a in Page(render(make_data())).all("svg") if a.get("role") == "img"]
    assert [str(c).split(":")[0] for c in charts] == ["total reward", "depth", "KL to the base model"]
    never = [{"iteration": 1, "reward": 0.5, "reward/camera": None}]
    assert "No iteration has a value." in Page(render(make_data(rows=never))).text


def test_smoothing_ignores_gaps() -> None:
    assert smooth([1.0, None, 3.0, 5.0]) == [1.0, None, 4.0, 4.0]


@pytest.mark.parametrize(
    ("low", "high", "whole", "labels"),
    [
        (0.0, 1.0, False, ["0.0", "0.5", "1.0"]),
        (1.0, 140.0, True, ["50", "100"]),
        (1.0, 3.0, True, ["1", "2", "3"]),
        (-0.012, 0.02, False, ["−0.01", "0.00", "0.01", "0.02"]),
    ],
)
def test_ticks_are_round(low: float, high: float, whole: bool, labels: list[str]) -> None:
    assert [label for _, label in ticks(low, high, whole)] == labels
