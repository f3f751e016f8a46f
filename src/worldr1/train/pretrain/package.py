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
    """Copy finished weights into the package; returns the size in bytes of what the package then holds.

    Raises ``ValueError`` when that is more than it may carry.
    """
    size = sum((_sizes(target) | _sizes(source)).values())
    if size > MAX_PACKAGED_BYTES:
        raise ValueError(
            f"with {source} the package would hold {size / 1e6:.1f} MB of weights; it may carry "
            f"{MAX_PACKAGED_BYTES / 1e6:.0f}: make a network smaller"
        )
    shutil.copytree(source, target, dirs_exist_ok=True)
    return size


def _sizes(folder: Path) -> dict[Path, int]:
    return {f.relative_to(folder): f.stat().st_size for f in folder.rglob("*") if f.is_file()}
