"""Rewards fail: what raises, hangs or answers nonsense is masked, counted and shown, never turned into a number."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

import torch

from worldr1.types import Reward, Rollout, Score

NOTE = "reward"  # key of a masked score's note


class RewardFaultError(ValueError):
    """A call of the reward that gave nothing usable; ``reason`` is one of raised, timeout, wrong_shape."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TooManyFaultsError(ValueError):
    """So many samples of an iteration could not be scored that going on would train on the rest of a broken reward."""


@dataclass(frozen=True)
class Scorer:
    """A reward that may fail.

    When a call fails, its samples are asked again in halves until the ones to blame are found: a few of many cost a
    few calls more. With ``workers`` above 1, groups of ``group`` samples are scored at once in threads. A score
    belongs to its sample by its place in the call that produced it; an answer that comes after its time is dropped
    with its thread, which cannot be stopped.
    """

    reward: Reward
    timeout_s: float = 600.0
    workers: int = 1
    group: int = 8

    def __call__(self, rollouts: Sequence[Rollout]) -> tuple[list[Score], Counter[str]]:
        """Scores in the order of ``rollouts``, and how many failed for which reason."""
        if self.workers <= 1:
            results = self._score(rollouts)
        else:
            groups = [rollouts[i : i + self.group] for i in range(0, len(rollouts), self.group)]
            with ThreadPoolExecutor(self.workers) as pool:
                results = [r for part in pool.map(self._score, groups) for r in part]
        return [score for score, _ in results], Counter(reason for _, reason in results if reason)

    def _score(self, rollouts: Sequence[Rollout]) -> list[tuple[Score, str]]:
        try:
            return [_finite(s) for s in self._ask(rollouts)]
        except RewardFaultError as fault:
            if len(rollouts) == 1:
                return [(Score(None, {}, {NOTE: f"{fault.reason}: {fault}"}), fault.reason)]
        half = len(rollouts) // 2
        return self._score(rollouts[:half]) + self._score(rollouts[half:])

    def _ask(self, rollouts: Sequence[Rollout]) -> list[Score]:
        """One call of the reward in a thread of its own, so that one that hangs can be left behind."""
        answer: Future[list[Score]] = Future()

        def work() -> None:
            try:
                answer.set_result(self.reward(rollouts))
            except Exception as error:  # noqa: BLE001  a reward is anybody's code; what it raises is passed on
                answer.set_exception(error)

        threading.Thread(target=work, daemon=True, name="reward").start()
        try:
            scores = answer.result(self.timeout_s)
        except torch.OutOfMemoryError:
            raise  # not this sample's fault
        except FutureTimeout as error:
            if answer.done():  # the reward raised a timeout of its own
                raise RewardFaultError("raised", f"TimeoutError: {error}") from error
            raise RewardFaultError("timeout", f"no answer in {self.timeout_s:g} s") from error
        except Exception as error:
            raise RewardFaultError("raised", f"{type(error).__name__}: {error}") from error
        if not isinstance(scores, list) or len(scores) != len(rollouts):
            found = f"{len(scores)} scores" if isinstance(scores, list) else type(scores).__name__
            raise RewardFaultError(
                "wrong_shape", f"{found} for {len(rollouts)} samples; a reward returns a list of Score"
            )
        if any(not isinstance(s, Score) for s in scores):
            raise RewardFaultError("wrong_shape", "an element is not a Score")
        return scores


def _finite(score: Score) -> tuple[Score, str]:
    """The score, or a masked one where a value in it is not a finite number."""
    for name, value in {"value": score.value, **score.parts}.items():
        if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
            return Score(None, {}, {NOTE: f"not_finite: {name} is {value}"}), "not_finite"
    return score, ""


def check_share(scores: Sequence[Score], faults: Counter[str], limit: float) -> None:
    """Raise `TooManyFaultsError`, with the first message, when more than ``limit`` of the samples failed."""
    failed = sum(faults.values())
    if failed <= limit * len(scores):
        return
    first = next(s.notes[NOTE] for s in scores if NOTE in s.notes)
    counts = ", ".join(f"{n} {reason}" for reason, n in faults.items())
    raise TooManyFaultsError(
        f"the reward failed on {failed} of {len(scores)} samples ({counts}), more than max_masked = {limit:g} allows; "
        f"first: {first}. The run's state is saved: mend the reward and run the same command again"
    )


_LESS_MEMORY = {
    "sample": "lower the policy's batch (samples generated at once), or the size or length of the clips",
    "reward": "lower prompts or group of the training settings (what is scored together)",
    "update": "set the policy's Memory(replay_batch=1, checkpoint=True), or lower the sampler's window",
}


@contextlib.contextmanager
def memory_advice(phase: str) -> Iterator[None]:
    """Turn running out of memory into a ``ValueError`` that says which setting to change."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"out of memory in the {phase} phase: {_LESS_MEMORY[phase]}. {first}") from error
