"""Prompts for reinforcement learning as pure text: a scene in words, then what the camera does in it.

A prompt depends on (kind, seed, index) only. Combinations of setting, subject and camera primitive are dealt to
"held_out" or to the other two by a hash, so that no held-out combination is ever trained on, whatever the seed.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict
from typing import Literal

import numpy as np

from worldr1.types import Prompt
from worldr1.worlds.camera import OPPOSITE, camera_track, to_camera_path
from worldr1.worlds.prompts import camera_text, sentences
from worldr1.worlds.prompts.camera_text import Timing
from worldr1.worlds.prompts.settings import SCALES, SETTINGS, Mover, Setting, Thing
from worldr1.worlds.scene import Move

Kind = Literal["train", "dynamic", "held_out"]
# Shares of prompts by number of camera moves; 0 is a fixed camera. Dynamic scenes are often watched from one place.
NUM_MOVES: dict[str, dict[int, float]] = {
    "train": {1: 0.68, 2: 0.28, 3: 0.02, 0: 0.02},
    "dynamic": {1: 0.50, 2: 0.15, 0: 0.35},
    "held_out": {1: 0.68, 2: 0.28, 3: 0.02, 0: 0.02},
}
_PRIMITIVES = tuple(OPPOSITE)
_HELD_OUT_ONE_IN = 4
# Multiples of these modulo 1 fill the unit square evenly (a Kronecker sequence): shares hold for any count.
_GOLDEN, _SQRT2 = 0.6180339887498949, 1.4142135623730951
_DEFAULT_FOCAL_MM = 40.0


def is_held_out(setting: str, subject: str, primitive: str) -> bool:
    """Whether the combination is kept from training."""
    return zlib.crc32(f"{setting}/{subject}/{primitive}".encode()) % _HELD_OUT_ONE_IN == 0


def write_prompts(
    kind: Kind, count: int, seed: int = 0, *, num_frames: int = 17, height: int = 64, width: int = 64
) -> list[Prompt]:
    """``count`` prompts; the first ones are the same whatever the count.

    ``Prompt.camera`` is the nominal path of the moves in the text, ``num_frames`` long and for pictures of the given
    size, with the subject at the distance usual for its setting. ``Prompt.facts`` has the setting, its group, the
    subject, the moves, the focal length (None where the text names none) and what moves by itself.
    """
    if kind not in NUM_MOVES:
        raise ValueError(f"unknown kind of prompts {kind!r}; use one of {', '.join(NUM_MOVES)}")
    if count < 1:
        raise ValueError(f"count is {count}; ask for at least one prompt")
    return [_write(kind, seed, index, (num_frames, height, width)) for index in range(count)]


def _write(kind: Kind, seed: int, index: int, size: tuple[int, int, int]) -> Prompt:
    rng = np.random.default_rng((zlib.crc32(kind.encode()), seed, index))
    start = np.random.default_rng((zlib.crc32(kind.encode()), seed)).random()
    place = int(start * len(SETTINGS)) + index
    num_moves = _share((start + index * _GOLDEN) % 1, NUM_MOVES[kind])
    turn = int((start + index * _SQRT2) % 1 * len(_PRIMITIVES))
    found = None
    while found is None:  # a few settings have nothing on this side for some primitive
        setting, primitive = SETTINGS[place % len(SETTINGS)], _PRIMITIVES[turn % len(_PRIMITIVES)]
        found = _combination(kind, setting, primitive if num_moves else "fixed", num_moves, rng)
        place, turn = place + 1, turn + (place % len(SETTINGS) == 0)
    things, kinds = found

    scale = SCALES[setting.group]
    parts = [camera_text.draw_part(k, scale.travel_m, rng, plain=i > 0) for i, k in enumerate(kinds)]
    timing: Timing = "one" if num_moves == 1 else "sequence"
    if num_moves == 2 and rng.random() < 0.4:
        timing = "together"
    elif num_moves == 2 and _matches(kind, setting, things[0], OPPOSITE[kinds[0]]) and rng.random() < 0.2:
        timing = "return"
        parts[1] = camera_text.returning(parts[0])
    moves = camera_text.to_moves(parts, timing) if parts else (Move("fixed", 0.0, 1.0, 0.0),)
    said = camera_text.describe(parts, timing, things[0].the(), rng) if parts else _pick(rng, camera_text.FIXED)
    lens, focal_mm = camera_text.lens(rng) if rng.random() < 0.3 else ("", None)

    movers = tuple(setting.movers[i] for i in rng.permutation(len(setting.movers))) if kind == "dynamic" else ()
    text = " ".join(s for s in (*_scene(setting, things, movers, rng), said, lens) if s)
    track = camera_track(
        moves,
        size[0],
        eye_m=(0.0, -scale.distance_m, scale.height_m),
        target_m=(0.0, 0.0, 0.7 * scale.height_m),
        focal_mm=focal_mm or _DEFAULT_FOCAL_MM,
    )
    facts = {
        "setting": setting.name,
        "group": setting.group,
        "subject": things[0].noun,
        "moves": [asdict(m) for m in moves],
        "focal_mm": focal_mm,
        "movers": [m.who for m in movers if m.who in text.lower()],
    }
    return Prompt(text, to_camera_path(track, *size[1:]), f"text-{kind}", int(rng.integers(1 << 31)), facts)


def _matches(kind: Kind, setting: Setting, subject: Thing, primitive: str) -> bool:
    return is_held_out(setting.name, subject.noun, primitive) == (kind == "held_out")


def _share(u: float, shares: dict[int, float]) -> int:
    for value, share in shares.items():
        if u < share:
            return value
        u -= share
    return next(iter(shares))


def _combination(
    kind: Kind, setting: Setting, primitive: str, num_moves: int, rng: np.random.Generator
) -> tuple[list[Thing], list[str]] | None:
    """Things, the subject first, and primitives of different axes, the given one first, all on the side of ``kind``."""
    order = [setting.things[i] for i in rng.permutation(len(setting.things))]
    subject = next((t for t in order if _matches(kind, setting, t, primitive)), None)
    if subject is None:
        return None
    kinds = [primitive]
    for i in rng.permutation(len(_PRIMITIVES)):
        is_new_axis = _PRIMITIVES[i].split()[0] not in {k.split()[0] for k in kinds}
        if len(kinds) < num_moves and is_new_axis and _matches(kind, setting, subject, _PRIMITIVES[i]):
            kinds.append(_PRIMITIVES[i])
    if len(kinds) < num_moves:
        return None
    return [subject, *(t for t in order if t is not subject)], kinds if num_moves else []


def _scene(setting: Setting, things: list[Thing], movers: tuple[Mover, ...], rng: np.random.Generator) -> list[str]:
    """Sentences on the scene; their slots are filled with the setting's own things."""
    light = sentences.LIGHT["table" if setting.group == "tabletop" else "out" if setting.outdoor else "in"]
    slots = {"place": setting.place, "light": _pick(rng, light), "hue": _pick(rng, sentences.HUES)}
    slots |= {"front": _pick(rng, setting.fronts)}
    for i, thing in enumerate(things):
        slots |= {f"a{i}": thing.a(), f"n{i}": thing.the()}
    for i, mover in enumerate(movers):
        slots |= {f"mover{i + 1 if i else ''}": mover.who, f"does{i + 1 if i else ''}": mover.does}
    slots |= {name.capitalize(): value[0].upper() + value[1:] for name, value in slots.items()}
    motion = _pick(rng, sentences.MOTION) if movers else _pick(rng, sentences.STILL)
    templates = [
        _pick(rng, sentences.OPENINGS),
        _pick(rng, sentences.SUBJECTS),
        *((_pick(rng, sentences.DETAILS),) if rng.random() < 0.95 else ()),
        _pick(rng, sentences.RELATIONS),
        *((_pick(rng, sentences.MORE),) if rng.random() < 0.95 else ()),
        _pick(rng, sentences.OCCLUSIONS),
        motion,
    ]
    return [t.format(**slots) for t in templates]


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]
