"""DIS flow both ways at once is DIS flow asked twice."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from worldr1.estimators.flow import DISFlow, to_gray
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


def test_a_fast_pan_is_followed_from_the_whole_pictures_shift() -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 12, 24, generator=generator)
    wide = torch.nn.functional.interpolate(coarse, (64, 128), mode="bicubic", align_corners=False).clamp(0, 1)
    first, second = wide[..., 40:104], wide[..., 22:86]  # 18 of 64 pixels: too far for the coarsest scale
    true = torch.tensor([18.0, 0.0])
    middle = (slice(None), slice(8, -8), slice(8, 36))  # what is still in the picture

    def error(flow: DISFlow) -> float:
        return float((flow(first, second) - true).norm(dim=-1)[middle].median())

    assert error(DISFlow(shifted=True)) < 0.5
    assert error(DISFlow()) > 3


def test_fewer_refinements_of_small_frames_cost_little_accuracy() -> None:
    corpus = CorpusConfig(seed=7, violated=0.0)
    clips = render_clips([scene_at(corpus, i) for i in range(8)])
    video, true = torch.cat([c.video for c in clips]), torch.stack([c.truth.flow_px for c in clips if c.truth])
    ours = DISFlow().both_ways(torch.stack([c.video for c in clips]))[0]
    gray, f = to_gray(video), len(clips[0].video)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    dis.setFinestScale(0)
    starts = [i * f + t for i in range(len(clips)) for t in range(f - 1)]
    refined = [cv2.resize(dis.calc(gray[k], gray[k + 1], None), (32, 32), interpolation=cv2.INTER_AREA) for k in starts]  # type: ignore[call-overload]
    five = torch.from_numpy(np.stack(refined) / 2).view(true.shape)
    errors = [float((flow - true).norm(dim=-1).mean()) for flow in (ours, five)]
    assert not torch.equal(ours, five)
    assert errors[0] < 1.1 * errors[1]  # measured 1.06; 1.03 on clips through the codec
