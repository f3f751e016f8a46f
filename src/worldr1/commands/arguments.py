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
    only: Literal["world-depth", "world-flow"] | None = None
    """Make this part alone, which needs none of the others: the depth or the flow network for general worlds."""
    install_weights: Flag = False
    """Put the weights into the package when done, replacing the ones that are there."""


@dataclass(frozen=True)
class Train:
    """Train a text-to-video model with 3D rewards, measured before and after.

    Presets of the packaged model: demo, tiny, tiny-clean, debug. Of published ones: wan-1.3b, wan-1.3b-24gb, wan-5b,
    wan-14b, wan2.2-14b, ltx-2b, ltx-2b-24gb, cogvideox-5b, cogvideox-5b-24gb, hunyuanvideo. The exit status is 1 when
    a guard fails.
    """

    preset: Preset
    """A complete configuration, for example: tiny."""
    out: Path = Path("runs/train")
    """Where checkpoints, metrics and the resolved configuration go; an interrupted run resumes from here."""
    seed: int = 0
    """Of prompts, noise and the adapter."""
    iterations: Annotated[int | None, arg(metavar="INT")] = None
    """Training iterations; the preset's own number by default, here and below."""
    algorithm: Annotated[str | None, arg(metavar="NAME")] = None
    """How to learn: grpo, ppo, nft, awm or reward_gradient; the preset's own by default."""
    on_hack: Literal["stop", "warn"] = "warn"
    """What to do when the training reward rises while what training never sees falls."""
    prompts: Annotated[int | None, arg(metavar="INT")] = None
    """Prompts per iteration."""
    group: Annotated[int | None, arg(metavar="INT")] = None
    """Samples per prompt."""
    camera_noise: Annotated[float | None, arg(metavar="SHARE")] = None
    """How much of the initial noise, from 0 to 1, follows the camera path of the prompt while training."""
    rewards: Literal["local", "ray"] = "local"
    """Where clips are scored: in this process, or by actors of a Ray cluster (RAY_ADDRESS, else this machine)."""
    reward_workers: Annotated[int | None, arg(metavar="INT")] = None
    """Threads, or Ray actors, that score groups while the next ones are sampled. A single thread scores the whole
    batch after sampling."""
    model: Annotated[str | None, arg(metavar="DIR|HUB")] = None
    """Directory or hub id of the pipeline that a published preset trains; the preset's own hub id by default."""
    frames: Annotated[int | None, arg(metavar="INT")] = None
    """Length of the clips; for published models, like all that follow but the last."""
    height: Annotated[int | None, arg(metavar="INT")] = None
    """Of the clips, in pixels."""
    width: Annotated[int | None, arg(metavar="INT")] = None
    """Of the clips, in pixels."""
    held_out: Annotated[int | None, arg(metavar="INT")] = None
    """Prompts that are only measured, before and after."""
    optimizer: Literal["adamw", "adamw8bit"] | None = None
    """adamw8bit keeps its moments in bytes; needs the extra 8bit."""
    reward_stack: Annotated[str | None, arg(metavar="NAME")] = None
    """Networks that judge the clips: default (licences that allow commercial use), research, research-vggt, or
    packaged (needs no download, knows the tiny worlds only). worldr1 info lists their parts and licences."""
    depth_model: Annotated[str | None, arg(metavar="NAME|DIR|HUB")] = None
    """Another depth network in the stack: any depth model of transformers, vggt, moge or depth-anything-3."""
    judge: Annotated[str | None, arg(metavar="DIR|HUB|URL#MODEL")] = None
    """A vision-language model that says whether the prompt is followed, here or behind an OpenAI-compatible endpoint
    (http://localhost:8000/v1#NAME, key in OPENAI_API_KEY); none by default."""
    camera: Annotated[str | None, arg(metavar="NAME")] = None
    """A second opinion on the camera: pycolmap, structure from motion (needs the extra colmap; seconds a clip), vggt or
    depth-anything-3; none by default."""
    segments: Annotated[str | None, arg(metavar="DIR|HUB")] = None
    """A SAM 2 model that finds objects, for the volume term and for objects that come back; none by default."""
    dry_run: Flag = False
    """Only print the plan: parameters, tokens, memory by part, evaluations, hours. Downloads no weights."""
    devices: int = 1
    """For --dry-run: GPUs that share the samples. A run takes as many as it is launched on (docs/scale.md)."""
    shards: int = 1
    """For --dry-run: GPUs that the transformer's weights are divided over (FSDP2), 1 where each holds all."""


