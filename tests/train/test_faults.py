"""Rewards that raise, hang or answer nonsense are masked and counted; scores never reach another clip."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from learners import CONFIG, Brightness, lora, prompt, without_times
from toys import toy_policy
from worldr1.train.advantage import TermWeight, advantages
from worldr1.train.faults import Scorer, TooManyFaultsError, check_share
from worldr1.train.loop import train
from worldr1.types import Clip, Prompt, Rollout, Score

NAN = float("nan")


def clips(count: int, start: int = 0) -> list[Rollout]:
    """Clips that say which they are."""
    return [Rollout(Prompt(""), Clip(torch.full((2, 3, 4, 4), float(start + k))), ()) for k in range(count)]


def number(sample: Rollout | Clip) -> int:
    clip = sample.clip if isinstance(sample, Rollout) else sample
    return int(clip.video[0, 0, 0, 0])


class Faulty:
    """Answers a clip's number, unless it is one of ``bad``: then does ``fault``."""

    differentiable = False

    def __init__(self, bad: set[int], fault: Callable[[], Any]) -> None:
        self.bad, self.fault, self.calls = bad, fault, 0

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        self.calls += 1
        out = []
        for s in samples:
            value = self.fault() if number(s) in self.bad else float(number(s))
            out.append(Score(value, {"a": value}))
        return out


def explode() -> float:
    raise KeyError("no such thing")


def hang() -> float:
    time.sleep(30)
    return 0.0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (explode, "raised"),
        (hang, "timeout"),
        (lambda: NAN, "not_finite"),
        (lambda: float("inf"), "not_finite"),
        (lambda: torch.zeros(2), "not_finite"),
    ],
)
def test_only_the_clips_to_blame_are_masked(fault: Callable[[], Any], reason: str) -> None:
    scores, faults = Scorer(Faulty({2}, fault), timeout_s=0.5)(clips(4))
    assert [s.value for s in scores] == [0.0, 1.0, None, 3.0]
    assert scores[2].parts == {}
    assert scores[2].notes["reward"].startswith(reason)
    assert faults == {reason: 1}


@pytest.mark.parametrize("answer", [[], [Score(0.0)] * 3, None, [0.5, 0.5]])
def test_a_wrong_shape_is_masked(answer: Any) -> None:
    class Odd:
        differentiable = False

        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            return answer if 1 in map(number, samples) else [Score(float(number(s))) for s in samples]

    scores, faults = Scorer(Odd())(clips(2))
    assert scores[0].value == 0
    assert scores[1].value is None
    assert faults == {"wrong_shape": 1}


def test_a_few_bad_clips_cost_a_few_calls() -> None:
    reward = Faulty({5}, explode)
    Scorer(reward)(clips(32))
    assert reward.calls <= 2 * 5 + 1


def test_memory_errors_are_not_masked() -> None:
    def full() -> float:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        Scorer(Faulty({0}, full))(clips(2))


def test_the_rest_of_a_group_is_normalised_without_the_masked() -> None:
    scores, _ = Scorer(Faulty({1}, explode))(clips(4))
    masked = advantages(scores, 4, {"a": TermWeight(1.0, floor=0.0)})
    rest = torch.tensor([0.0, 2.0, 3.0])
    assert masked[1] == 0
    torch.testing.assert_close(masked[[0, 2, 3]], (rest - rest.mean()) / rest.std())


def test_an_answer_that_comes_late_reaches_nobody() -> None:
    first = threading.Event()

    class Late:
        differentiable = False

        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            if not first.is_set():
                first.set()
                time.sleep(0.9)
                return [Score(-1.0) for _ in samples]
            return [Score(float(number(s))) for s in samples]

    scorer = Scorer(Late(), timeout_s=0.5)
    assert [s.value for s in scorer(clips(1))[0]] == [None]
    for _ in range(10):
        assert [s.value for s in scorer(clips(2, 7))[0]] == [7.0, 8.0]
        time.sleep(0.06)


@pytest.mark.parametrize("workers", [1, 3])
def test_scores_do_not_cross_between_clips_under_concurrency(workers: int) -> None:
    class Slow:
        differentiable = False

        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            time.sleep(random.random() * 0.01)
            if random.random() < 0.2:
                raise RuntimeError("now and then")
            return [Score(float(number(s))) for s in samples]

    scorer = Scorer(Slow(), workers=workers, group=4)

    def client(k: int) -> list[tuple[float | None, float]]:
        scores, _ = scorer(clips(16, 100 * k))
        return [(s.value, 100 * k + i) for i, s in enumerate(scores)]

    with ThreadPoolExecutor(6) as pool:
        pairs = [pair for part in pool.map(client, range(18)) for pair in part]
    told = [(found, right) for found, right in pairs if found is not None]
    assert len(told) > len(pairs) / 2
    assert all(found == right for found, right in told)


def test_above_the_share_the_run_stops_and_can_be_resumed(tmp_path: Path) -> None:
    class Breaking(Brightness):
        broken = True

        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            if self.broken and isinstance(samples[0], Rollout) and samples[0].policy_version == 2:
                raise ConnectionError("the judge is gone")
            return super().__call__(samples)

    config = replace(CONFIG, checkpoint_every=100)
    with pytest.raises(TooManyFaultsError, match=r"8 of 8 .*8 raised.*ConnectionError: the judge is gone"):
        train(toy_policy(), Breaking(), prompt, config, tmp_path)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
    mended, whole = toy_policy(), toy_policy()
    reward = Breaking()
    reward.broken = False
    seen: list[int] = []
    rows = train(mended, reward, prompt, config, tmp_path, lambda r: seen.append(r["iteration"]))
    assert seen == [3, 4]
    assert without_times(rows) == without_times(train(whole, Brightness(), prompt, config, tmp_path / "whole"))
    assert torch.equal(lora(mended), lora(whole))


def test_faults_below_the_share_are_counted_in_the_metrics(tmp_path: Path) -> None:
    class Sometimes(Brightness):
        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            scores = super().__call__(samples)
            if len(scores) == 8:
                scores[3] = Score(NAN, {"bright": NAN})
            return scores

    rows = train(toy_policy(), Sometimes(), prompt, replace(CONFIG, iterations=1), tmp_path)
    assert rows[0]["masked/not_finite"] == 1
    assert rows[0]["masked_share"] == 1 / 8
    assert rows[0]["used"] == 7


def test_the_share_is_of_faults_and_not_of_abstentions() -> None:
    scores, faults = Scorer(Faulty({0, 1}, lambda: None))(clips(4))
    assert not faults
    check_share(scores, faults, 0.1)
    scores, faults = Scorer(Faulty({0, 1}, explode))(clips(4))
    check_share(scores, faults, 0.5)
    with pytest.raises(TooManyFaultsError, match="2 of 4"):
        check_share(scores, faults, 0.4)
