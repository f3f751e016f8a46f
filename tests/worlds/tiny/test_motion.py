"""Camera directions are the camera's own."""

from __future__ import annotations

import numpy as np
import pytest

from worldr1.worlds.tiny.motion import FIXED, MOVES, camera_path


def own_axes_displacement(move: str, **options: float) -> np.ndarray:
    """Where the camera ends in its own first axes (x right, y down, z forward), ``[3]``."""
    c2w = camera_path(move, 9, **options)
    return (np.linalg.inv(c2w[0]) @ c2w[-1])[:3, 3]


@pytest.mark.parametrize("azimuth", [0.0, 1.0, 4.0])
@pytest.mark.parametrize(("move", "sign"), [("left", -1), ("right", 1)])
@pytest.mark.parametrize("kind", ["truck", "orbit"])
def test_left_is_the_cameras_left(kind: str, move: str, sign: int, azimuth: float) -> None:
    x, y, z = own_axes_displacement(f"{kind} {move}", azimuth_rad=azimuth)
    assert sign * x > 0.9
    assert abs(y) < (1e-4 if kind == "truck" else 0.6)
    assert abs(z) < (1e-4 if kind == "truck" else abs(x))


@pytest.mark.parametrize(("move", "sign"), [("push in", 1), ("pull out", -1)])
def test_push_goes_forward_and_pull_back(move: str, sign: int) -> None:
    x, y, z = own_axes_displacement(move, magnitude=1.0)
    assert sign * z > 0.9
    assert abs(x) < 1e-4
    assert np.hypot(y, z) == pytest.approx(1.2, abs=1e-3)


@pytest.mark.parametrize("move", ["orbit left", "orbit right"])
def test_an_orbit_keeps_its_distance_and_its_pivot_in_front(move: str) -> None:
    c2w = camera_path(move, 9, azimuth_rad=0.7, height_m=1.4, distance_m=3.6)
    assert np.allclose(np.linalg.norm(c2w[:, :2, 3], axis=1), 3.6, atol=1e-5)
    assert np.allclose(c2w[:, 2, 3], 1.4)
    pivot = np.linalg.inv(c2w) @ np.array([0.0, 0.0, 0.5, 1.0])
    assert (pivot[:, 2] > 3).all()
    assert np.allclose(pivot[:, :2], 0, atol=1e-5)  # it stays in the middle of the picture
    assert np.allclose(np.linalg.norm(pivot[:, :3], axis=1), pivot[0, 2], atol=1e-4)


@pytest.mark.parametrize("move", [*MOVES, FIXED])
def test_poses_are_rotations_with_the_sky_up(move: str) -> None:
    rotation = camera_path(move, 9, azimuth_rad=2.0)[:, :3, :3]
    assert np.allclose(rotation @ rotation.transpose(0, 2, 1), np.eye(3), atol=1e-5)
    assert np.allclose(np.linalg.det(rotation), 1, atol=1e-5)
    assert (rotation[:, 2, 1] < -0.5).all()  # the camera's down is the world's down


def test_fixed_rests_and_unknown_moves_are_named() -> None:
    assert np.allclose(camera_path(FIXED, 9), camera_path(FIXED, 9)[:1])
    with pytest.raises(ValueError, match="unknown camera move 'spin'"):
        camera_path("spin", 9)