@dataclass(frozen=True)
class Check:
    """Run a preset's self-tests alone: drawn noise, ratio, log-probability, gradient, reward."""

    preset: Preset = "tiny"
    """Which preset."""
    algorithm: Annotated[str | None, arg(metavar="NAME")] = None
    """Another algorithm than the preset's."""


@dataclass(frozen=True)
class Publish:
    """Publish a finished run's LoRA with a model card on a hub.

    The token is the one that `hf auth login` stored, or HF_TOKEN.
    """

    run: Annotated[Positional[Path], arg(metavar="DIR")]
    """The run's directory: with lora/ and results.json."""
    repository: Annotated[str, arg(metavar="OWNER/NAME")]
    """Where it goes; made if it does not exist."""
    base: Annotated[str, arg(metavar="HUB")]
    """Hub id of the model that the LoRA is for."""
    licence: Annotated[str | None, arg(metavar="ID")] = None
    """Licence of the base model; needed where worldr1 does not know it."""
    private: Flag = False
    """Make a new repository visible to its owner only."""
    endpoint: Annotated[str | None, arg(metavar="URL")] = None
    """Another hub than huggingface.co."""


@dataclass(frozen=True)
class Export:
    """Write a trained LoRA in another program's format."""

    lora: Annotated[Positional[Path], arg(metavar="DIR")]
    """Directory with pytorch_lora_weights.safetensors, as training saves it (diffusers reads that one itself)."""
    out: Path
    """The file to write (.safetensors); the LoRA of Wan 2.2's low-noise expert goes beside it."""
    format: Literal["comfyui"] = "comfyui"
    """Whose format."""


@dataclass(frozen=True)
class Generate:
    """Make videos from a prompt, or from a file of prompts.

    Beside every video a .json file says what it was made from and how it scores (as by worldr1 score). With --prompts
    an interrupted batch is continued by the same command: videos that are there are left alone.
    """

    out: Path
    """The file to write (.mp4, .mov or .mkv); several clips become x-0.mp4, x-1.mp4 and so on. With --prompts, the
    directory to write into."""
    prompt: Annotated[str | None, arg(metavar="TEXT")] = None
    """What to show. The tiny model knows sentences like: the camera orbits left . a red box on grass"""
    prompts: Annotated[Path | None, arg(metavar="FILE")] = None
    """A JSONL file in the place of --prompt: {"prompt": "...", "name": "...", "seed": 7} a line, the last two
    optional. Videos are called by name, or by line number."""
    seed: int = 0
    """Of the noise; clip number i uses seed + i, and the same seed gives the same clip."""
    num: int = 1
    """How many clips a prompt."""
    best_of: int = 1
    """Of so many samples keep the one that scores best (as by worldr1 score); clip i's seeds follow clip i - 1's."""
    model: Annotated[str | None, arg(metavar="DIR|HUB")] = None
    """Directory or hub id of a diffusers pipeline (Wan, LTX-Video, CogVideoX, HunyuanVideo); the packaged tiny model
    by default."""
    lora: Annotated[Path | None, arg(metavar="DIR")] = None
    """Directory of a trained LoRA (with pytorch_lora_weights.safetensors)."""
    fuse: Flag = False
    """Add the LoRA into the weights: a video then costs what the base's does (bfloat16 rounds a little more)."""
    guidance: Annotated[float | None, arg(metavar="FLOAT")] = None
    """Classifier-free guidance; 1 is none. By default, here and below, what suits the model (of the tiny one: 1, 12
    steps, 9 frames of 32 pixels; of a published one what its preset is evaluated with)."""
    steps: Annotated[int | None, arg(metavar="INT")] = None
    """Steps of the sampler."""
    frames: Annotated[int | None, arg(metavar="INT")] = None
    """Length of the clip; must suit the model's temporal compression."""
    size: Annotated[int | None, arg(metavar="INT")] = None
    """Height and width in pixels; must suit the model's spatial compression."""
    height: Annotated[int | None, arg(metavar="INT")] = None
    """In pixels, where it differs from --size."""
    width: Annotated[int | None, arg(metavar="INT")] = None
    """In pixels, where it differs from --size."""
    fps: Annotated[float | None, arg(metavar="FLOAT")] = None
    """Frames a second of the video; the model's own by default."""
    camera_noise: Annotated[float | None, arg(metavar="SHARE")] = None
    """How much of the initial noise, from 0 to 1, follows the camera move that the prompt names (as understood by
    worldr1 score); white noise by default, and for prompts that name none."""
    save_memory: Flag = False
    """Keep text encoder and codec off the GPU between uses, and decode in tiles (their seams are blended)."""


