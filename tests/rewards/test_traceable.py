"""Plain pictures are not judged by their motion, and no clip becomes plain on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import interpolate

from rewards.general import evidence_of, orbit, scene
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.rest import rest_term
from worldr1.rewards.traceable import ENOUGH, LEAST_SHARE, traceable, where_traceable


def test_terms_of_motion_abstain_on_plain_pictures_only() -> None:
    textured = evidence_of([scene(orbit())])
    plain = replace(textured, video=torch.full_like(textured.video, 0.5))
    assert traceable(textured).tolist() == [True]
    assert traceable(plain).tolist() == [False]
    held = where_traceable(rest_term)
    assert torch.equal(held(textured).values, rest_term(textured).values)
    assert not bool(held(plain).applicable.any())
    assert "texture" in held(plain).reason_of(0)


def enlarged(evidence: Evidence, height: int, width: int) -> Evidence:
    video = interpolate(evidence.video.flatten(0, 1), (height, width), mode="bilinear")
    depth_m = interpolate(evidence.depth_m, (height, width), mode="nearest")
    return replace(evidence, video=video.unflatten(0, evidence.video.shape[:2]), depth_m=depth_m)


@pytest.mark.parametrize("size", [(96, 160), (128, 128), (256, 256)])
def test_texture_is_that_of_the_picture_and_not_grain(size: tuple[int, int]) -> None:
    small = evidence_of([scene(orbit())])
    faint = replace(small, video=0.5 + 0.3 * (small.video - 0.5))
    shares = [float(e.textured_shares[0]) for e in (faint, enlarged(faint, *size))]
    assert 0.5 < shares[0] < 1.0
    assert shares[1] == pytest.approx(shares[0], abs=0.1)
    plain = enlarged(replace(small, video=torch.full_like(small.video, 0.5)), *size)
    grain = 0.01 * torch.randn(plain.video.shape, generator=torch.Generator().manual_seed(0))
    assert traceable(replace(plain, video=plain.video + grain)).tolist() == [False]


def test_losing_texture_on_the_way_is_no_way_out() -> None:
    evidence = evidence_of([scene(orbit())])
    fading = evidence.video.clone()
    fading[:, evidence.video.shape[1] // 3 :] = 0.5
    assert traceable(replace(evidence, video=fading)).tolist() == [True]


def test_what_is_plain_is_told_from_what_is_faint() -> None:
    """The rest has texture enough for half of the scene to be near some."""
    textured = evidence_of([scene(orbit())])
    width = textured.video.shape[-1]
    for gain, told in ((0.0, False), (0.08, True)):  # faint texture can be followed
        video = textured.video.clone()
        part = video[..., : width * 2 // 5]
        video[..., : width * 2 // 5] = 0.5 + gain * (part - 0.5)
        evidence = replace(textured, video=video)
        assert LEAST_SHARE < float(evidence.textured_shares[0]) < ENOUGH
        assert traceable(evidence).tolist() == [told]


def test_a_plain_quarter_is_no_way_out() -> None:
    textured = evidence_of([scene(orbit())])
    video = textured.video.clone()
    video[..., : video.shape[-1] // 4] = 0.5
    assert traceable(replace(textured, video=video)).tolist() == [True]
