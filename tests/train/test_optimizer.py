"""Which optimiser a run gets; the 8-bit one with the real package where it is installed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from learners import CONFIG, Brightness, lora, prompt, without_times
from toys import toy_policy
from worldr1.train.config import TrainConfig
from worldr1.train.loop import train
from worldr1.train.optimizer import make_optimizer

RANK = 96  # of 48-wide layers: matrices of 4608 entries, enough to be kept in bytes
EIGHT_BIT = replace(CONFIG, optimizer="adamw8bit", lora_rank=RANK)


def weights() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.randn(64, 96, generator=torch.Generator().manual_seed(0)))]


def test_the_default_keeps_floats() -> None:
    optimizer = make_optimizer(TrainConfig(lr=0.25), weights())
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["lr"] == 0.25
    assert optimizer.defaults["weight_decay"] == 0


def test_an_unknown_one_and_a_missing_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="unknown optimizer 'adam'; use one of adamw, adamw8bit"):
        TrainConfig(optimizer="adam")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ValueError, match=r"pip install 'worldr1\[8bit\]'"):
        make_optimizer(EIGHT_BIT, weights())


def test_sharded_parameters_are_refused() -> None:
    parameters = weights()
    parameters[0].device_mesh = "as DTensor has"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="use --optimizer adamw"):
        make_optimizer(EIGHT_BIT, parameters)


def test_moments_are_bytes_and_steps_nearly_those_of_floats() -> None:
    pytest.importorskip("bitsandbytes")
    ends, steps = [], 30
    for config in (TrainConfig(lr=0.01), TrainConfig(lr=0.01, optimizer="adamw8bit")):
        (w,) = parameters = weights()
        optimizer = make_optimizer(config, parameters)
        for _ in range(steps):
            optimizer.zero_grad()
            (w - 2).square().sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        ends.append(w.detach())
    assert {optimizer.state[w][k].dtype for k in ("state1", "state2")} == {torch.uint8}
    moved = (ends[0] - weights()[0]).abs().mean()
    assert (ends[1] - ends[0]).abs().mean() < 0.05 * moved


def test_an_interrupted_8_bit_run_continues_bit_for_bit(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    whole = toy_policy()
    rows = train(whole, Brightness(), prompt, EIGHT_BIT, tmp_path / "whole")

    def stop(row: dict[str, Any]) -> None:
        if row["iteration"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(toy_policy(), Brightness(), prompt, EIGHT_BIT, tmp_path / "broken", stop)
    resumed = toy_policy()
    again = train(resumed, Brightness(), prompt, EIGHT_BIT, tmp_path / "broken")
    assert without_times(again) == without_times(rows)
    assert torch.equal(lora(resumed), lora(whole))
    floats = toy_policy()
    train(floats, Brightness(), prompt, replace(EIGHT_BIT, optimizer="adamw"), tmp_path / "floats")
    assert not torch.equal(lora(floats), lora(whole))
