"""The same numbers on CUDA as on the CPU: depth, flow, and the general reward on clips that live there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from worldr1.estimators.registry import make_depth, make_flow
from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.shown import render
from worldr1.rewards.general import make_general_reward
from worldr1.types import Clip

DEVICE, SIZE = "cuda", 64
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")]


@pytest.fixture(scope="module")
def video() -> Tensor:
    """A camera that trucks along a table, ``[f, 3, h, w]`` on the CPU."""
    return render([clean_scene(BenchConfig(size=SIZE, seed=1), 2, "truck")], SIZE, SIZE)[0].clip.video.cpu()


def test_depth(video: Tensor) -> None:
    here, there = make_depth("world"), make_depth("world")
    there.model.to(DEVICE)  # type: ignore[attr-defined]
    found = there(video.to(DEVICE))
    assert found.device.type == DEVICE
    off = (found.cpu() / here(video)).log().abs()
    assert float(off.median()) < 0.02  # both compute in bfloat16, in another order
    assert float(off.quantile(0.99)) < 0.1


def test_flow(video: Tensor) -> None:
    here, there = make_flow("world"), make_flow("world")
    there.model.to(DEVICE)  # type: ignore[attr-defined]
    found = there(video[:-1].to(DEVICE), video[1:].to(DEVICE))
    assert found.device.type == DEVICE
    assert float((found.cpu() - here(video[:-1], video[1:])).norm(dim=-1).quantile(0.99)) < 0.05  # pixels


def test_the_general_reward(video: Tensor) -> None:
    clips = [video, video[:1].expand_as(video)]  # a world, and a picture that stands still
    here, there = make_general_reward(), make_general_reward()
    for part in (there.depth, there.flow):
        part.model.to(DEVICE)  # type: ignore[attr-defined]
    for ours, theirs in zip(here([Clip(c) for c in clips]), there([Clip(c.to(DEVICE)) for c in clips]), strict=True):
        assert ours.parts.keys() == theirs.parts.keys()
        assert [k for k, v in ours.parts.items() if v is None] == [k for k, v in theirs.parts.items() if v is None]
        assert ours.value is not None
        assert theirs.value == pytest.approx(ours.value, abs=0.05)


def test_objects(video: Tensor) -> None:
    ids = torch.zeros(len(video), SIZE, SIZE, dtype=torch.long)
    ids[:, SIZE // 4 : SIZE // 2, SIZE // 4 : SIZE // 2] = 1
    reward = make_general_reward(segments=lambda clip, *_: ids.to(clip.device))
    for part in (reward.depth, reward.flow):
        part.model.to(DEVICE)  # type: ignore[attr-defined]
    (score,) = reward([Clip(video.to(DEVICE))])
    assert "volume" in score.parts
