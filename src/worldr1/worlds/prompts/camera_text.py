"""Camera moves to English; `parser.parse_camera` reads every sentence back to the same moves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from worldr1.worlds.camera import KINDS, OPPOSITE, Ease
from worldr1.worlds.prompts.parser import default_magnitude
from worldr1.worlds.scene import Move

# Verb phrases by primitive, verb first and in its base form; "{it}" is the subject of the scene.
VERBS: dict[str, tuple[str, ...]] = {
    "dolly in": ("push in", "dolly in", "move forward", "creep closer", "advance", "travel forward", "move in"),
    "dolly out": ("pull back", "dolly out", "move backward", "retreat", "back away", "withdraw"),
    "truck left": ("truck left", "slide to the left", "glide left", "track left", "drift sideways to the left"),
    "truck right": ("truck right", "slide to the right", "glide right", "track right", "drift sideways to the right"),
    "pedestal up": ("rise", "crane up", "pedestal up", "boom up", "climb"),
    "pedestal down": ("descend", "crane down", "sink", "pedestal down", "boom down"),
    "pan left": ("pan left", "turn to the left", "pan to the left", "swivel left"),
    "pan right": ("pan right", "turn to the right", "pan to the right", "swivel right"),
    "tilt up": ("tilt up", "tilt upward", "look up", "angle up"),
    "tilt down": ("tilt down", "tilt downward", "look down", "angle down"),
    "roll clockwise": ("roll clockwise",),
    "roll counterclockwise": ("roll counterclockwise", "roll anticlockwise"),
    "orbit left": ("orbit left", "arc to the left", "orbit to the left", "circle clockwise"),
    "orbit right": ("orbit right", "arc to the right", "orbit to the right", "circle counterclockwise"),
    **{f"zoom {way}": (f"zoom {way}",) for way in ("in", "out")},
}
NOUNS: dict[str, tuple[str, ...]] = {
    "dolly in": ("push in", "dolly in"),
    "dolly out": ("pull back", "dolly out"),
    **{f"truck {side}": (f"tracking move to the {side}",) for side in ("left", "right")},
    "pedestal up": ("crane up", "pedestal move up"),
    "pedestal down": ("crane down", "pedestal move down"),
    **{f"{noun} {side}": (f"{noun} to the {side}",) for noun in ("pan", "orbit") for side in ("left", "right")},
    **{f"tilt {side}": (f"tilt {side}",) for side in ("up", "down")},
    **{f"roll {side}": (f"roll {side}",) for side in ("clockwise", "counterclockwise")},
    **{f"zoom {way}": (f"zoom {way}",) for way in ("in", "out")},
}
COMPLEMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "dolly": {"in": ("toward {it}", ""), "out": ("from {it}", "")},
    "truck": {"left": ("past {it}", ""), "right": ("past {it}", "")},
    "pedestal": {"up": ("above {it}", ""), "down": ("to the level of {it}", "")},
    "orbit": {"left": ("around {it}",), "right": ("around {it}",)},
    "zoom": {"in": ("on {it}", ""), "out": ("from {it}", "")},
}
FIXED = (
    "The camera stays fixed.",
    "The camera does not move.",
    "A locked-off shot.",
    "The camera remains still on its tripod.",
    "The shot is completely static.",
    "There is no camera movement.",
)
PACES: tuple[tuple[str, float], ...] = (("slowly", 0.7), ("quickly", 1.6), ("slightly", 0.4), ("", 1.0), ("", 1.0))
_AS_ADJECTIVE = {"slowly": "slow", "quickly": "quick", "slightly": "slight", "smoothly": "smooth", "": ""}
_LENSES_MM = (18, 24, 28, 35, 40, 50, 75, 85)

Timing = Literal["one", "sequence", "together", "return"]


@dataclass(frozen=True)
class Part:
    """A primitive with the words chosen for it; ``amount`` is empty where the pace alone says how much."""

    kind: str
    magnitude: float
    ease: Ease
    pace: str
    amount: str


def draw_part(kind: str, travel_m: tuple[float, float], rng: np.random.Generator, plain: bool = False) -> Part:
    """A primitive with a magnitude that suits the scale of the setting; ``plain`` ones have no adverbs."""
    ease: Ease = "smooth" if rng.random() < 0.3 and not plain else "linear"
    pace, factor = ("", 1.0) if plain else PACES[rng.integers(len(PACES))]
    usual = default_magnitude(kind, factor)
    unit = KINDS[kind]
    fits = unit != "m" or travel_m[0] <= usual <= travel_m[1]
    if fits and rng.random() < 0.4:
        return Part(kind, usual, ease, pace, "")
    pace = pace.replace("slightly", "")  # an amount says how slight
    if unit == "m":
        centimetres = int(rng.integers(round(travel_m[0] * 10), round(travel_m[1] * 10) + 1)) * 10
        amount = f"{centimetres} cm" if centimetres < 100 else f"{centimetres / 100:g} m"
        return Part(kind, round(centimetres / 100, 6), ease, pace, amount)
    if unit == "x":
        ratio = int(rng.integers(12, 26)) / 10
        return Part(kind, ratio, ease, pace, f"{ratio:g}x")
    low, high = {"orbit": (3, 36), "pan": (2, 24), "tilt": (1, 6), "roll": (1, 9)}[kind.split()[0]]
    degrees = int(rng.integers(low, high + 1)) * 5
    return Part(kind, float(degrees), ease, pace, f"{degrees} degrees" if rng.random() < 0.7 else f"{degrees}°")


def to_moves(parts: Sequence[Part], timing: Timing) -> tuple[Move, ...]:
    """What the sentence of `describe` asks for."""
    if timing == "together":
        return tuple(Move(p.kind, 0.0, 1.0, p.magnitude, p.ease) for p in parts)
    edges = [round(i / len(parts), 4) for i in range(len(parts) + 1)]
    spans = itertools.pairwise(edges)
    return tuple(Move(p.kind, *span, p.magnitude, p.ease) for p, span in zip(parts, spans, strict=True))


def describe(parts: Sequence[Part], timing: Timing, it: str, rng: np.random.Generator) -> str:
    """A sentence on one to three primitives; ``it`` names the subject ("the kettle")."""
    first, rest = parts[0], [_clause(p, it, rng) for p in parts[1:]]
    if timing == "one" and rng.random() < 0.35:
        return _capital(f"{_noun(first, it, rng)}.")
    start = _clause(first, it, rng)
    if timing == "one":
        return _pick(rng, (f"The camera {start}.", f"The camera {start}.", f"In a single take the camera {start}."))
    if timing == "return":
        return f"The camera {start} and then returns the same way."
    if timing == "together":
        gerund = _clause(parts[1], it, rng, gerund=True)
        options = (
            f"The camera {start} while {gerund}.",
            f"The camera {start} and at the same time {rest[0]}.",
            f"As the camera {start}, it {rest[0]}.",
        )
        return _pick(rng, options)
    if len(parts) == 3:
        return f"First the camera {start}, then it {rest[0]}, and finally it {rest[1]}."
    sequences = (
        f"The camera {start}, then {rest[0]}.",
        f"First the camera {start}; then it {rest[0]}.",
        f"The camera {start} before {_clause(parts[1], it, rng, gerund=True)}.",
        f"{_capital(_noun(first, it, rng))}, followed by {_noun(parts[1], it, rng)}.",
    )
    return _pick(rng, sequences)


def lens(rng: np.random.Generator) -> tuple[str, float]:
    """A sentence that names a focal length, and that length in millimetres."""
    focal_mm = int(_LENSES_MM[rng.integers(len(_LENSES_MM))])
    a = "an" if focal_mm in (18, 85) else "a"
    said = (
        f"Filmed with {a} {focal_mm} mm lens.",
        f"Focal length {focal_mm} mm.",
        f"Deep focus, {a} {focal_mm} mm lens.",
    )
    return _pick(rng, said), float(focal_mm)


def returning(part: Part) -> Part:
    """The way back of ``part``, as far and at the same pace."""
    return Part(OPPOSITE[part.kind], part.magnitude, part.ease, part.pace, part.amount)


def _clause(part: Part, it: str, rng: np.random.Generator, gerund: bool = False) -> str:
    verb, _, particle = _pick(rng, VERBS[part.kind]).partition(" ")
    smooth = part.ease == "smooth"
    adverb = part.pace or ("smoothly" if smooth else "")
    end = "in one smooth motion" if smooth and part.pace else ""
    by = "by a factor of " if KINDS[part.kind] == "x" else "by "
    amount = f"{by}{part.amount.removesuffix('x')}" if part.amount else ""
    words = (
        adverb,
        _gerund(verb) if gerund else _third_person(verb),
        particle,
        _complement(part, it, rng),
        amount,
        end,
    )
    return " ".join(w for w in words if w)


def _noun(part: Part, it: str, rng: np.random.Generator) -> str:
    adjectives = [_AS_ADJECTIVE[part.pace], "smooth" if part.ease == "smooth" else ""]
    if not any(adjectives) and not part.amount:
        adjectives = ["steady"]
    adjective = ", ".join(a for a in adjectives if a)
    amount = part.amount.replace(" degrees", "-degree").replace("°", "-degree")
    words = ("a", adjective, amount, _pick(rng, NOUNS[part.kind]), _complement(part, it, rng))
    return " ".join(w for w in words if w).replace("a 8", "an 8")


def _complement(part: Part, it: str, rng: np.random.Generator) -> str:
    noun, side = part.kind.split()
    return _pick(rng, COMPLEMENTS.get(noun, {}).get(side, ("",))).format(it=it)


def _third_person(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("sh", "ch", "s")) else "s")


def _gerund(verb: str) -> str:
    if verb.endswith("e"):
        return verb[:-1] + "ing"
    return verb + (verb[-1] if verb in ("pan",) else "") + "ing"


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
