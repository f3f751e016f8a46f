"""The table of scores: everything readable at 80 columns, for one file and for thirty."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from worldr1.commands.score_table import print_scores
from worldr1.rewards.general import GENERAL

TERMS = [*GENERAL, "sharpness", "motion"]


def row(index: int) -> dict[str, Any]:
    parts = {t: None if t == "rest" else (index + k) / 100 for k, t in enumerate(TERMS)}
    return {
        "file": f"/data/some/long/folder/of/many/videos/clip number {index:03d}.mp4",
        "score": 0.5 + index / 1000,
        "parts": parts,
        "notes": {"rest": "the prompt does not say that nothing moves by itself", "size": f"note {index % 2}"},
    }


def printed(count: int, width: int) -> str:
    out = io.StringIO()
    print_scores([row(i) for i in range(count)], Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("count", [1, 3, 4, 30])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_nothing_is_lost(count: int, width: int) -> None:
    text = printed(count, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    words = text.split()
    for i in range(count):
        assert f"{0.5 + i / 1000:.3f}" in words
        for k in range(len(TERMS)):
            assert TERMS[k] == "rest" or f"{(i + k) / 100:.3f}" in words
    assert set(TERMS) <= {w.rstrip(":") for w in words}
    folded = text.replace("\n", "").replace(" ", "")
    assert "thepromptdoesnotsaythatnothingmovesbyitself" in folded
    assert folded.count("thepromptdoesnotsay") == (count if count <= 3 else 1)  # said once for all
    assert "note0" in folded


def test_lengths() -> None:
    assert len(printed(1, 80).splitlines()) == 1 + len(TERMS) + 1
    lines = printed(30, 80).splitlines()
    assert lines[0] == "in /data/some/long/folder/of/many/videos:"
    assert sum("clip number 029.mp4" in line for line in lines) == 5  # once a table, and not folded
    assert len(lines) < 175
    text = " ".join(" ".join(lines).split())
    assert "note 0 (clip number 000.mp4, clip number 002.mp4, clip number 004.mp4 and 12 more)" in text


def test_names_without_a_folder_in_common() -> None:
    rows = [row(i) | {"file": name} for i, name in enumerate(("a.mp4", "/b/c.mp4", "d/e.mp4", "../f.mp4"))]
    out = io.StringIO()
    print_scores(rows, Console(file=out, width=80))
    assert all(r["file"] in out.getvalue() for r in rows)
    assert "in /" not in out.getvalue()
