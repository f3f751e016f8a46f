"""The benchmarks compare like with like: what they hold against the package does the same work."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import torch

from worldr1.policies.wan import WanPolicy
from worldr1.types import Prompt


def load(name: str) -> ModuleType:
    path = Path(__file__).parent.parent / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_straightforward_trainer_has_the_packages_log_probabilities_and_gradients() -> None:
    train = load("train")
    sampler = replace(train.REPLAY, steps=2, window=2, window_end=2)
    shape = {"num_frames": 5, "height": 32, "width": 32}
    policy = WanPolicy(train.make_pipeline(), sampler, batch=2, **shape)
    untouched = WanPolicy(train.make_pipeline(), sampler, trim_text=False, **shape)
    with torch.no_grad():
        for p in (*policy.add_lora(4), *untouched.add_lora(4)):
            p.add_(0.02 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    plain = train.PlainTrainer(untouched, [Prompt(train.TEXT)] * 2)
    log_probs, gradients = train.agreement(plain, policy, lambda _: [], torch.tensor([-1.0, 1.0]))
    assert log_probs < 1e-6  # measured 1e-7
    assert gradients < 1e-3  # measured 4e-5


def test_looked_up_answers_are_the_estimators() -> None:
    speed = load("reward_speed")
    found = speed.article(speed.rollouts(32, 32, 2), 1)  # raises where they are not
    assert len(speed.article_table(found).splitlines()) == 5
