"""GRPO from start to end: prompts, groups, rewards, advantages, update, checkpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from worldr1.policies.ltx_policy import LTXPolicy
from worldr1.policies.sde import draw_window
from worldr1.train.advantage import TermWeight, advantages, guard_pressure, term_matrix
from worldr1.train.fit import save_atomically, write_text_atomically
from worldr1.train.grpo import grpo_loss
from worldr1.types import Prompt, Reward, Rollout, Score

Prompts = Callable[[int], Prompt]
Report = Callable[[dict[str, Any]], None]
_GUARD_MEMORY = 8  # iterations a guard's level is averaged over: prompts differ in motion and texture


def default_weights() -> dict[str, TermWeight]:
    return {
        "depth": TermWeight(1.0),
        "flow": TermWeight(1.0),
        "constancy": TermWeight(1.0),
        "camera": TermWeight(0.5, floor=0.1),
        "prompt": TermWeight(0.5, floor=0.05),
        "parallax": TermWeight(0.2, floor=0.1),
        "sharpness": TermWeight(2.5, floor=0.05, guard=True),
        "motion": TermWeight(2.5, floor=0.05, guard=True),
    }


@dataclass(frozen=True)
class TrainConfig:
    """A GRPO run."""

    iterations: int = 100
    prompts: int = 8  # per iteration
    group: int = 8  # samples per prompt
    lr: float = 2e-3
    decay: float = 0.4  # share of the iterations, at the end, over which the rate falls to zero
    kl_weight: float = 0.003
    clip: float = 0.01  # of the ratio; log-probabilities are averages over elements, so it is small
    epochs: int = 1  # updates per batch of rollouts
    ema: float = 0.9  # of the LoRA's weights; the averaged ones are the result
    lora_rank: int = 8
    checkpoint_every: int = 20
    seed: int = 0
    weights: dict[str, TermWeight] = field(default_factory=default_weights)

    def __post_init__(self) -> None:
        if self.group < 2:
            raise ValueError(f"a group of {self.group} has no spread to learn from; use 8 or more")


def sample_seed(run: int, iteration: int, sample: int) -> int:
    """The noise seed of a sample: a function of its place in the run, so that a resumed run draws the same."""
    return 2 * ((run * 1_000_003 + iteration) * 4099 + sample)


def train(
    policy: LTXPolicy,
    reward: Reward,
    prompts: Prompts,
    config: TrainConfig,
    directory: Path,
    report: Report = lambda _row: None,
    targets: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Train the policy's LoRA; returns one row of metrics per iteration, also in ``directory/metrics.jsonl``.

    ``targets`` are the base model's mean values of the guards; a guard without one always counts in full.

    ``prompts(k)`` is the k-th training prompt. State goes to ``directory/train.pt``; calling again with the
    same directory continues after its last checkpoint, bit for bit. An interrupt leaves the last checkpoint.
    Raises ``FloatingPointError`` when the loss is not finite.
    """
    parameters = policy.trainable() or policy.add_lora(config.lora_rank, config.seed)
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0)
    average = [p.detach().clone() for p in parameters]
    rows = _restore(directory / "train.pt", parameters, average, optimizer)
    for iteration in range(len(rows), config.iterations):
        started = time.perf_counter()
        left = (config.iterations - iteration) / max(1e-9, config.decay * config.iterations)
        optimizer.param_groups[0]["lr"] = config.lr * min(1.0, left)
        generator = torch.Generator().manual_seed(sample_seed(config.seed, iteration, 4098))
        window = draw_window(policy.sampler, generator)
        first = iteration * config.prompts
        batch = [p for k in range(first, first + config.prompts) for p in [prompts(k)] * config.group]
        draws = [sample_seed(config.seed, iteration, k) for k in range(len(batch))]
        # a group shares its initial noise, so that its samples differ by what was drawn, and only by that
        starts = [draws[k - k % config.group] for k in range(len(batch))]
        rollouts = policy.sample(batch, starts, window, [d + 1 for d in draws])
        sampled = time.perf_counter()
        scores = reward(rollouts)
        scored = time.perf_counter()
        pressure, integral = _pressure(rows, targets or {})
        advantage = advantages(scores, config.group, config.weights, pressure)
        update = _update(policy, rollouts, advantage, optimizer, config)
        policy.version += 1
        decay = min(config.ema, (iteration + 1) / (iteration + 4))
        for a, p in zip(average, parameters, strict=True):
            a.lerp_(p.detach(), 1 - decay)
        row = {
            "iteration": iteration + 1,
            **_summary(scores, config),
            **update,
            **{f"pressure/{k}": v for k, v in pressure.items()},
            **{f"integral/{k}": v for k, v in integral.items()},
            "seconds_sample": sampled - started,
            "seconds_reward": scored - sampled,
            "seconds_update": time.perf_counter() - scored,
        }
        rows.append(row)
        report(row)
        if (iteration + 1) % config.checkpoint_every == 0 or iteration + 1 == config.iterations:
            _save(directory, parameters, average, optimizer, rows)
    with torch.no_grad():
        for p, a in zip(parameters, average, strict=True):
            p.copy_(a)
    return rows


