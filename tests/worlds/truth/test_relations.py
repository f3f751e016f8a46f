"""Signs of relations, and where they begin and end, in scenes built by hand."""

from __future__ import annotations

import numpy as np

from worldr1.worlds.record import Record
from worldr1.worlds.truth.layout import layout
from worldr1.worlds.truth.trajectories import direction, simplify
from worlds.truth.hand import look, record_of, scene_of, thing

F = 16


def told(r: Record) -> set[tuple[int, str, int]]:
    return {(q.subject, q.kind, q.object) for q in r.relations}


def test_sides_as_the_camera_sees_them() -> None:
    # the subject is the smaller one
    left = record_of(scene_of([thing(0, half=0.3), thing(1, "ball")], [(-1.5, 0, 0.3), (1, 0, 0.5)]))
    assert told(left) == {(0, "left of", 1)}
    (q,) = left.relations
    assert (q.start, q.end) == (0, F - 1)
    assert 1.6 < q.margin < 2.5 - 0.3  # 2.5 m between centres, less half of the two half widths
    right = record_of(scene_of([thing(0, half=0.3), thing(1, "ball")], [(1.5, 0, 0.3), (-1, 0, 0.5)]))
    assert told(right) == {(0, "right of", 1)}
    # the same objects seen from behind
    turned = look(F, at=(0.0, 6.0, 1.0))
    turned.c2w[:, :3, :3] = turned.c2w[:, :3, :3] * np.array([-1, 1, -1])
    behind = record_of(scene_of([thing(0, half=0.3), thing(1, "ball")], [(1.5, 0, 0.3), (-1, 0, 0.5)], turned))
    assert told(behind) == {(0, "left of", 1)}


def test_depth_order() -> None:
    pair = [thing(0, half=0.3), thing(1, "ball")]
    assert told(record_of(scene_of(pair, [(-0.5, -2, 0.3), (0.3, 2, 0.5)]))) == {(0, "in front of", 1)}
    assert told(record_of(scene_of(pair, [(-0.9, 2, 0.3), (0.3, -2, 0.5)]))) == {(0, "behind", 1)}
    # 45° off: both are said
    both = told(record_of(scene_of(pair, [(-1.6, -1.2, 0.3), (0.6, 1.2, 0.5)])))
    assert both == {(0, "in front of", 1), (0, "left of", 1)}


def test_what_rests_on_what() -> None:
    stack = [thing(0, "table", half=(0.8, 0.8, 0.4)), thing(1, "crate", half=0.3), thing(2, "ball", "blue", half=0.2)]
    r = record_of(scene_of(stack, [(0, 0, 0.4), (0.2, 0, 1.1), (0.2, 0, 1.6)]))
    assert told(r) == {(1, "on", 0), (2, "on", 1), (2, "supported by", 0)}
    floating = record_of(scene_of(stack, [(0, 0, 0.4), (0.2, 0, 1.1), (0.2, 0, 2.2)]))
    assert told(floating) == {(1, "on", 0), (2, "above", 1), (2, "above", 0)}
    beside = told(record_of(scene_of(stack[:2], [(0, 0, 0.4), (1.5, 0, 1.1)])))
    assert not {k for _, k, _ in beside} & {"on", "above", "supported by"}


def test_near_depends_on_size() -> None:
    def kinds(half: float, gap: float) -> set[str]:
        pair = [thing(0, half=half), thing(1, half=half, colour="blue")]
        side = half + gap / 2
        return {k for _, k, _ in told(record_of(scene_of(pair, [(-side, 0, half), (side, 0, half)])))}

    assert "near" in kinds(0.5, 0.3)
    assert "near" not in kinds(0.5, 0.6)
    assert "near" not in kinds(0.2, 0.3)


def test_between_two() -> None:
    row = [thing(i, "ball", c, half=0.3) for i, c in enumerate(("red", "blue", "green"))]
    r = record_of(scene_of(row, [(0.1, 0, 0.3), (-1.5, 0, 0.3), (1.5, 0.2, 0.3)]))
    assert [(q.subject, q.object, q.other) for q in r.relations if q.kind == "between"] == [(0, 1, 2)]
    aside = record_of(scene_of(row, [(0.1, -1.5, 0.3), (-1.5, 0, 0.3), (1.5, 0.2, 0.3)]))
    assert not [q for q in aside.relations if q.kind == "between"]


def test_relations_begin_and_end_with_the_motion_and_with_sight() -> None:
    x = np.linspace(-2, 2, F)[:, None]
    path = np.hstack([x, 0 * x - 1.5, 0 * x + 0.3])
    pair = [thing(0, "ball", half=0.3, dynamic=True), thing(1, "crate", "blue")]
    r = record_of(scene_of(pair, [path, (0, 0.0, 0.5)]))
    left = [q for q in r.relations if q.kind == "left of"]
    right = [q for q in r.relations if q.kind == "right of"]
    assert len(left) == len(right) == 1
    assert left[0].start == 0
    assert right[0].end == F - 1
    assert 4 <= left[0].end < right[0].start <= 11
    # behind the crate and out of sight, nothing is said of it
    hidden = record_of(scene_of(pair, [path * [0.2, -1, 1], (0, -1.0, 0.5)]))
    (front,) = [q for q in hidden.relations if q.kind == "behind"] or [None]
    for q in hidden.relations:
        assert min(hidden.objects[0].visible_px[q.start : q.end + 1]) > 0
    assert front is None or front.end < F


