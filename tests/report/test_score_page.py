"""The page of scored videos: offline, escaped, and its pictures show where and when a video breaks."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from worldr1.report.score_page import ScoredVideo, render, worst_step, write_score_page
from worldr1.report.score_pictures import data_uri, depth_strip, heat_strip, side_by_side, tracks
from worldr1.rewards.classical.file import MeasuredFile
from worldr1.rewards.classical.pairs import GRID, Pair
from worldr1.rewards.classical.stream import Measured
from worldr1.types import Score
from worldr1.video import Header

GOOD = Pair(0, 1, 0.6, 0.98, 0.95, 0.002, (0.01, 0.0, 0.0, 0.0), 0.012, 0.001, 0.01, np.zeros((GRID, GRID), bool))


def steps(count: int = 9) -> list[Pair]:
    return [replace(GOOD, first=i, second=i + 1) for i in range(count)]


def sliding(frames: int = 10, height: int = 120, width: int = 160) -> np.ndarray:
    """A noise picture that slides by 3 pixels a frame: ``[frames, h, w, 3]``."""
    noise = np.random.default_rng(0).integers(0, 256, (height // 4, width // 2, 3), np.uint8)
    wide = np.asarray(cv2.resize(noise, (2 * width, height), interpolation=cv2.INTER_CUBIC))
    return np.stack([wide[:, 3 * t : 3 * t + width] for t in range(frames)])


def decoded(uri: str) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1].astype(int)


@pytest.fixture
def scored(tmp_path: Path) -> ScoredVideo:
    path = tmp_path / "a <b>&.npy"
    np.save(path, sliding())
    score = Score(0.5, {"epipolar": 0.9, "parallax": None}, {"parallax": "<none> was found", "length": "8 windows"})
    measured = Measured(10, tuple(steps()), 0.0, 0.0, 0)
    times = {i: i**2 / 10 for i in range(10)}  # ever slower, whatever the header says
    return ScoredVideo(path, Header((120, 160), 8.0, 10), score, 10, 1.25, MeasuredFile(measured, 10, 1.25, times))


def test_the_page_is_offline_and_escaped(scored: ScoredVideo) -> None:
    html = render([scored], [None])
    addresses = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(addresses) == 4  # icon, strip, worst moment, tracks
    assert all(a.startswith("data:") for a in addresses)
    assert "<script" not in html
    assert "url(" not in html
    assert "a &lt;b&gt;&amp;.npy" in html
    assert "&lt;none&gt; was found" in html
    assert "<b>" not in html
    assert "0.500" in html
    assert "Length: 8 windows." in html
    assert html.count("<svg") == 3


def test_a_learned_backend_shows_depth(scored: ScoredVideo) -> None:
    learned = replace(scored, measured=None)  # as where nothing was matched
    html = render([learned], [lambda frames: frames.mean(1) + 1])
    assert "Estimated depth" in html
    assert "The worst moment" not in html
    assert "<svg" not in html


def test_written_whole_or_not_at_all(scored: ScoredVideo, tmp_path: Path) -> None:
    path = tmp_path / "page" / "r.html"
    write_score_page([scored], [None], path)
    assert path.read_text() == render([scored], [None])
    assert list(path.parent.iterdir()) == [path]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write"):
        write_score_page([scored], [None], tmp_path / "file" / "r.html")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inliers": 0.4}, "62% of what is matched"),
        ({"matched": 0.05}, "only 5% of the keypoints"),
        ({"gain": 0.18}, r"brightness changes by \+20%"),
    ],
)
def test_the_worst_step_is_found_and_named(changes: dict[str, float], words: str) -> None:
    pairs = steps()
    pairs[5] = replace(pairs[5], **changes)
    worst = worst_step(Measured(10, tuple(pairs), 0.0, 0.0, 0))
    assert worst is not None
    assert (worst[0].first, worst[0].second) == (5, 6)
    assert re.search(words, worst[1])
    assert worst_step(Measured(10, (), 0.0, 0.0, 9)) is None


def test_nothing_stands_out_of_an_honest_video(scored: ScoredVideo) -> None:
    worst = worst_step(Measured(10, tuple(steps()), 0.0, 0.0, 0))
    assert worst is not None
    assert worst[1] == ""
    html = render([scored], [None])
    assert "No moment stands out" in html
    assert "The weakest step: frames 0 and 1, 0.00 s." in html
    assert "brightness changes" not in html


def test_the_worst_moment_is_at_the_time_of_its_frame(scored: ScoredVideo) -> None:
    assert scored.measured is not None
    pairs = steps()
    pairs[6] = replace(pairs[6], inliers=0.3)
    broken = replace(scored.measured, measured=Measured(10, tuple(pairs), 0.0, 0.0, 0))
    html = render([replace(scored, measured=broken)], [None])
    assert "The worst moment" in html
    assert "Frames 6 and 7, 3.60 s: 72%" in html


def test_heat_is_where_cells_break() -> None:
    grey = np.full((120, 160, 3), 128, np.uint8)
    broken = np.zeros((GRID, GRID), bool)
    broken[4:, :4] = True  # lower left
    strip = decoded(heat_strip({0: grey, 3: grey}, [replace(GOOD, first=3, second=4, broken=broken)]))
    redness = strip[..., 0] - strip[..., 2]
    height, width = redness.shape
    quiet, hot = redness[:, : width // 2], redness[:, width // 2 :]
    assert quiet[height // 4 :, :-16].max() < 20  # JPEG blocks blend at the seam
    assert hot[3 * height // 4 :, : width // 8].mean() > 60
    assert abs(hot[height // 4 : height // 2 - 12, width // 4 + 12 :].mean()) < 10


def test_matches_and_tracks_are_drawn() -> None:
    video = sliding()
    picture = side_by_side(video[0], video[2])
    inliers, matches = map(int, re.findall(r"(\d+) of (\d+) matches", picture.caption)[0])
    assert inliers > 0.9 * matches > 30
    shown = decoded(picture.png)
    assert ((shown[..., 1] - shown[..., 0] > 80) & (shown[..., 1] > 150)).sum() > 100  # green arrows
    plain = cv2.resize(video[-1], (256, 192), interpolation=cv2.INTER_AREA)
    drawn = np.abs(decoded(tracks(list(video))) - plain).max(2) > 60
    assert 300 < drawn.sum() < 0.6 * drawn.size
    assert tracks(list(np.full((3, 64, 64, 3), 90, np.uint8))) == ""


def test_near_is_bright() -> None:
    def depth(frames: torch.Tensor) -> torch.Tensor:
        near_left = torch.linspace(1, 20, frames.shape[-1])
        return near_left.expand(len(frames), *frames.shape[-2:])

    strip = decoded(depth_strip(list(sliding(1)), depth))
    assert strip[:, :20].mean() > strip[:, -20:].mean() + 80


def test_data_uris_keep_colours() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(decoded(data_uri(red)) - red).max() < 12
