"""Rewards on Ray: actors that each build their own reward, score clips by id, and are replaced when they are lost.

Every actor imports this file, so that it imports no more than it needs.
"""

from __future__ import annotations

import itertools
import math
import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from worldr1.executor import ONE_THREAD, ray_cluster
from worldr1.train.faults import RESCORED, RewardFaultError, Scorer, checked
from worldr1.types import Clip, Prompt, Reward, Rollout, Score

if TYPE_CHECKING:
    from worldr1.train.config import TrainConfig

Build = Callable[[], Reward]
_ATTEMPTS = 2  # of a call whose actor is lost, each on another actor
_GPU_PARTS = 10_000  # Ray's finest share
_START_S = 600.0  # for an actor to build its reward, which may download weights


@dataclass(frozen=True)
class Parcel:
    """What travels to an actor of a sample: not the latents, which rewards never see."""

    id: int
    video: NDArray[Any]  # as in `Clip`; an array, since a pickled tensor takes the whole batch it is a view of along
    fps: float
    prompt: Prompt | None  # None for a bare clip
    version: int = 0

    @classmethod
    def of(cls, id: int, sample: Rollout | Clip) -> Parcel:
        if isinstance(sample, Clip):
            return cls(id, sample.video.cpu().numpy(), sample.fps, None)
        clip = sample.clip
        return cls(id, clip.video.cpu().numpy(), clip.fps, sample.prompt, sample.policy_version)

    def sample(self) -> Rollout | Clip:
        clip = Clip(torch.tensor(self.video), self.fps)  # a copy: arrays from Ray are read-only
        return clip if self.prompt is None else Rollout(self.prompt, clip, (), self.version)


class RewardActor:
    """The far side: one process with one reward."""

    def __init__(self, build: Build) -> None:
        self.reward = build()

    def ready(self) -> None:
        """Answers once the reward is built."""

    def score(self, parcels: Sequence[Parcel]) -> list[tuple[int, Score]]:
        """The scores with their samples' ids; what the reward raises reaches the caller."""
        scores = checked(self.reward([p.sample() for p in parcels]), len(parcels))
        return [(p.id, score) for p, score in zip(parcels, scores, strict=True)]


class RemoteReward:
    """A reward on Ray actors of one CPU each, which share the cluster's GPUs. Calls at once get an actor each.

    A lost actor (killed, out of memory, its node gone) is replaced and the call made once more; its scores
    then have a note `RESCORED`. Raises `RewardFaultError` when that does not help, when an actor does not
    answer in ``timeout_s`` (it is replaced, since it cannot be stopped), and for a score of another clip; and whatever
    the reward raises. ``ray`` is what `ray_cluster` gives, ``build`` must pickle. The constructor raises ``ValueError``
    when the reward cannot be built.
    """

    differentiable = False

    def __init__(self, ray: Any, build: Build, actors: int, timeout_s: float) -> None:
        self.timeout_s, self._ray, self._build, self._closed = timeout_s, ray, build, False
        gpus = gpu_share(int(ray.cluster_resources().get("GPU", 0)), actors)
        self._actor = ray.remote(num_cpus=1, num_gpus=gpus, runtime_env={"env_vars": ONE_THREAD})(RewardActor)
        self._ids = itertools.count()
        self.actors: list[Any] = [self._actor.remote(build) for _ in range(actors)]  # by place; None: lost
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()  # places that nobody's call occupies
        for place in range(actors):
            self._free.put(place)
        try:
            ray.get([a.ready.remote() for a in self.actors], timeout=_START_S)
        except ray.exceptions.RayError as error:
            self.close()
            reason = str(error).strip().splitlines()[-1]  # above it is the actor's traceback
            raise ValueError(f"the reward could not be built in a Ray actor: {reason}") from error

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        parcels = [Parcel.of(next(self._ids), s) for s in samples]
        place = self._free.get()
        try:
            for attempt in range(_ATTEMPTS):
                answer = self._ask(place, parcels)
                if answer is not None:
                    note = "the actor that scored it first was lost"
                    scores = _in_order(answer, parcels)
                    return [s.with_note(RESCORED, note) for s in scores] if attempt else scores
        finally:
            self._free.put(place)
        raise RewardFaultError("actor_lost", f"{_ATTEMPTS} Ray actors in a row were lost while they scored it")

    def close(self) -> None:
        """End the actors; each holds its CPU until then."""
        self._closed = True
        for place in range(len(self.actors)):
            self._end(place)

    def _ask(self, place: int, parcels: Sequence[Parcel]) -> list[tuple[int, Score]] | None:
        """The answer of the actor at a place, a new one where there is none; ``None`` when it is lost."""
        errors = self._ray.exceptions
        if self._closed:
            raise RewardFaultError("actor_lost", "the actors have been ended")
        if self.actors[place] is None:
            self.actors[place] = self._actor.remote(self._build)
            self._ray.wait([self.actors[place].ready.remote()], timeout=_START_S)  # that is not the call's time
        try:
            call = self.actors[place].score.remote(parcels)
            answer: list[tuple[int, Score]] = self._ray.get(call, timeout=self.timeout_s)
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.GetTimeoutError as error:
            self._end(place)
            raise RewardFaultError("timeout", f"no answer in {self.timeout_s:g} s") from error
        except errors.RayError:
            self._end(place)
            return None
        return answer

    def _end(self, place: int) -> None:
        actor, self.actors[place] = self.actors[place], None
        if actor is not None:
            self._ray.kill(actor)


def gpu_share(gpus: int, actors: int) -> float:
    """What each actor asks for of a GPU, so that all find room: as many on each, rounded down as Ray counts."""
    if not gpus:
        return 0.0
    on_each = -(-actors // gpus)
    return math.floor(_GPU_PARTS / on_each) / _GPU_PARTS


def _in_order(answer: Sequence[tuple[int, Score]], parcels: Sequence[Parcel]) -> list[Score]:
    """The scores in the order of what was sent; raises `RewardFaultError` unless each is of a clip that was."""
    scores = dict(answer)
    if len(answer) != len(parcels) or scores.keys() != {p.id for p in parcels}:
        raise RewardFaultError("wrong_id", f"asked about clips {[p.id for p in parcels]}, told about {sorted(scores)}")
    return [scores[p.id] for p in parcels]


@contextmanager
def placed(reward: Reward, build: Build, config: TrainConfig) -> Iterator[Reward]:
    """The reward that `train` is given: ``reward`` itself, or Ray actors that each ``build`` their own.

    Raises ``ValueError`` as `ray_cluster` and `RemoteReward` do.
    """
    if config.rewards == "local":
        yield reward
        return
    with ray_cluster(config.reward_workers, "--rewards local") as ray:
        remote = RemoteReward(ray, build, config.reward_workers, config.reward_timeout_s)
        try:
            yield remote
        finally:
            remote.close()


def make_scorer(reward: Reward, config: TrainConfig) -> Scorer:
    """How a run asks its reward: a single local worker the whole batch at once, any others group by group."""
    remote = isinstance(reward, RemoteReward)
    if remote != (config.rewards == "ray"):
        raise ValueError(f"the run has rewards={config.rewards!r}; give train what worldr1.train.remote.placed yields")
    group = config.group if remote or config.reward_workers > 1 else None
    return Scorer(reward, None if remote else config.reward_timeout_s, config.reward_workers, group)
