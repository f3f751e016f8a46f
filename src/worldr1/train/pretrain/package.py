"""Writing weights for the package: half precision, safetensors."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import LTXPipeline
from safetensors.torch import save_file
from torch import nn

MAX_PACKAGED_BYTES = 30_000_000


def save_pipeline(pipeline: LTXPipeline, directory: Path) -> None:
    """Write a pipeline in float16 and turn it back to float32 in memory."""
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(directory)
    pipeline.to(dtype=torch.float32)


def save_module(module: nn.Module, path: Path) -> None:
    """Write a module's weights in float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half().contiguous() for k, v in module.state_dict().items()}, path)


def install(source: Path, target: Path) -> int:
    """Copy finished weights into the package; returns their size in bytes.

    Raises ``ValueError`` when they are larger than the package may carry.
    """
    size = sum(f.stat().st_size for f in source.rglob("*") if f.is_file())
    if size > MAX_PACKAGED_BYTES:
        raise ValueError(f"{source} holds {size / 1e6:.1f} MB; the package may carry {MAX_PACKAGED_BYTES / 1e6:.0f}")
    shutil.copytree(source, target, dirs_exist_ok=True)
    return size
