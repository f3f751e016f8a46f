"""The depth network for general worlds: its data, its loss, and how good the packaged one is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from worldr1.estimators.depth import MAX_DEPTH_M
from worldr1.estimators.registry import make_depth
from worldr1.train.fit import FitConfig
from worldr1.train.pretrain.few_frames import FramesConfig, family_of, few_frames
from worldr1.train.pretrain.walls import with_wall
from worldr1.train.pretrain.world_depth import (
    KINDS,
    WALLED,
    build_world_depth,
    depth_loss,
    measure,
    train_world_depth,
    unseen,
)
from worldr1.train.pretrain.world_frames import augment, blocks, canonical, render_frames
from worldr1.worlds.families import FAMILIES, scene_at
from worldr1.worlds.filmed import FOCAL_MM, PATHS, film, world
from worldr1.worlds.render import render_clips

FEW = FramesConfig(clips=12, frames=2, size=32)


@pytest.fixture(scope="module")
def rendered() -> tuple[Tensor, Tensor, Tensor]:
    return render_frames(FEW)


def ramp(n: int, side: int = 16) -> Tensor:
    """Depth that grows to the right from 1 m to 2 m."""
    return (1 + torch.arange(side) / side).expand(n, side, side).clone()


def test_frames_come_from_every_family_and_depend_on_their_index_alone(rendered: tuple[Tensor, Tensor, Tensor]) -> None:
    assert {few_frames(FEW, i).family for i in range(len(FAMILIES))} == set(FAMILIES)
    fewer = render_frames(replace(FEW, clips=7))
    for few, many in zip(fewer, rendered, strict=True):
        assert many.shape[:3] == (24, 32, 32)
        assert few.equal(many[:14])
    things = rendered[2]
    assert 0 < things.float().mean() < 0.5
    assert (rendered[1][things] < MAX_DEPTH_M).float().mean() > 0.9  # no sky


def test_one_family_can_have_every_second_clip() -> None:
    config = replace(FEW, every_second="room")
    families = [family_of(config, i) for i in range(20)]
    assert families[::2] == ["room"] * 10
    assert sorted(families[1::2]) == sorted(2 * [f for f in FAMILIES if f != "room"])
    assert [few_frames(config, i).family for i in range(4)] == families[:4]


def test_walls_fill_pictures() -> None:
    """Panels of a wall or a board are seen, and nothing else of a scene changes."""
    seen = []
    for i in range(12):
        rng = np.random.default_rng(i)
        scene = scene_at("landmarks", 5, i, num_frames=8)
        walled = with_wall(scene, rng)
        assert walled.objects == scene.objects
        assert walled.bodies[: len(scene.bodies)] == scene.bodies
        assert len(walled.bodies) > len(scene.bodies)
        bare, with_it = (x.truth for x in render_clips([scene, walled], 32, 32))
        assert bare is not None
        assert with_it is not None
        assert (with_it.depth_m <= bare.depth_m + 1e-3).all()  # what is added hides, and shows nothing new
        seen.append(float((with_it.depth_m < bare.depth_m - 1e-3).float().mean()))
    assert np.quantile(seen, 0.25) > 0.03
    assert max(seen) > 0.3


def test_a_camera_that_looks_straight_down_sees_no_wall() -> None:
    scene = scene_at("landmarks", 5, 0, num_frames=8)
    down = scene.camera.c2w.copy()
    down[:, :3, :3] = np.diag([1.0, -1.0, -1.0])
    scene = replace(scene, camera=replace(scene.camera, c2w=down))
    assert with_wall(scene, np.random.default_rng(0)) is scene


def test_a_share_of_the_clips_has_a_wall() -> None:
    config = replace(FEW, walls=0.5)
    bodies = [
        (len(few_frames(config, i).bodies), len(few_frames(replace(config, walls=1.0), i).bodies)) for i in range(24)
    ]
    assert 6 <= sum(some == all_ for some, all_ in bodies) <= 18


def test_filmed_worlds_come_along_every_path_and_some_with_something_built_in() -> None:
    config = FramesConfig(clips=20, size=16, seed=5, filmed=True)
    scenes = [few_frames(config, i) for i in range(20)]
    plain = [world(5, i, 17) for i in range(20)]
    assert all(s.num_frames == config.frames for s in scenes)
    more = [len(s.bodies) - len(p.bodies) for s, p in zip(scenes, plain, strict=True)]
    assert 0 < sum(m > 0 for m in more) < 10
    assert more.count(0) > 10
    untouched = [
        i for i in range(20) if np.ptp(scenes[i].camera.focal_mm) == 0 and scenes[i].camera.focal_mm[0] == FOCAL_MM
    ]
    assert len(untouched) > 4
    for i in untouched:  # not turned or zoomed: a few poses of the path whose turn it is
        path = film(plain[i], PATHS[i % len(PATHS)]).c2w
        assert all(np.abs(path - pose).max((1, 2)).min() < 1e-9 for pose in scenes[i].camera.c2w)
    again = few_frames(config, 3)
    assert np.array_equal(again.camera.c2w, scenes[3].camera.c2w)


def test_canonical_depth_does_not_tell_a_long_lens_from_a_near_camera() -> None:
    scene = scene_at("landmarks", 5, 0)
    near = render_clips([scene], 32, 32)[0].truth
    assert near is not None
    longer = replace(scene, camera=replace(scene.camera, focal_mm=2 * scene.camera.focal_mm))
    torch.testing.assert_close(canonical(near.depth_m, longer), canonical(near.depth_m, scene) / 2)
    # the assumed camera's own depth is left alone: 48 degrees across 36 mm
    focal = 0 * scene.camera.focal_mm + 18 / math.tan(math.radians(24))
    assumed = replace(scene, camera=replace(scene.camera, focal_mm=focal))
    torch.testing.assert_close(canonical(near.depth_m, assumed), near.depth_m)


def test_augmentation_moves_picture_and_depth_alike() -> None:
    depth = ramp(64)
    frames = (depth - 1)[:, None].expand(64, 3, 16, 16).contiguous()
    seen, found, things = augment(frames, depth, depth > 1.5, torch.Generator().manual_seed(0))
    for truth, far in zip(found, things, strict=True):
        assert truth[far].min() > 0.99 * truth[~far].max()  # moved with the depth
    assert ((seen >= 0) & (seen <= 1)).all()
    assert (found > 0.5).all()
    for picture, truth in zip(seen.mean(1).flatten(1), found.flatten(1), strict=True):
        assert torch.corrcoef(torch.stack([picture, truth]))[0, 1] > 0.6  # flipped together, through noise
    assert not found.equal(depth)


def test_the_sky_survives_augmentation() -> None:
    sky, none = torch.full((8, 16, 16), torch.inf), torch.zeros(8, 16, 16, dtype=torch.bool)
    _, found, things = augment(torch.rand(8, 3, 16, 16), sky, none, torch.Generator().manual_seed(0))
    assert not things.any()
    assert (found > 1000).all()
    assert torch.isfinite(found).all()


def test_blocks_are_an_exact_transform_when_nothing_is_quantised() -> None:
    frames = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(blocks(frames, torch.full((2, 1, 1, 1), 1e-5)), frames, atol=1e-4, rtol=0)
    assert blocks(frames, torch.zeros(2, 1, 1, 1)).sub(frames).abs().max() < 1e-5
    coarse = (blocks(frames, torch.full((2, 1, 1, 1), 0.5)) - frames).abs().mean()
    assert 0.05 < coarse < 0.5


def test_the_loss_sees_scale_and_shape() -> None:
    truth = ramp(2)
    assert depth_loss(truth, truth) == 0
    scaled, bent = depth_loss(1.2 * truth, truth), depth_loss(truth.flip(2), truth)
    assert scaled == pytest.approx(math.log(1.2), rel=1e-4)  # neither spread nor slope
    assert bent > 2 * scaled
    sky = truth.clone()
    sky[:, :8] = MAX_DEPTH_M
    wrong_sky, wrong_ground = sky.clone(), sky.clone()
    wrong_sky[:, :8] /= 2
    wrong_ground[:, 8:] *= 2
    assert depth_loss(wrong_sky, sky) < 0.5 * depth_loss(wrong_ground, sky)
    wrong_thing, wrong_floor, thing = truth.clone(), truth.clone(), torch.zeros(2, 16, 16)
    thing[:, 4:8, 4:8] = 1
    wrong_thing[:, 4:8, 4:8] *= 1.3
    wrong_floor[:, 9:13, 4:8] *= 1.3
    assert depth_loss(wrong_thing, truth) == pytest.approx(float(depth_loss(wrong_floor, truth)), rel=0.05)
    assert depth_loss(wrong_thing, truth, thing) > 1.5 * depth_loss(wrong_floor, truth, thing)


@pytest.mark.parametrize("side", [None, 64])
def test_training_resumes_bit_for_bit(
    tmp_path: Path, rendered: tuple[Tensor, Tensor, Tensor], side: int | None
) -> None:
    config = FitConfig(4, 4, warmup=1, checkpoint_every=2)

    def run(folder: Path, stop: int | None = None) -> dict[str, Tensor]:
        def progress(step: int, _loss: float) -> None:
            if step == stop:
                raise KeyboardInterrupt

        model = build_world_depth()
        train_world_depth(model, *rendered, config, folder, progress, 2, side)
        return {name: value.detach() for name, value in model.state_dict().items()}

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a", stop=3)
    resumed, straight = run(tmp_path / "a"), run(tmp_path / "b")
    assert all(resumed[name].equal(straight[name]) for name in straight)
    assert not resumed["head.conv1.weight"].equal(build_world_depth().head.conv1.weight)


def test_measuring_gives_the_truth_no_error_and_finds_scale_and_drift() -> None:
    clips = {kind: unseen(kind, 2, seed=3) for kind in KINDS}
    truths = iter([
        canonical(c.truth.depth_m, s)
        for scenes in clips.values() for s, c in zip(scenes, render_clips(scenes, 32, 32), strict=True) if c.truth
    ])  # fmt: skip
    drifting = torch.linspace(-0.1, 0.1, 16).exp().view(-1, 1, 1)
    found = measure(lambda _: 2 * drifting * next(truths).clamp(max=1e3), 2, 32, seed=3)
    for row in found.values():
        assert row["error"] == pytest.approx(math.log(2), abs=0.03)
        assert row["aligned"] == pytest.approx(0.053, abs=0.02)
        assert row["drift"] == pytest.approx(0.053, abs=0.02)


@pytest.mark.parametrize("size", [64, 128])
def test_the_packaged_network_is_right_about_every_family(size: int) -> None:
    # measured: aligned .04 to .09, walls .17, .08 in the mean; drift .01 to .04
    found = measure(make_depth("world"), 2, size, seed=77)
    for family, row in found.items():
        assert row["aligned"] < (0.22 if family == WALLED else 0.15), family
        assert row["drift"] < 0.06, family
    mean = sum(row["aligned"] for row in found.values()) / len(found)
    assert mean < 0.1
    if size == 64:
        tiny = measure(make_depth("tiny"), 2, size, seed=77)
        assert mean < 0.3 * sum(row["aligned"] for row in tiny.values()) / len(tiny)
