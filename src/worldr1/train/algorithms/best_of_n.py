"""Best of N: the baseline that trains nothing and pays at inference."""

from __future__ import annotations

from collections.abc import Sequence

from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.train.rollout import sample
from worldr1.types import Prompt, Reward, Rollout, Score


def best_of_n(
    policy: DiffusersPolicy, reward: Reward, prompts: Sequence[Prompt], seeds: Sequence[int], n: int
) -> list[tuple[Rollout, Score]]:
    """For each prompt the best of ``n`` samples from seeds ``seed … seed + n − 1``, and its score.

    A sample without a score loses to any that has one; among samples without, the first is taken. Raises
    ``ValueError`` for ``n`` below 1 or where prompts and seeds differ in number.
    """
    if n < 1:
        raise ValueError(f"best of {n} is not a choice; use 1 or more")
    if len(prompts) != len(seeds):
        raise ValueError(f"{len(prompts)} prompts need as many seeds, not {len(seeds)}")
    batch = sample(policy, [p for p in prompts for _ in range(n)], [s + k for s in seeds for k in range(n)])
    scored = list(zip(batch.rollouts, reward(batch.rollouts), strict=True))

    def rank(pair: tuple[Rollout, Score]) -> float:
        return float("-inf") if pair[1].value is None else pair[1].value

    return [max(scored[i : i + n], key=rank) for i in range(0, len(scored), n)]
