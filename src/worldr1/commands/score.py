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
from worldr1.estimators.depth import PACKAGED, TransformersDepth
from worldr1.report.score_page import ScoredVideo, write_score_page
from worldr1.rewards.classical.file import measure_file
from worldr1.rewards.classical.terms import score_measured
from worldr1.rewards.composite import WorldReward, aggregate, default_intrinsics
from worldr1.rewards.guards import Floor
from worldr1.rewards.stack import make_reward
from worldr1.types import CameraPath, Clip, Prompt, Rollout, Score
from worldr1.video import Header, read_frames, read_header
from worldr1.worlds.prompts.parser import parse_camera
from worldr1.worlds.tiny.captions import CAMERA_WORDS
from worldr1.worlds.tiny.motion import camera_path

# more pixels tell the packaged depth network nothing and need memory: all frames are lifted at once. From this size
# on, features stand out in any footage, so that nothing learned is needed
SHORT_SIDE = 128
LEAST_SIDE = 16  # pixels; fewer leave the estimators no pattern to match
MAX_FRAMES = 257  # what current models make at most in one piece; learned backends measure all frames at once

# Nobody's base model is known here, so the floors only tell a picture from none: a black or uniform clip has
# sharpness 0 and a frozen one motion 0, while rendered clips of 32 pixels have at least .03 and .008.
SHARPNESS_FLOOR = 0.004
MOTION_FLOOR = 0.005  # pixels a frame

_TINY_MOVES = {"dolly in": "push in", "dolly out": "pull out"}  # the parser's names of moves to the tiny worlds'
_TRANSLATING = ("dolly", "truck", "pedestal", "orbit")


def run_score(arguments: Arguments) -> None:
    """Check every file, then score them. Raises ``ValueError`` that names the first file that cannot be scored."""
    if not arguments.files:
        raise ValueError("score needs at least one video file: worldr1 score clip.mp4")
    if arguments.report is not None and arguments.report.is_dir():
        raise ValueError(f"{arguments.report}: this is a directory; name a file for the report, such as scores.html")
    headers = [_checked(path) for path in arguments.files]
    backends = [choose_backend(arguments.backend, header) for header in headers]
    learned = {name: _load(name) for name in dict.fromkeys(backends) if name != "classical"}
    scored = [
        score_file(path, header, learned.get(backend), arguments.prompt)
        for path, header, backend in zip(arguments.files, headers, backends, strict=True)
    ]
    if arguments.report is not None:
        depths = [learned[b].depth if b in learned else None for b in backends]
        write_score_page(scored, depths, arguments.report)
    rows = [_row(s) for s in scored]
    if arguments.json:
        print(json.dumps({"videos": rows}, indent=2, allow_nan=False))
    else:
        _print_table(rows)


def _checked(path: Path) -> Header:
    header = read_header(path)
    height, width = header.size
    if min(height, width) < LEAST_SIDE:
        raise ValueError(f"{path}: {width}x{height} pixels are too few to measure; use at least {LEAST_SIDE} a side")
    return header


def choose_backend(asked: str, header: Header) -> str:
    """What ``auto`` stands for: classical from 128 pixels on the short side, and for what is too long for tiny."""
    if asked != "auto":
        return asked
    too_long = header.num_frames is None or header.num_frames > MAX_FRAMES
    return "classical" if min(header.size) >= SHORT_SIDE or too_long else "tiny"


def _load(backend: str) -> WorldReward:
    """The terms on the packaged depth network (``tiny``) or on one of `transformers`; raises ``OSError``."""
    if not PACKAGED.is_dir():
        raise ValueError(f"the packaged depth network is missing ({PACKAGED}); install worldr1 again")
    reward = make_reward(Floor(default=SHARPNESS_FLOOR), Floor(default=MOTION_FLOOR), with_prompt=False)
    if backend != "tiny":
        try:
            reward.depth = TransformersDepth(backend)
        except (OSError, ValueError) as error:
            message = f"--backend {backend}: no depth model of transformers could be loaded; use classical, tiny, or"
            raise ValueError(f"{message} the hub id or directory of one") from error
    return reward


