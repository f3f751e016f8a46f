"""Each primitive against its closed form, then what composing, easing and shaking must keep."""

import numpy as np
import pytest

from worldr1.worlds.camera import KINDS, OPPOSITE, camera_track, progress, there_and_back, to_camera_path
from worldr1.worlds.scene import CameraTrack, Floats, Move

EYE, TARGET = (1.0, -4.0, 1.5), (1.0, 2.0, 0.7)
FRAMES = 17


def track(*moves: Move, **options: float) -> CameraTrack:
    return camera_track(moves, FRAMES, eye_m=EYE, target_m=TARGET, **options)  # type: ignore[arg-type]


def whole(kind: str, magnitude: float, ease: str = "linear") -> Move:
    return Move(kind, 0.0, 1.0, magnitude, ease)  # type: ignore[arg-type]


def angle_deg(a: Floats, b: Floats) -> float:
    return float(np.rad2deg(np.arccos(np.clip((np.trace(a[:3, :3].T @ b[:3, :3]) - 1) / 2, -1, 1))))


def test_first_frame_is_a_level_camera_at_the_eye_facing_the_target() -> None:
    pose = track(whole("dolly in", 1)).c2w[0]
    forward = np.subtract(TARGET, EYE) / np.linalg.norm(np.subtract(TARGET, EYE))
    np.testing.assert_allclose(pose[:3, 3], EYE)
    np.testing.assert_allclose(pose[:3, 2], forward)
    np.testing.assert_allclose(pose[:3, 0], (1, 0, 0), atol=1e-12)  # looking along +y, the right is +x
    assert pose[2, 1] < 0  # y points down
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)


@pytest.mark.parametrize("ease", ["linear", "smooth"])
@pytest.mark.parametrize(
    ("kind", "axis", "sign"),
    [
        ("dolly in", 2, 1),
        ("dolly out", 2, -1),
        ("truck right", 0, 1),
        ("truck left", 0, -1),
        ("pedestal down", 1, 1),
        ("pedestal up", 1, -1),
    ],
)
def test_travel_is_along_the_cameras_own_axis(kind: str, axis: int, sign: int, ease: str) -> None:
    c2w = track(whole(kind, 2.5, ease)).c2w
    np.testing.assert_allclose(c2w[:, :3, :3], c2w[:1, :3, :3].repeat(FRAMES, 0), atol=1e-12)
    np.testing.assert_allclose(c2w[-1, :3, 3] - c2w[0, :3, 3], sign * 2.5 * c2w[0, :3, axis], atol=1e-12)
    if ease == "linear":
        np.testing.assert_allclose(c2w[4, :3, 3] - c2w[0, :3, 3], sign * 0.625 * c2w[0, :3, axis], atol=1e-12)


@pytest.mark.parametrize(("kind", "where"), [("pan left", (-1, 0)), ("pan right", (1, 0))])
def test_pan_turns_the_view_sideways_and_keeps_height_and_horizon(kind: str, where: tuple[int, int]) -> None:
    c2w = track(whole(kind, 90)).c2w
    np.testing.assert_allclose(c2w[:, :3, 3], np.tile(EYE, (FRAMES, 1)))
    heading = c2w[-1, :2, 2] / np.linalg.norm(c2w[-1, :2, 2])
    np.testing.assert_allclose(heading, where, atol=1e-12)  # it looked along +y
    np.testing.assert_allclose(c2w[:, 2, 0], 0, atol=1e-12)  # right stays level
    np.testing.assert_allclose(c2w[:, 2, 2], c2w[0, 2, 2])  # so does the pitch


@pytest.mark.parametrize(("kind", "sign"), [("tilt up", 1), ("tilt down", -1)])
def test_tilt_changes_the_pitch_alone(kind: str, sign: int) -> None:
    c2w = track(whole(kind, 20)).c2w
    pitch = np.rad2deg(np.arcsin(c2w[:, 2, 2]))
    np.testing.assert_allclose(pitch, pitch[0] + sign * np.linspace(0, 20, FRAMES))
    np.testing.assert_allclose(c2w[:, :3, 0], c2w[:1, :3, 0].repeat(FRAMES, 0), atol=1e-12)


