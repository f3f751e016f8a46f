"""DIS flow both ways at once is DIS flow asked twice."""

from __future__ import annotations

import torch

from worldr1.estimators.flow import DISFlow
from worldr1.worlds.tiny.corpus import CorpusConfig, scene_at
from worldr1.worlds.tiny.render import render_clips


def test_both_ways_at_once_is_each_way_by_itself() -> None:
    corpus = CorpusConfig(seed=7, violated=0.0)
    video = torch.stack([c.video[:4] for c in render_clips([scene_at(corpus, i) for i in range(3)])])
    flow = DISFlow()
    both = flow.both_ways(video)
    assert both.shape == (2, 3, 3, *video.shape[-2:], 2)
    assert both.abs().max() > 0.3  # something moves
    for i, clip in enumerate(video):
        assert torch.equal(both[0, i], flow(clip[:-1], clip[1:]))
        assert torch.equal(both[1, i], flow(clip[1:], clip[:-1]))
