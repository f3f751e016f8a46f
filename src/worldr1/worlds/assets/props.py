"""Things that stand about: sizes in metres as in life, drawn within a tenth or two."""

from __future__ import annotations

import numpy as np

from worldr1.worlds.assets.parts import (
    STEEL,
    Asset,
    assemble,
    box,
    capsule,
    cone,
    cylinder,
    ellipsoid,
    material,
    mesh,
)
from worldr1.worlds.scene import Material

_SOIL = Material("noise", (0.20, 0.13, 0.08), (0.12, 0.08, 0.05), 0.1)
_LEAVES = Material("noise", (0.10, 0.42, 0.12), (0.20, 0.58, 0.20), 0.12)
_STONE = Material("noise", (0.62, 0.60, 0.56), (0.50, 0.48, 0.45), 0.3)


def crate(rng: np.random.Generator, colour: str, texture: str = "wooden") -> Asset:
    side = rng.uniform(0.8, 1.05)
    return assemble(
        "crate", colour, [box((side,) * 3, (0, 0, 0), material(colour, texture, repeat_m=0.3))], texture=texture
    )


def block(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    """A toy block for a table top."""
    side = rng.uniform(0.11, 0.15)
    surface = material(colour, texture, repeat_m=0.06)
    return assemble("block", colour, [box((side,) * 3, (0, 0, 0), surface)], texture=texture)


def ball(rng: np.random.Generator, colour: str, texture: str = "striped") -> Asset:
    size = rng.uniform(0.75, 0.95)
    surface = material(colour, texture, repeat_m=0.4, gloss=0.5)
    return assemble("ball", colour, [ellipsoid((size,) * 3, (0, 0, 0), surface)], texture=texture)


def barrel(rng: np.random.Generator, colour: str, texture: str = "banded") -> Asset:
    diameter, height = rng.uniform(0.6, 0.7), rng.uniform(0.9, 1.1)
    surface = material(colour, texture, repeat_m=height / 2.5, gloss=0.3)
    return assemble("barrel", colour, [cylinder(diameter, height, (0, 0, 0), surface)], texture=texture)


def traffic_cone(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    height = rng.uniform(0.7, 0.9)
    parts = [
        box((0.46, 0.46, 0.05), (0, 0, 0), material("black")),
        cone(0.40, height, (0, 0, 0.05), material(colour, texture, repeat_m=0.25)),
    ]
    return assemble("traffic cone", colour, parts, texture=texture)


def pillar(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    width, height = rng.uniform(0.6, 0.8), rng.uniform(2.2, 2.8)
    parts = [
        box((width * 1.3, width * 1.3, 0.2), (0, 0, 0), _STONE),
        cylinder(width, height - 0.4, (0, 0, 0.2), material(colour, texture, repeat_m=0.5)),
        box((width * 1.3, width * 1.3, 0.2), (0, 0, height - 0.2), _STONE),
    ]
    return assemble("pillar", colour, parts, texture=texture)


def table(rng: np.random.Generator, colour: str, texture: str = "wooden") -> Asset:
    length, width, height = rng.uniform(1.2, 1.6), rng.uniform(0.75, 0.9), rng.uniform(0.72, 0.78)
    surface = material(colour, texture, repeat_m=0.3)
    x, y = length / 2 - 0.06, width / 2 - 0.06
    legs = [box((0.08, 0.08, height - 0.06), (sx * x, sy * y, 0), surface) for sx in (-1, 1) for sy in (-1, 1)]
    return assemble(
        "table", colour, [box((length, width, 0.06), (0, 0, height - 0.06), surface), *legs], texture=texture
    )


def chair(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    """Faces its own +x."""
    seat = rng.uniform(0.44, 0.48)
    surface = material(colour, texture, repeat_m=0.15)
    legs = [box((0.05, 0.05, seat - 0.05), (sx * 0.2, sy * 0.2, 0), surface) for sx in (-1, 1) for sy in (-1, 1)]
    parts = [box((0.46, 0.46, 0.05), (0, 0, seat - 0.05), surface), box((0.05, 0.46, 0.5), (-0.205, 0, seat), surface)]
    return assemble("chair", colour, [*parts, *legs], texture=texture)


def sofa(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    """Faces its own +x."""
    width = rng.uniform(1.7, 2.1)
    surface = material(colour, texture, repeat_m=0.3)
    arms = [box((0.9, 0.2, 0.6), (0, side * (width / 2 - 0.1), 0), surface) for side in (-1, 1)]
    parts = [
        box((0.65, width - 0.4, 0.42), (0.125, 0, 0), surface),
        box((0.25, width - 0.4, 0.85), (-0.325, 0, 0), surface),
    ]
    return assemble("sofa", colour, [*parts, *arms], texture=texture)


def bookcase(rng: np.random.Generator, colour: str, texture: str = "wooden") -> Asset:
    """Opens towards its own +x; its back and rows of books leave no view through it."""
    width, height = rng.uniform(0.9, 1.3), rng.uniform(1.7, 2.0)
    surface = material(colour, texture, repeat_m=0.3)
    sides = [box((0.35, 0.05, height), (0, s * (width - 0.05) / 2, 0), surface) for s in (-1, 1)]
    inner = width - 0.1
    parts = [box((0.03, inner, height), (-0.16, 0, 0), surface), *sides]
    row = (height - 4 * 0.04) / 3
    for i in range(4):
        parts.append(box((0.32, inner, 0.04), (0.015, 0, i * (row + 0.04)), surface))
    for i in range(3):
        books = Material("stripes", tuple(rng.uniform(0.2, 0.8, 3)), tuple(rng.uniform(0.1, 0.6, 3)), 0.12)
        parts.append(box((0.22, inner, row * 0.75), (0, 0, 0.04 + i * (row + 0.04)), books))
    return assemble("bookcase", colour, parts, texture=texture)


def plant(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    """A potted plant; the colour is the pot's."""
    pot, crown = rng.uniform(0.34, 0.42), rng.uniform(0.6, 0.75)
    parts = [
        cylinder(pot, 0.36, (0, 0, 0), material(colour, texture, repeat_m=0.15)),
        cylinder(pot * 0.9, 0.02, (0, 0, 0.36), _SOIL),
        cylinder(0.05, 0.2, (0, 0, 0.38), _SOIL),
        ellipsoid((crown, crown, crown * 0.8), (0, 0, 0.58), _LEAVES),
    ]
    return assemble("plant", colour, parts, texture=texture)


def lamp(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    """A floor lamp; the colour is the shade's."""
    pole = rng.uniform(1.05, 1.25)
    parts = [
        cylinder(0.34, 0.04, (0, 0, 0), STEEL),
        cylinder(0.05, pole, (0, 0, 0.04), STEEL),
        cone(0.55, 0.45, (0, 0, pole + 0.04), material(colour, texture, repeat_m=0.15)),
    ]
    return assemble("lamp", colour, parts, texture=texture)


def wall(rng: np.random.Generator, colour: str, texture: str = "brick") -> Asset:
    """A piece of garden wall, long in y."""
    length, height = rng.uniform(2.2, 3.0), rng.uniform(1.6, 2.0)
    surface = material(colour, texture, repeat_m=0.5)
    parts = [
        box((0.3, length, height - 0.1), (0, 0, 0), surface),
        box((0.36, length, 0.1), (0, 0, height - 0.1), _STONE),
    ]
    return assemble("wall", colour, parts, texture=texture)


def vase(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    belly, height = rng.uniform(0.4, 0.5), rng.uniform(0.65, 0.8)
    surface = material(colour, texture, repeat_m=0.15, gloss=0.6)
    return assemble("vase", colour, [mesh("vase", (belly, belly, height), (0, 0, 0), surface)], texture=texture)


def rock(rng: np.random.Generator, colour: str, texture: str = "speckled") -> Asset:
    length, width, height = rng.uniform(0.8, 1.2), rng.uniform(0.7, 0.9), rng.uniform(0.55, 0.75)
    surface = material(colour, texture, repeat_m=0.2)
    return assemble("rock", colour, [mesh("rock", (length, width, height), (0, 0, 0), surface)], texture=texture)


def ring(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    """A thick ring that lies flat."""
    width = rng.uniform(0.8, 1.1)
    surface = material(colour, texture, repeat_m=0.2, gloss=0.4)
    return assemble("ring", colour, [mesh("torus", (width, width, 0.3 * width), (0, 0, 0), surface)], texture=texture)


def statue(rng: np.random.Generator, colour: str, texture: str = "speckled") -> Asset:
    plinth = rng.uniform(0.7, 0.9)
    surface = material(colour, texture, repeat_m=0.25)
    parts = [
        box((0.8, 0.8, plinth), (0, 0, 0), _STONE),
        capsule(0.48, 1.15, (0, 0, plinth), surface),
        ellipsoid((0.3, 0.3, 0.34), (0, 0, plinth + 1.15), surface),
    ]
    return assemble("statue", colour, parts, texture=texture)