@dataclass(frozen=True)
class Score:
    """Score videos: can one rigid world, its movers and one camera explain them?

    Reads video files and .npy arrays ([frames, height, width, 3], uint8 or float in [0, 1]). All files are checked
    before any is scored, and nothing is printed unless all could be. A term that cannot tell says why instead of
    giving a number.
    """

    files: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE...", help_behavior_hint="")]
    """The videos (one or more)."""
    prompt: Annotated[str | None, arg(metavar="TEXT")] = None
    """What the videos were asked to show. Its camera words are used, in free wording: "a slow push in", "the camera
    orbits left", "locked-off shot". Where they ask for no translation, no parallax is asked for, whatever the
    backend."""
    backend: Annotated[str, arg(metavar="auto|classical|tiny|world|NAME")] = "auto"
    """What measures; every backend has terms of its own. classical: matched features, no weights, any size and length,
    a second or two a clip; of more than 600 frames, 8 windows of 48. world: the general reward, which worldr1
    validate-rewards puts to the test on rendered worlds (with a prompt and --static-scene), on the packaged
    networks, at 128 pixels on the short side; slow: about half a minute of one core for a clip of 17 frames.
    NAME: the same terms on other depth: vggt, moge, depth-anything-3, or any depth model of transformers by hub
    id or directory. tiny: the terms that the tiny model trains with, made for its clips. The networks see at
    most 81 frames at once; of more, 4 windows of 25. auto takes tiny for clips of at most 64 x 64 pixels, as the
    tiny model makes them, and classical for all others: of real footage that tells broken from whole most often."""
    static_scene: Flag = False
    """Nothing but the camera moves in these videos: the general terms that need to know this are asked too (as in
    validate-rewards). Of the tiny and the classical terms none does."""
    json: Flag = False
    """Print JSON instead of a table; "seconds" is the length of the video."""
    report: Annotated[Path | None, arg(metavar="FILE.html")] = None
    """Also write an offline page that shows where and when, by matched features whatever the backend: heat maps,
    curves, tracks, the worst moment; and depth, where a network measures it."""


@dataclass(frozen=True)
class Info:
    """Versions, devices and packaged weights: what to put into a bug report."""

    json: Flag = False
    """Print JSON instead of a table."""