def test_the_list_stays_small() -> None:
    rng = np.random.default_rng(0)
    crowd = [thing(i, "ball", half=0.25) for i in range(31)]
    grid = np.array([(x * 0.7 - 2.0, y * 0.9 - 1, 0.25) for y in range(5) for x in range(7)][:31])
    grid[:, :2] += rng.uniform(-0.1, 0.1, (31, 2))
    r = record_of(scene_of(crowd, list(grid), look(F, (0, -5, 2))))
    assert 20 < len(r.relations) < 6 * 31


def test_trajectory_past_a_landmark() -> None:
    x = np.linspace(-2.2, 2.2, F)[:, None]
    things = [thing(0, "car", half=0.3, dynamic=True), thing(1, "house", "white", landmark=True, half=(0.6, 0.6, 1.0))]
    near = record_of(scene_of(things, [np.hstack([x, 0 * x - 1.5, 0 * x + 0.3]), (0.0, 0.0, 1.0)]))
    (t,) = near.trajectories
    assert (t.object, t.direction, t.nearest_landmark) == (0, "right", 1)
    assert [(p.landmark, p.side, p.frame) for p in t.passings] == [(1, "in front of", 8)]
    assert t.polyline_m == [(-2.2, -1.5, 0.3), (2.2, -1.5, 0.3)]
    assert t.length_m == 4.4
    assert set(t.heading_deg) == {0.0}
    assert t.distance_m[0] == round(float(np.hypot(2.2, 1.5)), 3)
    far = record_of(scene_of(things, [np.hstack([-x, 0 * x + 1.5, 0 * x + 0.3]), (0.0, 0.0, 1.0)]))
    (t,) = far.trajectories
    assert t.direction == "left"
    assert [(p.side, p.frame) for p in t.passings] == [("behind", 8)]
    assert set(t.heading_deg) == {180.0}


def test_a_turning_camera_makes_nothing_pass() -> None:
    camera = look(F, pan_deg=40)
    camera.c2w[:, 0, 3] = np.linspace(-2, 2, F)  # travels too, so that parallax makes them cross
    things = [thing(0, "car", half=0.3, dynamic=True), thing(1, "house", "white", landmark=True)]
    slow = np.linspace(0, 0.05, F)[:, None]
    r = record_of(scene_of(things, [np.hstack([slow, 0 * slow - 2, 0 * slow + 0.3]), (0.3, 1.5, 0.5)], camera))
    assert r.trajectories[0].passings == []
    assert r.trajectories[0].direction == ""


def test_directions_in_the_cameras_view() -> None:
    camera = look(F).c2w
    t = np.linspace(0, 1, F)[:, None]

    def go(x: float, y: float, z: float) -> str:
        return direction(np.hstack([x * t, y * t, 3 + z * t]), camera)

    assert [go(1, 0.5, 0), go(-1, 0, 0), go(0, 1, 0), go(0, -1, 0.5)] == [
        "right",
        "left",
        "away from the camera",
        "towards the camera",
    ]
    assert [go(0, 0, 1), go(0, 0, -1), go(0.05, 0, 0)] == ["up", "down", ""]
    following = camera.copy()
    following[:, 1, 3] += 4 * t[:, 0]
    assert direction(np.hstack([0 * t, 4 * t, 0 * t]), following) == "with the camera"


def test_simplified_paths_stay_close() -> None:
    angle = np.linspace(0, np.pi, 40)
    path = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    simple = simplify(path, 0.02)
    assert 5 < len(simple) < 15
    assert (simple[[0, -1]] == path[[0, -1]]).all()
    a, b = simple[:-1], simple[1:]
    s = np.clip(((path[:, None] - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1), 0, 1)
    assert np.linalg.norm(path[:, None] - a - s[..., None] * (b - a), axis=-1).min(1).max() <= 0.02
    assert len(simplify(np.zeros((5, 3)), 0.1)) == 2


def test_boxes_of_objects_of_several_bodies_hold_all_of_them() -> None:
    scene = scene_of([thing(0, half=0.5), thing(0, half=0.2)], [(0, 0, 0.5), (1, 0, 0.2)])
    where = layout(scene.__class__(**{**vars(scene), "objects": scene.objects[:1]}))
    assert where.lo_m[0, 0].tolist() == [-0.5, -0.5, 0.0]
    assert where.hi_m[0, 0].tolist() == [1.2, 0.5, 1.0]
    assert where.position_m[0, 0].tolist() == [0, 0, 0.5]
