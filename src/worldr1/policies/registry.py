"""Which policy runs which pipeline, and how one is opened from a hub id or a directory."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import DiffusionPipeline
from safetensors import SafetensorError

from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny import is_tiny
from worldr1.policies.tiny_policy import TinyPolicy

POLICIES = {
    "LTXPipeline": "worldr1.policies.ltx:LTXVideoPolicy",
    "WanPipeline": "worldr1.policies.wan:WanPolicy",
    "CogVideoXPipeline": "worldr1.policies.cogvideox:CogVideoXPolicy",
    "HunyuanVideoPipeline": "worldr1.policies.hunyuanvideo:HunyuanVideoPolicy",
}


def read_index(model: str) -> dict[str, Any]:
    """The ``model_index.json`` of a pipeline; raises ``ValueError`` for what is none."""
    directory = Path(model)
    if directory.is_dir():
        path = directory / "model_index.json"
        if not path.is_file():
            raise ValueError(f"no model_index.json in {model}; --model takes the directory of a diffusers pipeline")
        try:
            index: dict[str, Any] = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON ({error}); copy the model's directory again") from error
        return index
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        raise ValueError(f"no such model directory: {model}; --model takes a directory or a hub id like owner/name")
    try:
        index = DiffusionPipeline.load_config(model)
    except OSError as error:
        raise ValueError(f"no diffusers pipeline at the hub under {model}, or no way to reach it: {error}") from error
    return index


def policy_class(model: str) -> type[DiffusersPolicy]:
    """The policy of a model's pipeline class; raises ``ValueError`` for unsupported and incomplete pipelines."""
    index = read_index(model)
    name = index.get("_class_name", "")
    if name not in POLICIES:
        raise ValueError(f"{model} is a {name or 'nameless pipeline'}; worldr1 runs {', '.join(POLICIES)}")
    if Path(model).is_dir():
        for part, made_by in index.items():
            if isinstance(made_by, list) and made_by[0] is not None and not (Path(model) / part).is_dir():
                raise ValueError(f"{model} lacks its {part}; download the whole pipeline, not single files of it")
    return policy_for(name)


def policy_for(name: str) -> type[DiffusersPolicy]:
    """The policy of a pipeline class that is in `POLICIES`."""
    module, _, attribute = POLICIES[name].partition(":")
    found: type[DiffusersPolicy] = getattr(importlib.import_module(module), attribute)
    return found


def open_pipeline(model: str, dtype: torch.dtype = torch.float32) -> Any:
    """A frozen pipeline; weights in ``dtype``, but the codec in float32, where rounding is seen.

    Raises ``ValueError`` when its weights are damaged or missing.
    """
    name = read_index(model)["_class_name"]
    try:
        pipeline = getattr(diffusers, name).from_pretrained(model, dtype={"default": dtype, "vae": torch.float32})
    except (SafetensorError, RuntimeError, OSError, KeyError) as error:
        raise ValueError(f"the weights in {model} are damaged or not of this model: {error}") from error
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
            for weight in (*part.parameters(), *part.buffers()):
                weight.data = weight.data.clone()  # kernels round by alignment, and in a mapped file any will do
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def open_policy(
    pipeline: Any,
    sampler: SamplerConfig,
    *,
    num_frames: int,
    height: int,
    width: int,
    device: str | torch.device = "cpu",
    exact: bool = False,
    **options: Any,
) -> DiffusersPolicy:
    """The policy of an opened pipeline; ``options`` are `DiffusersPolicy`'s. A tiny LTX-Video gets its own policy.

    ``exact`` forgoes what is the pipeline's own result up to rounding only. Raises ``ValueError`` for shapes that the
    model cannot make.
    """
    name = type(pipeline).__name__
    if name == "WanPipeline":
        options["trim_text"] = not exact
    if name == "LTXPipeline" and is_tiny(pipeline.vae.config):
        if height != width:
            raise ValueError("the tiny model makes square videos; use --size in the place of --height and --width")
        return TinyPolicy(pipeline, sampler, num_frames=num_frames, size=height)
    return policy_for(name)(
        pipeline, sampler, num_frames=num_frames, height=height, width=width, device=device, **options
    )
