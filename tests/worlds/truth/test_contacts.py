"""Gaps against sampled points, contacts and collisions of motions with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from worldr1.worlds.record import Event
from worldr1.worlds.scene import STUFF, Body, Part, Scene
from worldr1.worlds.truth.contacts import collision_events, contact_events, pair_gaps
from worldr1.worlds.truth.events import moving_runs, start_stop_events, turn_events
from worldr1.worlds.truth.layout import layout
from worldr1.worlds.truth.solids import SHAPES, Solids, gaps, rotation_matrices
from worlds.truth.hand import look, scene_of, thing, without_ground

FRAMES, FPS = 16, 8.0
TIME_S = np.arange(FRAMES)[:, None] / FPS


def surface(shape: str, half: np.ndarray, rng: np.random.Generator, n: int) -> np.ndarray:
    """Points on and in a solid, from its implicit inequality."""
    p = rng.uniform(-1, 1, (n, 3))
    p[: n // 2] /= np.abs(p[: n // 2]).max(1, keepdims=True)  # faces of the cube
    if shape == "sphere":
        p /= np.maximum(np.linalg.norm(p, axis=1, keepdims=True), 1)
    elif shape == "cylinder":
        p[:, :2] /= np.maximum(np.linalg.norm(p[:, :2], axis=1, keepdims=True), 1)
    elif shape == "cone":
        p[:, :2] /= np.maximum(np.linalg.norm(p[:, :2], axis=1, keepdims=True), 1)
        p[:, :2] *= (1 - p[:, 2:]) / 2
    elif shape == "capsule":
        r = half[0]
        q = p * half
        core = np.clip(q[:, 2], -(half[2] - r), half[2] - r)
        off = q - np.stack([0 * core, 0 * core, core], 1)
        off *= np.minimum(1, r / np.maximum(np.linalg.norm(off, axis=1, keepdims=True), 1e-9))
        return off + np.stack([0 * core, 0 * core, core], 1)
    return p * half


def test_gaps_are_those_of_sampled_points() -> None:
    rng = np.random.default_rng(0)
    n, worst = 150, 0.0
    shapes = rng.integers(0, 5, (2, n))
    half = rng.uniform(0.2, 1.0, (2, n, 3))
    half[..., 1] = np.where(shapes == SHAPES.index("capsule"), half[..., 0], half[..., 1])
    half[..., 2] = np.where(shapes == SHAPES.index("capsule"), half[..., 0] + half[..., 2], half[..., 2])
    R = Rotation.random(2 * n, random_state=1).as_matrix().reshape(2, n, 3, 3)
    centre = np.stack([np.zeros((n, 3)), rng.normal(0, 1, (n, 3))])
    centre[1] *= rng.uniform(1.5, 4, (n, 1)) / np.linalg.norm(centre[1], axis=1, keepdims=True)
    a, b = (Solids(shapes[k], half[k], centre[k], R[k]) for k in (0, 1))
    gap, normal = gaps(a, b)
    apart = 0
    for i in range(n):
        clouds = [surface(SHAPES[shapes[k, i]], half[k, i], rng, 6000) @ R[k, i].T + centre[k, i] for k in (0, 1)]
        sampled = cKDTree(clouds[0]).query(clouds[1])[0].min()
        # no point of either lies beyond the separating plane, and the sampled distance is an upper bound
        assert gap[i] <= (clouds[1] @ normal[i]).min() - (clouds[0] @ normal[i]).max() + 1e-9
        if gap[i] > 0:
            apart += 1
            assert gap[i] <= sampled + 1e-9
            worst = max(worst, sampled - gap[i])
        else:
            assert sampled < 0.12, "said to overlap, though the clouds are apart"
    assert apart > 60
    assert worst < 0.1  # the clouds' spacing is 0.05 to 0.1


def test_extents_are_those_of_sampled_points() -> None:
    rng = np.random.default_rng(2)
    shapes = np.arange(5)
    half = np.tile([0.4, 0.4, 0.9], (5, 1))
    R = Rotation.random(5, random_state=3).as_matrix()
    lo, hi = Solids(shapes, half, np.zeros((5, 3)), R).extent()
    for i in range(5):
        points = surface(SHAPES[i], half[i], rng, 60000) @ R[i].T
        assert (points.min(0) >= lo[i] - 1e-9).all()
        assert (points.max(0) <= hi[i] + 1e-9).all()
        assert np.abs(points.min(0) - lo[i]).max() < 0.04
        assert np.abs(points.max(0) - hi[i]).max() < 0.04


def test_gaps_with_analytic_answers() -> None:
    eye = np.eye(3)
    corner = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    cases = [  # shape a, half a, R a, shape b, half b, centre b, gap
        ("sphere", 0.5, eye, "sphere", 0.25, (1.0, 1.0, 0.0), 2**0.5 - 0.75),
        ("box", 0.5, eye, "box", 0.5, (1.3, 0.2, 0.0), 0.3),
        ("box", 0.5, corner, "box", 0.5, (1.5, 0.0, 0.0), 1.0 - 0.5**0.5),
        ("box", 0.5, eye, "sphere", 0.5, (1.5, 1.5, 0.0), 2**0.5 - 0.5),
        ("box", 0.5, eye, "box", 0.5, (1.5, 1.5, 1.5), 0.75**0.5),
        ("cylinder", 0.5, eye, "sphere", 0.5, (1.0, 1.0, 0.3), 2**0.5 - 1.0),
        ("box", 0.5, eye, "box", 0.5, (0.9, 0.0, 0.0), -0.1),
    ]
    a = Solids(
        np.array([SHAPES.index(c[0]) for c in cases]),
        np.array([[c[1]] * 3 for c in cases]),
        np.zeros((len(cases), 3)),
        np.stack([c[2] for c in cases]),
    )
    b = Solids(
        np.array([SHAPES.index(c[3]) for c in cases]),
        np.array([[c[4]] * 3 for c in cases]),
        np.array([c[5] for c in cases]),
        np.tile(eye, (len(cases), 1, 1)),
    )
    gap, _ = gaps(a, b)
    assert gap == pytest.approx([c[6] for c in cases], abs=5e-3)


def test_rotation_matrices_are_scipys() -> None:
    R = Rotation.random(50, random_state=0)
    assert np.abs(rotation_matrices(R.as_quat()) - R.as_matrix()).max() < 1e-12


def happenings(scene: Scene) -> list[Event]:
    where = layout(scene)
    sizes_m = np.array([o.size_m for o in scene.objects])
    pairs = pair_gaps(where, sizes_m)
    return [*contact_events(where, pairs, sizes_m), *collision_events(where, pairs)]


def brief(events: list[Event], kind: str) -> list[tuple[int, list[int], int, int]]:
    return [(e.object, e.others, e.start, e.end) for e in events if e.kind == kind]


def along_x(x: np.ndarray, y: float = 0.0, z: float = 0.5) -> np.ndarray:
    return np.hstack([x, 0 * x + y, 0 * x + z])


def test_one_ball_hits_another_and_stops() -> None:
    hit_s = 1.0 + 0.4 / FPS  # between frames 8 and 9: no frame shows them touching for long
    first = np.where(hit_s >= TIME_S, -1 - 3 * (hit_s - TIME_S), -1.0)
    second = np.where(hit_s >= TIME_S, 0.0, 3 * (TIME_S - hit_s))
    balls = [thing(0, "ball", "red", dynamic=True), thing(1, "ball", "blue", dynamic=True)]
    events = happenings(scene_of(balls, [along_x(first), along_x(second)]))
    assert brief(events, "collision") == [(0, [1], 8, 9)]
    (hit,) = [e for e in events if e.kind == "collision"]
    assert hit.peak == pytest.approx(6.0, abs=0.01)  # closing at 3 m/s, parting at 3 m/s


def test_braking_in_front_of_another_car_is_no_collision() -> None:
    # from 1.5 m/s to rest at 10 cm from the other
    x = np.minimum(-1.1 - 1.5 * (1.0 - TIME_S), -1.1)
    cars = [thing(0, "car", "red", dynamic=True), thing(1, "car", "blue")]
    assert happenings(scene_of(cars, [along_x(x), (0, 0, 0.5)])) == []
    touching = np.minimum(-1.0 - 1.5 * (1.0 - TIME_S), -1.0)
    events = happenings(scene_of(cars, [along_x(touching), (0, 0, 0.5)]))
    assert brief(events, "contact") == [(0, [1], 8, 15)]
    assert len(brief(events, "collision")) == 1


def test_passing_close_by_is_neither() -> None:
    cars = [thing(0, "car", "red", dynamic=True), thing(1, "car", "blue", dynamic=True)]
    paths = [along_x(3 * TIME_S - 3), along_x(3 - 3 * TIME_S, y=1.06)]
    assert happenings(scene_of(cars, paths)) == []


def test_a_ghost_that_only_slows_down_inside_another_is_no_collision() -> None:
    hit_s = 1.0 + 0.5 / FPS
    x = np.where(hit_s >= TIME_S, -1 - 5 * (hit_s - TIME_S), -1 + 4 * (TIME_S - hit_s))
    balls = [thing(0, "ball", "red", dynamic=True), thing(1, "ball", "blue")]
    events = happenings(scene_of(balls, [along_x(x), (0, 0, 0.5)]))
    assert brief(events, "collision") == []
    assert len(brief(events, "contact")) == 1


def test_a_ball_that_bounces_on_the_ground() -> None:
    v = 3.0  # falls at v, bounces back at v, at t = 1.05 s; the sampled heights never touch
    z = 0.3 + v * np.abs(TIME_S - 1.05)
    events = happenings(scene_of([thing(0, "ball", half=0.3, dynamic=True)], [np.hstack([0 * z, 0 * z, z])]))
    assert brief(events, "collision") == [(0, [-1], 8, 9)]
    rolling = np.hstack([TIME_S, 0 * TIME_S, 0 * TIME_S + 0.3])
    assert happenings(scene_of([thing(0, "ball", half=0.3, dynamic=True)], [rolling])) == []  # rolling is no event


def test_a_free_fall_without_an_impact_is_no_collision() -> None:
    z = 20 - 0.5 * 9.81 * TIME_S**2
    ball = [thing(0, "ball", half=0.3, dynamic=True)]
    assert happenings(scene_of(ball, [np.hstack([0 * z, 0 * z, z])])) == []
    landed = np.maximum(0.3, 3.0 - 0.5 * 9.81 * TIME_S**2)
    events = happenings(scene_of(ball, [np.hstack([0 * z, 0 * z, landed])]))
    assert brief(events, "collision") == [(0, [-1], 5, 6)]
    assert brief(events, "contact") == [(0, [-1], 6, 15)]
    quiet = scene_of(ball, [np.hstack([0 * z, 0 * z, landed])], environment=without_ground())
    assert happenings(quiet) == []


def test_scenery_can_be_hit() -> None:
    wall = Body((Part("box", (0.1, 3.0, 2.0)),), STUFF)
    x = np.where(TIME_S <= 1.0, 2 - 2 * (1.0 - TIME_S) - 0.4, 1.6 - 1.0 * (TIME_S - 1.0))
    scene = scene_of([thing(0, "ball", half=0.3, dynamic=True)], [along_x(x, z=0.3)])
    walled = Scene(
        **{
            **vars(scene),
            "bodies": (*scene.bodies, wall),
            "position_m": np.concatenate([scene.position_m, np.tile([2.0, 0, 2.0], (FRAMES, 1, 1))], 1),
            "rotation": np.repeat(scene.rotation, 2, axis=1),
        }
    )
    events = happenings(walled)
    assert [(o, others) for o, others, _, _ in brief(events, "collision")] == [(0, [-1])]
    assert happenings(scene) == []


def test_starts_and_stops() -> None:
    assert moving_runs([0, 0, 0.14, 0.15, 0.1, 0.079, 0, 0]) == [(3, 4)]
    assert moving_runs([1, 0, 1, 1]) == [(0, 3)]  # one interval of rest: the top of a throw
    assert moving_runs([1, 0, 0, 1]) == [(0, 0), (3, 3)]
    assert moving_runs([]) == []
    x = np.clip(TIME_S - 0.5, 0, 0.75)
    scene = scene_of([thing(0, dynamic=True), thing(1)], [along_x(x), (5, 0, 0.5)])
    found = [(e.kind, e.object, e.start, e.end) for e in start_stop_events(layout(scene))]
    assert found == [("start", 0, 4, 5), ("stop", 0, 9, 10)]


@pytest.mark.parametrize("side", [1, -1])
def test_turns(side: int) -> None:
    angle = np.clip(TIME_S - 0.5, 0, 0.75) * 120 * side  # 90° within 0.75 s
    step = 2 / FPS * np.hstack([np.cos(np.radians(angle)), np.sin(np.radians(angle)), 0 * angle])
    path = np.cumsum(step, axis=0) + np.array([0, 0, 0.5])
    (turn,) = turn_events(layout(scene_of([thing(0, dynamic=True)], [path], look(FRAMES))))
    assert turn.peak == pytest.approx(90 * side, abs=16)
    assert 3 <= turn.start <= 4
    assert 10 <= turn.end <= 12
    straight = np.cumsum(0 * step + [0.2, 0.1, 0], axis=0)
    assert turn_events(layout(scene_of([thing(0, dynamic=True)], [straight]))) == []
