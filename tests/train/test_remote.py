"""Scores while others are sampled, and on Ray actors: the same scores, never another clip's, whatever is lost."""

from __future__ import annotations

import hashlib
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from learners import CONFIG, PlainBrightness, lora, prompt, without_times
from toys import toy_policy
from worldr1.rewards.guards import Floor
from worldr1.rewards.stack import make_reward
from worldr1.train.algorithms import make_algorithm
from worldr1.train.faults import RESCORED, RewardFaultError, Scorer
from worldr1.train.loop import train
from worldr1.train.metrics import reward_metrics
from worldr1.train.remote import Parcel, RemoteReward, _in_order, gpu_share, placed
from worldr1.types import Clip, Prompt, Rollout, Score

ON_RAY = replace(CONFIG, rewards="ray")


def clips(count: int, seed: int = 0) -> list[Rollout]:
    """Clips of noise, views of one batch as a policy's are."""
    video = torch.rand(count, 2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return [Rollout(Prompt(str(k)), Clip(v), ()) for k, v in enumerate(video)]


def video_of(sample: Rollout | Clip) -> Tensor:
    return sample.clip.video if isinstance(sample, Rollout) else sample.video


def fingerprint(sample: Rollout | Clip) -> float:
    """A number that no other clip has: from a checksum of its pixels, exact in a float."""
    return float(int.from_bytes(hashlib.sha256(video_of(sample).numpy().tobytes()).digest()[:6], "big"))


class Fingerprints:
    """A clip's fingerprint, after a while; ``mishap`` happens before, with every clip."""

    differentiable = False

    def __init__(self, mishap: Callable[[Rollout | Clip], object] = lambda _clip: None, delay_s: float = 0.02) -> None:
        self.mishap, self.delay_s = mishap, delay_s

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        time.sleep(random.random() * self.delay_s)
        for s in samples:
            self.mishap(s)
        return [Score(fingerprint(s), {"a": fingerprint(s)}) for s in samples]


class Company:
    """Judges a clip by those it is scored with: such scores change when the calls do."""

    differentiable = False

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        time.sleep(random.random() * 0.01)
        mean = torch.stack([video_of(s) for s in samples]).mean()
        return [Score(float((video_of(s) - mean).square().mean())) for s in samples]


class Bright:
    """As `Brightness`, for actors: this file is pickled by value, that one would be imported there with the toys."""

    differentiable = False

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        values = [float(video_of(s).mean()) for s in samples]
        return [Score(v, {"bright": v}) for v in values]


# --- scoring while sampling -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "group"), [(1, None), (1, 4), (3, 4), (2, 5)])
def test_scores_do_not_depend_on_the_parts_in_which_samples_come(workers: int, group: int | None) -> None:
    scorer, samples = Scorer(Company(), workers=workers, group=group), clips(18)
    at_once = scorer(samples)
    for size in (1, 3, 7):
        with scorer.begin() as scoring:
            for i in range(0, len(samples), size):
                scoring.add(samples[i : i + size])
                time.sleep(random.random() * 0.005)
            assert scoring.result() == at_once


def test_scores_of_parts_do_not_cross_under_concurrency() -> None:
    scorer = Scorer(Fingerprints(), workers=3, group=4)

    def client(seed: int) -> bool:
        samples = clips(18, seed)
        with scorer.begin() as scoring:
            for i in range(0, 18, 5):
                scoring.add(samples[i : i + 5])
            scores, faults = scoring.result()
        return not faults and [s.value for s in scores] == [fingerprint(s) for s in samples]

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(client, range(24)))


def test_groups_are_scored_while_the_next_ones_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Event()
    seen: list[bool] = []  # whether a reward was at work, at every decoding

    class Announced(PlainBrightness):
        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            started.set()
            return super().__call__(samples)

    policy, config = toy_policy(), replace(CONFIG, iterations=1)
    policy.batch, decode = 4, policy.decode

    def watched(latents: Tensor) -> Tensor:
        seen.append(started.wait(20 if seen else 0))
        return decode(latents)

    monkeypatch.setattr(policy, "decode", watched)
    rows = train(policy, Announced(), prompt, replace(config, reward_workers=2), tmp_path / "overlapped")
    assert seen == [False, True]  # the second group was decoded after the scoring of the first had begun
    after = toy_policy()
    after.batch = 4
    assert without_times(rows) == without_times(train(after, PlainBrightness(), prompt, config, tmp_path / "after"))
    assert torch.equal(lora(policy), lora(after))


