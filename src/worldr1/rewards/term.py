"""What a term answers: a value in [0, 1] per clip, or an abstention with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from worldr1.rewards.evidence import Evidence


@dataclass(frozen=True)
class TermResult:
    """Values of one term for a batch; where ``applicable`` is false the value means nothing."""

    values: Tensor  # [b] in [0, 1]
    applicable: Tensor  # [b] bool
    reason: str | tuple[str, ...]  # why the term abstains where it does: for all clips, or one per clip

    def reason_of(self, index: int) -> str:
        return self.reason if isinstance(self.reason, str) else self.reason[index]


Term = Callable[[Evidence], TermResult]


def masked_mean(values: Tensor, mask: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Mean of ``values`` where ``mask`` holds; 0 where it holds nowhere."""
    return (values * mask).sum(dims) / mask.sum(dims).clamp(min=1)
