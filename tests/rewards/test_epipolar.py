"""What creeps moves less in a step than the flow is wrong, and shows over a third of the clip."""

from __future__ import annotations

from dataclasses import replace

import torch

from rewards.general import FRAMES, evidence_of, orbit, scene
from worldr1.geometry.camera import pixel_grid
from worldr1.rewards.epipolar import epipolar_term
from worldr1.rewards.evidence import Evidence


def creeping(evidence: Evidence, step_px: float) -> Evidence:
    """The flow of the same clip with a wave across the picture that grows by ``step_px`` a frame."""
    h, w = evidence.depth_m.shape[-2:]
    grid = pixel_grid(h, w, evidence.video)
    wave = torch.stack([torch.zeros(h, w), (2 * torch.pi * 1.5 * grid[..., 0] / w).sin()], -1)
    forward = evidence.forward_px + step_px * wave
    return replace(evidence, forward_px=forward, backward_px=evidence.backward_px - step_px * wave)


def test_a_slow_bend_is_seen_though_every_step_passes() -> None:
    clean = evidence_of([scene(orbit(), s) for s in range(2)])
    bent = creeping(clean, 0.3)
    assert epipolar_term(clean).values.min() > 0.95
    assert epipolar_term(bent).values.max() < 0.8 * epipolar_term(clean).values.min()
    # three frames have steps only
    short = {n: getattr(bent, n)[:, :3] for n in ("video", "depth_m", "c2w", "dynamic")}
    short |= {n: getattr(bent, n)[:, :2] for n in ("forward_px", "backward_px", "ego_px")}
    assert FRAMES // 3 > 1
    assert epipolar_term(replace(bent, segments=None, **short)).values.min() > 0.9