def _pressure(
    rows: Sequence[Mapping[str, Any]], targets: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """`guard_pressure` of each guard and its integrals, from the rows so far, so that a resumed run agrees."""
    pressure, integral = {}, {}
    for term, target in targets.items():
        previous = rows[-1][f"integral/{term}"] if rows else 0.0
        recent = [r[f"reward/{term}"] for r in rows[-_GUARD_MEMORY:] if r[f"reward/{term}"] is not None]
        pressure[term], integral[term] = guard_pressure(previous, recent, target)
    return pressure, integral


def _update(
    policy: LTXPolicy,
    rollouts: Sequence[Rollout],
    advantage: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
) -> dict[str, float]:
    """One or more GRPO steps on a batch of rollouts; returns the means of what is watched."""
    num_steps = len(rollouts[0].steps)
    keep = advantage != 0
    used = [r for r, k in zip(rollouts, keep.tolist(), strict=True) if k]
    if not used:
        return {"loss": 0.0, "kl": 0.0, "clipped": 0.0, "gradient_norm": 0.0, "used": 0}
    advantage = advantage[keep]
    parameters = optimizer.param_groups[0]["params"]
    watched: dict[str, float] = dict.fromkeys(("loss", "kl", "clipped", "gradient_norm"), 0.0)
    for _ in range(config.epochs):
        optimizer.zero_grad(set_to_none=True)
        for k in range(num_steps):
            with policy.reference(), torch.no_grad():
                v_reference = policy.replay(used, k)[0]
            v, _, new = policy.replay(used, k)
            old = torch.tensor([r.steps[k].log_prob for r in used])
            result = grpo_loss(new, old, advantage, v, v_reference, clip=config.clip, kl_weight=config.kl_weight)
            if not torch.isfinite(result.loss):
                raise FloatingPointError("the loss is not finite; lower the learning rate")
            (result.loss / num_steps).backward()  # type: ignore[no-untyped-call]
            share = 1 / (num_steps * config.epochs)
            watched["loss"] += float(result.loss.detach()) * share
            watched["kl"] += float(result.kl.detach()) * share
            watched["clipped"] += result.clipped * share
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        watched["gradient_norm"] += float(norm) / config.epochs
        optimizer.step()
    return {**watched, "used": len(used)}


def _summary(scores: Sequence[Score], config: TrainConfig) -> dict[str, Any]:
    """Means of the reward and its terms over the scores that exist."""
    values = [s.value for s in scores if s.value is not None]
    out: dict[str, Any] = {"reward": sum(values) / max(1, len(values)), "masked": len(scores) - len(values)}
    for term in config.weights:
        column = term_matrix(scores, term)
        out[f"reward/{term}"] = None if column.isnan().all() else float(column.nanmean())
    return out


def _save(
    directory: Path,
    parameters: Sequence[torch.Tensor],
    average: Sequence[torch.Tensor],
    optimizer: torch.optim.Optimizer,
    rows: list[dict[str, Any]],
) -> None:
    state = {
        "parameters": [p.detach() for p in parameters],
        "average": list(average),
        "optimizer": optimizer.state_dict(),
        "rows": rows,
    }
    save_atomically(state, directory / "train.pt")
    write_text_atomically("".join(json.dumps(r) + "\n" for r in rows), directory / "metrics.jsonl")


def _restore(
    path: Path,
    parameters: Sequence[torch.Tensor],
    average: Sequence[torch.Tensor],
    optimizer: torch.optim.Optimizer,
) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    state = torch.load(path, weights_only=True)
    with torch.no_grad():
        for p, saved in zip((*parameters, *average), (*state["parameters"], *state["average"]), strict=True):
            p.copy_(saved)
    optimizer.load_state_dict(state["optimizer"])
    rows: list[dict[str, Any]] = state["rows"]
    return rows
