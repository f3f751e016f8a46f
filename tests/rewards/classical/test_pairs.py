"""What a pair of frames says, on exact matches of a cloud of points."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rewards.classical.points import POINTS_M, SHAPE, rotation, seen
from worldr1.estimators.matching import Features, SIFTMatcher
from worldr1.rewards.classical import pairs
from worldr1.rewards.classical.pairs import Pair, View, epipolar_inliers, measure_pair, threshold_px
from worldr1.rewards.classical.terms import _PARALLAX_SATURATION

MATCHER = SIFTMatcher()


def measured(a: View, b: View) -> Pair:
    pair = measure_pair(a, b, MATCHER)
    assert pair is not None
    return pair


def test_a_translation_is_rigid_and_shows_parallax() -> None:
    pair = measured(seen(), seen(1, place=(0.15, 0, 0)))
    assert pair.inliers > 0.95
    assert pair.coverage > 0.95
    assert pair.parallax > 2 * _PARALLAX_SATURATION
    assert not pair.broken.any()
    assert pair.motion[0] < -0.01  # the camera goes right, the picture left
    assert abs(pair.motion[2]) < 0.01


@pytest.mark.parametrize(
    "second",
    [seen(1), seen(1, turn=rotation(1, 4)), seen(1, turn=rotation(2, 3)), seen(1, zoom=1.08)],
    ids=["still", "pan", "roll", "zoom"],
)
def test_without_translation_there_is_no_parallax(second: View) -> None:
    pair = measured(seen(), second)
    assert pair.inliers > 0.9
    assert pair.parallax < _PARALLAX_SATURATION / 2


def test_a_dolly_makes_the_picture_grow_and_a_roll_turns_it() -> None:
    assert measured(seen(), seen(1, place=(0, 0, 0.3))).motion[2] > 0.01
    still, rolled = measured(seen(), seen(1)), measured(seen(), seen(1, turn=rotation(2, 3)))
    assert abs(still.motion[3]) < 0.001
    assert abs(rolled.motion[3]) > 0.005


def test_a_wobble_breaks_the_cells_where_it_is() -> None:
    pixels = POINTS_M[:, :2] / POINTS_M[:, 2:] * 260 + np.array(SHAPE[::-1]) / 2
    left = pixels[:, 0] < SHAPE[1] / 2
    wobble = np.random.default_rng(1).normal(0, 8, (500, 2)) * left[:, None]
    pair = measured(seen(), seen(1, place=(0.15, 0, 0), wobble=wobble))
    assert 0.4 < pair.inliers < 0.85
    assert pair.broken[:, :4].sum() > 8
    assert pair.broken[:, 4:].sum() <= 1


def test_brightness_is_the_gain() -> None:
    pair = measured(seen(), seen(1, place=(0.1, 0, 0), grey=0.6))
    assert pair.gain == pytest.approx(np.log(0.62 / 0.52), abs=1e-4)
    assert pair.residual == pytest.approx(abs(0.6 / np.exp(pair.gain) - 0.5), abs=1e-4)


def test_too_little_texture_is_no_measurement() -> None:
    few = seen()
    few = View(0, Features(few.features.points[:20], few.features.descriptors[:20]), SHAPE, few.low)
    assert measure_pair(few, seen(1), MATCHER) is None


def test_an_assertion_inside_opencv_is_not_a_broken_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's USAC fails on some good pairs; another estimator answers then."""
    p, q = (v.features.points[:200] for v in (seen(noise=0), seen(noise=0, place=(0.02, 0, 0))))
    real = cv2.findFundamentalMat

    def failing(a: object, b: object, method: int, *rest: object) -> object:
        if method == cv2.USAC_MAGSAC:
            raise cv2.error("model is empty")
        return real(a, b, method, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(pairs.cv2, "findFundamentalMat", failing)
    inlier, distance = epipolar_inliers(p, q + np.array([3, 0], np.float32), threshold_px(SHAPE))
    assert inlier.mean() > 0.9
    assert len(distance) == inlier.sum()
