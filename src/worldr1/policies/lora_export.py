"""A trained LoRA in other programs' formats: files in, files out, no model needed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from worldr1.policies.lora_hunyuan import is_hunyuan, to_original

LORA_FILE = "pytorch_lora_weights.safetensors"
LOW_NOISE_LORA = "pytorch_lora_weights_transformer_2.safetensors"  # beside it: of Wan 2.2's second expert

_WAN = {
    "attn1.to_q": "self_attn.q",
    "attn1.to_k": "self_attn.k",
    "attn1.to_v": "self_attn.v",
    "attn1.to_out.0": "self_attn.o",
    "attn2.to_q": "cross_attn.q",
    "attn2.to_k": "cross_attn.k",
    "attn2.to_v": "cross_attn.v",
    "attn2.to_out.0": "cross_attn.o",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
}
_KEY = re.compile(
    r"transformer\.(?P<block>(?:single_)?(?:transformer_)?blocks\.\d+)\.(?P<layer>.+)\.(?P<matrix>lora_[AB])\.weight"
)


def read_lora(path: Path) -> tuple[dict[str, Tensor], float]:
    """The matrices of a LoRA file in diffusers' format, and the scale alpha / rank that they are applied with.

    Raises ``ValueError`` for a file of another kind, and for adapters whose scale is not the same everywhere.
    """
    if not path.is_file():
        raise ValueError(f"no {path.name} in {path.parent}; give the directory that training wrote")
    try:
        with safe_open(path, "pt") as file:
            settings = json.loads((file.metadata() or {}).get("lora_adapter_metadata", "{}"))
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 – safe_open is no mapping
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    alpha, rank = settings.get("transformer.lora_alpha"), settings.get("transformer.r")
    if alpha is None or rank is None:
        raise ValueError(f"{path} does not say its alpha and rank; only LoRAs that worldr1 saved can be exported")
    if settings.get("transformer.alpha_pattern") or settings.get("transformer.rank_pattern"):
        raise ValueError(f"{path} has layers with ranks of their own; export needs one rank")
    return weights, alpha / rank


def check_fits(path: Path, transformer: nn.Module) -> None:
    """Raise ``ValueError`` when a LoRA in diffusers' format was made for another transformer; other formats pass.

    Diffusers itself warns at length, and of some it loads nothing.
    """
    layers = dict(transformer.named_modules())
    with safe_open(path, "pt") as file:
        for key in file.keys():  # noqa: SIM118
            found = _KEY.fullmatch(key)
            if found is None or found["matrix"] != "lora_A":
                continue
            name = f"{found['block']}.{found['layer']}"
            wide, width = file.get_slice(key).get_shape()[1], getattr(layers.get(name), "in_features", None)
            if wide != width:
                own = "has no such layer" if width is None else f"is {width} wide there"
                raise ValueError(
                    f"the LoRA in {path.parent} belongs to another model: it changes {name}, {wide} wide, and this "
                    f"model {own}"
                )


def export_comfyui(directory: Path, out: Path) -> dict[Path, int]:
    """Write a LoRA as ComfyUI's own loaders read it; returns each file's number of matrices: all that there were, or
    of HunyuanVideo two in the place of six where q, k and v become one layer.

    The second expert of Wan 2.2 is a model of its own there, so its LoRA goes into a second file, ``*-low-noise``.
    Raises ``ValueError`` for other models, before anything is written.
    """
    if out.suffix != ".safetensors":
        raise ValueError(f"cannot write {out}; ComfyUI reads files that end in .safetensors")
    targets = {LORA_FILE: out}
    if (directory / LOW_NOISE_LORA).is_file():
        targets[LOW_NOISE_LORA] = out.with_name(f"{out.stem}-low-noise{out.suffix}")
    renamed = {target: _as_comfyui(directory / name) for name, target in targets.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    for target, weights in renamed.items():
        partial = target.with_name(target.name + ".tmp")
        save_file(weights, partial, metadata={"format": "pt"})
        partial.rename(target)
    return {target: len(weights) for target, weights in renamed.items()}


def _as_comfyui(path: Path) -> dict[str, Tensor]:
    """The matrices of a file under the keys of the original checkpoints.

    For Wan ``diffusion_model.blocks.0.self_attn.q.lora_A.weight``, for LTX
    ``diffusion_model.transformer_blocks.0.attn1.to_q.lora_A.weight``, for HunyuanVideo (as diffusion-pipe writes)
    ``diffusion_model.double_blocks.0.img_attn_qkv.lora_A.weight``. The scale is multiplied into B and no ``alpha``
    is written: a reader without one takes 1.
    """
    weights, scale = read_lora(path)
    if is_hunyuan(weights):
        original = to_original(weights)
        return {
            f"diffusion_model.{key}": (matrix * scale if ".lora_B." in key else matrix).contiguous()
            for key, matrix in original.items()
        }
    rename = _renamer(weights)
    renamed = {}
    for key, matrix in weights.items():
        found = _KEY.fullmatch(key)
        if found is None:
            raise ValueError(f"{path} has a key that is no LoRA matrix of a block: {key}")
        layer = f"diffusion_model.{found['block']}.{rename(found['layer'])}.{found['matrix']}.weight"
        renamed[layer] = (matrix * scale if found["matrix"] == "lora_B" else matrix).contiguous()
    assert len(renamed) == len(weights)
    return renamed


def _renamer(weights: dict[str, Tensor]) -> Callable[[str], str]:
    """How a model's layers are called there. Wan's and LTX's blocks attend to the text in a second attention."""
    if any(".attn2." in key for key in weights):
        wan = any(key.startswith("transformer.blocks.") for key in weights)
        return _WAN.__getitem__ if wan else lambda layer: layer
    raise ValueError(
        "ComfyUI itself reads LoRAs of Wan, LTX-Video and HunyuanVideo only; its CogVideoX nodes take diffusers' "
        "format, so give them the LoRA as it is"
    )
