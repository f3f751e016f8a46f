"""``worldr1 generate``: prompts to video files, each with a JSON file that says what it was made from."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import diffusers.utils.logging
import torch
import transformers.utils.logging
from safetensors import SafetensorError

from worldr1.commands.arguments import Generate as Arguments
from worldr1.commands.best_of import Chooser
from worldr1.commands.requests import Request, requests_of
from worldr1.commands.score_backends import LEAST_SIDE
from worldr1.commands.score_prompt import prompt_for
from worldr1.commands.settings import Settings, settings_of
from worldr1.files import write_atomically
from worldr1.plan import GENERATION, Job, available_memory, check_memory, make_plan
from worldr1.policies.diffusers_policy import DiffusersPolicy, Memory
from worldr1.policies.lora_export import LORA_FILE
from worldr1.policies.noise import camera_conditioned
from worldr1.policies.registry import open_pipeline, open_policy
from worldr1.policies.tiny_policy import PACKAGED
from worldr1.train.rollout import sample
from worldr1.types import Clip, Prompt
from worldr1.video_write import check_target, write_video


def run_generate(arguments: Arguments) -> None:
    """Sample and write the clips, and print their names. Raises ``ValueError`` for what cannot be done."""
    requests = requests_of(arguments)
    _check(arguments, requests)
    settings = settings_of(arguments)
    if arguments.prompts is not None:
        there = [r for r in requests if _is_done(r, settings)]
        if there:
            print(f"worldr1: {len(there)} of {len(requests)} videos are there already", file=sys.stderr)
        requests = [r for r in requests if r not in there]
        if not requests:
            return
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    policy = _open(arguments, settings)
    if arguments.lora is not None:
        _load_lora(policy, arguments.lora)
        if arguments.fuse:
            policy.fuse()
    for text in dict.fromkeys(r.text for r in requests):
        _warn_about_words(policy, text)
    can_tell = settings.frames > 1 and min(settings.height, settings.width) >= LEAST_SIDE
    judge = Chooser(settings.height, settings.width) if can_tell or arguments.best_of > 1 else None
    policy.prepare([r.text for r in requests])
    together = max(1, policy.batch // arguments.best_of)  # requests sampled at once
    for i in range(0, len(requests), together):
        _make(policy, requests[i : i + together], judge, settings)


def _make(policy: DiffusersPolicy, requests: Sequence[Request], judge: Chooser | None, settings: Settings) -> None:
    """Sample, choose, write and print some requests."""
    asked = [_prompt(r.text, settings) for r in requests]
    prompts = [replace(p, seed=s) for r, p in zip(requests, asked, strict=True) for s in r.seeds]
    initial = camera_conditioned(policy, settings.camera_noise) if settings.camera_noise else None
    rollouts = iter(sample(policy, prompts, [p.seed for p in prompts], initial=initial).rollouts)
    for request in requests:
        clips = [next(rollouts).clip for _ in request.seeds]
        chosen, scores = judge.best(request.text, clips) if judge else (0, [None])
        _write(request, clips[chosen], chosen, scores, settings)
        print(request.path)


def _prompt(text: str, settings: Settings) -> Prompt:
    """The prompt, with the path of its camera words where the noise shall follow it; says on stderr if it has none."""
    if not settings.camera_noise:
        return Prompt(text)
    shape = torch.zeros(()).expand(settings.frames, 3, settings.height, settings.width)
    prompt = prompt_for(text, Clip(shape))
    if prompt.camera is None:
        print(f"worldr1: warning: no single camera move is understood in {text!r}; its noise is white", file=sys.stderr)
    return prompt


def _write(request: Request, clip: Clip, chosen: int, scores: Sequence[float | None], settings: Settings) -> None:
    """The video, then what it was made from: where that is, the video is whole."""
    request.path.parent.mkdir(parents=True, exist_ok=True)
    write_video(clip.video, clip.fps, request.path)
    made = {
        "prompt": request.text,
        "seed": request.seeds[chosen],
        "score": scores[chosen],
        "candidates": [{"seed": s, "score": x} for s, x in zip(request.seeds, scores, strict=True)],
        "settings": asdict(settings),
    }
    write_atomically(json.dumps(made, indent=2, allow_nan=False) + "\n", _beside(request.path))


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _is_done(request: Request, settings: Settings) -> bool:
    """Whether a video of this request is there; raises ``ValueError`` where one of another request is."""
    path = _beside(request.path)
    if not path.exists() or not request.path.exists():
        return False
    try:
        made = json.loads(path.read_text())
        same = (made["prompt"], [c["seed"] for c in made["candidates"]], made["settings"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} was not written by worldr1 generate; choose another --out") from error
    if same != (request.text, list(request.seeds), asdict(settings)):
        raise ValueError(f"{request.path} was made with other settings; choose another --out or delete it")
    return True


def _check(arguments: Arguments, requests: Sequence[Request]) -> None:
    """Everything that can be refused before the model is loaded."""
    for request in requests:
        if not request.text.strip():
            raise ValueError("the prompt is empty; say what the video should show")
        if not 0 <= request.seeds[0] <= request.seeds[-1] < 2**63:
            raise ValueError(f"--seed must be a whole number from 0 to 2^63, not {request.seeds[0]}")
        check_target(request.path)
    if arguments.camera_noise is not None and not 0 <= arguments.camera_noise <= 1:
        raise ValueError(f"--camera-noise is a share between 0 and 1, not {arguments.camera_noise}")
    if arguments.fuse and arguments.lora is None:
        raise ValueError("--fuse adds a LoRA into the weights; give one with --lora")
    if arguments.lora is not None and not (arguments.lora / LORA_FILE).is_file():
        raise ValueError(f"no {LORA_FILE} in {arguments.lora}; --lora takes the directory that training wrote")


# --- the model -------------------------------------------------------------------------------------------------


def _open(arguments: Arguments, settings: Settings) -> DiffusersPolicy:
    device = torch.device("cuda" if torch.cuda.is_available() and arguments.model is not None else "cpu")
    memory = Memory(offload=arguments.save_memory, tiling=arguments.save_memory)
    frames, height, width, sampler = settings.frames, settings.height, settings.width, settings.sampler
    if arguments.model is None:
        from worldr1.presets import load_tiny

        if not (PACKAGED / "tiny").is_dir():
            missing = PACKAGED / "tiny"
            raise ValueError(f"the packaged model is missing ({missing}); install worldr1 again or pass --model")
        pipeline: Any = load_tiny()
    else:  # refused before gigabytes are read
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        job = Job(frames, height, width, sampler, 1, 1, 1, 1, memory=memory, number_bytes=dtype.itemsize)
        check_memory(make_plan(arguments.model, job), available_memory(device), GENERATION)
        pipeline = open_pipeline(arguments.model, dtype)
    policy = open_policy(
        pipeline, sampler, num_frames=frames, height=height, width=width, device=device, memory=memory, exact=True
    )
    if settings.fps is not None:
        policy.fps = settings.fps
    return policy


def _load_lora(policy: DiffusersPolicy, directory: Path) -> None:
    try:
        policy.load(str(directory))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ValueError(f"the LoRA in {directory} is damaged or of another model: {error}") from error
    if not getattr(policy.pipeline.transformer, "peft_config", None):  # of a format that `check_fits` cannot read
        raise ValueError(f"the LoRA in {directory} changes nothing in this model; it belongs to another one")


def _warn_about_words(policy: DiffusersPolicy, prompt: str) -> None:
    """Say on stderr what of the prompt the model's tokenizer cannot tell it."""
    tokenizer = policy.pipeline.tokenizer
    words = dict.fromkeys(re.findall(r"\w+|[^\w\s]", prompt))
    unknown = [w for w in words if tokenizer.unk_token_id in tokenizer(w, add_special_tokens=False).input_ids]
    if unknown:
        print(f"worldr1: warning: the model does not know {', '.join(map(repr, unknown))}", file=sys.stderr)
    length = len(tokenizer(prompt, truncation=False).input_ids)
    kept = min(policy.text_length, tokenizer.model_max_length)
    if length > kept:
        print(f"worldr1: warning: the prompt has {length} tokens; the model reads {kept}", file=sys.stderr)
