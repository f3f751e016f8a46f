"""Plain pictures are not judged by their motion, and no clip becomes plain on the way."""

from __future__ import annotations

from dataclasses import replace

import torch

from rewards.general import evidence_of, orbit, scene
from worldr1.rewards.rest import rest_term
from worldr1.rewards.traceable import traceable, where_traceable


def test_terms_of_motion_abstain_on_plain_pictures_only() -> None:
    textured = evidence_of([scene(orbit())])
    plain = replace(textured, video=torch.full_like(textured.video, 0.5))
    assert traceable(textured).tolist() == [True]
    assert traceable(plain).tolist() == [False]
    held = where_traceable(rest_term)
    assert torch.equal(held(textured).values, rest_term(textured).values)
    assert not bool(held(plain).applicable.any())
    assert "texture" in held(plain).reason_of(0)


def test_losing_texture_on_the_way_is_no_way_out() -> None:
    evidence = evidence_of([scene(orbit())])
    fading = evidence.video.clone()
    fading[:, evidence.video.shape[1] // 3 :] = 0.5
    assert traceable(replace(evidence, video=fading)).tolist() == [True]
