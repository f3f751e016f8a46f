"""PPO: GRPO's surrogate, with a learned value of the prompt in the place of the group's mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from worldr1.train.advantage import combine, term_matrix
from worldr1.train.algorithms.base import Scored
from worldr1.train.algorithms.grpo import GRPO

_ADVANTAGE_CLIP = 3.0


def project(features: Tensor, width: int) -> Tensor:
    """A one and ``width`` fixed random projections of features ``[n, d]``: ``[n, width + 1]``, float64."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(features.shape[1], width, generator=generator, dtype=torch.float64)
    projected = features.cpu().double() @ directions / features.shape[1] ** 0.5
    return torch.cat([torch.ones(len(features), 1, dtype=torch.float64), projected], dim=1)


def value_residual(
    x: Tensor, rewards: Tensor, state: dict[str, Tensor], *, ridge: float, memory: float
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """(r − V(x)) ``[n]``, the residuals' usual size, and the state after learning from this batch.

    V is a ridge regression of rewards ``[n]`` on features ``[n, d]``, older batches forgotten by the factor
    ``memory``. It answers before it sees the batch, so that the advantage stays unbiased; the first batch, with
    nothing to answer from, is measured against its own mean. NaN rewards count for nothing and stay NaN.
    """
    told = ~rewards.isnan()
    seen, r = x[told], rewards[told].double()
    if not state:
        eye = ridge * torch.eye(x.shape[1], dtype=torch.float64)
        residual = rewards.double() - (r.mean() if len(r) else 0.0)
        state = {"gram": eye, "moment": torch.zeros(x.shape[1], dtype=torch.float64), "square": torch.zeros(2)}
    else:
        residual = rewards.double() - x @ torch.linalg.solve(state["gram"], state["moment"])
    squares = torch.stack([residual[told].square().sum(), told.sum().double()])
    eye = ridge * torch.eye(x.shape[1], dtype=torch.float64)
    state = {
        "gram": memory * (state["gram"] - eye) + eye + seen.T @ seen,
        "moment": memory * state["moment"] + seen.T @ r,
        "square": memory * state["square"] + squares,
    }
    return residual, (state["square"][0] / state["square"][1].clamp(min=1)).sqrt(), state


@dataclass(frozen=True)
class PPO(GRPO):
    """Clipped surrogate with a learned value baseline (Schulman et al. 2017, arXiv:1707.06347).

    The value is regressed on the pooled text embedding, one per reward term. A prompt's group need not be large,
    since its mean is not the baseline.
    """

    name: str = field(default="ppo", init=False)
    width: int = 16  # of the features
    ridge: float = 1.0
    memory: float = 0.9

    def advantage(self, scored: Scored, state: dict[str, Any]) -> Tensor:
        x = project(scored.features(), self.width)
        z = {}
        for term, setting in scored.weights.items():
            residual, size, state[term] = value_residual(
                x, term_matrix(scored.scores, term), state.get(term, {}), ridge=self.ridge, memory=self.memory
            )
            z[term] = residual / (size + setting.floor)
        return combine(z, scored.weights, scored.pressure).clamp(-_ADVANTAGE_CLIP, _ADVANTAGE_CLIP).float()
