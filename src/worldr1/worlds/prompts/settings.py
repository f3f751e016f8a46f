"""Where prompts happen: settings with what stands in them, what is close to the lens and what moves by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from worldr1.worlds.prompts import indoors, outdoors


class Thing(NamedTuple):
    """A noun phrase without its article, and the noun that names it again later: "the kettle"."""

    phrase: str
    noun: str

    def a(self) -> str:
        return f"{'an' if self.phrase[0] in 'aeiou' else 'a'} {self.phrase}"

    def the(self) -> str:
        return f"the {self.noun}"


class Mover(NamedTuple):
    """Something that moves by itself, with its article, and what it does."""

    who: str
    does: str


@dataclass(frozen=True)
class Scale:
    """How far apart things are in a group of settings, metres."""

    distance_m: float  # from the camera to the subject
    height_m: float  # of the camera
    travel_m: tuple[float, float]  # range of a dolly, truck or pedestal


SCALES = {
    "interior": Scale(4.0, 1.5, (0.4, 2.4)),
    "tabletop": Scale(1.2, 0.4, (0.1, 0.5)),
    "street": Scale(9.0, 1.7, (0.8, 5.0)),
    "nature": Scale(10.0, 1.7, (1.0, 6.0)),
    "industry": Scale(8.0, 2.0, (0.8, 4.0)),
}


@dataclass(frozen=True)
class Setting:
    name: str
    group: str  # a key of `SCALES`
    outdoor: bool
    place: str  # with its article
    things: tuple[Thing, ...]
    fronts: tuple[str, ...]  # with their articles: what stands between the camera and the rest
    movers: tuple[Mover, ...]


def _thing(text: str) -> Thing:
    before, noun, after = text.split("*")
    return Thing(before + noun + after, noun)


def _setting(block: str) -> Setting:
    """``name / group / in or out: place`` and the lines ``things:``, ``fronts:``, ``movers:``; ``*`` marks the noun."""
    head, body = block.strip().split("\n", 1)
    names, place = head.split(": ")
    name, group, where = names.split(" / ")
    text = " ".join(body.split())
    things, rest = text.removeprefix("things: ").split(" fronts: ")
    fronts, movers = rest.split(" movers: ")
    return Setting(
        name,
        group,
        where == "out",
        place,
        tuple(_thing(t) for t in things.split("; ")),
        tuple(fronts.split("; ")),
        tuple(Mover(*m.split(" > ")) for m in movers.split("; ")),
    )


SETTINGS = tuple(_setting(b) for b in f"{indoors.BLOCKS}\n{outdoors.BLOCKS}".strip().split("\n\n"))
