"""Planned events happen, seen in rendered instance images and not in the plans' own geometry."""

from __future__ import annotations

import numpy as np
import pytest

from worldr1.worlds.families import scene_at
from worldr1.worlds.families.street import LANE_M
from worldr1.worlds.families.visibility import box_points, hidden_points, in_picture, reappears
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.rendered import FIRST_OBJECT, Rendered
from worldr1.worlds.scene import Scene

SIZE = 32
VISIBLE_PX = 6  # at 32 x 32; 12 px is asked for at 64 x 64


def visible_px(out: Rendered, clip: int, instance: int) -> np.ndarray:
    return (out.instance_ids[clip] == FIRST_OBJECT + instance).sum((1, 2))


def test_the_object_comes_out_again() -> None:
    scenes = [scene_at("occluder", 21, i) for i in range(40)]
    out = WarpRenderer()(scenes, SIZE, SIZE)
    happened = 0
    for i in range(40):
        seen, behind = visible_px(out, i, 0), (out.amodal_bits[i] & 1).astype(bool).sum((1, 2))
        gone = np.flatnonzero((seen == 0) & (behind >= VISIBLE_PX))
        happened += bool(
            len(gone) and seen[: gone[0]].max(initial=0) >= VISIBLE_PX and seen[gone[-1] :].max() >= VISIBLE_PX
        )
    assert happened >= 38  # 95 %
    moving = sum(s.objects[0].dynamic for s in scenes)
    assert 8 < moving < 38  # both by the object's motion and by the camera's


@pytest.mark.parametrize("difficulty", ["easy", "hard"])
def test_the_return_view_is_the_first_view(difficulty: str) -> None:
    scenes = [scene_at("room", 5, i, difficulty=difficulty) for i in range(6)]  # type: ignore[arg-type]
    out = WarpRenderer()(scenes, SIZE, SIZE)
    for i, scene in enumerate(scenes):
        assert [sum(m.magnitude for m in scene.camera.moves)] == [360.0]
        np.testing.assert_array_equal(out.rgb[i, 0], out.rgb[i, -1])
        np.testing.assert_array_equal(out.depth_m[i, 0], out.depth_m[i, -1])
        # everything is seen at some time, and nothing all the time
        seen = np.array([visible_px(out, i, k) for k in range(len(scene.objects))])
        assert (seen.max(1) > 0).mean() > 0.7  # the rest stand behind others
        assert not (seen > 0).all(1).any()


def truth_says(scene: Scene, out: Rendered, clip: int, event: str) -> bool:
    seen = np.array([visible_px(out, clip, k) for k in range(len(scene.objects))])
    bits = [(out.amodal_bits[clip] >> k) & 1 for k in range(len(scene.objects))]
    whole = np.array([b.sum((1, 2)) for b in bits])
    if event == "exit":
        return bool(((whole[:, 0] > 5) & (whole[:, -1] == 0)).any())
    hidden = (seen < 0.3 * whole) & (whole >= 3)
    return bool((hidden.any(1) & ((seen >= 0.7 * whole) & (whole >= 3)).any(1)).any())


def test_street_events_happen() -> None:
    scenes = [scene_at("street", 3, i, difficulty="easy") for i in range(12)]
    out = WarpRenderer()(scenes, SIZE, SIZE)
    assert sum(truth_says(s, out, i, s.planned[0]) for i, s in enumerate(scenes)) >= 11
    assert {s.planned[0] for s in scenes} == {"reappearance", "occlusion", "exit"}


@pytest.mark.parametrize("difficulty", ["easy", "hard"])
def test_traffic_keeps_its_lanes(difficulty: str) -> None:
    for i in range(10):
        scene = scene_at("street", 11, i, difficulty=difficulty)  # type: ignore[arg-type]
        eye = scene.camera.c2w[:, :3, 3]
        assert ((eye[:, 1] > -LANE_M) & (eye[:, 1] < 0)).all()
        assert (np.diff(eye[:, 0]) > 0).all()
        ahead = []
        for k, o in enumerate(scene.objects):
            if o.category not in ("car", "van", "truck", "bus"):
                continue
            points = box_points(scene, k)
            low, high = points[..., 1].min(), points[..., 1].max()
            lanes = ((-LANE_M, 0.0), (0.0, LANE_M)) if o.dynamic else ((-6.0, -LANE_M), (LANE_M, 6.0))
            lane = [r for r in lanes if r[0] <= low and high <= r[1]]
            assert len(lane) == 1, (o.category, low, high)
            speed = np.diff(points[:, 13, 0])
            if o.dynamic:
                assert (speed > 0).all() if low < 0 else (speed < 0).all()
            ahead.append((lane[0], points[..., 0].min(1), points[..., 0].max(1)))
        for a in range(len(ahead)):
            for b in range(a):
                if ahead[a][0] == ahead[b][0]:  # in the same lane: apart in every frame
                    gap = np.maximum(ahead[a][1] - ahead[b][2], ahead[b][1] - ahead[a][2])
                    assert (gap > 0.5).all()
        for _, low, _ in (v for v in ahead if v[0] == (-LANE_M, 0.0)):
            assert (low - eye[:, 0] > 2.0).all()  # nobody is rear-ended


def test_walkers_do_not_bump_into_each_other() -> None:
    for i in range(8):
        scene = scene_at("crowd", 13, i, difficulty="hard")
        first = [scene.bodies_of(k)[0] for k in range(len(scene.objects))]
        place = scene.position_m[:, first, :2]
        apart = np.linalg.norm(place[:, :, None] - place[:, None], axis=-1) + 9 * np.eye(len(first))
        assert apart.min() > 0.45


def test_dynamics_moves_and_stays_above_ground() -> None:
    for i in range(6):
        scene = scene_at("dynamics", 17, i)
        moved = np.ptp(scene.position_m, axis=0).max(-1)
        assert moved.max() > 0.5
        assert [o.dynamic for o in scene.objects] == [
            bool(moved[scene.bodies_of(k)[0]] > 0.02) for k in range(len(scene.objects))
        ]
        for k, o in enumerate(scene.objects):
            assert scene.position_m[:, scene.bodies_of(k)[0], 2].min() > 0.3 * min(o.size_m) - 0.05


def test_certainly_hidden_is_hidden_and_certainly_seen_is_seen() -> None:
    scenes = [scene_at("occluder", 33, i) for i in range(12)]
    out = WarpRenderer()(scenes, 64, 64)
    for i, scene in enumerate(scenes):
        assert reappears(scene, 0, [1])
        covered = hidden_points(scene, 0, [1], certain=True).all(-1)
        assert covered.any()
        assert (visible_px(out, i, 0)[covered] == 0).all()
        inside = in_picture(scene, box_points(scene, 0))
        seen = (~hidden_points(scene, 0, [1], certain=False) & inside).mean(-1) > 0.6
        assert seen.any()
        assert (visible_px(out, i, 0)[seen] > 0).all()
