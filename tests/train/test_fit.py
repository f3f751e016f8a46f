"""The supervised loop: exact resume, averaged weights, no half-written files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from worldr1.train.fit import FitConfig, fit, rate_at, save_atomically

CONFIG = FitConfig(steps=12, batch=8, lr=0.05, warmup=3, ema=0.9, checkpoint_every=5, seed=4)
DATA = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))


def two_layers() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def regression(net: nn.Module) -> Callable[[Tensor, torch.Generator, int], Tensor]:
    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        x = DATA[indices] + 0.1 * torch.randn(len(indices), 4, generator=generator)
        return nn.functional.mse_loss(net(x)[:, 0], x.sum(1))

    return loss


def is_hidden(name: str, parameter: Tensor) -> bool:
    return name == "0.weight" and parameter.ndim == 2


def weights(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("stop_after", [1, 5, 7, 11])
def test_an_interrupted_run_continues_bit_for_bit(tmp_path: Path, stop_after: int) -> None:
    whole = two_layers()
    fit(whole, regression(whole), 64, CONFIG, tmp_path / "whole", is_matrix=is_hidden)

    def stop(step: int, _loss: float) -> None:
        if step == stop_after:
            raise KeyboardInterrupt

    broken, seen = two_layers(), []
    with pytest.raises(KeyboardInterrupt):
        fit(broken, regression(broken), 64, CONFIG, tmp_path / "broken", is_matrix=is_hidden, progress=stop)
    resumed = two_layers()
    fit(
        resumed,
        regression(resumed),
        64,
        CONFIG,
        tmp_path / "broken",
        is_matrix=is_hidden,
        progress=lambda step, _loss: seen.append(step),
    )
    # the checkpoint is written after `progress`, so the last whole one before the interrupt counts
    assert seen[0] == (stop_after - 1) // 5 * 5 + 1
    assert torch.equal(weights(resumed), weights(whole))


def test_it_learns_and_another_seed_differs(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=60)
    net, other = two_layers(), two_layers()
    losses: list[float] = []
    fit(net, regression(net), 64, config, tmp_path / "a", progress=lambda _s, value: losses.append(value))
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    fit(other, regression(other), 64, replace(config, seed=5), tmp_path / "b")
    assert not torch.equal(weights(net), weights(other))


def test_the_averaged_weights_are_left_in_the_module(tmp_path: Path) -> None:
    averaged, raw = two_layers(), two_layers()
    history: list[Tensor] = []
    fit(
        averaged,
        regression(averaged),
        64,
        CONFIG,
        tmp_path / "a",
        progress=lambda _s, _l: history.append(weights(averaged).clone()),
    )
    expected = weights(two_layers()).clone()
    for step, value in enumerate(history):
        expected = expected.lerp(value, 1 - min(CONFIG.ema, (step + 1) / (step + 10)))
    torch.testing.assert_close(weights(averaged), expected)
    assert (weights(averaged) - history[-1]).abs().max() > 1e-4
    assert not averaged.training
    fit(raw, regression(raw), 64, replace(CONFIG, ema=0.0), tmp_path / "b")
    torch.testing.assert_close(weights(raw), history[-1])


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    net, again = two_layers(), two_layers()
    fit(net, regression(net), 64, CONFIG, tmp_path)

    def never(step: int, _loss: float) -> None:
        raise AssertionError(step)

    fit(again, regression(again), 64, CONFIG, tmp_path, progress=never)
    assert torch.equal(weights(again), weights(net))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    net = two_layers()
    before = weights(net).clone()

    def broken(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        return net(DATA[indices]).mean() * float("nan")

    with pytest.raises(FloatingPointError, match="step 0"):
        fit(net, broken, 64, CONFIG, tmp_path)
    assert torch.equal(weights(net), before)
    assert not (tmp_path / "fit.pt").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.pt"
    save_atomically({"step": 1}, path)

    def full_disk(_state: Any, where: Path) -> None:
        Path(where).write_bytes(b"half of it")
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full_disk)
        with pytest.raises(OSError, match="No space"):
            save_atomically({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]
    save_atomically({"step": 3}, path)
    assert torch.load(path, weights_only=True) == {"step": 3}


def test_the_rate_warms_up_stays_and_falls() -> None:
    config = FitConfig(steps=100, batch=1, warmup=10, decay=0.5)
    rates = [rate_at(config, s) for s in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:51] == pytest.approx([1.0] * 42)
    assert rates[75] == pytest.approx(0.5)
    assert 0 < rates[99] <= 0.02
