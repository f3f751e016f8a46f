"""The tiny domain's truth, checked against projective geometry that the renderer does not use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from oracle import clean_scenes
from worldr1.geometry.camera import lift, pixel_grid, project, transform
from worldr1.types import Clip, GroundTruth
from worldr1.worlds.tiny.corpus import CorpusConfig, scene_at
from worldr1.worlds.tiny.render import render, render_clips
from worldr1.worlds.tiny.scene import COLOURS, SHAPES, TinyScene


def truth_of(clip: Clip) -> GroundTruth:
    assert clip.truth is not None
    return clip.truth


@pytest.fixture(scope="module")
def landmarks() -> list[tuple[TinyScene, Clip]]:
    scenes = clean_scenes(16, occluder=0.0)
    return list(zip(scenes, render_clips(scenes), strict=True))


@pytest.fixture(scope="module")
def occluders() -> list[tuple[TinyScene, Clip]]:
    scenes = clean_scenes(60, occluder=1.0)
    return list(zip(scenes, render_clips(scenes), strict=True))


def test_flow_is_depth_and_camera_reprojected(landmarks: list[tuple[TinyScene, Clip]]) -> None:
    assert len({s.camera_move for s, _ in landmarks}) >= 4
    largest = 0.0
    for _, clip in landmarks:
        truth = truth_of(clip)
        K, c2w = truth.camera.K, truth.camera.c2w
        points = lift(truth.depth_m[:-1], K[:-1])
        step = torch.linalg.inv(c2w[1:]) @ c2w[:-1]
        expected = project(transform(step, points), K[1:]) - pixel_grid(32, 32, points)
        solid = torch.isfinite(truth.depth_m[:-1])
        assert solid.float().mean() > 0.5
        error = (expected - truth.flow_px)[solid].norm(dim=-1)
        assert error.max() <= 0.01
        largest = max(largest, float(truth.flow_px[solid].norm(dim=-1).max()))
    assert largest > 1  # something moved


def test_depth_of_the_ground_is_the_planes(landmarks: list[tuple[TinyScene, Clip]]) -> None:
    for scene, clip in landmarks:
        truth = truth_of(clip)
        for t in (0, 8):
            y, x = np.argwhere(truth.instance_ids[t].numpy() == 1)[-40]
            K = truth.camera.K[t].numpy()
            ray = np.array([(x + 0.5 - K[0, 2]) / K[0, 0], (y + 0.5 - K[1, 2]) / K[1, 1], 1.0])
            direction, height = scene.c2w[t, :3, :3] @ ray, scene.c2w[t, 2, 3]
            assert truth.depth_m[t, y, x].item() == pytest.approx(-height / direction[2], rel=1e-4)


def test_lifted_points_lie_on_the_surface_that_the_id_names(landmarks: list[tuple[TinyScene, Clip]]) -> None:
    for scene, clip in landmarks:
        truth = truth_of(clip)
        world = transform(truth.camera.c2w, lift(truth.depth_m.nan_to_num(posinf=1.0), truth.camera.K))
        assert world[truth.instance_ids == 1][:, 2].abs().max() < 1e-3
        for i in range(scene.num_objects):
            points = world[truth.instance_ids == 2 + i].numpy() - scene.position_m[0, i]
            assert len(points) > 0
            half, c, s = scene.half_size_m[0, i], np.cos(scene.yaw_rad[0, i]), np.sin(scene.yaw_rad[0, i])
            local = np.abs(points @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))
            shape = SHAPES[scene.shape[0, i]]
            if shape == "box":
                distance = local.max(1) - half
            elif shape == "sphere":
                distance = np.linalg.norm(local, axis=1) - half
            else:
                distance = np.maximum(np.hypot(local[:, 0], local[:, 1]) - 0.75 * half, local[:, 2] - half)
            assert np.abs(distance).max() < 2e-3, shape
        sky = truth.instance_ids == 0
        assert torch.isinf(truth.depth_m[sky]).all()
        assert torch.isfinite(truth.depth_m[~sky]).all()


def test_what_is_seen_is_also_in_the_amodal_bits(occluders: list[tuple[TinyScene, Clip]]) -> None:
    hidden = 0
    for _, clip in occluders:
        truth = truth_of(clip)
        for i in (0, 1):
            modal, amodal = truth.instance_ids == 2 + i, (truth.amodal_bits >> i & 1).bool()
            assert (amodal | ~modal).all()
            hidden += int((amodal & ~modal).sum())
        # where both project, the nearer one is seen: the blocker, in front by construction
        both = truth.amodal_bits == 3
        assert (truth.instance_ids[both] >= 2).all()
    assert hidden > 1000


def test_of_two_objects_on_a_ray_the_nearer_one_is_seen() -> None:
    scenes = clean_scenes(80, occluder=0.0)
    first_in_front = 0
    for scene, clip in zip(scenes, render_clips(scenes), strict=True):
        truth = truth_of(clip)
        for t in (0, 4, 8) if scene.num_objects == 2 else ():
            z = [scene.in_camera(t, i)[2] for i in (0, 1)]
            seen = truth.instance_ids[t][truth.amodal_bits[t] == 3]
            if abs(z[0] - z[1]) > 0.8:
                assert (seen == 2 + int(np.argmin(z))).all()
                first_in_front += len(seen) if z[0] < z[1] else 0
    assert first_in_front > 100


def test_the_mover_disappears_and_comes_back(occluders: list[tuple[TinyScene, Clip]]) -> None:
    right = 0
    for _, clip in occluders:
        truth = truth_of(clip)
        visible = (truth.instance_ids == 2).sum((1, 2)) / (truth.amodal_bits & 1).sum((1, 2)).clamp(min=1)
        right += int(visible[1:-1].min() <= 0.3 and visible[0] >= 0.5 and visible[-1] >= 0.5)
    assert right >= 0.95 * len(occluders)


def test_a_plain_pixel_has_its_objects_hue(landmarks: list[tuple[TinyScene, Clip]]) -> None:
    checked = 0
    for scene, clip in landmarks:
        truth = truth_of(clip)
        for i in range(scene.num_objects):
            bright = clip.video[0][:, truth.instance_ids[0] == 2 + i]
            if bright.shape[1] < 20:
                continue
            pixel = bright.median(dim=1).values
            similar = {
                name: torch.cosine_similarity(pixel - pixel.mean(), torch.tensor(rgb) - sum(rgb) / 3, dim=0).item()
                for name, rgb in COLOURS.items()
            }
            assert max(similar, key=lambda name: similar[name]) == list(COLOURS)[scene.colour[0, i]]
            checked += 1
    assert checked >= 16


def test_the_objects_centre_is_where_the_picture_shows_it(landmarks: list[tuple[TinyScene, Clip]]) -> None:
    for scene, clip in landmarks:
        truth = truth_of(clip)
        for i in range(scene.num_objects):
            mask = (truth.amodal_bits[0] >> i & 1).bool()
            if mask[:, [0, -1]].any() or mask[[0, -1]].any():
                continue  # cut off by the frame
            K, p = truth.camera.K[0], scene.in_camera(0, i)
            centre = pixel_grid(32, 32, clip.video)[mask].mean(0)
            assert abs(float(K[0, 0] * p[0] / p[2] + K[0, 2]) - float(centre[0])) < 1.0
            assert abs(float(K[1, 1] * p[1] / p[2] + K[1, 2]) - float(centre[1])) < 1.5


def test_video_is_in_range_and_not_flat(landmarks: list[tuple[TinyScene, Clip]]) -> None:
    for _, clip in landmarks:
        assert clip.video.shape == (9, 3, 32, 32)
        assert clip.video.min() >= 0
        assert clip.video.max() <= 1
        assert clip.video.std() > 0.05


def test_the_pictures_are_those_that_the_packaged_networks_were_trained_on() -> None:
    """The reference was rendered by the kernel that made their training clips, then averaged over 2 x 2 pixels."""
    reference = np.load(Path(__file__).parents[1] / "data" / "tiny_reference.npz")
    out = render([scene_at(CorpusConfig(seed=5, violated=0.5), i) for i in range(4)])
    rgb = out.rgb.reshape(4, 9, 16, 2, 16, 2, 3).mean((3, 5))
    difference = np.abs(rgb - reference["rgb"])
    assert difference.mean() <= 0.5
    assert (difference.max(-1) <= 2).mean() >= 0.995
    counts = [[np.bincount(f.ravel(), minlength=4) for f in clip] for clip in out.instance_ids]
    assert np.abs(np.array(counts) - reference["pixels"]).max() <= 1
    near = np.where(np.isfinite(out.depth_m), out.depth_m, 0).mean((2, 3))
    np.testing.assert_allclose(near, reference["mean_depth_m"], rtol=1e-3)
    np.testing.assert_allclose(
        np.abs(out.flow_px[:, :-1]).mean((2, 3, 4)), reference["mean_flow_px"], rtol=1e-3, atol=1e-5
    )
