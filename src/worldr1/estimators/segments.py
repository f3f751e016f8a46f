"""From masks that may overlap to ids of objects: pure functions that segment estimators share."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_QUALITY = 0.8  # IoU that the network expects of its own mask
LEAST_STABLE = 0.92  # IoU of the mask at a logit of 1 with that at -1 (Kirillov et al. 2023)
LEAST_SHARE, MOST_SHARE = 0.002, 0.5  # of the picture: a speck; the picture itself, or its background
SAME = 0.7  # IoU of two masks of one object
WITHIN = 0.85  # of a mask that lies in a larger one: a part of that object


def stability(logits: Tensor) -> Tensor:
    """How little masks ``[n, h, w]`` of logits depend on their threshold, ``[n]``; 0 for an empty one."""
    inner, outer = ((logits > level).sum((1, 2)) for level in (1.0, -1.0))
    return inner / outer.clamp(min=1)


def confident(logits: Tensor, quality: Tensor) -> Tensor:
    """Which masks ``[n]``, of logits ``[n, h, w]`` with an expected IoU ``[n]``, are worth keeping."""
    share = (logits > 0).float().mean((1, 2))
    sure = (quality >= LEAST_QUALITY) & (stability(logits) >= LEAST_STABLE)
    return sure & (share >= LEAST_SHARE) & (share <= MOST_SHARE)


def distinct(masks: Tensor, quality: Tensor) -> Tensor:
    """Indices ``[k]`` of one mask of each object, best quality first, of masks ``[n, h, w]`` bool.

    Of masks that are nearly the same the best is taken, and a part of a larger mask that is taken is left out: terms
    about objects measure whole ones.
    """
    flat = masks.flatten(1).float()
    shared, size = flat @ flat.T, flat.sum(1)
    iou = shared / (size[:, None] + size - shared).clamp(min=1)
    best: list[int] = []
    for i in quality.argsort(descending=True, stable=True).tolist():
        if not best or float(iou[i, best].amax()) <= SAME:
            best.append(i)
    within = shared / size[:, None].clamp(min=1) > WITHIN
    whole = [i for i in best if not any(bool(within[i, j]) and size[j] > size[i] for j in best)]
    return torch.tensor(whole, dtype=torch.long, device=masks.device)


def painted(logits: Tensor) -> Tensor:
    """Ids ``[h, w]`` int64 of masks of logits ``[k, h, w]``: one more than the index of the largest logit, 0 where none
    is positive."""
    if not len(logits):
        return torch.zeros(logits.shape[1:], dtype=torch.long, device=logits.device)
    top, which = logits.max(0)
    return torch.where(top > 0, which + 1, 0)
