"""One optimiser update after another on a batch of rollouts; one whose numbers are not finite is left out.

With several processes each has a part of the batch, and the update is that of the whole.
"""

from __future__ import annotations

import torch

from worldr1.train.algorithms import Algorithm
from worldr1.train.algorithms.base import Update
from worldr1.train.distributed import ALONE, Processes, Share

_MAX_SKIPPED = 3  # updates in a row


def apply_updates(
    algorithm: Algorithm,
    update: Update,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    skipped_before: int,
    share: Share,
    processes: Processes = ALONE,
) -> dict[str, float]:
    """``epochs`` updates; returns the means of what is watched, over the samples of all processes.

    A loss or gradient that is not finite, on any process, leaves the weights as they are and counts in ``skipped``;
    ``skipped_in_a_row`` goes on from ``skipped_before``. Raises ``FloatingPointError`` at the third in a row.
    """
    parameters = optimizer.param_groups[0]["params"]
    means: dict[str, float] = dict.fromkeys(("loss", "kl", "clipped"), 0.0)
    watched = {"gradient_norm": 0.0, "used": share.total, "skipped": 0, "skipped_in_a_row": skipped_before}
    if not share.total:
        return means | watched
    parts = algorithm.parts(update)
    number = len(parts)
    weights = [share.weight] * number
    if processes.sharding is not None:  # every process evaluates as often as the one with the most parts
        missing = max(processes.gather(number)) - number
        parts, weights = parts + [parts[-1]] * missing, weights + [0.0] * missing
    for _ in range(epochs):
        optimizer.zero_grad(set_to_none=True)
        finite = True
        for part, weight in zip(parts, weights, strict=True):
            loss = part()
            finite = finite and bool(torch.isfinite(loss.value))
            (loss.value * weight / number).backward()  # type: ignore[no-untyped-call]
            if finite:
                for name, value in {"loss": float(loss.value.detach()), **loss.watched}.items():
                    means[name] = means.get(name, 0.0) + value * weight / (number * epochs)
        processes.sum_gradients(parameters)
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        if all(processes.gather(finite)) and torch.isfinite(norm):
            optimizer.step()
            watched["gradient_norm"] += float(norm) / epochs
            watched["skipped_in_a_row"] = 0
            continue
        watched["skipped"] += 1
        watched["skipped_in_a_row"] += 1
        if watched["skipped_in_a_row"] >= _MAX_SKIPPED:
            raise FloatingPointError(
                f"the loss or its gradient is not finite {_MAX_SKIPPED} updates in a row; lower the learning rate, "
                "or look at the reward's values. The same command goes on from the last checkpoint"
            )
    of_all = processes.gather(means)
    return {name: sum(each.get(name, 0.0) for each in of_all) for name in means} | watched
