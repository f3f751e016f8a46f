"""Every case of the catalogue breaks what it says and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.camera_corruptions import parallax_free_pan, slowed
from worldr1.evaluate.bench.catalogue import AMOUNTS, CASES, HELD_OUT, Case
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.corruptions import changed_behind_screen, never_reappears, wrong_depth_drift
from worldr1.evaluate.bench.hacks import frozen_background
from worldr1.evaluate.bench.shown import render
from worldr1.worlds.families.visibility import box_points, hidden_share, in_camera, in_picture
from worldr1.worlds.filmed import PATHS, film, visible, world
from worldr1.worlds.scene import Scene

CONFIG = BenchConfig(scenes=8, num_frames=13, size=32)


def applicable(case: Case) -> tuple[Scene, Scene]:
    """A clean world on which a case can be seen, and that world edited."""
    for index in range(CONFIG.scenes):
        for path in case.paths:
            try:
                clean = clean_scene(CONFIG, index, path, case.stage)
                assert case.scene_edit is not None
                return clean, case.scene_edit(clean, np.random.default_rng(index), AMOUNTS[2])
            except ValueError:
                continue
    raise AssertionError(f"{case.name} can be seen in none of {CONFIG.scenes} worlds")


def test_the_catalogue_is_as_large_as_designed() -> None:
    kinds = [c.kind for c in CASES.values()]
    assert (kinds.count("corruption"), kinds.count("hack"), kinds.count("positive")) == (30, 6, 8)
    assert set(CASES) >= HELD_OUT
    assert 0.25 < len(HELD_OUT) / kinds.count("corruption") < 0.4


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.scene_edit is not None])
def test_a_scene_edit_changes_the_picture(name: str) -> None:
    clean, edited = applicable(CASES[name])
    assert edited.num_frames == clean.num_frames
    before, after = render([clean, edited], 32, 32)
    changed = (before.clip.video - after.clip.video).abs().mean((1, 2, 3))
    assert float(changed.max()) > 0.0015  # the thinnest, a rod on an object ten pixels wide, reaches .0018
    if CASES[name].kind == "corruption":  # a broken clip begins as its clean twin does
        assert float(changed[0]) < 0.03 or name in ("jitter",)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.clip_edit is not None])
def test_a_clip_edit_keeps_shape_range_and_truth(name: str) -> None:
    source = render([clean_scene(CONFIG, 0, "orbit")], 32, 32)[0]
    edit = CASES[name].clip_edit
    assert edit is not None
    edited = edit(source, np.random.default_rng(0), 1.6)
    again = edit(source, np.random.default_rng(0), 1.6)
    assert torch.equal(edited.clip.video, again.clip.video)
    assert edited.clip.video.shape == source.clip.video.shape
    assert not torch.equal(edited.clip.video, source.clip.video)
    assert 0 <= float(edited.clip.video.min()) <= float(edited.clip.video.max()) <= 1
    assert edited.truth.depth_m.shape == source.truth.depth_m.shape
    assert edited.backward_px.shape == edited.truth.flow_px.shape == source.truth.flow_px.shape


def test_a_larger_amount_breaks_more() -> None:
    for name in ("object morph", "depth rescale", "noise", "global rubber"):
        case = CASES[name]
        changes = []
        for amount in AMOUNTS.values():
            clean = clean_scene(CONFIG, 0, "orbit")
            scene = clean if case.scene_edit is None else case.scene_edit(clean, np.random.default_rng(1), amount)
            before, after = render([clean, scene], 32, 32)
            if case.clip_edit is not None:
                after = case.clip_edit(after, np.random.default_rng(1), amount)
            changes.append(float((before.clip.video - after.clip.video).abs().mean()))
        assert changes == sorted(changes), name


def test_the_screen_hides_the_object_when_it_changes() -> None:
    clean, edited = applicable(CASES["changed behind an occluder"])
    instance = visible(clean)[0]
    shown = render([clean], 64, 64)[0]
    pixels = (shown.truth.instance_ids == instance + 2).sum((1, 2))
    middle = clean.num_frames // 2
    assert int(pixels[middle]) <= 0.05 * int(pixels.max())
    assert int(pixels[0]) > 20
    assert int(pixels[-1]) > 20
    assert edited is not clean
    assert changed_behind_screen(clean, np.random.default_rng(0), 1.6).present is not None


def test_what_never_reappears_goes_while_nobody_looks() -> None:
    clean, _ = applicable(CASES["never reappears"])
    gone = never_reappears(clean, np.random.default_rng(0), 1.6)
    assert gone.present is not None
    start = int(np.argmin(gone.present.any(1)))
    for instance in range(len(clean.objects)):
        assert not in_picture(clean, box_points(clean, instance))[start].any()
    with pytest.raises(ValueError, match="look away"):
        never_reappears(clean_scene(CONFIG, 0, "orbit"), np.random.default_rng(0), 1.0)


def test_a_drift_along_the_ray_cannot_be_seen_from_the_first_camera() -> None:
    clean, drifted = applicable(CASES["wrong-depth drift"])
    assert wrong_depth_drift(clean, np.random.default_rng(0), 0.0).position_m == pytest.approx(clean.position_m)
    moved = np.abs(drifted.position_m - clean.position_m).max((0, 2))
    body = int(np.argmax(moved))
    eye = clean.camera.c2w[0, :3, 3]
    way, was = drifted.position_m[-1, body] - eye, clean.position_m[-1, body] - eye
    assert np.cross(way, was) == pytest.approx(np.zeros(3), abs=1e-9)
    assert np.linalg.norm(way) / np.linalg.norm(was) == pytest.approx(1.7)


def test_cameras_of_the_hacks() -> None:
    clean = clean_scene(CONFIG, 0, "truck")
    pan = parallax_free_pan(clean, np.random.default_rng(0), 1.0)
    assert np.ptp(pan.camera.c2w[:, :3, 3], axis=0) == pytest.approx(np.zeros(3))
    travel = np.linalg.norm(clean.camera.c2w[-1, :3, 3] - clean.camera.c2w[0, :3, 3])
    slow = slowed(clean, 0.25).camera.c2w
    assert np.linalg.norm(slow[-1, :3, 3] - slow[0, :3, 3]) == pytest.approx(0.25 * travel)
    frozen = frozen_background(clean, np.random.default_rng(0), 1.0)
    for instance in range(len(clean.objects)):  # seen from the camera that stands, objects move as they should
        seen = in_camera(frozen, box_points(frozen, instance))
        assert seen == pytest.approx(in_camera(clean, box_points(clean, instance)), abs=1e-9)


def test_clean_worlds_show_parallax_and_keep_their_objects_in_view() -> None:
    for index in range(3):
        base = world(0, index, 13)
        assert len(base.objects) >= 2
        for path in PATHS:
            camera = film(base, path)
            assert np.linalg.norm(camera.c2w[-1, :3, 3] - camera.c2w[0, :3, 3]) > 0.1
        assert hidden_share(base).shape[1] == len(base.objects)
