"""Numbers that are written down, and the trackers they go to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from worldr1.train.advantage import TermWeight
from worldr1.train.metrics import Stopwatch, Trackers, group_spread, reward_metrics, z_rms
from worldr1.types import Clip, Prompt, Rollout, Score, Step


def test_means_spread_and_masks() -> None:
    scores = [Score(0.2, {"a": 0.2}), Score(0.4, {"a": None}), Score(0.6, {"a": 0.6}), Score(None)]
    row = reward_metrics(scores, 2, {"a": TermWeight(1.0), "b": TermWeight(1.0)}, Counter(raised=1))
    assert row["reward"] == pytest.approx(0.4)
    assert row["reward/a"] == pytest.approx(0.4)
    assert row["reward/b"] is None
    assert (row["masked"], row["masked_share"], row["masked/raised"]) == (1, 0.25, 1)
    assert row["spread"] == pytest.approx(0.2 / 2**0.5)  # of the first group; the second has one score
    assert group_spread([Score(None), Score(1.0)], 2) is None


def test_z_rms_is_that_of_the_noise_that_was_drawn() -> None:
    mean = torch.zeros(4, 2)
    step = Step(0, mean, mean + 0.3, mean, 0.1, 0.0)
    assert z_rms([Rollout(Prompt(""), Clip(torch.zeros(1)), (step,))]) == pytest.approx(3.0)
    assert z_rms([Rollout(Prompt(""), Clip(torch.zeros(1)), ())]) is None


def test_the_stopwatch_knows_phases() -> None:
    seconds = Stopwatch()
    with seconds("sample"):
        pass
    assert seconds.read().keys() == {"seconds_sample", "seconds_cpu_sample"}


def test_a_missing_tracker_names_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'wandbb' is not installed; pip install wandbb"):
        Trackers(["wandbb"], tmp_path, {})
    Trackers([], tmp_path, {}).log({"iteration": 1})
    assert not list(tmp_path.iterdir())


def test_numbers_reach_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    trackers = Trackers(["tensorboard"], tmp_path, {"lr": 0.1, "algorithm": {"name": "grpo"}, "trackers": ("a",)})
    trackers.log({"iteration": 3, "reward": 0.25, "reward/a": None, "alarms": []})
    trackers.close()
    files = [p for p in (tmp_path / "trackers").rglob("*tfevents*") if b"reward" in p.read_bytes()]
    assert files
