"""``worldr1 score``: what the backends measure, what the prompt changes, long videos, and the page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import cv2
import numpy as np
import pytest

from worldr1 import cli
from worldr1.commands import score_file as learned_file
from worldr1.commands.score_backends import load_backend
from worldr1.commands.score_file import joined
from worldr1.estimators.depth import PACKAGED
from worldr1.rewards import composite
from worldr1.rewards.classical import file as classical_file
from worldr1.rewards.classical.file import measure_file, pick_frames
from worldr1.rewards.general import GENERAL, TYPICAL
from worldr1.rewards.mirror import NOT_FINITE
from worldr1.rewards.spec import spec_of
from worldr1.types import Clip, Rollout, Score
from worldr1.video import read_header

Capture = pytest.CaptureFixture[str]
CLASSICAL = {"epipolar", "smoothness", "photometric", "parallax", "continuity", "picture"}
TINY = {"depth", "flow", "constancy", "camera", "parallax", "sharpness", "motion"}
WORLD = {*GENERAL, "sharpness", "motion"}


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


def test_classical_needs_no_weights(video: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("worldr1.commands.score.load_backend", never)
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


@pytest.fixture
def small(tmp_path: Path) -> Path:
    np.save(tmp_path / "small.npy", sliding(7, 48))
    return tmp_path / "small.npy"


def compare_with_a_pan(video: Path, capfd: Capture, backend: str, terms: set[str]) -> None:
    found = scored(capfd, video, "--backend", backend)
    assert set(found["parts"]) == terms
    assert found["parts"]["parallax"] < 0.1
    assert {name for name, value in found["parts"].items() if value is None} == set(found["notes"])
    panned = scored(capfd, video, "--backend", backend, "--prompt", "slow pan to the right over a wall")
    assert panned["parts"]["parallax"] is None
    assert "the spot" in panned["notes"]["parallax"] or "does not travel" in panned["notes"]["parallax"]
    assert panned["score"] > 0.1 > found["score"]


def test_tiny_has_its_own_terms_and_asks_no_parallax_of_a_pan(small: Path, capfd: Capture) -> None:
    compare_with_a_pan(small, capfd, "tiny", TINY)


@pytest.mark.slow
def test_world_has_the_general_terms_and_asks_no_parallax_of_a_pan(small: Path, capfd: Capture) -> None:
    compare_with_a_pan(small, capfd, "world", WORLD)


def test_names_are_the_general_reward_on_their_depth() -> None:
    world, named = load_backend("world"), load_backend(str(PACKAGED))
    assert set(world.terms) == set(named.terms) == WORLD
    assert world.both_hands
    assert named.both_hands
    assert world.typical == TYPICAL
    assert named.typical == {}  # not known of another network
    assert type(world.flow) is type(named.flow)


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


def test_networks_see_windows_of_a_long_video(tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned_file, "AT_ONCE", 10)
    monkeypatch.setattr(learned_file, "WINDOWS", 3)
    monkeypatch.setattr(learned_file, "WINDOW_FRAMES", 4)
    np.save(tmp_path / "long.npy", sliding(40, 32))
    found = scored(capfd, tmp_path / "long.npy", "--prompt", "the camera is fixed")
    assert (found["frames"], found["seconds"]) == (40, 5)
    assert found["notes"]["length"] == "3 windows of 4 frames, spread evenly over the 40 frames"
    assert found["parts"]["camera"] is None  # the path is that of the whole
    np.save(tmp_path / "short.npy", sliding(10, 32))
    found = scored(capfd, tmp_path / "short.npy", "--prompt", "the camera is fixed")
    assert "length" not in found["notes"]
    assert found["parts"]["camera"] is not None


def test_a_static_scene_is_asked_what_it_owes(tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[object]] = []

    class Reward:
        depth = flow = None
        typical = MappingProxyType({})

        def __call__(self, samples: list[Rollout | Clip]) -> list[Score]:
            facts = [s.prompt.facts if isinstance(s, Rollout) else None for s in samples]
            asked.extend([f if f is None else f.get("movers")] for f in facts)
            return [Score(0.5, {"depth": 0.5}) for _ in samples]

    monkeypatch.setattr("worldr1.commands.score.load_backend", lambda _: Reward())
    np.save(tmp_path / "a.npy", sliding(5, 48))
    for options in ((), ("--static-scene",), ("--prompt", "a pan"), ("--prompt", "a pan", "--static-scene")):
        assert scored(capfd, tmp_path / "a.npy", "--backend", "world", *options)["score"] == 0.5
    assert asked == [[None], [[]], [None], [[]]]


def test_windows_are_joined() -> None:
    a = Score(0.1, {"depth": 0.4, "camera": None, "continuity": 1.0}, {"camera": "no path"})
    b = Score(0.2, {"depth": 0.8, "camera": None, "continuity": 0.5}, {"camera": "no path"})
    whole = joined([a, b], {})
    assert whole.parts == {"depth": pytest.approx(0.6), "camera": None, "continuity": 0.5}
    assert whole.notes == {"camera": "no path"}
    assert whole.value == pytest.approx(0.3)
    typical = joined([a, b], dict(TYPICAL))
    assert typical.value is not None
    assert typical.value > 0.3  # the camera counts as usual
    assert joined([a], {}) is a


def test_a_gate_that_is_silent_in_a_window_is_zero_there() -> None:
    def window(gate: float | None, note: str = "") -> Score:
        return composite.scored({"flow": 0.9, "parallax": gate}, {"parallax": note} if note else {})

    open_, silent = window(1.0), window(None, "nothing can be followed")
    unasked, failed = window(None, spec_of("parallax").reason), window(None, NOT_FINITE)
    mixed = joined([silent, silent, open_, silent], {})
    assert mixed.parts["parallax"] == 0.25
    assert mixed.value == pytest.approx(0.9 * 0.25)
    assert mixed.notes["parallax"].startswith("in 3 of 4 windows nothing can be followed")
    assert joined([silent, silent], {}).value == 0
    assert joined([unasked, unasked], {}).value == pytest.approx(0.9)
    assert [joined(list(order), {}).value for order in ((failed, open_), (open_, failed), (silent, failed))] == [
        None
    ] * 3


def test_what_reading_leaves_out_is_noted(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "clear.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=8)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgra"
        for picture in sliding(5, 32):
            image = np.dstack([picture, np.full((32, 32), 99, np.uint8)])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgba").reformat(format="bgra")))
        file.mux(stream.encode())
    assert "transparency" in scored(capfd, path)["notes"]["alpha"]


def test_the_page(video: Path, tmp_path: Path, capfd: Capture) -> None:
    page = tmp_path / "new" / "page.html"
    scored(capfd, video, "--report", page)
    assert "slide.npy" in page.read_text()
    assert "No moment stands out" in page.read_text()
    capfd.readouterr()
    assert cli.main(["score", str(video), "--report", str(tmp_path)]) == 2
    assert "name a file for the report" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["victim.mp4", "victim", "slide.npy", "as.html"])
def test_the_page_takes_the_place_of_nothing(video: Path, capfd: Capture, name: str) -> None:
    victim = video.with_name(name)
    if name != video.name:
        victim.write_bytes(b"precious")
    before = victim.read_bytes()
    files = [video, victim] if name == "as.html" else [video]
    assert cli.main(["score", *map(str, files), "--report", str(victim)]) == 2
    err = capfd.readouterr().err
    assert ("one of the videos" if name == "as.html" else "ends in .html") in err
    assert len(err.splitlines()) == 1
    assert victim.read_bytes() == before


def test_any_file_name(video: Path, tmp_path: Path, capfd: Capture) -> None:
    odd = tmp_path / os.fsdecode(b"na\xefve.npy")
    odd.write_bytes(video.read_bytes())
    assert cli.main(["score", str(odd), "--report", str(tmp_path / "page.html")]) == 0
    assert "na\\xefve.npy" in capfd.readouterr().out
    assert "na\\xefve.npy" in (tmp_path / "page.html").read_text()
