"""The classical terms on measurements made by hand: what each punishes, and when it abstains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldr1.rewards.classical.pairs import GRID, Pair
from worldr1.rewards.classical.stream import Measured, join
from worldr1.rewards.classical.terms import consecutive, score_measured

GOOD = Pair(0, 1, 0.6, 0.98, 0.95, 0.002, (0.01, 0.0, 0.0, 0.0), 0.012, 0.001, 0.01, np.zeros((GRID, GRID), bool))


def stream(pairs: list[Pair], **changes: float) -> Measured:
    last = max(p.second for p in pairs) if pairs else 8
    return replace(Measured(last + 1, tuple(pairs), 0.0, 0.0, 0), **changes)


def steps(count: int = 9, gap: int = 1, **changes: float) -> list[Pair]:
    return [replace(GOOD, first=i, second=i + gap, **changes) for i in range(count)]


def parts(measured: Measured) -> dict[str, float | None]:
    return score_measured(measured).parts


def test_a_rigid_stream_with_parallax_is_good() -> None:
    score = score_measured(stream([*steps(), *steps(6, gap=3)]))
    assert score.value is not None
    assert score.value > 0.9
    assert score.notes == {}


@pytest.mark.parametrize(
    ("term", "changes"),
    [
        ("epipolar", {"inliers": 0.5}),
        ("epipolar", {"coverage": 0.5}),
        ("parallax", {"parallax": 0.0}),
        ("parallax", {"parallax": 0.01, "inliers": 0.45, "coverage": 0.4}),  # wobble is no parallax
    ],
)
def test_what_every_pair_shows(term: str, changes: dict[str, float]) -> None:
    value, good = parts(stream(steps(**changes)))[term], parts(stream(steps()))[term]
    assert value is not None
    assert good is not None
    assert value < good - 0.3


def test_trust_in_parallax_has_no_jump() -> None:
    values = [parts(stream(steps(parallax=5e-4, inliers=1.0, coverage=c)))["parallax"] for c in np.linspace(0, 1, 101)]
    assert values[0] == 0
    assert values[-1] == 1
    assert np.abs(np.diff(np.array(values, float))).max() < 0.05


def test_a_camera_that_jumps_to_and_fro() -> None:
    for axis in range(4):  # shift, growth and roll alike
        motions = [tuple(0.01 * (-1) ** i if k == axis else 0.0 for k in range(4)) for i in range(9)]
        jumping = [replace(p, motion=m) for p, m in zip(steps(), motions, strict=True)]
        assert parts(stream(jumping))["smoothness"] == pytest.approx(0.07, abs=0.06)
    accelerating = [replace(p, motion=(0.01 + 0.002 * i, 0.0, 0.0, 0.0)) for i, p in enumerate(steps())]
    assert parts(stream(accelerating))["smoothness"] == 1


def uneven(motion: tuple[float, ...], seconds: tuple[float, ...]) -> list[Pair]:
    """A pan with the given motion and duration of the steps, in turn."""
    way = [motion[i % len(motion)] for i in range(9)]
    lasts = [seconds[i % len(seconds)] for i in range(9)]
    return [
        replace(p, motion=(m, 0.0, 0.0, 0.0), spread=m, seconds=s) for p, m, s in zip(steps(), way, lasts, strict=True)
    ]


def test_a_camera_is_as_smooth_as_it_is_in_time() -> None:
    def smoothness(motion: tuple[float, ...], seconds: tuple[float, ...]) -> float:
        value = parts(stream(uneven(motion, seconds)))["smoothness"]
        assert value is not None
        return value

    assert smoothness((0.01, 0.03), (0.04, 0.12)) == 1  # the same speed
    assert smoothness((0.01, 0.01), (0.04, 0.12)) < 0.3  # as much way in a third of the time
    assert smoothness((0.01, 0.03), (0.04, 0.04)) < 0.3
    # a clock of milliseconds at 30 frames a second changes nothing
    assert smoothness((0.01, 0.02), (0.033, 0.034)) == smoothness((0.01, 0.02), (0.0333, 0.0333))
    assert smoothness((0.01, 0.03), (0.0, 0.1)) < 0.3  # times that tell nothing


def test_flicker_but_not_a_drift() -> None:
    flickering = [replace(p, gain=0.1 * (-1) ** i) for i, p in enumerate(steps())]
    value = parts(stream(flickering))["photometric"]
    assert value is not None
    assert value < 0.05
    assert parts(stream(steps(gain=0.1)))["photometric"] == 1


def test_a_cut_shuts_the_guard() -> None:
    cut = steps()
    cut[4] = replace(cut[4], matched=0.02)
    assert parts(stream(cut))["continuity"] == pytest.approx(0.02 / 0.36)
    assert parts(stream(steps()))["continuity"] == 1


def test_two_frames_are_enough_for_the_gate_and_for_a_cut() -> None:
    good = score_measured(stream(steps(1)))
    assert good.value is not None
    assert good.value > 0.9
    pan, cut = (score_measured(stream(steps(1, **c))) for c in ({"parallax": 0.0}, {"matched": 0.02}))
    assert pan.value == 0
    assert cut.parts["continuity"] == pytest.approx(0.02 / 0.24)
    assert set(good.notes) == {"smoothness", "photometric"}  # which need more steps


def test_one_pair_of_a_gap_does_not_outweigh_many_of_another() -> None:
    many = steps(9, parallax=0.0)
    assert parts(stream([*many, *steps(1, gap=8)]))["parallax"] == 0
    assert parts(stream([many[0], *steps(1, gap=3)]))["parallax"] == 1


def test_a_guard_that_cannot_tell_shuts() -> None:
    apart = score_measured(stream(steps(3, gap=8), untextured=9))  # every other frame shows nothing
    assert apart.parts["epipolar"] is not None
    assert apart.value == 0
    assert apart.notes["continuity"] == "too few keypoints to match; a guard without evidence counts as 0"


def test_black_and_frozen_frames() -> None:
    assert parts(stream(steps(), dark=0.5, frozen=0.5))["picture"] == 0.25


def test_without_texture_there_is_no_number() -> None:
    score = score_measured(stream([], untextured=20))
    assert score.value is None
    assert score.parts["epipolar"] is score.parts["parallax"] is score.parts["smoothness"] is None
    assert "too few keypoints" in score.notes["epipolar"]
    assert "20 frame pairs" in score.notes["texture"]


def test_a_camera_that_shall_not_travel_need_not_show_parallax() -> None:
    still = stream(steps(parallax=0.0))
    assert score_measured(still).value == 0
    score = score_measured(still, fixed_camera=True)
    assert score.value is not None
    assert score.value > 0.9
    assert score.parts["parallax"] is None
    assert "does not travel" in score.notes["parallax"]


def test_windows_are_joined_without_a_step_between_them() -> None:
    late = [replace(p, first=p.first + 100, second=p.second + 100) for p in steps()]
    joined = join([stream(steps(), dark=0.5), replace(stream(late), num_frames=10, dark=0.0, frozen=0.3)])
    assert joined.num_frames == 20
    assert joined.dark == pytest.approx(0.25)
    assert joined.frozen == pytest.approx(0.15)
    assert len(consecutive(joined.at_gap(1))) == 2 * 8
    with pytest.raises(ValueError, match="no window"):
        join([])
