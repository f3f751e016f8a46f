"""The camera term on exact paths, the straight ones where Umeyama's alignment degenerates among them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from worldr1.rewards.camera import camera_term
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term
from worldr1.types import CameraPath, Prompt
from worldr1.worlds.tiny.motion import FIXED, MOVES, camera_path

OPPOSITE = {
    "orbit left": "orbit right",
    "orbit right": "orbit left",
    "push in": "pull out",
    "pull out": "push in",
    "truck left": "truck right",
    "truck right": "truck left",
}


def path(move: str, frames: int = 9, magnitude: float = 1.0) -> Tensor:
    c2w = torch.from_numpy(camera_path(move, frames, azimuth_rad=0.8, magnitude=magnitude))
    return torch.linalg.inv(c2w[:1]) @ c2w


def asking(move: str, frames: int = 9) -> Prompt:
    c2w = torch.from_numpy(camera_path(move, frames, azimuth_rad=2.0))  # another place: only the motion counts
    return Prompt(move, CameraPath(c2w, torch.eye(3).expand(frames, 3, 3)))


def score(found: Tensor, prompt: Prompt | None, term: Term = camera_term) -> float | None:
    f = len(found)
    nothing = torch.zeros(1, f, 2, 2)
    evidence = Evidence(
        video=torch.zeros(1, f, 3, 2, 2),
        depth_m=nothing + 1,
        forward_px=torch.zeros(1, f - 1, 2, 2, 2),
        backward_px=torch.zeros(1, f - 1, 2, 2, 2),
        K=torch.eye(3)[None],
        c2w=found[None],
        ego_px=torch.zeros(1, f - 1, 2, 2, 2),
        ego_back_px=torch.zeros(1, f - 1, 2, 2, 2),
        dynamic=nothing > 1,
        prompts=[prompt],
    )
    result = term(evidence)
    return float(result.values[0]) if bool(result.applicable[0]) else None


@pytest.mark.parametrize("move", [*MOVES, FIXED])
def test_a_perfect_path_scores_one(move: str) -> None:
    assert score(path(move), asking(move)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("move", MOVES)
def test_the_opposite_direction_scores_low(move: str) -> None:
    value = score(path(OPPOSITE[move]), asking(move))
    assert value is not None
    assert value < 0.35


@pytest.mark.parametrize("move", MOVES)
def test_resting_and_creeping_do_not_count_as_moving(move: str) -> None:
    for magnitude in (0.0, 1e-3):
        value = score(path(move, magnitude=magnitude), asking(move))
        assert value is not None
        assert value < 0.1
    nearly = score(path(move, magnitude=0.85), asking(move))
    assert nearly is not None
    assert nearly > 0.6


@pytest.mark.parametrize("move", MOVES)
def test_a_fixed_camera_must_rest(move: str) -> None:
    value = score(path(move), asking(FIXED))
    assert value is not None
    assert value < 0.35


def test_every_move_prefers_itself() -> None:
    for asked in (*MOVES, FIXED):
        values = {found: score(path(found), asking(asked)) or 0.0 for found in (*MOVES, FIXED)}
        assert max(values, key=lambda name: values[name]) == asked


def test_it_abstains_without_a_path_or_with_one_of_another_length() -> None:
    assert score(path("push in"), None) is None
    assert score(path("push in"), Prompt("a box")) is None
    assert score(path("push in"), asking("push in", frames=5)) is None
