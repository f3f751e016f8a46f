"""`worldr1 pretrain tiny`: every packaged weight from rendered clips, stage by stage, resumable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import LTXPipeline
from rich.console import Console
from torch import Tensor

from worldr1.commands.stages import Stages, WorldFrames
from worldr1.estimators.depth import WORLD_SIDE
from worldr1.estimators.tagger import Tagger
from worldr1.evaluate.depth_unet import DepthUNet
from worldr1.evaluate.inspector import Inspector
from worldr1.evaluate.pretrain import train_depth_unet, train_inspector
from worldr1.policies.codec import encode, normalise
from worldr1.policies.tiny import build_pipeline
from worldr1.policies.tiny_policy import PACKAGED
from worldr1.train.fit import FitConfig, Progress
from worldr1.train.pretrain.codec import train_codec
from worldr1.train.pretrain.config import DEBUG, PretrainConfig
from worldr1.train.pretrain.data import degrade, mix
from worldr1.train.pretrain.estimators import build_depth, train_depth, train_tagger
from worldr1.train.pretrain.package import install, save_module, save_pipeline
from worldr1.train.pretrain.transformer import train_transformer
from worldr1.train.pretrain.world_depth import build_world_depth, train_world_depth
from worldr1.train.pretrain.world_flow import build_world_flow, train_world_flow
from worldr1.worlds.tiny.captions import TAGS, vocabulary

Part = Literal["world-depth", "world-flow"]  # what needs no other stage
Stage = Callable[[Path, Progress], dict[str, float]]
_LARGER: tuple[WorldFrames, ...] = ("large_frames", "more_frames", "wall_frames", "last_frames", "filmed_frames")


def pretrain(
    config: PretrainConfig, out: Path, device: str, console: Console, only: Part | None = None
) -> dict[str, dict[str, float]]:
    """Make all weights, or ``only`` a part's, in ``out/weights``.

    Returns what each stage measured on clips it was not trained on.
    """
    stages = Stages(config, out, device, console)
    weights = out / "weights"
    if only is None:
        _tiny_worlds(stages, config, weights)
    if only in (None, "world-depth"):
        _world_depth(stages, config, weights)
    if only in (None, "world-flow"):
        _world_flow(stages, config, weights)
    (out / "measured.json").write_text(json.dumps(stages.measured, indent=2))
    return stages.measured


def _world_depth(stages: Stages, config: PretrainConfig, weights: Path) -> None:
    depth = build_world_depth(config.world_depth.seed).to(stages.device)

    # the frames of one stage are gone before those of the next are read
    def stage(frames: WorldFrames, fit: FitConfig, side: int | None = None) -> Stage:
        def work(directory: Path, progress: Progress) -> dict[str, float]:
            measured = getattr(config, frames).measured
            return train_world_depth(depth, *stages.world_frames(frames), fit, directory, progress, measured, side)

        return work

    stages.run("world_depth", stage("world_frames", config.world_depth))
    for frames in _LARGER:
        depth.half().float()  # the packaged stages began from half precision
        name = frames.replace("_frames", "_depth")
        stages.run(name, stage(frames, getattr(config, name), WORLD_SIDE))
    depth.half().save_pretrained(weights / "world-depth")


def _world_flow(stages: Stages, config: PretrainConfig, weights: Path) -> None:
    pairs, fit, measured = stages.world_pairs(), config.world_flow, config.world_pairs.measured
    flow = build_world_flow(fit.seed).to(stages.device)
    stages.run("world_flow", lambda d, p: train_world_flow(flow, pairs, fit, d, p, measured))
    save_module(flow, weights / "world_flow.safetensors")


def _tiny_worlds(stages: Stages, config: PretrainConfig, weights: Path) -> None:
    video, depth_m, captions, facts, violations = stages.corpus()
    clean = torch.tensor([i for i, v in enumerate(violations) if not v])
    pipeline = build_pipeline(config.model, vocabulary()).to(stages.device)
    stages.run("codec", lambda d, p: train_codec(pipeline.vae, video, config.codec, d, p))
    latents = stages.kept("latents", lambda: normalise(pipeline.vae, encode(pipeline.vae, video)))
    stages.run("image", lambda d, p: _transformer(pipeline, latents, captions, config.image, d, p, True))
    image = _state(pipeline)
    stages.run("video", lambda d, p: _transformer(pipeline, latents, captions, config.video, d, p, False))
    save_pipeline(pipeline, weights / "tiny")
    _restore(pipeline, image)
    clean_captions = [captions[i] for i in clean.tolist()]
    stages.run("clean", lambda d, p: _transformer(pipeline, latents[clean], clean_captions, config.clean, d, p, False))
    for part in ("transformer", "text_encoder"):
        getattr(pipeline, part).half().save_pretrained(weights / "tiny-clean" / part)
    mixed = stages.kept("mixed", lambda: mix(video, degrade(pipeline.vae, latents, seed=7)))
    _estimators(stages, config, weights, mixed, depth_m, facts, violations, clean)


def _estimators(
    stages: Stages,
    config: PretrainConfig,
    weights: Path,
    mixed: Tensor,
    depth_m: Tensor,
    facts: list[dict[str, Any]],
    violations: list[str],
    clean: Tensor,
) -> None:
    depth = build_depth(config.depth.seed).to(stages.device)
    stages.run("depth", lambda d, p: train_depth(depth, mixed, depth_m, config.depth, d, p))
    depth.half().save_pretrained(weights / "depth")
    clean_facts = [facts[i] for i in clean.tolist()]
    torch.manual_seed(config.tagger.seed)
    tagger = Tagger(len(TAGS)).to(stages.device)
    stages.run("tagger", lambda d, p: train_tagger(tagger, mixed[clean], clean_facts, config.tagger, d, p))
    save_module(tagger, weights / "tagger.safetensors")
    torch.manual_seed(config.inspector.seed)
    inspector = Inspector().to(stages.device)
    stages.run("inspector", lambda d, p: train_inspector(inspector, mixed, facts, violations, config.inspector, d, p))
    save_module(inspector, weights / "inspector.safetensors")
    torch.manual_seed(config.held_out_depth.seed)
    unet = DepthUNet().to(stages.device)
    stages.run("held_out_depth", lambda d, p: train_depth_unet(unet, mixed, depth_m, config.held_out_depth, d, p))
    save_module(unet, weights / "held_out_depth.safetensors")


def _transformer(
    pipeline: LTXPipeline,
    latents: Tensor,
    captions: list[str],
    config: FitConfig,
    directory: Path,
    progress: Callable[[int, float], None],
    first_frame_only: bool,
) -> None:
    train_transformer(pipeline, latents, captions, config, directory, progress, first_frame_only=first_frame_only)


def _state(pipeline: LTXPipeline) -> list[dict[str, Tensor]]:
    parts = (pipeline.transformer, pipeline.text_encoder)
    return [{k: v.clone() for k, v in part.state_dict().items()} for part in parts]


def _restore(pipeline: LTXPipeline, state: list[dict[str, Tensor]]) -> None:
    # saving in half precision rounded the weights: start from the exact ones
    for part, saved in zip((pipeline.transformer, pipeline.text_encoder), state, strict=True):
        part.load_state_dict(saved)


def run_pretrain(
    preset: str, out: Path, device: str, threads: int, install_weights: bool, only: Part | None = None
) -> int:
    """`worldr1 pretrain`; raises ``ValueError`` for an unknown preset or device."""
    presets = {"tiny": PretrainConfig(), "debug": DEBUG}
    if preset not in presets:
        raise ValueError(f"nothing to pretrain called {preset!r}; use one of {', '.join(presets)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device here; use --device cpu")
    torch.set_num_threads(threads)
    console = Console()
    pretrain(presets[preset], out, device, console, only)
    if install_weights:
        size = install(out / "weights", PACKAGED)
        console.print(f"installed into {PACKAGED}, which now holds {size / 1e6:.1f} MB")
    return 0
