"""The optimiser of a run: AdamW, with its moments in floats or in bytes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import torch
from torch import nn

from worldr1.train.config import TrainConfig

_BETAS = (0.9, 0.95)


def make_optimizer(config: TrainConfig, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW without weight decay over ``parameters``.

    ``adamw8bit`` keeps the two moments in 8 bits with a scale per 256 of them (Dettmers et al. 2022,
    arXiv:2110.02861, package bitsandbytes), matrices of fewer than 4096 entries in floats; its state is saved and
    restored like AdamW's. Raises ``ValueError`` where the package is missing or cannot be loaded, and for parameters
    that are sharded over processes, which it does not know.
    """
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=config.lr, betas=_BETAS, weight_decay=0.0)
    if any(hasattr(p, "device_mesh") for p in parameters):
        raise ValueError(
            "adamw8bit does not work on parameters sharded over processes; use --optimizer adamw there, "
            "where every process keeps its part of the moments only"
        )
    try:
        library = importlib.import_module("bitsandbytes")
    except (ImportError, OSError, RuntimeError) as error:
        raise ValueError(f"adamw8bit needs bitsandbytes ({error}): pip install 'worldr1[8bit]'") from error
    optimizer: torch.optim.Optimizer = library.optim.AdamW8bit(parameters, lr=config.lr, betas=_BETAS, weight_decay=0.0)
    return optimizer
