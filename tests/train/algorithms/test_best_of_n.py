"""Best of N picks the best of each prompt's samples."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from learners import PlainBrightness, prompt
from toys import toy_policy
from worldr1.train.algorithms.best_of_n import best_of_n
from worldr1.train.rollout import sample
from worldr1.types import Clip, Rollout, Score


def test_the_brightest_sample_of_each_prompt_is_taken() -> None:
    policy, prompts = toy_policy(), [prompt(0), prompt(1)]
    picked = best_of_n(policy, PlainBrightness(), prompts, [10, 50], 3)
    for (rollout, score), p, seed in zip(picked, prompts, (10, 50), strict=True):
        alone = [float(r.clip.video.mean()) for r in sample(policy, [p] * 3, range(seed, seed + 3)).rollouts]
        assert rollout.prompt == p
        assert score.value == pytest.approx(max(alone), abs=1e-4)
        assert max(alone) > min(alone)


def test_a_sample_without_a_score_is_never_preferred() -> None:
    class Silent(PlainBrightness):
        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            scores = super().__call__(samples)
            scores[0] = Score(None)
            return scores

    assert best_of_n(toy_policy(), Silent(), [prompt(0)], [0], 2)[0][1].value is not None


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        best_of_n(toy_policy(), PlainBrightness(), [prompt(0)], [0], 0)
    with pytest.raises(ValueError, match="as many seeds"):
        best_of_n(toy_policy(), PlainBrightness(), [prompt(0)], [0, 1], 2)
