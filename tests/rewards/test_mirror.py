"""A world is as consistent left-handed: what a clip and its mirror image are both asked, and what only the clip is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from worldr1.estimators.flow import DISFlow
from worldr1.estimators.registry import make_depth
from worldr1.estimators.structure import Structure
from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.judges import answer
from worldr1.evaluate.bench.shown import render
from worldr1.geometry.camera import project, transform
from worldr1.rewards.camera import camera_term
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.epipolar import epipolar_term
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.mirror import mean_part, mirrored, mirrored_camera
from worldr1.rewards.sfm import sfm_term
from worldr1.rewards.spec import SPECS
from worldr1.rewards.term import TermResult
from worldr1.types import CameraPath, Clip, Rollout

CONFIG = BenchConfig(seed=5, num_frames=9, size=64)


@pytest.fixture(scope="module")
def truck() -> Rollout:
    shown = render([clean_scene(CONFIG, 1, "truck")], 64, 64)[0]
    return answer(shown, shown, "truck")


def test_the_mirrored_camera_takes_the_mirror_image() -> None:
    angle = torch.tensor(0.3)
    c2w = torch.eye(4).repeat(2, 1, 1)
    c2w[1, :3, :3] = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]])
    c2w[1, :3, 3] = torch.tensor([0.4, -0.1, 0.2])
    K = torch.tensor([[90.0, 0, 27], [0, 80, 31], [0, 0, 1]]).repeat(2, 1, 1)
    points = torch.rand(2, 5, 4, 3) + torch.tensor([-0.5, -0.5, 3.0])
    camera = CameraPath(c2w, K)
    other = mirrored_camera(camera, 64)
    seen = project(transform(torch.linalg.inv(c2w), points), K)
    image = project(transform(torch.linalg.inv(other.c2w), points * torch.tensor([-1.0, 1, 1])), other.K)
    torch.testing.assert_close(image, torch.stack([64 - seen[..., 0], seen[..., 1]], -1))
    assert torch.linalg.det(other.c2w[:, :3, :3]) == pytest.approx(1.0)  # a rotation, which estimators can find
    twice = mirrored_camera(other, 64)
    torch.testing.assert_close(twice.c2w, c2w)
    torch.testing.assert_close(twice.K, K)


def test_clip_and_image_have_one_score_only_by_both_hands(truck: Rollout) -> None:
    terms = {"epipolar": epipolar_term, "camera": camera_term}

    def parts(both_hands: bool) -> list[dict[str, float | None]]:
        reward = WorldReward(terms, make_depth("world"), DISFlow(), refine_camera=True, both_hands=both_hands)
        return [reward([s])[0].parts for s in (truck, mirrored(truck))]

    own, image = parts(both_hands=False)
    assert own["epipolar"] != pytest.approx(image["epipolar"], abs=1e-4)
    # the path to the left that the prompt asks for is one to the right in the image
    assert min(own["camera"] or 0, image["camera"] or 0) > 0.8
    both = parts(both_hands=True)
    for name in terms:
        assert both[0][name] == pytest.approx(both[1][name], abs=1e-3)
        assert both[0][name] == pytest.approx(mean_part(own[name], image[name]), abs=1e-3)


def test_a_camera_that_goes_the_other_way_is_wrong_in_both(truck: Rollout) -> None:
    reward = WorldReward({"camera": camera_term}, make_depth("world"), DISFlow(), refine_camera=True, both_hands=True)
    assert truck.prompt.camera is not None
    wrong = mirrored_camera(truck.prompt.camera, 64)
    right, left = reward([truck, replace(truck, prompt=replace(truck.prompt, camera=wrong))])
    assert (left.value or 0) < 0.5 * (right.value or 0)


def test_structure_from_motion_is_asked_once_and_has_its_say_in_both(truck: Rollout) -> None:
    assert truck.prompt.camera is not None
    asked = truck.prompt.camera.relative()
    frames, looked = len(asked), []

    def camera_part(path: torch.Tensor) -> float:
        def structure(video: torch.Tensor, _K: torch.Tensor) -> Structure:
            looked.append(video)
            return Structure(path, torch.ones(frames, dtype=torch.bool), frames, points=500, views=8.0)

        reward = WorldReward(
            {"camera": camera_term, "sfm": sfm_term},
            make_depth("world"),
            DISFlow(),
            refine_camera=True,
            camera=structure,
            both_hands=True,
        )
        parts = reward([truck])[0].parts
        assert parts["sfm"] == pytest.approx(1.0)
        return parts["camera"] or 0.0

    opposed = asked.clone()
    opposed[:, :3, 3] *= -1
    right, wrong = camera_part(asked), camera_part(opposed)
    assert len(looked) == 2
    assert right > 0.85
    assert wrong == pytest.approx(0.5 * right, abs=0.06)


def test_a_failure_about_one_is_no_score_of_the_other() -> None:
    def broken(evidence: Evidence) -> TermResult:
        left = evidence.video[..., :4].mean((1, 2, 3, 4))
        return TermResult(torch.where(left > 0.5, math.nan, 0.9), left > -1, "")

    video = torch.zeros(3, 3, 16, 16)
    video[..., 8:] = 1.0
    depth = lambda frames: torch.ones(len(frames), *frames.shape[-2:])  # noqa: E731
    flow = lambda a, _b: torch.zeros(len(a), *a.shape[-2:], 2)  # noqa: E731
    score = WorldReward({"broken": broken}, depth, flow, both_hands=True)([Clip(video)])[0]
    assert score.value is None
    assert "not a finite number" in score.notes["broken"]
    assert mean_part(-1e-7, 0.5) == 0.0


def test_texts_are_read_once_and_silence_is_kept_only_where_both_are_silent() -> None:
    shown: dict[str, list[torch.Tensor]] = {"semantic": [], "left": [], "never": []}

    def term(name: str, says: bool | None = None) -> object:
        def told(evidence: Evidence) -> TermResult:
            shown[name].append(evidence.video)
            bright = evidence.video[:, :, :, :, :4].mean((1, 2, 3, 4)) > 0.5
            mask = bright if says is None else torch.full_like(bright, says)
            return TermResult(torch.full((len(bright),), 0.6), mask, "the left is dark")

        return told

    video = torch.zeros(3, 3, 16, 16)
    video[..., 8:] = 1.0
    terms = {"semantic": term("semantic", True), "left": term("left"), "never": term("never", False)}
    reward = WorldReward(
        terms,  # type: ignore[arg-type]
        lambda frames: torch.ones(len(frames), *frames.shape[-2:]),
        lambda a, _b: torch.zeros(len(a), *a.shape[-2:], 2),
        both_hands=True,
    )
    score = reward([Clip(video)])[0]
    assert not SPECS["semantic"].mirrors
    assert [len(v) for v in shown.values()] == [1, 2, 2]
    assert shown["left"][1][0].equal(video.flip(-1))
    assert score.parts == {"semantic": pytest.approx(0.6), "left": pytest.approx(0.6), "never": None}
    assert score.notes == {"never": "the left is dark"}
    assert mean_part(0.2, 0.8) == pytest.approx(0.4)
    assert mean_part(0.0, 1.0) == 0.0