@pytest.mark.parametrize(("kind", "sign"), [("roll clockwise", 1), ("roll counterclockwise", -1)])
def test_roll_is_named_from_behind_the_camera(kind: str, sign: int) -> None:
    c2w = track(whole(kind, 30)).c2w
    np.testing.assert_allclose(c2w[:, :3, 2], c2w[:1, :3, 2].repeat(FRAMES, 0), atol=1e-12)
    assert angle_deg(c2w[0], c2w[-1]) == pytest.approx(30)
    # clockwise: the camera's right side sinks, so the picture of an upright thing leans to the left
    assert sign * c2w[-1, 2, 0] < 0


@pytest.mark.parametrize(("kind", "sign"), [("orbit left", -1), ("orbit right", 1)])
def test_orbit_keeps_height_and_distance_and_looks_at_a_pivot_in_front(kind: str, sign: int) -> None:
    c2w = track(whole(kind, 120)).c2w
    away = np.subtract(TARGET, c2w[:, :3, 3])
    distance = np.linalg.norm(away, axis=-1)
    np.testing.assert_allclose(distance, np.linalg.norm(np.subtract(TARGET, EYE)))
    np.testing.assert_allclose(c2w[:, :3, 2], away / distance[:, None], atol=1e-12)
    np.testing.assert_allclose(c2w[:, 2, 3], EYE[2])
    spoke = c2w[[0, -1], :2, 3] - np.array(TARGET[:2])
    cosine = spoke[0] @ spoke[1] / np.linalg.norm(spoke[0]) ** 2
    assert np.rad2deg(np.arccos(cosine)) == pytest.approx(120)
    assert sign * (c2w[1, :3, 3] - c2w[0, :3, 3]) @ c2w[0, :3, 0] > 0  # sets off to the named side


def test_an_orbit_after_a_pan_turns_around_what_the_camera_now_faces() -> None:
    c2w = track(Move("pan left", 0, 0.5, 90), Move("orbit right", 0.5, 1, 60)).c2w
    start = c2w[8]
    pivot = start[:3, 3] + start[:3, 2] * np.linalg.norm(np.subtract(TARGET, EYE))
    away = pivot - c2w[8:, :3, 3]
    np.testing.assert_allclose((away * c2w[8:, :3, 2]).sum(-1), np.linalg.norm(np.subtract(TARGET, EYE)))


def test_orbit_after_a_dolly_keeps_the_shorter_distance() -> None:
    c2w = track(Move("dolly in", 0, 0.5, 3), Move("orbit left", 0.5, 1, 45)).c2w
    distance = np.linalg.norm(np.subtract(TARGET, c2w[:, :3, 3]), axis=-1)
    np.testing.assert_allclose(distance[8:], distance[0] - 3)


@pytest.mark.parametrize(("kind", "ratio"), [("zoom in", 2.5), ("zoom out", 0.4)])
def test_zoom_changes_the_focal_length_and_nothing_else(kind: str, ratio: float) -> None:
    result = track(whole(kind, 2.5), focal_mm=35.0)
    np.testing.assert_allclose(result.c2w, result.c2w[:1].repeat(FRAMES, 0), atol=1e-12)
    assert result.focal_mm[0] == 35
    assert result.focal_mm[-1] == pytest.approx(35 * ratio)
    assert np.all(np.diff(result.focal_mm) * (ratio - 1) > 0)


@pytest.mark.parametrize("ease", ["linear", "smooth"])
def test_a_dolly_zoom_keeps_the_size_of_what_is_at_the_target(ease: str) -> None:
    distance = float(np.linalg.norm(np.subtract(TARGET, EYE)))
    result = track(whole("dolly out", distance / 2, ease), whole("zoom in", 1.5, ease))
    depth = ((np.array(TARGET) - result.c2w[:, :3, 3]) * result.c2w[:, :3, 2]).sum(-1)
    np.testing.assert_allclose(result.focal_mm / depth, 40.0 / distance)


