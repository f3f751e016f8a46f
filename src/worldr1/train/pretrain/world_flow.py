"""The flow network for small pictures of general worlds: `estimators.flow_network` loads it under the name "world"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from worldr1.estimators.flow_network import FlowRefiner, WorldFlow
from worldr1.geometry.camera import inside, pixel_grid, sample
from worldr1.train.fit import FitConfig, Progress, fit
from worldr1.train.pretrain.flow_pairs import Pairs, prepared, rendered

MEASURED_SEED = 78  # of pairs that are not trained on
_EARLIER = 0.7  # weight of the first round's error
_HIDDEN = 0.2  # weight of pixels that the other frame does not show
_POWER, _SMALLEST = 0.7, 0.01  # of the error: small ones count more than in a mean, outliers less
_KNOWN_PX = 60.0  # flow longer than this is not asked for
_CHUNK = 64


def build_world_flow(seed: int = 0) -> FlowRefiner:
    """The network before it is trained: it answers its guess."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FlowRefiner()


def weights_of(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Of true flow ``[n, 2, h, w, 2]`` both ways, NaN where unknown: how much a pixel's error counts, and whether the
    other frame shows it, both ``[n, 2, h, w]``."""
    h, w = flow.shape[2:4]
    ahead = flow.nan_to_num(1e3).flatten(0, 1)
    behind = flow.nan_to_num(1e3).flip(1).flatten(0, 1)
    landing = pixel_grid(h, w, flow) + ahead
    back = sample(behind.permute(0, 3, 1, 2), landing).permute(0, 2, 3, 1)
    seen = inside(landing, h, w) & ((ahead + back).norm(dim=-1) < 1)
    known = ahead.norm(dim=-1) < _KNOWN_PX
    weight = known * (_HIDDEN + (1 - _HIDDEN) * seen.float())
    return weight.view(flow.shape[:-1]), (known & seen).view(flow.shape[:-1])


def flow_loss(rounds: list[Tensor], truth: Tensor) -> Tensor:
    """Error of `FlowRefiner`'s answers against true flow ``[n, 2, h, w, 2]``, robust as in PWC-Net's fine-tuning."""
    weight, _ = weights_of(truth)
    truth, total = truth.nan_to_num(), truth.new_zeros(())
    for k, answer in enumerate(rounds):
        error = ((answer - truth).abs().sum(-1) + _SMALLEST) ** _POWER
        total = total + _EARLIER ** (len(rounds) - 1 - k) * (weight * error).sum() / weight.sum()
    return total


def mirrored(frames: Tensor, *flows: Tensor, kind: int) -> tuple[Tensor, ...]:
    """Pairs ``[n, 2, 3, h, w]`` of square frames and flows ``[n, 2, h, w, 2]`` in one of eight orientations."""
    made = [frames, *flows]
    for bit, (axis, sign) in enumerate(((-1, (-1.0, 1.0)), (-2, (1.0, -1.0)))):
        if kind >> bit & 1:
            made = [made[0].flip(axis), *(f.flip(axis - 1) * torch.tensor(sign) for f in made[1:])]
    if kind >> 2 & 1:
        made = [made[0].transpose(-1, -2), *(f.transpose(-2, -3).flip(-1) for f in made[1:])]
    return tuple(made)


def train_world_flow(
    model: FlowRefiner, pairs: Pairs, config: FitConfig, directory: Path, progress: Progress, measured: int
) -> dict[str, float]:
    """Fit to `flow_pairs.render_pairs`; returns what `measure` finds on ``measured`` other pairs."""
    frames, flow, guess = pairs
    device = next(model.parameters()).device

    def loss(indices: Tensor, generator: torch.Generator, step: int) -> Tensor:  # noqa: ARG001
        kind = int(torch.randint(8, (), generator=generator))
        picked = (frames[indices].float() / 255, flow[indices].float(), guess[indices].float())
        shown, truth, first = (x.to(device) for x in mirrored(*picked, kind=kind))
        return flow_loss(model(shown, first), truth)

    fit(model, loss, len(frames), config, directory, progress=progress)
    return measure(WorldFlow(model), measured, frames.shape[-1])


def measure(
    flow: Callable[[Tensor, Tensor], Tensor], pairs: int, size: int, seed: int = MEASURED_SEED
) -> dict[str, float]:
    """Errors of a flow estimator and of DIS where both frames show a point, on unseen pairs without flaws: mean over
    pairs of the mean and the median error in pixels, and the share of errors over a pixel."""
    rows = []
    for start in range(0, pairs, _CHUNK):
        frames, truth, guess = prepared(*rendered(seed, start, min(start + _CHUNK, pairs), size), None)
        shown, truth = frames.float() / 255, truth.float()
        _, seen = weights_of(truth)
        ahead, back = flow(shown[:, 0], shown[:, 1]), flow(shown[:, 1], shown[:, 0])
        errors = [
            (f - truth).norm(dim=-1).where(seen, torch.nan) for f in (torch.stack([ahead, back], 1), guess.float())
        ]
        rows.append(torch.stack([x for e in errors for x in _summaries(e.flatten(1))], 1))
    names = [f"{who}{what}" for who in ("", "DIS ") for what in ("mean px", "median px", "over 1 px")]
    means: list[float] = torch.cat(rows).nanmean(0).tolist()
    return dict(zip(names, means, strict=True))


def _summaries(error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    over = (error > 1).float().where(error.isfinite(), torch.nan)
    return error.nanmean(1), error.nanmedian(1).values, over.nanmean(1)
