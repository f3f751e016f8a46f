"""Real footage that packages ship: clean clips above their corrupted copies, and exact motion through a photograph.

A quick version of `benchmarks/real_footage.py`, on two clips of twelve frames.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from worldr1.evaluate import real_footage
from worldr1.evaluate.real_corruptions import CORRUPTIONS, Video
from worldr1.evaluate.real_footage import MOVES_M, SHOTS, Photograph, find_file, fly, motorcycle, read_shot
from worldr1.rewards.classical.stream import measure_stream
from worldr1.rewards.classical.terms import score_measured

FRAMES = 12


def shot(name: str) -> Video:
    path = find_file(SHOTS[name].package, SHOTS[name].file)
    if path is None:
        pytest.skip(f"{SHOTS[name].package} is not installed (extra: dev)")
    return read_shot(path, SHOTS[name].first, FRAMES)


def score(video: Video) -> float:
    value = score_measured(measure_stream(iter(video))).value
    assert value is not None
    return value


@pytest.mark.parametrize("name", ["bollard", "boom"])
def test_clean_footage_is_above_every_corruption_of_it(name: str) -> None:
    if name in MOVES_M:
        photograph = motorcycle()
        if photograph is None:
            pytest.skip("scikit-image is not installed (extra: dev)")
        video = fly(photograph, MOVES_M[name], FRAMES)
    else:
        video = shot(name)
    clean = score(video)
    assert clean > 0.6
    corrupted = {kind: score(corrupt(video, shot("railing"), 0)) for kind, corrupt in CORRUPTIONS.items()}
    assert max(corrupted.values()) < clean, corrupted
    # these prove nothing, whatever their other terms say
    assert max(corrupted[k] for k in ("static", "pan only", "zoom only", "rubber", "cut")) < 0.25 * clean, corrupted


def test_flying_through_a_plane_is_its_homography() -> None:
    """On a plane at 2 m the picture shifts by focal length times the move over the depth."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (60, 80, 3), np.uint8)
    image = np.asarray(cv2.resize(small, (480, 360), interpolation=cv2.INTER_CUBIC), np.uint8)
    photograph = Photograph(image, np.full((360, 480), 2.0, np.float32))
    first, last = fly(photograph, (0.1, 0.0, 0.0), 2, noise=0.0)
    shift, _ = cv2.phaseCorrelate(*(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY).astype(np.float32) for f in (first, last)))
    assert shift[0] == pytest.approx(-994.978 * 0.1 / 2.0, rel=0.05)
    assert abs(shift[1]) < 3  # the tremor


def test_near_things_move_farther_than_far_ones() -> None:
    photograph = motorcycle()
    if photograph is None:
        pytest.skip("scikit-image is not installed (extra: dev)")
    assert photograph.image.shape == (*photograph.depth_m.shape, 3)
    assert np.isfinite(photograph.depth_m).all()
    assert 1.5 < photograph.depth_m.min() < 2.5 < photograph.depth_m.max() < 6
    pair = measure_stream(iter(fly(photograph, (0.05, 0.0, 0.0), 2))).pairs[0]
    assert pair.inliers > 0.9
    assert pair.parallax > 0.001


def test_corruptions_keep_the_shape_and_repeat() -> None:
    video = np.random.default_rng(0).integers(0, 256, (6, 40, 60, 3), np.uint8)
    other = np.random.default_rng(1).integers(0, 256, (6, 30, 30, 3), np.uint8)
    for kind, corrupt in CORRUPTIONS.items():
        first = corrupt(video, other, 3)
        assert first.shape == video.shape, kind
        assert first.dtype == np.uint8, kind
        assert not np.array_equal(first, video), kind
        np.testing.assert_array_equal(first, corrupt(video, other, 3))


def test_a_package_that_is_not_there_has_no_file() -> None:
    assert find_file("no-such-distribution", "a.mp4") is None
    assert find_file("numpy", "no-such-file.mp4") is None
    assert set(real_footage.TUNED_ON) <= {*SHOTS, *MOVES_M}
