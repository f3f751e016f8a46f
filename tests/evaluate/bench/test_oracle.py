from __future__ import annotations

import pytest
import torch
from torch import Tensor

from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.oracle import Oracle
from worldr1.evaluate.bench.shown import Shown, render, reorder


def no_depth(frames: Tensor) -> Tensor:
    return torch.full((len(frames), *frames.shape[-2:]), 7.0)


def no_flow(first: Tensor, second: Tensor) -> Tensor:  # noqa: ARG001
    return torch.full((len(first), *first.shape[-2:], 2), 7.0)


@pytest.fixture(scope="module")
def clip() -> Shown:
    config = BenchConfig(scenes=2, num_frames=9, size=32)
    return render([clean_scene(config, 0, "orbit")], 32, 32)[0]


def test_it_answers_from_the_truth(clip: Shown) -> None:
    oracle = Oracle(no_depth, no_flow)
    oracle.learn([clip])
    video = clip.clip.video
    torch.testing.assert_close(oracle.depth(video), clip.truth.depth_m.clamp(max=20.0))
    torch.testing.assert_close(oracle.flow(video[:-1], video[1:]), clip.truth.flow_px)
    torch.testing.assert_close(oracle.flow(video[1:], video[:-1]), clip.backward_px)


def test_what_it_was_not_shown_is_estimated(clip: Shown) -> None:
    oracle = Oracle(no_depth, no_flow)
    jumped = reorder(clip, [0, 4])
    oracle.learn([jumped])
    video = clip.clip.video
    assert float(oracle.flow(video[:1], video[4:5]).mean()) == 7.0  # the jump has no truth
    mixed = oracle.depth(video[:2])
    torch.testing.assert_close(mixed[0], clip.truth.depth_m[0].clamp(max=20.0))
    assert bool((mixed[1] == 7.0).all())


def test_it_forgets_the_last_batch(clip: Shown) -> None:
    oracle = Oracle(no_depth, no_flow)
    oracle.learn([clip])
    oracle.learn([])
    assert bool((oracle.depth(clip.clip.video[:1]) == 7.0).all())


def test_frames_that_look_alike_are_told_apart_by_their_order(clip: Shown) -> None:
    bare = clip.with_video(torch.full_like(clip.clip.video, 0.5))
    oracle = Oracle(no_depth, no_flow)
    oracle.learn([bare])
    video = bare.clip.video
    torch.testing.assert_close(oracle.depth(video), bare.truth.depth_m.clamp(max=20.0))
    both = oracle.flow(torch.cat([video[:-1], video[1:]]), torch.cat([video[1:], video[:-1]]))
    torch.testing.assert_close(both, torch.cat([bare.truth.flow_px, bare.backward_px]))


def test_it_knows_the_objects(clip: Shown) -> None:
    oracle = Oracle(no_depth, no_flow)
    oracle.learn([clip])
    ids = oracle.segments(clip.clip.video)
    assert torch.equal(ids > 0, clip.truth.instance_ids >= 2)
    assert int(ids.max()) > 0
    assert not oracle.segments(clip.clip.video * 0.5).any()