def test_fixed_stays() -> None:
    result = track(Move("fixed", 0, 1, 0))
    assert np.ptp(result.c2w, axis=0).max() == 0
    assert np.ptp(result.focal_mm) == 0


def test_smooth_ease_starts_and_ends_at_rest_and_passes_the_middle() -> None:
    move = Move("dolly in", 0.2, 0.8, 1.0, "smooth")
    np.testing.assert_allclose(progress(move, np.array([0.0, 0.2, 0.5, 0.8, 1.0])), [0, 0, 0.5, 1, 1], atol=1e-12)
    h = 1e-4
    before, at, after = progress(move, np.array([0.2, 0.2 + h, 0.8 - h]))
    assert (at - before) / h < 1e-6
    assert (1 - after) / h < 1e-6
    assert np.all(np.diff(progress(move, np.linspace(0, 1, 200))) >= 0)


def test_a_sequence_does_one_move_after_the_other_along_the_axes_of_that_moment() -> None:
    c2w = track(Move("pan right", 0, 0.5, 90), Move("truck left", 0.5, 1, 2)).c2w
    np.testing.assert_allclose(c2w[:9, :3, 3], np.tile(EYE, (9, 1)))
    # looking along +x after the pan, the camera's left is +y
    np.testing.assert_allclose(c2w[-1, :3, 3] - EYE, (0, 2, 0), atol=1e-12)


def test_moves_that_meet_between_frames_are_exact() -> None:
    meet = 0.47  # between two frames
    c2w = track(Move("pan left", 0, meet, 90), Move("orbit left", meet, 1, 30)).c2w
    exact = camera_track(
        [Move("pan left", 0, 0.5, 90), Move("orbit left", 0.5, 1, 30)], FRAMES, eye_m=EYE, target_m=TARGET
    ).c2w
    np.testing.assert_allclose(c2w[-1], exact[-1], atol=1e-12)


def test_overlapping_moves_trace_the_curve_of_their_velocities() -> None:
    """Trucking right by s at a constant rate while panning left by φ draws an arc of radius s/φ."""
    c2w = track(whole("truck right", 2), whole("pan left", 90)).c2w
    chord = 2 * np.sqrt(2) * 2 / np.pi
    assert np.linalg.norm(c2w[-1, :3, 3] - c2w[0, :3, 3]) == pytest.approx(chord, rel=1e-4)


def test_overlapping_moves_end_at_the_same_pose_whatever_the_number_of_frames() -> None:
    moves = whole("truck right", 2), whole("pan left", 90), whole("dolly in", 1)
    few, many = (camera_track(moves, n, eye_m=EYE, target_m=TARGET).c2w[-1] for n in (5, 201))
    np.testing.assert_allclose(few, many, atol=2e-3)


def test_order_of_the_list_does_not_matter() -> None:
    a, b = Move("tilt up", 0, 0.4, 10), Move("dolly in", 0.4, 1, 2)
    np.testing.assert_array_equal(track(a, b).c2w, track(b, a).c2w)


@pytest.mark.parametrize("kind", [*OPPOSITE])
def test_there_and_back_returns(kind: str) -> None:
    magnitude = 360 if kind.startswith("pan") else 1.7
    result = track(*there_and_back(kind, magnitude))
    np.testing.assert_allclose(result.c2w[-1], result.c2w[0], atol=1e-9)
    assert result.focal_mm[-1] == pytest.approx(result.focal_mm[0])
    if KINDS[kind] == "deg":
        assert angle_deg(result.c2w[0], result.c2w[4]) > 0.8


