"""``worldr1 score``: what measures, what the prompt changes, long videos, and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from worldr1 import cli
from worldr1.commands.score import choose_backend
from worldr1.estimators.depth import PACKAGED
from worldr1.rewards.classical import file as classical_file
from worldr1.rewards.classical.file import measure_file, pick_frames
from worldr1.video import Header, read_header

Capture = pytest.CaptureFixture[str]
CLASSICAL = {"epipolar", "smoothness", "photometric", "parallax", "continuity", "picture"}
TINY = {"depth", "flow", "constancy", "camera", "parallax", "sharpness", "motion"}


def sliding(frames: int = 6, side: int = 128) -> np.ndarray:
    """A noise picture that slides by 2 pixels a frame, ``[frames, side, side, 3]``: a pan, without parallax."""
    noise = np.random.default_rng(0).integers(0, 256, (side // 4, side // 2 + frames, 3), np.uint8)
    wide = np.asarray(cv2.resize(noise, (2 * side + 4 * frames, side), interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.stack([wide[:, 2 * t : 2 * t + side] for t in range(frames)])


@pytest.fixture
def video(tmp_path: Path) -> Path:
    np.save(tmp_path / "slide.npy", sliding())
    return tmp_path / "slide.npy"


def scored(capfd: Capture, *arguments: object) -> dict[str, Any]:
    capfd.readouterr()
    assert cli.main(["score", *map(str, arguments), "--json"]) == 0
    video: dict[str, Any] = json.loads(capfd.readouterr().out)["videos"][0]
    return video


@pytest.mark.parametrize(
    ("size", "frames", "backend"),
    [
        ((128, 500), 20, "classical"),
        ((127, 500), 257, "tiny"),
        ((64, 64), 258, "classical"),
        ((64, 64), None, "classical"),
    ],
)
def test_auto(size: tuple[int, int], frames: int | None, backend: str) -> None:
    assert choose_backend("auto", Header(size, 8.0, frames)) == backend
    assert choose_backend("some/model", Header(size, 8.0, frames)) == "some/model"


def test_classical_needs_no_weights(video: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("worldr1.commands.score.make_reward", never)
    found = scored(capfd, video)
    assert set(found) == {"file", "score", "parts", "notes", "frames", "seconds"}
    assert set(found["parts"]) == CLASSICAL
    assert (found["frames"], found["seconds"]) == (6, pytest.approx(6 / 8))
    assert found["parts"]["epipolar"] > 0.9
    assert found["score"] == found["parts"]["parallax"] == 0


def test_the_prompt_may_ask_for_no_parallax(video: Path, capfd: Capture) -> None:
    for prompt in ("locked-off tripod shot of a wall", "slow pan to the right over a wall"):
        found = scored(capfd, video, "--prompt", prompt)
        assert found["parts"]["parallax"] is None, prompt
        assert "does not travel" in found["notes"]["parallax"]
        assert found["score"] > 0.8
    assert scored(capfd, video, "--prompt", "the camera trucks left past a wall")["score"] == 0


@pytest.mark.parametrize("backend", ["tiny", str(PACKAGED)])
def test_learned_backends_have_the_classical_terms_beside_theirs(video: Path, capfd: Capture, backend: str) -> None:
    found = scored(capfd, video, "--backend", backend)
    assert set(found["parts"]) >= TINY | CLASSICAL
    assert found["parts"]["parallax"] == 0  # the classical one
    assert found["notes"].keys() >= {name for name, value in found["parts"].items() if value is None}


def test_an_unknown_backend_is_one_line(video: Path, capfd: Capture) -> None:
    capfd.readouterr()
    assert cli.main(["score", str(video), "--backend", "/no/such/model"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "use classical, tiny" in err


def test_a_long_video_is_measured_in_windows(tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical_file, "LONG", 30)
    monkeypatch.setattr(classical_file, "WINDOW_FRAMES", 3)
    monkeypatch.setattr(classical_file, "WINDOWS", 4)
    path = tmp_path / "long.npy"
    frames = sliding(40, 128)
    np.save(path, frames)
    found = scored(capfd, path)
    assert found["frames"] == 40
    assert found["seconds"] == pytest.approx(5.0)
    assert found["notes"]["length"] == "4 windows of 3 frames, spread evenly over the 40 frames"
    measured = measure_file(path).measured
    assert measured.num_frames == 12
    assert [(p.first, p.second) for p in measured.pairs] == [
        (s + i, s + i + 1) for s in (0, 12, 25, 37) for i in (0, 1)
    ]
    picked = pick_frames(path, read_header(path), {13, 39})
    assert sorted(picked) == [13, 39]
    np.testing.assert_array_equal(picked[39], frames[39])


def test_the_page(video: Path, tmp_path: Path, capfd: Capture) -> None:
    page = tmp_path / "new" / "page.html"
    scored(capfd, video, "--report", page)
    assert "slide.npy" in page.read_text()
    assert "The worst moment" in page.read_text()
    capfd.readouterr()
    assert cli.main(["score", str(video), "--report", str(tmp_path)]) == 2
    assert "name a file for the report" in capfd.readouterr().err
