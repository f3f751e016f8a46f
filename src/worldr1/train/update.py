"""One optimiser update after another on a batch of rollouts; one whose numbers are not finite is left out."""

from __future__ import annotations

import torch

from worldr1.train.algorithms import Algorithm
from worldr1.train.algorithms.base import Update

_MAX_SKIPPED = 3  # updates in a row


def apply_updates(
    algorithm: Algorithm, update: Update, optimizer: torch.optim.Optimizer, epochs: int, skipped_before: int
) -> dict[str, float]:
    """``epochs`` updates; returns the means of what is watched.

    A loss or gradient that is not finite leaves the weights as they are and counts in ``skipped``;
    ``skipped_in_a_row`` goes on from ``skipped_before``. Raises ``FloatingPointError`` at the third in a row.
    """
    parameters = optimizer.param_groups[0]["params"]
    watched: dict[str, float] = dict.fromkeys(("loss", "kl", "clipped", "gradient_norm"), 0.0)
    watched |= {"used": len(update.advantage), "skipped": 0, "skipped_in_a_row": skipped_before}
    if not len(update.advantage):
        return watched
    parts = algorithm.parts(update)
    for _ in range(epochs):
        optimizer.zero_grad(set_to_none=True)
        finite = True
        for part in parts:
            loss = part()
            finite = bool(torch.isfinite(loss.value))
            if not finite:
                break
            (loss.value / len(parts)).backward()  # type: ignore[no-untyped-call]
            for name, value in {"loss": float(loss.value.detach()), **loss.watched}.items():
                watched[name] = watched.get(name, 0.0) + value / (len(parts) * epochs)
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        if finite and torch.isfinite(norm):
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
    return watched
