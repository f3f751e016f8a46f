"""The options of every subcommand. Imports nothing heavy, so that ``--help`` is quick."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

Flag = FlagCreatePairsOff[bool]
Preset = Annotated[Positional[str], arg(metavar="PRESET")]


@dataclass(frozen=True)
class Demo:
    """The main job: sample the tiny model, train it with 3D rewards, sample again, write the report.

    Run it again to resume. The exit status is 1 when a guard fails (motion, sharpness, prompt agreement).
    """

    out: Path = Path("runs/demo")
    """Where results.json and report.html go."""
    seed: int = 0
    """Of prompts, noise and training."""
    scale: str = "demo"
    """How large a run: the name of one of the demo's scales."""


@dataclass(frozen=True)
class Pretrain:
    """Train the base models and estimators from rendered clips."""

    preset: Preset
    """What to train, for example: tiny."""
    out: Path = Path("runs/pretrain")
    """Where checkpoints and weights go; an interrupted run resumes from here."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to train; rendering takes the CPU's cores either way."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """CPU threads; all cores by default."""
    install_weights: Flag = False
    """Put the weights into the package when done, replacing the ones that are there."""


@dataclass(frozen=True)
class Train:
    """Train a text-to-video model with 3D rewards (GRPO), measured before and after.

    The exit status is 1 when a guard fails.
    """

    preset: Preset
    """A complete configuration, for example: tiny."""
    out: Path = Path("runs/train")
    """Where checkpoints, metrics and the resolved configuration go; an interrupted run resumes from here."""
    seed: int = 0
    """Of prompts, noise and the adapter."""
    iterations: Annotated[int | None, arg(metavar="INT")] = None
    """GRPO iterations; the preset's own number by default."""


@dataclass(frozen=True)
class Generate:
    """Make videos from a prompt."""

    prompt: Annotated[str, arg(metavar="TEXT")]
    """What to show. The tiny model knows sentences like: the camera orbits left . a red box on grass"""
    out: Path
    """The file to write (.mp4, .mov or .mkv); several clips become x-0.mp4, x-1.mp4 and so on."""
    seed: int = 0
    """Of the noise; clip number i uses seed + i, and the same seed gives the same clip."""
    num: int = 1
    """How many clips."""
    model: Annotated[str | None, arg(metavar="DIR|HUB")] = None
    """Directory or hub id of an LTX-Video pipeline; the packaged tiny model by default."""
    lora: Annotated[Path | None, arg(metavar="DIR")] = None
    """Directory of a trained LoRA (with pytorch_lora_weights.safetensors)."""
    guidance: float = 1.0
    """Classifier-free guidance; 1 is none."""
    steps: int = 12
    """Steps of the sampler."""
    frames: int = 9
    """Length of the clip; must suit the model's temporal compression."""
    size: int = 32
    """Height and width in pixels; must suit the model's spatial compression."""


@dataclass(frozen=True)
class Score:
    """Score videos: can one rigid world, its movers and one camera explain them?

    Reads video files and .npy arrays ([frames, height, width, 3], uint8 or float in [0, 1]). All files are checked
    before any is scored. Videos of more than 128 pixels on the short side are downscaled to it. A term that cannot
    tell says why instead of giving a number.
    """

    files: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE...", help_behavior_hint="")]
    """The videos (one or more)."""
    prompt: Annotated[str | None, arg(metavar="TEXT")] = None
    """What the videos were asked to show. Its camera words are used: "the camera orbits left" (or right),
    "pushes in", "pulls out", "trucks left" (or right), "is fixed"."""
    json: Flag = False
    """Print JSON instead of a table; "seconds" is the length of the video."""


@dataclass(frozen=True)
class Info:
    """Versions, devices and packaged weights: what to put into a bug report."""

    json: Flag = False
    """Print JSON instead of a table."""


Command = Demo | Pretrain | Train | Generate | Score | Info
