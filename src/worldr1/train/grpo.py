"""GRPO on the drawn steps of a flow-matching sampler."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GRPOLoss:
    """The loss of one drawn step and what is watched about it."""

    loss: Tensor  # scalar
    ratio: Tensor  # [n]
    clipped: float  # share of samples whose ratio left the clip range
    kl: Tensor  # scalar


def grpo_loss(
    new: Tensor, old: Tensor, advantage: Tensor, v: Tensor, v_reference: Tensor, *, clip: float, kl_weight: float
) -> GRPOLoss:
    """−E min(r·A, clip(r, 1±c)·A) + β·mean ‖v_θ − v_ref‖², r = exp(new − old).

    ``new``, ``old``, ``advantage`` ``[n]``, velocities ``[n, tokens, channels]``. Shao et al. 2024
    (arXiv:2402.03300), on denoising steps as in Flow-GRPO (Liu et al. 2025, arXiv:2505.05470). For Gaussian
    steps the KL divergence to the base is proportional to the squared difference of the velocities.
    """
    ratio = torch.exp(new - old)
    surrogate = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    kl = (v - v_reference).square().mean()
    outside = ((ratio - 1).abs() > clip).float().mean()
    return GRPOLoss(-surrogate.mean() + kl_weight * kl, ratio, float(outside), kl)
