"""Which combinations no training clip shows, by rule and not by chance.

A combination is a category in a colour, a family under a camera move, or a family in a setting (ground, weather,
time of day). Of each axis a fixed share is held out: the options whose checksums are smallest, so that the rule
needs no table and does not depend on a clip's seed. A training clip uses none of them; a held-out clip is unseen
along one axis, drawn per clip.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal, TypeVar, get_args

import numpy as np

from worldr1.worlds.assets import COLOURS
from worldr1.worlds.scene import Scene

Setting = tuple[str, str, str]  # ground, weather, time of day
Axis = Literal["colour", "move", "setting"]
T = TypeVar("T")
_HELD_OUT_SHARE = 6  # one option in six
_FEWEST = 4  # with fewer options none is held out

_TIMES = ("dawn", "noon", "dusk", "night")
_WEATHERS = ("clear", "overcast", "fog")
_OUTDOORS = tuple(product(("grass", "sand", "tiles", "asphalt"), _WEATHERS, _TIMES))
SETTINGS: dict[str, tuple[Setting, ...]] = {
    "landmarks": _OUTDOORS,
    "room": tuple(product(("wood", "tiles", "checker"), ("clear",), _TIMES)),
    "street": tuple(product(("asphalt",), _WEATHERS, _TIMES)),
    "occluder": _OUTDOORS,
    "dynamics": _OUTDOORS,
    "crowd": _OUTDOORS,
}
_RIGID = (
    *("dolly in", "dolly out", "truck left", "truck right", "pedestal up", "pedestal down"),
    *("pan left", "pan right", "tilt up", "tilt down", "roll clockwise", "roll counterclockwise"),
    *("orbit left", "orbit right", "zoom in", "zoom out"),
)
MOVES: dict[str, tuple[str, ...]] = {
    "landmarks": _RIGID,
    "room": ("pan left", "pan right"),
    "street": ("dolly in",),
    "occluder": ("fixed", "orbit left", "orbit right"),
    "dynamics": ("fixed", "orbit left", "orbit right", "dolly in", "zoom in"),
    "crowd": ("fixed", "orbit left", "orbit right", "truck left", "truck right", "dolly in", "pedestal up"),
}
# categories that come in some colours only
_NATURAL = {
    "tree": ("green",),
    "traffic light": ("red", "yellow", "green"),
    "building": ("red", "orange", "yellow", "pink", "brown", "white", "grey"),
}


@dataclass(frozen=True)
class FamilySpec:
    """What a clip of any family is made to."""

    num_frames: int = 16
    fps: float = 8.0
    difficulty: Literal["easy", "medium", "hard"] = "medium"  # number of objects, likeness, speed
    split: Literal["train", "held_out"] = "train"

    def __post_init__(self) -> None:
        if self.num_frames < 8 or self.fps <= 0:
            raise ValueError(f"{self.num_frames} frames at {self.fps} per second; events need at least 8 frames")
        if self.difficulty not in ("easy", "medium", "hard"):
            raise ValueError(f"unknown difficulty {self.difficulty!r}; use easy, medium or hard")
        if self.split not in ("train", "held_out"):
            raise ValueError(f"unknown split {self.split!r}; use train or held_out")

    def count(self, rng: np.random.Generator, easy: tuple[int, int], hard: tuple[int, int]) -> int:
        """A number of objects between bounds, both inclusive; medium draws between the two means."""
        middle = (round((easy[0] + hard[0]) / 2), round((easy[1] + hard[1]) / 2))
        low, high = {"easy": easy, "medium": middle, "hard": hard}[self.difficulty]
        return int(rng.integers(low, high + 1))


def colours_of(category: str) -> tuple[str, ...]:
    return _NATURAL.get(category, tuple(COLOURS))


@cache
def held_out(key: str, options: tuple[T, ...]) -> frozenset[T]:
    """The options under ``key`` that only held-out clips use; none where there are fewer than four."""
    if len(options) < _FEWEST:
        return frozenset()
    ranked = sorted(options, key=lambda o: zlib.crc32(f"{key}/{o}".encode()))
    return frozenset(ranked[: max(1, len(options) // _HELD_OUT_SHARE)])


def unseen(scene: Scene) -> set[tuple[str, ...]]:
    """The held-out combinations in a scene: empty for a training clip."""
    found: set[tuple[str, ...]] = set()
    for o in scene.objects:
        if o.colour in held_out(o.category, colours_of(o.category)):
            found.add((o.category, o.colour))
    for move in scene.camera.moves:
        if move.kind in held_out(f"{scene.family} move", MOVES[scene.family]):
            found.add((scene.family, move.kind))
    if setting_of(scene) in held_out(f"{scene.family} setting", SETTINGS[scene.family]):
        found.add((scene.family, *setting_of(scene)))
    return found


def setting_of(scene: Scene) -> Setting:
    ground = scene.environment.ground
    return (ground.texture if ground else "", scene.environment.weather, scene.environment.time_of_day)


class Draw:
    """Random choices for one clip that keep to its split."""

    def __init__(self, rng: np.random.Generator, family: str, spec: FamilySpec) -> None:
        self.rng, self.family = rng, family
        self.axis: Axis | None = None  # along which a held-out clip is unseen
        if spec.split == "held_out":
            axes = [a for a in get_args(Axis) if a != "move" or held_out(f"{family} move", MOVES[family])]
            self.axis = axes[int(rng.integers(len(axes)))]
        self._colour_due = self.axis == "colour"

    def colour(self, category: str, taken: Collection[str] = ()) -> str:
        """A colour for an object, none of ``taken`` where that is possible. In a clip that is unseen by colour the
        first object whose category has one gets a held-out colour."""
        options = colours_of(category)
        held = held_out(category, options)
        if self._colour_due and held:
            self._colour_due = False
            return self._one_of([c for c in options if c in held])
        seen = [c for c in options if c not in held]
        return self._one_of([c for c in seen if c not in taken] or seen)

    def setting(self) -> Setting:
        options = SETTINGS[self.family]
        held = held_out(f"{self.family} setting", options)
        return self._one_of([s for s in options if (s in held) == (self.axis == "setting")])

    def moves(self, count: int) -> list[str]:
        """Different kinds of camera moves, at least one of them held out in a clip that is unseen by its move."""
        options = MOVES[self.family]
        held = held_out(f"{self.family} move", options)
        seen = [m for m in options if m not in held]
        chosen = [seen[i] for i in self.rng.permutation(len(seen))[:count]]
        if self.axis == "move":
            chosen[0] = self._one_of([m for m in options if m in held])
        return chosen

    def _one_of(self, options: Sequence[T]) -> T:
        return options[int(self.rng.integers(len(options)))]
