"""The nearest turn: pans, zooms and slides are found exactly, travel is not, and what is lost leads nobody astray."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from worldr1.geometry.turn import Floats, nearest_turn

SIDE = 128
K = np.array([[144.0, 0, 64], [0, 144.0, 64], [0, 0, 1]])


def grid() -> Floats:
    axis = np.arange(2.5, SIDE, 6)
    return np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


def seen(points: Floats, depth: Floats, turn_deg: tuple[float, float, float], zoom: float, move_m: Floats) -> Floats:
    """Where points at these depths are for a camera that has turned, zoomed and gone."""
    rays = np.c_[(points - 64) / 144, np.ones(len(points))] * depth[:, None]
    there = (rays - move_m) @ Rotation.from_euler("yxz", turn_deg, degrees=True).as_matrix().T
    landings: Floats = 144 * zoom * there[:, :2] / there[:, 2:] + 64
    return landings


def hills(points: Floats) -> Floats:
    depth: Floats = 4 + 2 * np.sin(points[:, 0] / 17) + np.cos(points[:, 1] / 11)
    return depth


@pytest.mark.parametrize(
    ("turn_deg", "zoom"),
    [((6.0, 0.0, 0.0), 1.0), ((-8.0, 5.0, 3.0), 1.0), ((0.0, 0.0, 0.0), 1.2), ((5.0, -3.0, 2.0), 0.8)],
)
def test_turns_and_zooms_are_found_whatever_the_depth(turn_deg: tuple[float, float, float], zoom: float) -> None:
    points = grid()
    landings = seen(points, hills(points), turn_deg, zoom, np.zeros(3))
    found = nearest_turn(points, landings, K)
    assert np.abs(found(points) - landings).max() < 0.02


@pytest.mark.parametrize("focal_px", [58.0, 90.0, 500.0])
def test_the_focal_length_need_not_be_known(focal_px: float) -> None:
    points = grid()
    rays = np.c_[(points - 64) / focal_px, np.ones(len(points))]
    there = rays @ Rotation.from_euler("yx", [9.0, -4.0], degrees=True).as_matrix().T
    landings = focal_px * there[:, :2] / there[:, 2:] + 64
    assert np.abs(nearest_turn(points, landings, K)(points) - landings).max() < 0.1


def test_a_picture_that_slides_is_a_turn_from_far_away() -> None:
    points = grid()
    for slide in ([9.0, 0.0], [-4.0, 6.0]):
        found = nearest_turn(points, points + slide, K)
        assert np.abs(found(points) - points - slide).max() < 0.1
        assert found.focal_px > 1000


@pytest.mark.parametrize("move_m", [[0.5, 0, 0], [0, -0.5, 0], [0, 0, 0.8]])
def test_travel_past_things_at_different_depths_is_no_turn(move_m: list[float]) -> None:
    points = grid()
    landings = seen(points, hills(points), (0, 0, 0), 1.0, np.array(move_m))
    off = np.linalg.norm(nearest_turn(points, landings, K)(points) - landings, axis=1)
    assert np.quantile(off, 0.75) > 1.0


def test_a_drive_over_bare_ground_is_no_turn_though_it_is_a_homography() -> None:
    points = grid()[grid()[:, 1] > 74]
    depth = 1.5 * 144 / (points[:, 1] - 64)  # the ground, 1.5 m below a level camera
    landings = seen(points, depth, (0, 0, 0), 1.0, np.array([0, 0, 0.5]))
    off = np.linalg.norm(nearest_turn(points, landings, K)(points) - landings, axis=1)
    assert np.quantile(off, 0.75) > 1.0


def test_a_tenth_that_is_lost_leads_nobody_astray() -> None:
    points, rng = grid(), np.random.default_rng(0)
    landings = seen(points, hills(points), (7.0, 2.0, 0.0), 1.0, np.zeros(3))
    lost = rng.random(len(points)) < 0.1
    wrong = landings + lost[:, None] * rng.uniform(-12, 12, landings.shape)
    found = nearest_turn(points, wrong, K)
    assert np.abs(found(points) - landings).max() < 0.5
