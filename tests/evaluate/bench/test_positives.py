"""Honest clips are honest: what moves goes through nothing, and the camera neither."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from worldr1.evaluate.bench import honest_movers, positives
from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.catalogue import CASES
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.positives import forward_motion
from worldr1.worlds.families.visibility import box_points, in_picture
from worldr1.worlds.filmed import distance_to_focus, focus
from worldr1.worlds.scene import Scene
from worldr1.worlds.truth.contacts import pair_gaps
from worldr1.worlds.truth.layout import layout

CONFIG = BenchConfig(scenes=8, num_frames=13, seed=10)
PATHS = ("orbit", "truck", "dolly")


def worlds(name: str) -> list[Scene]:
    """What can be made of eight worlds on three paths, most of them."""
    edit = CASES[name].scene_edit
    assert edit is not None
    made = []
    for i in range(CONFIG.scenes):
        for path in PATHS:
            with suppress(ValueError):
                made.append(edit(clean_scene(CONFIG, i, path), np.random.default_rng(i), 1.0))
    assert len(made) > 0.7 * CONFIG.scenes * len(PATHS)
    return made


def deepest(scene: Scene) -> float:
    """How far objects are inside of each other, metres."""
    gaps = pair_gaps(layout(scene), np.array([o.size_m for o in scene.objects]))
    return max((-float(g.gap_m.min()) for (_, other), g in gaps.items() if other >= 0), default=0.0)


@pytest.mark.parametrize("name", ["rigid movers", "articulated motion"])
def test_what_moves_goes_through_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(deepest(scene) for scene in worlds(name)) < 0.03
    monkeypatch.setattr(honest_movers, "_runs_into", lambda *_: False)
    assert max(deepest(scene) for scene in worlds(name)) > 0.1


def test_where_nothing_can_pass_there_is_no_such_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honest_movers, "_runs_into", lambda *_: True)
    for name in ("rigid movers", "articulated motion"):
        edit = CASES[name].scene_edit
        assert edit is not None
        with pytest.raises(ValueError, match="choose another scene"):
            edit(clean_scene(CONFIG, 0, "orbit"), np.random.default_rng(0), 1.0)


def from_objects(scene: Scene) -> float:
    """Least distance of the camera from any object's box, of that from their middle."""
    eye, least = scene.camera.c2w[:, :3, 3], np.inf
    for i, thing in enumerate(scene.objects):
        body = scene.bodies_of(i)[0]
        axes = Rotation.from_quat(scene.rotation[:, body]).as_matrix()
        local = np.einsum("fij,fi->fj", axes, eye - scene.position_m[:, body])
        outside = np.maximum(np.abs(local) - np.array(thing.size_m) / 2, 0)
        least = min(least, float(np.linalg.norm(outside, axis=-1).min()))
    return least / distance_to_focus(scene)


def test_the_camera_drives_forward_and_past_no_object(monkeypatch: pytest.MonkeyPatch) -> None:
    for scene in worlds("forward motion"):
        eye = scene.camera.c2w[:, :3, 3]
        assert from_objects(scene) > 0.14
        assert np.linalg.norm(eye[-1] - eye[0]) > 0.19 * distance_to_focus(scene)
    monkeypatch.setattr(positives, "_CLEARANCE", -1.0)
    assert min(from_objects(scene) for scene in worlds("forward motion")) < 0.13


def test_an_object_in_the_way_stops_the_camera() -> None:
    scene = clean_scene(CONFIG, 0, "orbit")
    eye, there = scene.camera.c2w[0, :3, 3], focus(scene)
    for share, drives in ((0.45, True), (0.25, False)):
        position = scene.position_m.copy()
        body = scene.bodies_of(0)
        position[:, body] += eye + share * (there - eye) - position[:, body[:1]]
        # so small that the clearance decides
        small = (replace(scene.objects[0], size_m=(0.01, 0.01, 0.01)), *scene.objects[1:])
        blocked = replace(scene, position_m=position, objects=small)
        if drives:
            way = forward_motion(blocked, np.random.default_rng(0), 1.0).camera.c2w[:, :3, 3]
            assert np.linalg.norm(way[-1] - way[0]) < 0.32 * np.linalg.norm(there - eye)
        else:
            with pytest.raises(ValueError, match="too near"):
                forward_motion(blocked, np.random.default_rng(0), 1.0)


def test_somebody_who_walks_past_is_seen() -> None:
    for scene in worlds("articulated motion"):
        inside = in_picture(scene, box_points(scene, len(scene.objects) - 1))
        assert inside.mean() >= 0.4
