"""The supervised loop behind `worldr1 pretrain`: checkpoints, exact resume, exponential moving average."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Loss = Callable[[Tensor, torch.Generator, int], Tensor]
Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class FitConfig:
    """How long and how fast to fit."""

    steps: int
    batch: int
    lr: float = 2e-3  # of AdamW; Muon's is `muon_lr`
    muon_lr: float = 0.02
    warmup: int = 100
    decay: float = 0.6  # share of the steps, at the end, over which the rate falls to zero
    ema: float = 0.998
    clip_norm: float = 1.0
    checkpoint_every: int = 500
    seed: int = 0


def save_atomically(state: Any, path: Path) -> None:
    """Write with `torch.save` under a temporary name, then rename: a killed write leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".tmp")
    try:
        torch.save(state, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_same_settings(path: Path, text: str, what: str) -> None:
    """Raise ``ValueError`` where ``path``, the settings of ``what`` as JSON, holds others than ``text``: it names the
    first that differs. A file that is not there says nothing."""
    if not path.exists() or path.read_text() == text:
        return
    there, here = _flat(json.loads(path.read_text())), _flat(json.loads(text))
    name = next((n for n in {**here, **there} if there.get(n, "") != here.get(n, "")), "their order")
    differs = f"{name} is {there.get(name, 'not set')!r} there and {here.get(name, 'not set')!r} here"
    raise ValueError(f"{path.parent} holds {what} with other settings: {differs}; choose another --out or delete it")


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(settings, dict):
        return {prefix.rstrip("."): settings}
    return {k: v for name, value in settings.items() for k, v in _flat(value, f"{prefix}{name}.").items()}


def rate_at(config: FitConfig, step: int) -> float:
    """Factor on the learning rates: linear warm-up, plateau, linear decay."""
    warm = min(1.0, (step + 1) / config.warmup)
    return warm * min(1.0, max(1e-3, (config.steps - step) / (config.decay * config.steps)))


def make_optimizers(module: nn.Module, config: FitConfig, is_matrix: Callable[[str, Tensor], bool]) -> list[Optimizer]:
    """Muon for the parameters that ``is_matrix`` picks (hidden 2-D weights), AdamW for the rest."""
    named = list(module.named_parameters())
    hidden = [p for n, p in named if is_matrix(n, p)]
    rest = [p for n, p in named if not is_matrix(n, p)]
    optimizers: list[Optimizer] = [torch.optim.AdamW(rest, lr=config.lr, betas=(0.9, 0.98), weight_decay=0.01)]
    if hidden:
        optimizers.append(torch.optim.Muon(hidden, lr=config.muon_lr, momentum=0.95, weight_decay=0.01))
    return optimizers


def fit(
    module: nn.Module,
    loss: Loss,
    num_items: int,
    config: FitConfig,
    directory: Path,
    *,
    is_matrix: Callable[[str, Tensor], bool] = lambda _n, _p: False,
    progress: Progress = lambda _s, _l: None,
) -> None:
    """Minimise ``loss(indices, generator, step)`` and leave the averaged weights in ``module``.

    Batches are drawn with replacement from ``range(num_items)``. State goes to ``directory/fit.pt`` every
    ``checkpoint_every`` steps; a second call with the same directory continues bit for bit from there.
    Raises ``FloatingPointError`` when the loss is not finite.
    """
    device = next(module.parameters()).device
    optimizers = make_optimizers(module, config, is_matrix)
    base_rates = [o.param_groups[0]["lr"] for o in optimizers]
    parameters = list(module.parameters())
    average = [p.detach().clone() for p in parameters]
    generator = torch.Generator().manual_seed(config.seed)
    path, first = directory / "fit.pt", 0
    if path.exists():
        state = torch.load(path, map_location=device, weights_only=True)
        module.load_state_dict(state["module"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        average = state["average"]
        generator.set_state(state["generator"].cpu())
        first = state["step"]
    module.train()
    for step in range(first, config.steps):
        for optimizer, base in zip(optimizers, base_rates, strict=True):
            optimizer.param_groups[0]["lr"] = base * rate_at(config, step)
        indices = torch.randint(num_items, (config.batch,), generator=generator)
        value = loss(indices, generator, step)
        if not torch.isfinite(value):
            raise FloatingPointError(f"loss is {value.item()} at step {step}; lower the learning rate")
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, config.clip_norm)
        for optimizer in optimizers:
            optimizer.step()
        _update_average(average, parameters, min(config.ema, (step + 1) / (step + 10)))
        progress(step + 1, value.item())
        if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
            state = {
                "module": module.state_dict(),
                "optimizers": [o.state_dict() for o in optimizers],
                "average": average,
                "generator": generator.get_state(),
                "step": step + 1,
            }
            save_atomically(state, path)
    with torch.no_grad():
        for p, a in zip(parameters, average, strict=True):
            p.copy_(a)
    module.eval()


@torch.no_grad()
def _update_average(average: Iterable[Tensor], parameters: Iterable[Tensor], decay: float) -> None:
    for a, p in zip(average, parameters, strict=True):
        a.lerp_(p.detach(), 1 - decay)