def test_a_full_turn_visits_every_direction() -> None:
    c2w = track(*there_and_back("pan left", 360, "linear")).c2w
    heading = np.rad2deg(np.unwrap(np.arctan2(c2w[:9, 1, 2], c2w[:9, 0, 2])))
    np.testing.assert_allclose(heading - heading[0], np.linspace(0, 360, 9), atol=1e-9)


def test_shake_has_its_rms_is_slow_and_follows_its_seed() -> None:
    still = camera_track([Move("fixed", 0, 1, 0)], 81, eye_m=EYE, target_m=TARGET)
    shaken = camera_track([Move("fixed", 0, 1, 0)], 81, eye_m=EYE, target_m=TARGET, shake_deg=0.8, seed=3)
    angle = np.array([angle_deg(a, b) for a, b in zip(still.c2w, shaken.c2w, strict=True)])
    assert np.sqrt((angle**2).mean()) == pytest.approx(0.8, rel=1e-3)
    assert angle[0] == pytest.approx(0, abs=1e-5)
    np.testing.assert_array_equal(shaken.c2w[:, :3, 3], still.c2w[:, :3, 3])
    # band limit: no energy at periods below six frames, up to the window's leakage
    sway = shaken.c2w[:, 0, 2] - shaken.c2w[:, 0, 2].mean()
    power = np.abs(np.fft.rfft(sway * np.hanning(81))) ** 2
    assert power[np.fft.rfftfreq(81) > 1 / 5].sum() < 0.01 * power.sum()
    again = camera_track([Move("fixed", 0, 1, 0)], 81, eye_m=EYE, target_m=TARGET, shake_deg=0.8, seed=3)
    other = camera_track([Move("fixed", 0, 1, 0)], 81, eye_m=EYE, target_m=TARGET, shake_deg=0.8, seed=4)
    np.testing.assert_array_equal(again.c2w, shaken.c2w)
    assert np.abs(other.c2w - shaken.c2w).max() > 1e-3


def test_poses_stay_rigid_through_long_compositions() -> None:
    moves = Move("orbit left", 0, 1, 360), Move("roll clockwise", 0, 0.7, 180), Move("dolly in", 0.2, 1, 2)
    R = camera_track(moves, 81, eye_m=EYE, target_m=TARGET, shake_deg=1).c2w[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.tile(np.eye(3), (81, 1, 1)), atol=1e-10)


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ([], "0 camera moves"),
        ([Move("pan left", 0, 1, 5)] * 4, "4 camera moves"),
        ([Move("dolly-in", 0, 1, 1)], "did you mean 'dolly in'"),
        ([Move("moonwalk", 0, 1, 1)], "use one of dolly in"),
        ([Move("pan left", 0.5, 0.5, 5)], "0 <= start < end <= 1"),
        ([Move("pan left", 0, 1.2, 5)], "0 <= start < end <= 1"),
        ([Move("pan left", 0, 1, -5)], "the kind says the direction"),
        ([Move("zoom in", 0, 1, 0.5)], "above 1"),
        ([Move("fixed", 0, 1, 2)], "magnitude 0"),
        ([Move("pan left", 0, 1, 5, "bouncy")], "use 'linear' or 'smooth'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_filmed_is_refused(moves: list[Move], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        camera_track(moves, FRAMES, eye_m=EYE, target_m=TARGET)


def test_a_view_straight_down_and_a_single_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="no level camera"):
        camera_track([Move("pan left", 0, 1, 5)], FRAMES, eye_m=(0, 0, 3), target_m=(0, 0, 0))
    with pytest.raises(ValueError, match="at least 2"):
        camera_track([Move("pan left", 0, 1, 5)], 1, eye_m=EYE, target_m=TARGET)


def test_camera_path_has_pixels_of_the_picture() -> None:
    path = to_camera_path(track(whole("zoom in", 2), focal_mm=36.0), height=48, width=64)
    assert path.c2w.shape == (FRAMES, 4, 4)
    assert path.K[0].tolist() == [[64, 0, 32], [0, 64, 24], [0, 0, 1]]
    assert path.K[-1, 0, 0].item() == pytest.approx(128)
