"""Guards: floors, never something to climb. Each is 1 at or above its floor and falls to 0 below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term, TermResult
from worldr1.types import Prompt


def sharpness(evidence: Evidence) -> Tensor:
    """Mean absolute spatial difference of luminance per clip, ``[b]``."""
    gray = evidence.video.mean(2)
    return gray.diff(dim=-1).abs().mean((1, 2, 3)) + gray.diff(dim=-2).abs().mean((1, 2, 3))


def motion(evidence: Evidence) -> Tensor:
    """Mean length of the flow in pixels per clip, ``[b]``."""
    length: Tensor = evidence.forward_px.norm(dim=-1)
    return length.mean((1, 2, 3))


@dataclass(frozen=True)
class Floor:
    """The level below which a guard punishes, by what the prompt asks for: a fixed camera moves less than an orbit."""

    fact: str = ""  # key into `Prompt.facts`, whose value picks the level
    levels: Mapping[str, float] = field(default_factory=dict)
    default: float = 0.0

    def of(self, prompt: Prompt | None) -> float:
        value = "" if prompt is None else str(prompt.facts.get(self.fact, ""))
        return self.levels.get(value, self.default)


def floor_from(values: Tensor, prompts: Sequence[Prompt], fact: str, share: float = 1.0) -> Floor:
    """A floor at ``share`` of the mean of ``values`` ``[n]``, for each value of a prompt fact and overall."""
    values, groups = share * values, dict[str, list[float]]()
    for value, prompt in zip(values.tolist(), prompts, strict=True):
        groups.setdefault(str(prompt.facts.get(fact, "")), []).append(value)
    return Floor(fact, {k: sum(v) / len(v) for k, v in groups.items()}, float(values.mean()))


def against_floor(values: Tensor, prompts: Sequence[Prompt | None], floor: Floor) -> Tensor:
    """min(1, value / floor) for each clip: ``[n]``; 1 where there is no floor."""
    levels = torch.tensor([floor.of(p) for p in prompts], device=values.device)
    return (values / levels.clamp(min=1e-9)).clamp(0, 1)


def floor_guard(measure: Callable[[Evidence], Tensor], floor: Floor) -> Term:
    """A term that is min(1, measure / floor); abstains where the prompt's floor is 0."""

    def guard(evidence: Evidence) -> TermResult:
        value = measure(evidence)
        demanded = torch.tensor([floor.of(p) > 0 for p in evidence.prompts], device=value.device)
        return TermResult(against_floor(value, evidence.prompts, floor), demanded, "no floor for what the prompt asks")

    return guard
