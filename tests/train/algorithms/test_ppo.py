"""PPO's value: it learns which prompts pay, forgets, and leaves masked samples out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from worldr1.train.advantage import TermWeight
from worldr1.train.algorithms import PPO
from worldr1.train.algorithms.base import Scored
from worldr1.train.algorithms.ppo import project, value_residual
from worldr1.types import Score

NAN = float("nan")


def learn(x: Tensor, rewards: list[Tensor], ridge: float = 1e-6) -> list[Tensor]:
    state: dict[str, Tensor] = {}
    out = []
    for r in rewards:
        residual, _, state = value_residual(x, r, state, ridge=ridge, memory=1.0)
        out.append(residual)
    return out


def test_the_first_batch_is_measured_against_its_mean_and_later_ones_against_the_regression() -> None:
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    first, second = learn(x, [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.5, 2.0, 3.0])])
    torch.testing.assert_close(first, torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64))
    # V = 1 + x by least squares, so only the first prompt did better than expected
    torch.testing.assert_close(second, torch.tensor([0.5, 0.0, 0.0], dtype=torch.float64), atol=1e-5, rtol=0)


def test_a_masked_reward_teaches_nothing_and_stays_masked() -> None:
    x = torch.ones(3, 1, dtype=torch.float64)
    first, second = learn(x, [torch.tensor([1.0, NAN, 3.0]), torch.tensor([2.0, 2.0, NAN])])
    assert first.isnan().tolist() == [False, True, False]
    torch.testing.assert_close(second[:2], torch.zeros(2, dtype=torch.float64), atol=1e-5, rtol=0)
    assert second[2].isnan()
    silent, spoken = learn(x, [torch.tensor([NAN, NAN, NAN]), torch.tensor([1.0, 1.0, 1.0])])
    assert silent.isnan().all()
    assert spoken.isfinite().all()


def test_old_batches_are_forgotten() -> None:
    x = torch.ones(4, 1, dtype=torch.float64)
    state: dict[str, Tensor] = {}
    for level in (0.0, 1.0, 1.0, 1.0):
        _, _, state = value_residual(x, torch.full((4,), level), state, ridge=1e-6, memory=0.5)
    residual, _, _ = value_residual(x, torch.ones(4), state, ridge=1e-6, memory=0.5)
    assert 0 < residual[0] < 0.1  # 1/15, where without forgetting it would be 1/4


def test_the_advantage_is_against_the_prompt_and_not_against_the_group() -> None:
    features = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)).repeat_interleave(2, 0)

    def scored(values: list[float]) -> Scored:
        return Scored([Score(v, {"a": v}) for v in values], 2, {"a": TermWeight(1.0)}, {}, lambda: features)

    state: dict[str, object] = {}
    for _ in range(30):
        PPO().advantage(scored([0.1, 0.1, 0.5, 0.5, 0.3, 0.3, 0.9, 0.9]), state)
    advantage = PPO().advantage(scored([0.2, 0.2, 0.5, 0.5, 0.3, 0.3, 0.8, 0.8]), state)
    assert (advantage[:2] > 0.3).all()  # a whole group that is better than usual, which its own mean cannot tell
    assert (advantage[-2:] < -0.3).all()
    assert advantage[2:6].abs().max() < 0.5 * advantage[0]


def test_features_are_the_same_for_everybody() -> None:
    x = torch.randn(3, 50)
    assert torch.equal(project(x, 4), project(x.clone(), 4))
    assert project(x, 4)[:, 0].tolist() == pytest.approx([1.0, 1.0, 1.0])
