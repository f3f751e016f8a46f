"""Scene families: each samples a random generator and a `FamilySpec` into a `Scene` that has its family's event."""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from worldr1.worlds.families import crowd, dynamics, landmarks, occluder, room, street
from worldr1.worlds.families.split import FamilySpec, unseen
from worldr1.worlds.scene import Scene

__all__ = ["FAMILIES", "FamilySpec", "scene_at", "unseen"]

FAMILIES: dict[str, Callable[[np.random.Generator, FamilySpec], Scene]] = {
    "landmarks": landmarks.sample,
    "room": room.sample,
    "street": street.sample,
    "occluder": occluder.sample,
    "dynamics": dynamics.sample,
    "crowd": crowd.sample,
}


def scene_at(
    family: str,
    seed: int,
    index: int,
    *,
    num_frames: int = 16,
    fps: float = 8.0,
    difficulty: Literal["easy", "medium", "hard"] = "medium",
    split: Literal["train", "held_out"] = "train",
) -> Scene:
    """Scene ``index`` of a family's endless sequence under ``seed``: a pure function of its arguments.

    Raises ``ValueError`` for an unknown family, difficulty or split, or fewer than eight frames.
    """
    if family not in FAMILIES:
        near = difflib.get_close_matches(family, FAMILIES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(FAMILIES)}"
        raise ValueError(f"unknown family {family!r}; {hint}")
    spec = FamilySpec(num_frames, fps, difficulty, split)
    rng = np.random.default_rng((seed, zlib.crc32(family.encode()), index))
    return replace(FAMILIES[family](rng, spec), seed=seed)
