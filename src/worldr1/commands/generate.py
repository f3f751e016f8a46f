"""``worldr1 generate``: prompt to video files."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import diffusers.utils.logging
import transformers.utils.logging
from diffusers import LTXPipeline
from safetensors import SafetensorError

from worldr1.commands.arguments import Generate as Arguments
from worldr1.policies.ltx_policy import PACKAGED, LTXPolicy, load_pipeline
from worldr1.policies.sde import SamplerConfig
from worldr1.types import Prompt
from worldr1.video import check_target, write_video

LORA_FILE = "pytorch_lora_weights.safetensors"


def run_generate(arguments: Arguments) -> None:
    """Sample and write the clips, and print their names. Raises ``ValueError`` for what cannot be done."""
    _check(arguments)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    pipeline = _load(arguments.model)
    _check_shape(arguments, pipeline)
    sampler = SamplerConfig(steps=arguments.steps, window=1, window_end=1, guidance=arguments.guidance)
    policy = LTXPolicy(pipeline, sampler, num_frames=arguments.frames, size=arguments.size)
    if arguments.lora is not None:
        _load_lora(policy, arguments.lora)
    _warn_about_words(pipeline, arguments.prompt)
    seeds = range(arguments.seed, arguments.seed + arguments.num)
    rollouts = policy.sample([Prompt(arguments.prompt, seed=s) for s in seeds], seeds)
    for path, rollout in zip(targets(arguments.out, arguments.num), rollouts, strict=True):
        write_video(rollout.clip.video, rollout.clip.fps, path)
        print(path)


def targets(out: Path, num: int) -> list[Path]:
    """The files to write: ``x.mp4``, or ``x-0.mp4``, ``x-1.mp4``, ... for several."""
    return [out] if num == 1 else [out.with_name(f"{out.stem}-{i}{out.suffix}") for i in range(num)]


def _check(arguments: Arguments) -> None:
    """Everything that can be refused before the model is loaded."""
    if not arguments.prompt.strip():
        raise ValueError("the prompt is empty; say what the video should show")
    for name in ("num", "steps", "frames", "size"):
        if getattr(arguments, name) < 1:
            raise ValueError(f"--{name} must be at least 1, not {getattr(arguments, name)}")
    if not 0 <= arguments.seed < 2**63 - arguments.num:
        raise ValueError(f"--seed must be a whole number from 0 to 2^63, not {arguments.seed}")
    for path in targets(arguments.out, arguments.num):
        check_target(path)
    if arguments.lora is not None and not (arguments.lora / LORA_FILE).is_file():
        raise ValueError(f"no {LORA_FILE} in {arguments.lora}; --lora takes the directory that training wrote")


def _load(model: str | None) -> LTXPipeline:
    if model is None:
        from worldr1.presets import load_tiny

        if not (PACKAGED / "tiny").is_dir():
            missing = PACKAGED / "tiny"
            raise ValueError(f"the packaged model is missing ({missing}); install worldr1 again or pass --model")
        return load_tiny()
    directory = Path(model)
    if directory.is_dir() and not (directory / "model_index.json").is_file():
        raise ValueError(f"no model_index.json in {model}; --model takes the directory of a diffusers pipeline")
    if not directory.is_dir() and not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        raise ValueError(f"no such model directory: {model}; --model takes a directory or a hub id like owner/name")
    try:
        return load_pipeline(model)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"the weights in {model} are damaged or not of this model: {error}") from error


def _load_lora(policy: LTXPolicy, directory: Path) -> None:
    try:
        policy.load(str(directory))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ValueError(f"the LoRA in {directory} is damaged or of another model: {error}") from error
    if not getattr(policy.pipeline.transformer, "peft_config", None):
        raise ValueError(f"the LoRA in {directory} changes nothing in this model; it belongs to another one")


def _check_shape(arguments: Arguments, pipeline: LTXPipeline) -> None:
    every, pixels = pipeline.vae_temporal_compression_ratio, pipeline.vae_spatial_compression_ratio
    if (arguments.frames - 1) % every:
        near = (arguments.frames - 1) // every * every + 1
        raise ValueError(f"this model makes {every}k + 1 frames; use --frames {near} or {near + every}")
    if arguments.size % pixels:
        near = arguments.size // pixels * pixels
        raise ValueError(f"this model's frames are multiples of {pixels} pixels; use --size {near or pixels}")


def _warn_about_words(pipeline: LTXPipeline, prompt: str) -> None:
    """Say on stderr what of the prompt the model's tokenizer cannot tell it."""
    tokenizer = pipeline.tokenizer
    words = dict.fromkeys(re.findall(r"\w+|[^\w\s]", prompt))
    unknown = [w for w in words if tokenizer.unk_token_id in tokenizer(w, add_special_tokens=False).input_ids]
    if unknown:
        print(f"worldr1: warning: the model does not know {', '.join(map(repr, unknown))}", file=sys.stderr)
    length = len(tokenizer(prompt, truncation=False).input_ids)
    if length > tokenizer.model_max_length:
        kept = tokenizer.model_max_length
        print(f"worldr1: warning: the prompt has {length} tokens; the model reads {kept}", file=sys.stderr)