@dataclass(frozen=True)
class Worlds:
    """Make datasets of rendered, captioned clips with exact geometry.

    To make one, or to continue one that was interrupted: worldr1 worlds --family occluder --count 1000 --out DIR

    To look at it: worldr1 worlds show DIR

    To write what other trainers read: worldr1 worlds export DIR --format jsonl --out OTHER
    """

    action: Positional[Literal["make", "show", "export"]] = "make"
    """What to do."""
    folder: Annotated[Positional[Path | None], arg(metavar="DIR")] = None
    """The dataset to show or to export."""
    family: Annotated[str | None, arg(metavar="FAMILY")] = None
    """What happens in the clips, for example: occluder; "all" takes the families in turn."""
    count: Annotated[int | None, arg(metavar="INT")] = None
    """How many clips."""
    out: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder of the dataset (make), of the copy (export), or the PNG (show; DIR/sheet.png by default)."""
    seed: int = 0
    """Clip i of a seed is always the same."""
    captions: Literal["short", "camera", "dense", "schematic"] = "dense"
    """How much the captions say."""
    renderer: str = "warp"
    """What draws them: warp; mujoco for MuJoCo's look (needs the extra of that name); blender for path tracing, by
    far the slowest (installs Blender on first use)."""
    size: int = 64
    """Height and width in pixels."""
    frames: int = 17
    """Frames of a clip, 4k + 1."""
    fps: float = 8.0
    """Frames a second."""
    difficulty: Literal["easy", "medium", "hard"] = "medium"
    """How much goes on."""
    split: Literal["train", "held_out"] = "train"
    """Held-out clips have combinations that no training clip has."""
    store_flow: Flag = False
    """Store optical flow too; otherwise it is recomputed from depth, instances and poses."""
    store_frames: Flag = False
    """Store raw frames too, for training on a CPU."""
    shard: int = 32
    """Clips in a shard; what is lost when a run is killed."""
    executor: Literal["local", "ray"] = "local"
    """Processes of this machine, or a Ray cluster (RAY_ADDRESS)."""
    workers: Annotated[int | None, arg(metavar="INT")] = None
    """How many; all CPUs by default. The result does not depend on it."""
    format: Annotated[str | None, arg(metavar="NAME")] = None
    """Layout to export: pairs, jsonl, csv, videox or finetrainers."""
    clips: int = 4
    """How many clips to show."""


@dataclass(frozen=True)
class Prompts:
    """Write text prompts for training, each with a camera phrase, and print what they cover."""

    out: Path
    """The file to write, one JSON object a line."""
    kind: Literal["train", "dynamic", "held_out"] = "train"
    """Held-out prompts combine setting, subject and camera move as no training prompt does."""
    count: int = 2500
    """How many."""
    seed: int = 0
    """Other seeds give other prompts."""


@dataclass(frozen=True)
class ValidateRewards:
    """Put the reward to the test: clean rendered worlds against broken ones, hacks and hard positives.

    Writes validation.json, validation.md, validation.svg and rows.jsonl, every clip's terms. The same command
    goes on from the worlds that an interrupted run had finished. Without a choice of
    estimators the terms are judged on exact depth and flow and on estimated ones, side by side.
    """

    out: Path = Path("runs/validate-rewards")
    """Where the tables go."""
    scenes: Annotated[int | None, arg(metavar="INT")] = None
    """How many worlds; 40 by default, 6 with --quick."""
    cells: Annotated[int | None, arg(metavar="INT")] = None
    """In how many worlds and paths each case is shown, at each of its severities; 12 by default."""
    outer_cells: Annotated[int | None, arg(metavar="INT")] = None
    """In how many of those at the mild and the strong severity; all by default, none with --quick."""
    size: Annotated[int | None, arg(metavar="INT")] = None
    """Height and width of the frames in pixels; 128 by default, 64 for the tiny stack."""
    oracle: Flag = False
    """Judge the terms on exact depth and flow."""
    estimated: Flag = False
    """Judge them on estimated depth and flow."""
    classical: Flag = False
    """Judge the terms for any footage, which need no weights."""
    stack: Literal["general", "tiny"] = "general"
    """The terms for any footage, or those that the tiny preset trains with."""
    depth: Annotated[str | None, arg(metavar="NAME")] = None
    """Depth of the estimated judge of the general stack: a hub id, a folder, or a name such as vggt; the packaged
    network by default."""
    flow: Annotated[str | None, arg(metavar="NAME")] = None
    """Its flow: dis, dis_shifted, raft_small, raft_large, or the packaged network (world), the default."""
    quick: Flag = False
    """Six worlds of 48 pixels, two cells a case, none at the outer severities: minutes of two cores, wide intervals.
    What is asked for beside it counts."""
    dynamic: Flag = False
    """Let every prompt name something that moves by itself, as prompts of dynamic scenes do: the terms that need a
    world at rest are then not asked, and what seems to move is left out."""
    attack: Flag = False
    """Also optimise against each reward, and see what it likes best."""
    seed: int = 0
    """Of the worlds and the edits. The packaged depth network was trained on worlds of seeds 1, 21, 31, 41 and 51."""
    workers: Annotated[int | None, arg(metavar="INT")] = None
    """Processes; all CPUs by default. The result does not depend on it."""


Command = (
    Demo | Pretrain | Check | Train | Generate | Publish | Export | Score | Worlds | Prompts | ValidateRewards | Info
)