def test_calls_that_were_not_begun_are_dropped_with_their_batch() -> None:
    begun, go = [], threading.Event()

    class Waiting(Company):
        def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
            begun.append(len(samples))
            go.wait(10)
            return super().__call__(samples)

    with Scorer(Waiting(), group=2).begin() as scoring:
        scoring.add(clips(8))
        while not begun:
            time.sleep(0.001)
    go.set()
    time.sleep(0.1)
    assert begun == [2]


# --- what is refused ------------------------------------------------------------------------------------------


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reward_gradient backpropagates"):
        replace(ON_RAY, algorithm=make_algorithm("reward_gradient"))
    with pytest.raises(ValueError, match="unknown place for rewards 'slurm'; use one of local, ray"):
        replace(CONFIG, rewards="slurm")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reward_workers must be 1 or more"):
        replace(CONFIG, reward_workers=0)
    with pytest.raises(ValueError, match=r"rewards='ray'; give train what .*placed yields"):
        train(toy_policy(), PlainBrightness(), prompt, ON_RAY, tmp_path)


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'worldr1\[ray\]', or use --rewards local"):
        placed(PlainBrightness(), PlainBrightness, ON_RAY).__enter__()


@pytest.mark.parametrize("ids", [[0, 1], [0, 1, 3], [0, 1, 1], [0, 1, 2, 2]])
def test_scores_of_other_clips_are_refused(ids: list[int]) -> None:
    parcels = [Parcel.of(k, s) for k, s in enumerate(clips(3))]
    assert [s.value for s in _in_order([(2, Score(2.0)), (0, Score(0.0)), (1, Score(1.0))], parcels)] == [0, 1, 2]
    with pytest.raises(RewardFaultError, match="asked about clips") as caught:
        _in_order([(k, Score(0.0)) for k in ids], parcels)
    assert caught.value.reason == "wrong_id"


@pytest.mark.parametrize("gpus", range(1, 9))
def test_all_actors_find_room_on_the_gpus(gpus: int) -> None:
    for actors in range(1, 20):
        parts = round(gpu_share(gpus, actors) * 10_000)
        assert parts <= 10_000
        assert 10_000 // parts * gpus >= actors
    assert gpu_share(0, 3) == 0
    assert gpu_share(gpus, gpus) == 1


# --- on Ray ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    ray: Any = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # actors cannot import a test
    yield ray
    ray.shutdown()


@contextmanager
def actors(ray: Any, build: Callable[[], Any], count: int = 1, timeout_s: float = 60.0) -> Iterator[RemoteReward]:
    remote = RemoteReward(ray, build, count, timeout_s)
    try:
        yield remote
    finally:
        remote.close()


