"""Rewards fail: what raises, hangs or answers nonsense is masked, counted and shown, never turned into a number."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from worldr1.types import Reward, Rollout, Score

NOTE = "reward"  # key of a masked score's note
RESCORED = "rescored"  # key of the note of a score whose first computation was lost with its worker
Answer = TypeVar("Answer")
Judged = tuple[Score, str]  # the reason is empty where the call did not fail


class RewardFaultError(ValueError):
    """A call of the reward that gave nothing usable.

    ``reason`` is one of raised, timeout, wrong_shape; of a reward on Ray also actor_lost and wrong_id.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:  # an exception is pickled by its message alone
        return type(self), (self.reason, str(self))


class TooManyFaultsError(ValueError):
    """So many samples of an iteration could not be scored that going on would train on the rest of a broken reward."""


@dataclass(frozen=True)
class Scorer:
    """A reward that may fail, asked in the background.

    A batch is scored in calls of ``group`` samples, ``workers`` of them at once; without a group in a single call.
    When a call fails, its samples are asked again in halves until the ones to blame are found: a few of many cost a
    few calls more. A score belongs to its sample by its place in the call that produced it; an answer that comes after
    its time is dropped with its thread, which cannot be stopped. ``timeout_s`` is ``None`` for a reward that keeps
    the time itself and raises `RewardFaultError`.
    """

    reward: Reward
    timeout_s: float | None = 600.0
    workers: int = 1
    group: int | None = None

    def __call__(self, rollouts: Sequence[Rollout]) -> tuple[list[Score], Counter[str]]:
        """`Scoring.result` of samples that are all there."""
        with self.begin() as scoring:
            scoring.add(rollouts)
            return scoring.result()

    @contextlib.contextmanager
    def begin(self) -> Iterator[Scoring]:
        """The scoring of a batch that is still being sampled; calls not begun by the end of the block are dropped."""
        scoring = Scoring(self._score, self.workers, self.group)
        try:
            yield scoring
        finally:
            scoring.ended = True

    def _score(self, rollouts: Sequence[Rollout]) -> list[Judged]:
        try:
            return [_finite(s) for s in self._ask(rollouts)]
        except RewardFaultError as fault:
            if len(rollouts) == 1:
                return [(Score(None, {}, {NOTE: f"{fault.reason}: {fault}"}), fault.reason)]
        half = len(rollouts) // 2
        return self._score(rollouts[:half]) + self._score(rollouts[half:])

    def _ask(self, rollouts: Sequence[Rollout]) -> list[Score]:
        answer = _in_thread(lambda: self.reward(rollouts))
        try:
            scores = answer.result(self.timeout_s)
        except (torch.OutOfMemoryError, RewardFaultError):
            raise  # not this sample's fault; told already
        except FutureTimeout as error:
            if answer.done():  # the reward raised a timeout of its own
                raise RewardFaultError("raised", f"TimeoutError: {error}") from error
            raise RewardFaultError("timeout", f"no answer in {self.timeout_s:g} s") from error
        except Exception as error:
            raise RewardFaultError("raised", f"{type(error).__name__}: {error}") from error
        return checked(scores, len(rollouts))


class Scoring:
    """The scores of one batch, whose samples come in parts.

    Which samples share a call depends on their places in the batch alone, so that it does not matter in what parts
    they come, and when.
    """

    def __init__(self, score: Callable[[Sequence[Rollout]], list[Judged]], workers: int, group: int | None) -> None:
        self.ended = False
        self._score, self._group = score, group
        self._turns = threading.Semaphore(workers)
        self._incomplete: list[Rollout] = []
        self._calls: list[Future[list[Judged]]] = []

    def add(self, rollouts: Sequence[Rollout]) -> None:
        """The next samples of the batch; returns at once, while groups that are complete are scored."""
        self._incomplete += rollouts
        while self._group is not None and len(self._incomplete) >= self._group:
            self._call(self._incomplete[: self._group])
            self._incomplete = self._incomplete[self._group :]

    def result(self) -> tuple[list[Score], Counter[str]]:
        """Scores in the order in which samples were added, and how many failed for which reason; waits for them."""
        if self._incomplete:
            self._call(self._incomplete)
            self._incomplete = []
        judged = [j for call in self._calls for j in call.result()]
        return [score for score, _ in judged], Counter(reason for _, reason in judged if reason)

    def _call(self, rollouts: Sequence[Rollout]) -> None:
        def work() -> list[Judged]:
            with self._turns:
                return [] if self.ended else self._score(rollouts)

        self._calls.append(_in_thread(work))


def _in_thread(work: Callable[[], Answer]) -> Future[Answer]:
    """What a daemon thread will answer: unlike an executor's, one that hangs can be left behind."""
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except Exception as error:  # noqa: BLE001  a reward is anybody's code; what it raises is passed on
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True, name="reward").start()
    return answer


def checked(scores: Any, count: int) -> list[Score]:
    """The answer of a reward about ``count`` samples; raises `RewardFaultError` where it is no list of as many."""
    if not isinstance(scores, list) or len(scores) != count:
        found = f"{len(scores)} scores" if isinstance(scores, list) else type(scores).__name__
        raise RewardFaultError("wrong_shape", f"{found} for {count} samples; a reward returns a list of Score")
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
