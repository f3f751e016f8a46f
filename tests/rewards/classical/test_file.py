"""What a file says beyond its frames: when they are shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from worldr1.rewards.classical import file
from worldr1.rewards.classical.stream import measure_stream, working_size
from worldr1.rewards.classical.terms import score_measured


def test_a_camera_is_smooth_in_time_where_the_rate_varies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 80, 3), np.uint8)
    wide = np.asarray(cv2.resize(noise, (320, 128), interpolation=cv2.INTER_CUBIC), np.uint8)
    frames = np.stack([wide[:, 2 * t : 2 * t + 128] for t in (0, 1, 4, 5, 8, 9)])  # ways of one and of three
    np.save(tmp_path / "uneven.npy", frames)

    def smoothness(times: list[float]) -> float:
        monkeypatch.setattr(file, "iter_frames", lambda *_: zip(frames, times, strict=True))
        value = score_measured(file.measure_file(tmp_path / "uneven.npy").measured).parts["smoothness"]
        assert value is not None
        return value

    assert smoothness([0.0, 0.1, 0.4, 0.5, 0.8, 0.9]) > 0.95
    assert smoothness([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]) < 0.3


def test_frames_of_one_colour_are_dark_whatever_the_colour() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    red = np.full((2, 64, 64, 3), (200, 0, 50), np.uint8)
    assert measure_stream([*noise, *red]).dark == 0.5


def test_a_mere_strip_is_refused() -> None:
    assert working_size(16, 2000) == (24000, 192)
    with pytest.raises(ValueError, match="2731x16 pixels are too narrow"):
        working_size(16, 2731)
