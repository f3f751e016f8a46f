"""What a reward is made of: every term's name, kind, weight and applicability in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.guards import NO_FLOOR, TURNS
from worldr1.rewards.novelty import UNASKED
from worldr1.rewards.term import Term, TermResult

Kind = Literal["term", "gate", "guard"]
Condition = Callable[[Evidence], Tensor]


def always(evidence: Evidence) -> Tensor:
    """Every clip: ``[b]``."""
    return torch.ones(len(evidence.video), dtype=torch.bool, device=evidence.video.device)


def camera_may_move(evidence: Evidence) -> Tensor:
    """Clips ``[b]`` whose prompt does not ask for a fixed camera."""
    return ~evidence.still_camera()


def camera_may_travel(evidence: Evidence) -> Tensor:
    """Clips ``[b]`` whose prompt does not ask for a camera that stays on the spot."""
    return ~evidence.on_the_spot()


def nothing_moves(evidence: Evidence) -> Tensor:
    """Clips ``[b]`` whose prompt lets the camera move, and nothing else."""
    return evidence.at_rest() & camera_may_move(evidence)


@dataclass(frozen=True)
class TermSpec:
    """How a term takes part in a score."""

    name: str
    kind: Kind = "term"  # terms enter by weighted geometric mean; the gate and guards multiply
    weight: float = 1.0  # exponent in the geometric mean; of no account for a gate or guard
    applies: Condition = always  # a term may abstain on top of this
    reason: str = ""  # why it does not apply where it does not; a term that finds so itself gives this very reason
    differentiable: bool = False  # with respect to video and depth; flow, camera and masks are held
    mirrors: bool = True  # whether a clip's mirror image must have the same answer: not of a text that says "left"


_FIXED = "the prompt asks for a fixed camera"
_SPOT = "the prompt asks for a camera that does not travel"
_MOVING = "the prompt does not say that nothing moves by itself under a moving camera"

SPECS: dict[str, TermSpec] = {
    spec.name: spec
    for spec in (
        TermSpec("depth", applies=camera_may_move, reason=_FIXED, differentiable=True),
        TermSpec("flow", applies=camera_may_move, reason=_FIXED, differentiable=True),
        TermSpec("constancy", differentiable=True),
        TermSpec("camera"),
        TermSpec("prompt", mirrors=False),
        TermSpec("epipolar", weight=3.0, applies=camera_may_move, reason=_FIXED),  # leans on neither depth nor camera
        TermSpec("sfm", weight=0.5, applies=camera_may_move, reason=_FIXED),
        # of these, honest light, speed and approach cost rest least and the other two most (LOG.md)
        TermSpec("rest", weight=2.0, applies=nothing_moves, reason=_MOVING),
        TermSpec("far_view", applies=camera_may_move, reason=_FIXED, differentiable=True),
        TermSpec("steadiness"),
        TermSpec("held_out_view", applies=camera_may_move, reason=_FIXED, differentiable=True),
        TermSpec("pose_divergence", weight=0.25, applies=camera_may_move, reason=_FIXED),
        TermSpec("volume"),
        TermSpec("reappearance", weight=0.5),  # few points come back, and depth at edges is soft
        # at a half honest hard clips pass more often, and as many pairs are won (LOG.md)
        TermSpec("permanence", weight=0.5, applies=camera_may_move, reason=_FIXED, differentiable=True),
        TermSpec("palette", applies=nothing_moves, reason=_MOVING),
        TermSpec("detail", weight=2.0),  # two ghosts laid over each other are little else
        TermSpec("photometric", differentiable=True),
        TermSpec("smoothness"),
        TermSpec("semantic", weight=0.5, mirrors=False),
        TermSpec("parallax", "gate", applies=camera_may_travel, reason=_SPOT),
        TermSpec("sharpness", "guard", reason=NO_FLOOR, differentiable=True),
        TermSpec("motion", "guard", reason=NO_FLOOR),
        TermSpec("texture", "guard", reason=NO_FLOOR),
        TermSpec("saturation", "guard", reason=NO_FLOOR, differentiable=True),
        TermSpec("novelty", "guard", applies=camera_may_move, reason=UNASKED),
        TermSpec("continuity", "guard", reason=TURNS),
        TermSpec("picture", "guard"),
    )
}


def spec_of(name: str) -> TermSpec:
    """The spec of a term; one that is not in the table is a term of weight 1 that always applies."""
    return SPECS.get(name, TermSpec(name))


def evaluate(name: str, term: Term, evidence: Evidence) -> TermResult:
    """The term's answer about the clips that its spec says it applies to; the others it is not shown."""
    spec = spec_of(name)
    applies = spec.applies(evidence)
    if bool(applies.all()):
        return term(evidence)
    values, applicable = torch.zeros(len(applies), device=applies.device), applies.clone()
    reasons = [spec.reason] * len(applies)
    if bool(applies.any()):
        result = term(evidence.select(applies))
        values = values.to(result.values)
        values[applies], applicable[applies] = result.values, result.applicable
        for k, i in enumerate(applies.nonzero().flatten().tolist()):
            reasons[i] = result.reason_of(k)
    return TermResult(values, applicable, tuple(reasons))


def differentiable(names: Iterable[str]) -> list[str]:
    """Those of the terms that pass gradients."""
    return [n for n in names if spec_of(n).differentiable]
