"""The evaluation's instruments against rendered truth."""

import subprocess
import sys

import pytest
import torch

from worldr1.evaluate.depth_unet import load_depth_unet
from worldr1.evaluate.inspector import CAMERAS, load_inspector
from worldr1.evaluate.metrics import Instruments, bootstrap_ci, compare, measure
from worldr1.evaluate.motion import FarnebackFlow
from worldr1.types import Prompt
from worldr1.worlds.tiny.corpus import CorpusConfig, prompt_at, scene_at
from worldr1.worlds.tiny.render import render_clips

NUM = 64
UNSEEN = 4242  # a corpus seed that no network was trained on


@pytest.fixture(scope="module")
def instruments() -> Instruments:
    return Instruments(load_depth_unet(), load_inspector(), FarnebackFlow())


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return [prompt_at(CorpusConfig(seed=UNSEEN), i) for i in range(NUM)]


def videos(violated: float) -> torch.Tensor:
    config = CorpusConfig(seed=UNSEEN, violated=violated)
    return torch.stack([c.video for c in render_clips([scene_at(config, i) for i in range(NUM)])])


def test_clean_and_violated_renderings_are_told_apart(instruments: Instruments, prompts: list[Prompt]) -> None:
    clean, broken = (measure(videos(v), prompts, instruments) for v in (0.0, 1.0))
    accuracy = (1 - clean["violation_rate"].mean() + broken["violation_rate"].mean()) / 2
    assert accuracy > 0.85
    assert broken["depth_error"].mean() > 1.3 * clean["depth_error"].mean()


def test_prompt_agreement_of_renderings(instruments: Instruments, prompts: list[Prompt]) -> None:
    clean = measure(videos(0.0), prompts, instruments)
    assert clean["prompt_agreement"].mean() > 0.93
    assert clean["camera_right"].mean() > 0.93
    wrong = [prompts[(i + 7) % NUM] for i in range(NUM)]
    assert measure(videos(0.0), wrong, instruments)["prompt_agreement"].mean() < 0.5


def test_depth_network_on_unseen_renderings(instruments: Instruments) -> None:
    clips = render_clips([scene_at(CorpusConfig(seed=UNSEEN), i) for i in range(8)])
    for clip in clips:
        assert clip.truth is not None
        truth = clip.truth.depth_m
        near = truth < 10
        error = (instruments.depth.predict(clip.video)[near].log() - truth[near].log()).abs()
        assert error.mean() < 0.08


def test_interval_covers_the_mean_and_shrinks() -> None:
    generator = torch.Generator().manual_seed(0)
    few, many = torch.randn(20, generator=generator) + 1, torch.randn(2000, generator=generator) + 1
    assert bootstrap_ci(few)[0] < few.mean() < bootstrap_ci(few)[1]
    assert bootstrap_ci(many)[1] - bootstrap_ci(many)[0] < 0.2 * (bootstrap_ci(few)[1] - bootstrap_ci(few)[0]) * 2
    assert bootstrap_ci(many)[0] > 0


def test_comparison_knows_which_way_is_better() -> None:
    before = {"violation_rate": torch.ones(10), "motion": torch.zeros(10)}
    after = {"violation_rate": torch.zeros(10), "motion": torch.ones(10)}
    result = compare(before, after)
    assert result["violation_rate"]["better"] == "lower"
    assert result["motion"]["better"] == "higher"
    assert result["violation_rate"]["ci95"] == [-1.0, -1.0]


def test_a_prompt_that_cannot_be_checked_is_refused(instruments: Instruments) -> None:
    with pytest.raises(ValueError, match="camera path and facts"):
        measure(torch.rand(1, 9, 3, 32, 32), [Prompt("a red box")], instruments)


def test_training_never_loads_the_evaluation() -> None:
    code = (
        "import sys, worldr1.train.loop, worldr1.train.selftest, worldr1.rewards.stack;"
        "sys.exit(any(m.startswith('worldr1.evaluate') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_camera_of_the_corpus_has_a_class(prompts: list[Prompt]) -> None:
    assert {str(p.facts["camera"]) for p in prompts} <= set(CAMERAS)