def appears(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


def is_first(folder: Path, name: str) -> bool:
    """Whether nobody, in any process, was here before."""
    try:
        (folder / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@pytest.mark.slow
def test_actors_score_concurrently_and_never_another_clip(ray: Any) -> None:
    with actors(ray, Fingerprints, 2) as remote:
        scorer = Scorer(remote, None, workers=2, group=4)

        def client(seed: int) -> bool:
            samples = clips(18, seed)
            scores, faults = scorer(samples)
            return not faults and [s.value for s in scores] == [fingerprint(s) for s in samples]

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(client, range(16)))
        assert remote([c.clip for c in clips(2)]) == Fingerprints()(clips(2))  # bare clips too


@pytest.mark.slow
def test_a_killed_actor_is_replaced_and_its_clips_rescored(ray: Any, tmp_path: Path) -> None:
    def wait_to_be_killed(_clip: Rollout | Clip) -> None:
        if is_first(tmp_path, "begun"):
            time.sleep(60)

    with actors(ray, partial(Fingerprints, wait_to_be_killed)) as remote:
        samples = clips(6)
        first = remote.actors[0]
        with Scorer(remote, None, workers=1, group=2).begin() as scoring:
            scoring.add(samples)
            appears(tmp_path / "begun")
            ray.kill(first)
            scores, faults = scoring.result()
        assert [s.value for s in scores] == [fingerprint(s) for s in samples]
        assert not faults
        assert [RESCORED in s.notes for s in scores].count(True) == 2
        row = reward_metrics(scores, 2, {}, faults)
        assert (row["rescored"], row["masked"]) == (2, 0)
        assert remote.actors[0] != first


@pytest.mark.slow
def test_a_clip_that_kills_its_actors_is_masked(ray: Any) -> None:
    samples = clips(3)
    deadly = fingerprint(samples[1])

    def die(clip: Rollout | Clip) -> None:
        if fingerprint(clip) == deadly:
            os._exit(1)

    with actors(ray, partial(Fingerprints, die)) as remote:
        scores, faults = Scorer(remote, None, group=1)(samples)
    assert [s.value for s in scores] == [fingerprint(samples[0]), None, fingerprint(samples[2])]
    assert scores[1].notes["reward"].startswith("actor_lost: 2 Ray actors in a row")
    assert faults == {"actor_lost": 1}


@pytest.mark.slow
def test_what_raises_or_hangs_in_an_actor_is_masked(ray: Any) -> None:
    samples = clips(4)
    bad, slow = fingerprint(samples[1]), fingerprint(samples[2])

    def fail(clip: Rollout | Clip) -> None:
        if fingerprint(clip) == bad:
            raise KeyError("no such thing")
        if fingerprint(clip) == slow:
            time.sleep(60)

    with actors(ray, partial(Fingerprints, fail), timeout_s=2.0) as remote:
        scores, faults = Scorer(remote, None, group=1)(samples)
    assert [s.value is None for s in scores] == [False, True, True, False]
    assert scores[1].notes["reward"] == "raised: KeyError: 'no such thing'"
    assert scores[2].notes["reward"] == "timeout: no answer in 2 s"
    assert scores[3].value == fingerprint(samples[3])
    assert faults == {"raised": 1, "timeout": 1}


@pytest.mark.slow
def test_other_answers_than_scores_are_told_as_they_are_here(ray: Any) -> None:
    with actors(ray, lambda: lambda _samples: [0.5]) as remote:
        with pytest.raises(RewardFaultError, match="1 scores for 2 samples") as caught:
            remote(clips(2))
        assert caught.value.reason == "wrong_shape"


@pytest.mark.slow
def test_a_reward_that_cannot_be_built(ray: Any) -> None:
    def build() -> Fingerprints:
        raise FileNotFoundError("no weights here")

    with pytest.raises(ValueError, match=r"in a Ray actor: FileNotFoundError: no weights here$"):
        RemoteReward(ray, build, 1, 10.0)


@pytest.mark.slow
def test_training_is_the_same_on_ray(ray: Any, tmp_path: Path) -> None:
    here, there = toy_policy(), toy_policy()
    here.batch = there.batch = 4
    with placed(Bright(), Bright, replace(ON_RAY, reward_workers=2)) as reward:
        rows = train(there, reward, prompt, replace(ON_RAY, reward_workers=2), tmp_path / "there")
    assert ray.is_initialized()  # who started it ends it
    local = train(here, Bright(), prompt, CONFIG, tmp_path / "here")
    assert without_times(rows) == without_times(local)
    assert torch.equal(lora(there), lora(here))


@pytest.mark.slow
def test_the_packaged_reward_is_built_in_actors(ray: Any) -> None:
    build, samples = partial(make_reward, Floor(), Floor()), clips(2)
    with actors(ray, build) as remote:
        far = remote(samples)
    for a, b in zip(far, build()(samples), strict=True):
        assert a.parts == pytest.approx(b.parts, abs=1e-4)
        assert a.notes == b.notes