def score_file(path: Path, header: Header, reward: WorldReward | None, prompt: str | None) -> ScoredVideo:
    """Score one video: classical terms without a ``reward``, else its terms, with classical ones where they can tell.

    Raises ``ValueError`` that names the file.
    """
    still = prompt is not None and owes_no_parallax(prompt)
    large = min(header.size) >= SHORT_SIDE
    measured = measure_file(path, header) if reward is None or large else None
    classical = score_measured(measured.measured, fixed_camera=still) if measured is not None else None
    if reward is None:
        assert measured is not None
        assert classical is not None
        score = classical if not measured.note else classical.with_note("length", measured.note)
        return ScoredVideo(path, header, score, measured.num_frames, measured.seconds, measured.measured)
    frames = read_frames(path, short_side=SHORT_SIDE, max_frames=MAX_FRAMES)
    clip = frames.clip()
    score = reward([clip if prompt is None else Rollout(prompt_for(prompt, clip), clip, ())])[0]
    if classical is not None:
        score = _together(score, classical)
    height, width = frames.pixels.shape[1:3]
    if (height, width) != frames.original_size:
        before = f"{frames.original_size[1]}x{frames.original_size[0]}"
        score = score.with_note("size", f"downscaled from {before} to {width}x{height} for the estimators")
    if measured is None:
        return ScoredVideo(path, header, score, len(frames.pixels), len(frames.pixels) / frames.fps, None)
    return ScoredVideo(path, header, score, len(frames.pixels), measured.seconds, measured.measured)


def owes_no_parallax(prompt: str) -> bool:
    """Whether a prompt speaks of the camera and asks for no travel."""
    moves = parse_camera(prompt)
    return bool(moves) and not any(move.kind.startswith(_TRANSLATING) for move in moves)


def _together(learned: Score, classical: Score) -> Score:
    """Learned terms with the classical ones that could tell; the classical parallax knows real footage."""
    told = {term: value for term, value in classical.parts.items() if value is not None}
    parts = {**told, **learned.parts}
    if "parallax" in told:
        parts["parallax"] = told["parallax"]
    notes = {term: note for term, note in learned.notes.items() if parts.get(term) is None}
    return Score(aggregate(parts), parts, notes)


def prompt_for(text: str, clip: Clip) -> Prompt:
    """The prompt of a clip; its camera words, where it has any, become the path that the camera term asks for."""
    lower = " ".join(text.lower().split())
    move = next((m for m, words in CAMERA_WORDS.items() if words in lower), None)
    if move is None:
        kinds = {_TINY_MOVES.get(m.kind, m.kind) for m in parse_camera(text)}
        move = kinds.pop() if len(kinds) == 1 and kinds <= CAMERA_WORDS.keys() else None
    if move is None:
        return Prompt(text)
    frames, _, height, width = clip.video.shape
    K = default_intrinsics(height, width).expand(frames, 3, 3)
    return Prompt(text, CameraPath(torch.from_numpy(camera_path(move, frames)), K), facts={"camera": move})


def _row(scored: ScoredVideo) -> dict[str, Any]:
    return {
        "file": str(scored.path),
        "score": scored.score.value,
        "parts": scored.score.parts,
        "notes": scored.score.notes,
        "frames": scored.num_frames,
        "seconds": scored.seconds,
    }


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    def cell(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    table = Table("file", box=None, pad_edge=False)
    terms = list(dict.fromkeys(term for row in rows for term in row["parts"]))
    for name in ("score", *terms):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        values = [cell(row["parts"].get(t)) for t in terms]
        table.add_row(Text(row["file"], overflow="fold"), cell(row["score"]), *values)
    console = Console()
    console.print(table)
    for row in rows:
        for term, note in row["notes"].items():
            console.print(Text(f"{row['file']}: {term}: {note}"), style="dim")
