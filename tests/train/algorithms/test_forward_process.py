"""What NFT and AWM share: the policy that they compare with is the one that sampled, however many updates follow."""

from __future__ import annotations

import pytest
import torch

from learners import Brightness, prompt
from toys import toy_policy
from worldr1.train.algorithms import AWM, NFT, Algorithm
from worldr1.train.algorithms.base import Update
from worldr1.train.rollout import sample


@pytest.mark.parametrize(("algorithm", "watched", "unmoved"), [(NFT(), "moved", 0.0), (AWM(), "ratio", 1.0)])
def test_the_old_policy_is_the_one_that_sampled(algorithm: Algorithm, watched: str, unmoved: float) -> None:
    policy = toy_policy()
    parameters = policy.add_lora(4, 0)
    batch = sample(policy, [prompt(0), prompt(1)], [0, 2])
    generator = torch.Generator().manual_seed(0)
    update = Update(policy, Brightness(), batch, torch.tensor([1.0, -1.0]), 0.01, 0.0, generator)
    first, *_ = algorithm.parts(update)
    assert first().watched[watched] == pytest.approx(unmoved, abs=1e-6)
    with torch.no_grad():
        for p in parameters:
            p.add_(0.1)
    assert abs(first().watched[watched] - unmoved) > 1e-4
