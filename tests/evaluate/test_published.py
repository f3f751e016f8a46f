"""What the monitor and the results of a published model see without its reward."""

from __future__ import annotations

import torch
from torch.nn.functional import grid_sample, interpolate

from worldr1.evaluate.published import METRICS, measure_clips, watch
from worldr1.types import Clip, Prompt, Rollout

STILL = Prompt("a wall, locked-off shot", facts={"camera": "fixed"})  # a flat picture owes no parallax
FRAMES, HEIGHT, WIDTH = 6, 96, 128


def drifting(step: int = 2) -> torch.Tensor:
    """A textured plane that moves to the left by ``step`` pixels a frame: ``[frames, 3, h, w]``."""
    noise = torch.rand(1, 3, HEIGHT // 4, WIDTH // 2, generator=torch.Generator().manual_seed(0))
    plane = interpolate(noise, (HEIGHT, 2 * WIDTH), mode="bicubic").clamp(0, 1)[0]
    return torch.stack([plane[:, :, step * t : step * t + WIDTH] for t in range(FRAMES)])


def rubber(video: torch.Tensor) -> torch.Tensor:
    """Every frame bent in a way of its own."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, HEIGHT), torch.linspace(-1, 1, WIDTH), indexing="ij")
    t = torch.arange(FRAMES).view(-1, 1, 1)
    bent = torch.stack([x + 0.04 * torch.sin(7 * y + 2 * t), y + 0.04 * torch.sin(6 * x - 3 * t)], -1)
    return grid_sample(video, bent, padding_mode="border", align_corners=True)


def test_the_held_out_measure_prefers_a_rigid_clip() -> None:
    rigid = drifting()
    found = measure_clips([STILL] * 2, [Clip(rigid), Clip(rubber(rigid))])
    assert tuple(found) == METRICS
    assert found["held_out"][0] is not None
    assert found["held_out"][1] is not None
    assert found["held_out"][0] > 0.8 > 0.5 > found["held_out"][1]  # measured .95 and .05


def test_motion_and_sharpness_follow_the_clip() -> None:
    slow, fast = drifting(1), drifting(3)
    blurred = interpolate(interpolate(fast, scale_factor=0.25, mode="area"), (HEIGHT, WIDTH), mode="bilinear")
    found = measure_clips([STILL] * 3, [Clip(v) for v in (slow, fast, blurred)])
    motion, sharp = found["motion"], found["sharpness"]
    assert 2 < motion[1] / motion[0] < 4  # type: ignore[operator]
    assert sharp[2] < 0.5 * sharp[1]  # type: ignore[operator]


def test_without_evidence_results_abstain_and_the_monitor_counts_nothing() -> None:
    grey = Clip(torch.full((FRAMES, 3, HEIGHT, WIDTH), 0.5))
    assert measure_clips([STILL], [grey])["held_out"] == [None]
    watched = watch([Rollout(STILL, grey, ()), Rollout(STILL, Clip(drifting()), ())])
    assert watched["held_out"][0] == 0
    assert watched["held_out"][1] > 0.5
    assert {len(v) for v in watched.values()} == {2}
