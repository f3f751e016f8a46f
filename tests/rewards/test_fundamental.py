"""Epipolar geometry of correspondences whose truth is known, of which many are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from worldr1.rewards.epipolar import rigid_share
from worldr1.rewards.fundamental import Array, fit_fundamental, sampson_px

SIDE = 128
K = np.array([[110.0, 0, 64], [0, 110, 64], [0, 0, 1]])
TURN, TRAVEL = Rotation.from_rotvec([0.01, 0.03, 0]).as_matrix(), np.array([0.25, 0.02, 0.05])


def pictures(points: int = 1500) -> tuple[Array, Array]:
    """Where two cameras see a cloud of points."""
    rng = np.random.default_rng(0)
    x = np.stack([rng.uniform(-2, 2, points), rng.uniform(-2, 2, points), rng.uniform(3, 8, points)], 1)
    seen = [y[:, :2] / y[:, 2:] for y in (x @ K.T, (x @ TURN.T + TRAVEL) @ K.T)]
    here = ((seen[0] > 0) & (seen[0] < SIDE)).all(1)
    return seen[0][here], seen[1][here]


def noise(like: Array, sigma_px: float, seed: int) -> Array:
    return np.random.default_rng(seed).normal(0, sigma_px, like.shape)


def test_sampson_distance_is_how_far_a_point_is_off_its_line() -> None:
    p, q = pictures()
    x, y, z = TRAVEL
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    F = np.linalg.inv(K).T @ cross @ TURN @ np.linalg.inv(K)
    assert sampson_px(F, p, q).max() < 1e-9
    # off by a pixel across the line, shared by both pictures: 1/√2 where either line is as steep
    across = np.stack([np.zeros(len(q)), np.ones(len(q))], 1)  # the lines run along the rows, nearly
    assert np.median(sampson_px(F, p, q + across)) == pytest.approx(0.5**0.5, abs=0.05)
    assert np.median(sampson_px(F, p, q + across[:, ::-1])) < 0.2


def test_a_quarter_of_wild_correspondences_leaves_the_geometry_where_it_is() -> None:
    p, q = pictures()
    found = q + noise(q, 0.1, 1)
    found[:400] += np.random.default_rng(2).uniform(-8, 8, (400, 2))
    F = fit_fundamental(p, found, 0.35)
    assert F is not None
    assert sampson_px(F, p, q).mean() < 0.01  # MAGSAC++ alone: .05


def test_no_geometry_where_there_are_no_correspondences_to_fit() -> None:
    spot = np.full((50, 2), 3.0)
    assert fit_fundamental(spot, spot, 0.35) is None
    assert rigid_share(spot, spot, SIDE, SIDE, 0.35) == 0.0


def test_another_draw_of_the_same_error_changes_little() -> None:
    p, q = pictures()
    shares = np.log([rigid_share(p, q + noise(q, 0.35, seed), SIDE, SIDE, 0.35) for seed in range(12)])
    assert shares.std() < 0.009  # counting who is within the limit: .012
    assert np.log(rigid_share(p, q + noise(q, 0.5, 0), SIDE, SIDE, 0.35)) < shares.min() - 0.05
