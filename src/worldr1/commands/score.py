"""``worldr1 score``: how well one world and one camera explain a video."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worldr1.commands.arguments import Score as Arguments
from worldr1.estimators.depth import PACKAGED
from worldr1.rewards.composite import WorldReward, default_intrinsics
from worldr1.rewards.guards import Floor
from worldr1.rewards.stack import make_reward
from worldr1.types import CameraPath, Clip, Prompt, Rollout, Score
from worldr1.video import Frames, read_frames
from worldr1.worlds.tiny.captions import CAMERA_WORDS
from worldr1.worlds.tiny.motion import camera_path

SHORT_SIDE = (
    128  # pixels; more tells the packaged depth network nothing and needs memory: all frames are lifted at once
)
LEAST_SIDE = 16  # pixels; fewer leave the estimators no pattern to match
MAX_FRAMES = 257  # what current models make at most in one piece; all frames are measured at once

# Nobody's base model is known here, so the floors only tell a picture from none: a black or uniform clip has
# sharpness 0 and a frozen one motion 0, while rendered clips of 32 pixels have at least .03 and .008.
SHARPNESS_FLOOR = 0.004
MOTION_FLOOR = 0.005  # pixels a frame


def run_score(arguments: Arguments) -> None:
    """Check every file, then score them. Raises ``ValueError`` that names the first file that cannot be scored."""
    if not arguments.files:
        raise ValueError("score needs at least one video file: worldr1 score clip.mp4")
    videos = [_read(path) for path in arguments.files]
    if not PACKAGED.is_dir():
        raise ValueError(f"the packaged depth network is missing ({PACKAGED}); install worldr1 again")
    reward = make_reward(Floor(default=SHARPNESS_FLOOR), Floor(default=MOTION_FLOOR), with_prompt=False)
    rows = [_row(p, v, arguments.prompt, reward) for p, v in zip(arguments.files, videos, strict=True)]
    if arguments.json:
        print(json.dumps({"videos": rows}, indent=2, allow_nan=False))
    else:
        _print_table(rows)


def _read(path: Path) -> Frames:
    frames = read_frames(path, short_side=SHORT_SIDE, max_frames=MAX_FRAMES)
    height, width = frames.pixels.shape[1:3]
    if min(height, width) < LEAST_SIDE:
        raise ValueError(f"{path}: {width}x{height} pixels are too few to measure; use at least {LEAST_SIDE} a side")
    return frames


def prompt_for(text: str, clip: Clip) -> Prompt:
    """The prompt of a clip; its camera words, where it has any, become the path that the camera term asks for."""
    lower = " ".join(text.lower().split())
    move = next((m for m, words in CAMERA_WORDS.items() if words in lower), None)
    if move is None:
        return Prompt(text)
    frames, _, height, width = clip.video.shape
    K = default_intrinsics(height, width).expand(frames, 3, 3)
    return Prompt(text, CameraPath(torch.from_numpy(camera_path(move, frames)), K), facts={"camera": move})


def _row(path: Path, frames: Frames, prompt: str | None, reward: WorldReward) -> dict[str, Any]:
    clip = frames.clip()
    sample = clip if prompt is None else Rollout(prompt_for(prompt, clip), clip, ())
    score: Score = reward([sample])[0]
    height, width = frames.pixels.shape[1:3]
    if (height, width) != frames.original_size:
        before = f"{frames.original_size[1]}x{frames.original_size[0]}"
        score = score.with_note("size", f"downscaled from {before} to {width}x{height} for the estimators")
    return {
        "file": str(path),
        "score": score.value,
        "parts": score.parts,
        "notes": score.notes,
        "frames": len(frames.pixels),
        "seconds": len(frames.pixels) / frames.fps,
    }


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    def cell(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    table = Table("file", box=None, pad_edge=False)
    terms = list(rows[0]["parts"])
    for name in ("score", *terms):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        values = [cell(row["parts"][t]) for t in terms]
        table.add_row(Text(row["file"], overflow="fold"), cell(row["score"]), *values)
    console = Console()
    console.print(table)
    for row in rows:
        for term, note in row["notes"].items():
            console.print(Text(f"{row['file']}: {term}: {note}"), style="dim")
