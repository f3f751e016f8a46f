"""The algorithms by name. A new one is a file beside these and a line here."""

from __future__ import annotations

from difflib import get_close_matches

from worldr1.train.algorithms.awm import AWM
from worldr1.train.algorithms.base import Algorithm
from worldr1.train.algorithms.grpo import GRPO
from worldr1.train.algorithms.nft import NFT
from worldr1.train.algorithms.ppo import PPO
from worldr1.train.algorithms.reward_gradient import RewardGradient

__all__ = ["ALGORITHMS", "AWM", "GRPO", "NFT", "PPO", "Algorithm", "RewardGradient", "make_algorithm"]

ALGORITHMS: dict[str, type[Algorithm]] = {a.name: a for a in (GRPO, PPO, NFT, AWM, RewardGradient)}


def make_algorithm(name: str) -> Algorithm:
    """An algorithm with its default options; raises ``ValueError`` that suggests the nearest name."""
    if name not in ALGORITHMS:
        close = get_close_matches(name, ALGORITHMS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(ALGORITHMS)}"
        raise ValueError(f"unknown algorithm {name!r}: {hint}")
    return ALGORITHMS[name]()
