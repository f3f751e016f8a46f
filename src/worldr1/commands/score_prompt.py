"""What a prompt asks of the camera, as `worldr1 score` and `generate` understand it."""

from __future__ import annotations

import torch

from worldr1.rewards.composite import default_intrinsics
from worldr1.types import CameraPath, Clip, Prompt
from worldr1.worlds.prompts.parser import parse_camera
from worldr1.worlds.tiny.captions import CAMERA_WORDS
from worldr1.worlds.tiny.motion import camera_path

_TINY_MOVES = {"dolly in": "push in", "dolly out": "pull out"}  # the parser's names of moves to the tiny worlds'
_TRANSLATING = ("dolly", "truck", "pedestal", "orbit")


def owes_no_parallax(prompt: str) -> bool:
    """Whether a prompt speaks of the camera and asks for no travel."""
    moves = parse_camera(prompt)
    return bool(moves) and not any(move.kind.startswith(_TRANSLATING) for move in moves)


def prompt_for(text: str, clip: Clip) -> Prompt:
    """The prompt of a clip; its camera words, where it has any, become the path that the camera term asks for.

    A text that speaks of the camera and asks for no travel has the fact ``travels: False``.
    """
    facts: dict[str, object] = {"travels": False} if owes_no_parallax(text) else {}
    lower = " ".join(text.lower().split())
    move = next((m for m, words in CAMERA_WORDS.items() if words in lower), None)
    if move is None:
        kinds = {_TINY_MOVES.get(m.kind, m.kind) for m in parse_camera(text)}
        move = kinds.pop() if len(kinds) == 1 and kinds <= CAMERA_WORDS.keys() else None
    if move is None:
        return Prompt(text, facts=facts)
    frames, _, height, width = clip.video.shape
    K = default_intrinsics(height, width).expand(frames, 3, 3)
    return Prompt(text, CameraPath(torch.from_numpy(camera_path(move, frames)), K), facts={**facts, "camera": move})
