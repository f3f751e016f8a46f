"""Structure from motion among the terms: its own, and its say in the camera term."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rewards.test_camera import OPPOSITE, asking, path
from worldr1.estimators.structure import TOO_FEW, Structure
from worldr1.rewards.camera import camera_term
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.sfm import sfm_term

FRAMES = 9


def structure(move: str, scale: float = 1.0, registered: int = FRAMES, silent: str = "") -> Structure:
    c2w = path(move, FRAMES).clone()
    c2w[:, :3, 3] *= scale
    there = torch.arange(FRAMES) < registered
    c2w[~there] = torch.nan
    return Structure(c2w, there, FRAMES, 500, 6.0, 0.0, 1.0, silent)


def evidence(move: str, *structures: Structure) -> Evidence:
    b, f = len(structures), FRAMES
    nothing, still = torch.zeros(b, f, 2, 2), torch.zeros(b, f - 1, 2, 2, 2)
    return Evidence(
        torch.zeros(b, f, 3, 2, 2), nothing + 1, still, still, torch.eye(3).expand(b, 3, 3),
        path(move, f).expand(b, f, 4, 4), still, still, nothing > 1, (asking(move, f),) * b, structures=structures,
    )  # fmt: skip


def test_the_term_is_the_reliability_and_abstains_where_nothing_follows() -> None:
    found = structure("truck left")
    shown = evidence("truck left", found, structure("truck left", registered=3), replace(found, silent=TOO_FEW))
    result = sfm_term(shown)
    assert result.values[:2].tolist() == pytest.approx([1.0, 1 / 3])
    assert result.applicable.tolist() == [True, True, False]
    assert result.reason_of(2) == TOO_FEW
    chosen = shown.select(torch.tensor([False, True, True]))
    assert sfm_term(chosen).values[0] == result.values[1]
    without = sfm_term(replace(shown, structures=None))
    assert not bool(without.applicable.any())
    assert "no structure from motion" in without.reason_of(0)


def test_the_path_has_half_the_say_whatever_its_unit() -> None:
    move = "truck left"
    for scale in (0.01, 1.0, 50.0):
        assert float(camera_term(evidence(move, structure(move, scale))).values[0]) == pytest.approx(1, abs=0.02)
    opposed = float(camera_term(evidence(move, structure(OPPOSITE[move]))).values[0])
    assert opposed == pytest.approx(0.5, abs=0.05)
    unseen = camera_term(evidence(move, structure(OPPOSITE[move], registered=FRAMES - 1)))
    assert float(unseen.values[0]) == pytest.approx(1, abs=0.02)
