"""What creeps moves less in a step than the flow is wrong, and shows over a third of the clip."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rewards.general import FRAMES, evidence_of, orbit, scene
from worldr1.geometry.camera import pixel_grid
from worldr1.rewards import epipolar
from worldr1.rewards.epipolar import epipolar_term
from worldr1.rewards.evidence import Evidence
from worldr1.types import Prompt

AT_REST, FREE = (Prompt("a scene", None, "", 0, {"movers": m}) for m in ([], ["a car"]))


def creeping(evidence: Evidence, step_px: float, scale: float = 1.0) -> Evidence:
    """``scale`` times the flow of the same clip, and a wave across the picture that grows by ``step_px`` a frame."""
    h, w = evidence.depth_m.shape[-2:]
    grid = pixel_grid(h, w, evidence.video)
    wave = torch.stack([torch.zeros(h, w), (2 * torch.pi * 1.5 * grid[..., 0] / w).sin()], -1)
    forward = scale * evidence.forward_px + step_px * wave
    return replace(evidence, forward_px=forward, backward_px=scale * evidence.backward_px - step_px * wave)


def at_rest() -> Evidence:
    return evidence_of([scene(orbit(), s) for s in range(2)], prompts=[AT_REST] * 2)


def test_a_slow_bend_is_seen_though_every_step_passes() -> None:
    clean = at_rest()
    bent = creeping(clean, 0.3)
    assert FRAMES // 3 > 1
    assert epipolar_term(clean).values.min() > 0.95
    assert epipolar_term(bent).values.max() < 0.8
    # what may move by itself may creep, and a clip of five frames has no stretch longer than a step
    assert epipolar_term(replace(bent, prompts=(AT_REST, FREE))).values[1] > epipolar_term(bent).values[1] + 0.05
    short = {n: getattr(bent, n)[:, :5] for n in ("video", "depth_m", "c2w", "dynamic")}
    short |= {n: getattr(bent, n)[:, :4] for n in ("forward_px", "backward_px", "ego_px", "ego_back_px")}
    at_rest_or_not = [epipolar_term(replace(bent, prompts=[p] * 2, **short)).values for p in (AT_REST, FREE)]
    assert at_rest_or_not[0].equal(at_rest_or_not[1])


def test_a_wobble_that_returns_within_a_third_is_seen_in_the_steps() -> None:
    clean = at_rest()
    phase = torch.sin(2 * torch.pi * torch.arange(FRAMES) / (FRAMES // 3))
    wobbling = creeping(clean, 1.0)
    share = (2.0 * phase.diff()).view(1, -1, 1, 1, 1)
    forward, backward = wobbling.forward_px - clean.forward_px, wobbling.backward_px - clean.backward_px
    wobbling = replace(
        clean, forward_px=clean.forward_px + share * forward, backward_px=clean.backward_px + share * backward
    )
    assert epipolar_term(wobbling).values.max() < 0.6


def test_long_flow_may_be_off_by_more_than_short_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    bent = creeping(at_rest(), 0.2)
    tolerant = epipolar_term(bent).values
    monkeypatch.setattr(epipolar, "_LENGTH_SHARE", 0.0)
    assert (tolerant > epipolar_term(bent).values + 0.01).all()


def test_flow_that_is_as_short_as_its_error_says_nothing() -> None:
    still = creeping(at_rest(), 0.2, scale=0.0)
    assert not epipolar_term(replace(still, prompts=(FREE, FREE))).applicable.any()


def test_where_the_picture_cannot_be_followed_a_rigid_rest_proves_nothing() -> None:
    clean = at_rest()
    lost = torch.zeros(clean.depth_m.shape[-2:], dtype=torch.bool)
    lost[:, 6:] = True  # flow that does not return
    broken = clean.backward_px.where(~lost[..., None], clean.backward_px + 5.0)
    assert not epipolar_term(replace(clean, backward_px=broken)).applicable.any()


def test_flow_where_the_picture_is_plain_is_not_counted() -> None:
    clean = at_rest()
    width = clean.video.shape[-1]
    plain = torch.arange(width) > 0.65 * width
    # a guess that returns, so that nothing else gives it away
    guessed = torch.tensor([0.0, 3.0]) * plain[:, None]
    broken = replace(clean, forward_px=clean.forward_px + guessed, backward_px=clean.backward_px - guessed)
    assert epipolar_term(broken).values.max() < 0.7
    painted = replace(broken, video=clean.video.where(~plain, 0.5))
    assert epipolar_term(painted).values.min() > 0.85


def test_losing_texture_is_no_excuse() -> None:
    clean = at_rest()
    guessed = 3.0 * torch.randn(clean.depth_m.shape[-2:], generator=torch.Generator().manual_seed(0))
    guessed = torch.stack([torch.zeros_like(guessed), guessed], -1)
    forward, backward = clean.forward_px.clone(), clean.backward_px.clone()
    late = 2 * FRAMES // 3  # so that most stretches are whole
    forward[:, late:], backward[:, late:] = forward[:, late:] + guessed, backward[:, late:] - guessed
    broken = replace(clean, forward_px=forward, backward_px=backward)
    faded = clean.video.clone()
    faded[:, late:] = 0.5
    sharp, plain = (epipolar_term(e).values for e in (broken, replace(broken, video=faded)))
    assert sharp.max() < 0.9
    assert (plain <= sharp + 0.02).all()
