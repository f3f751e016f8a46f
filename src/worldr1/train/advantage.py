"""Advantages: every reward term is normalised within its prompt group, then weighted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worldr1.rewards.composite import counted
from worldr1.rewards.spec import spec_of
from worldr1.types import Score

# the policy itself sums up the pressure it was under, so that a fast integral on top of it swings
_PROPORTIONAL_GAIN, _INTEGRAL_GAIN = 6.0, 0.1


@dataclass(frozen=True)
class TermWeight:
    """How much a term counts, and the spread below which its differences within a group are noise.

    A guard is a constraint. What the other terms would take from it is removed from them (`spare`), and it counts
    itself only as much as is needed to bring its mean back to the base model's level (`guard_pressure`): otherwise
    half of all samples, being below the mean, would be pushed to climb what should only be kept.
    """

    weight: float
    floor: float = 0.02
    guard: bool = False
    geometric: bool = False  # judges 3D consistency: off in the decoupled phase


def guard_pressure(integral: float, recent: Sequence[float], target: float) -> tuple[float, float]:
    """The share in [0, 1] of a guard's weight in force, and the integral to carry to the next iteration.

    It grows while the guard's recent mean is under ``target``: a Lagrange multiplier, as in constrained reinforcement
    learning, with a proportional part against the oscillation of plain dual ascent (Stooke et al. 2020,
    arXiv:2007.03964).
    """
    if not recent:
        return integral, integral
    shortfall = 1 - sum(recent) / len(recent) / target
    integral = min(1.0, max(0.0, integral + _INTEGRAL_GAIN * shortfall))
    return min(1.0, max(0.0, integral + _PROPORTIONAL_GAIN * shortfall)), integral


def term_matrix(scores: Sequence[Score], term: str) -> Tensor:
    """Values of a term, NaN where it abstained or failed: ``[n]``. A gate or guard that abstains is 0, as in a score,
    or it would pay to hide what it looks for; NaN where it failed or the prompt does not ask for it."""
    shown_to_hold = spec_of(term).kind != "term"
    return torch.tensor([_value(s, term, shown_to_hold) for s in scores])


def _value(score: Score, term: str, shown_to_hold: bool) -> float:
    part = score.parts.get(term)
    if part is not None:
        return part
    return 0.0 if shown_to_hold and term in counted(score.parts, score.notes) else math.nan


def group_normalise(values: Tensor, floor: float) -> Tensor:
    """(r − mean) / (std + floor) within each row of ``[groups, samples]``; NaN stays NaN and counts for nothing.

    A row with fewer than two values has no spread and becomes NaN altogether.
    """
    present = ~values.isnan()
    count = present.sum(1, keepdim=True)
    centred = values - values.nanmean(1, keepdim=True)
    variance = (centred**2).nansum(1, keepdim=True) / (count - 1).clamp(min=1)
    out = centred / (variance.sqrt() + floor)
    return out.where(count >= 2, torch.nan)


def spare(total: Tensor, guard: Tensor) -> Tensor:
    """``total`` without the part along ``guard`` that would lower it; both of one shape, without NaN.

    An advantage with no component along a measured quantity does not move that quantity's mean, to first order:
    gradient projection (Rosen 1960) with samples in the place of parameters. Where the two agree, nothing changes.
    """
    along = (total * guard).sum() / guard.square().sum().clamp(min=1e-12)
    return total - along.clamp(max=0) * guard


def combine(z: Mapping[str, Tensor], weights: Mapping[str, TermWeight], pressure: Mapping[str, float]) -> Tensor:
    """The weighted sum of normalised terms, all of one shape, kept from lowering the guards; NaN counts for nothing."""
    z = {term: value.nan_to_num(0.0) for term, value in z.items() if weights[term].weight > 0}
    guards = [term for term in z if weights[term].guard]
    total = torch.zeros_like(next(iter(z.values())))
    for term in [t for t in z if t not in guards]:
        total = total + weights[term].weight * z[term]
    for term in guards:
        total = spare(total, z[term])
    for term in guards:
        total = total + weights[term].weight * pressure.get(term, 1.0) * z[term]
    return total


def advantages(
    scores: Sequence[Score],
    group: int,
    weights: Mapping[str, TermWeight],
    pressure: Mapping[str, float] | None = None,
    clip: float = 3.0,
) -> Tensor:
    """Advantages ``[n]`` of samples in prompt-major order, clipped to ±``clip``.

    A missing term is masked and the group's other members normalised without it, never replaced by a number; a
    sample without any term, and a group without spread, gets 0 and teaches nothing. Raises ``ValueError`` when
    the samples do not fill whole groups or no weight is positive.
    """
    if len(scores) % group:
        raise ValueError(f"{len(scores)} samples do not fill groups of {group}")
    if not any(w.weight > 0 for w in weights.values()):
        raise ValueError("no reward term has a positive weight")
    z = {
        term: group_normalise(term_matrix(scores, term).view(-1, group), setting.floor)
        for term, setting in weights.items()
    }
    total = combine(z, weights, pressure or {})
    return total.flatten().clamp(-clip, clip)
