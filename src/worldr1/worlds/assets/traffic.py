"""What is met on a street. Vehicles and pedestrians face their own +x."""

from __future__ import annotations

import math

import numpy as np

from worldr1.worlds.assets.parts import (
    GLASS,
    RUBBER,
    STEEL,
    Asset,
    Limb,
    assemble,
    axle,
    box,
    capsule,
    cylinder,
    ellipsoid,
    material,
)
from worldr1.worlds.scene import Material, Part

_HEADLAMP, _TAILLAMP = Material("plain", (1.0, 0.97, 0.85)), Material("plain", (0.75, 0.05, 0.05))
_SKIN = ((0.85, 0.65, 0.52), (0.62, 0.43, 0.30), (0.36, 0.24, 0.17))
_BARK = Material("wood", (0.33, 0.22, 0.13), (0.22, 0.14, 0.08), 0.2)
_FOLIAGE = Material("noise", (0.12, 0.40, 0.11), (0.22, 0.54, 0.17), 0.7)
SIGN_TEXTS = ("STOP", "SLOW", "ONE WAY", "BUS", "P", "30", "50", "EXIT")


def _chassis(
    length: float, width: float, sill: float, top: float, wheel: float, paint: Material, *, solid: bool = False
) -> list[Part]:
    """Wheels, the body between and before them, and the belt above, which touch and do not overlap. Wheels are axles
    as wide as the vehicle, or, where it has to be ``solid`` so that nobody looks through its arches, single ones with
    the body's core between them."""
    at = 0.31 * length  # of the axles from the middle
    arch = wheel / 2 + 0.04
    end = length / 2 - at - arch
    belt = wheel + 0.04
    if solid:
        tyre, core = 0.2 * width, 0.6 * width
        wheels = [axle(wheel, tyre, (x, y, 0), RUBBER) for x in (-at, at) for y in (-0.4 * width, 0.4 * width)]
        wheels += [box((2 * arch, core, belt - sill), (x, 0, sill), paint) for x in (-at, at)]
    else:
        wheels = [axle(wheel, width, (x, 0, 0), RUBBER) for x in (-at, at)]
    return [
        *wheels,
        box((2 * (at - arch), width * 0.97, belt - sill), (0, 0, sill), paint),
        box((end, width * 0.97, belt - sill), (length / 2 - end / 2, 0, sill), paint),
        box((end, width * 0.97, belt - sill), (-length / 2 + end / 2, 0, sill), paint),
        box((length, width, top - belt), (0, 0, belt), paint),
        box((0.04, width * 0.8, 0.14), (length / 2 + 0.02, 0, belt), _HEADLAMP),
        box((0.04, width * 0.8, 0.14), (-length / 2 - 0.02, 0, belt), _TAILLAMP),
    ]


def car(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    length, width, height = rng.uniform(4.1, 4.6), rng.uniform(1.75, 1.85), rng.uniform(1.42, 1.52)
    paint = material(colour, texture, repeat_m=0.6, gloss=0.7)
    parts = _chassis(length, width, 0.22, 0.92, 0.62, paint)
    cabin = (length * 0.5, width * 0.9)
    parts += [
        box((*cabin, height - 0.97), (-0.06 * length, 0, 0.92), GLASS),
        box((cabin[0] * 0.86, cabin[1], 0.05), (-0.06 * length, 0, height - 0.05), paint),
    ]
    return assemble("car", colour, parts, texture=texture)


def van(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    length, width, height = rng.uniform(5.0, 5.6), rng.uniform(1.95, 2.05), rng.uniform(2.2, 2.5)
    paint = material(colour, texture, repeat_m=0.8, gloss=0.5)
    parts = _chassis(length, width, 0.24, 1.15, 0.68, paint)
    rear = 0.68 * length
    parts += [
        box((rear, width, height - 1.15), (-length / 2 + rear / 2, 0, 1.15), paint),
        box((0.2 * length, width * 0.94, height - 1.35), (-length / 2 + rear + 0.1 * length, 0, 1.15), GLASS),
    ]
    return assemble("van", colour, parts, texture=texture)


def truck(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    """A box truck without a gap to look through; the colour is the cargo box's."""
    length, height = rng.uniform(7.0, 8.0), rng.uniform(3.2, 3.6)
    cab = material("white" if colour != "white" else "blue", gloss=0.4)
    parts = _chassis(length, 2.4, 0.12, 1.2, 0.9, Material("plain", (0.22, 0.22, 0.24)), solid=True)
    cargo = 0.74 * length
    parts += [
        box((cargo, 2.45, height - 1.2), (-length / 2 + cargo / 2, 0, 1.2), material(colour, texture, repeat_m=1.2)),
        box((length - cargo, 2.3, 0.7), (cargo / 2, 0, 1.2), cab),
        box((length - cargo, 2.2, 0.7), (cargo / 2, 0, 1.9), GLASS),
    ]
    return assemble("truck", colour, parts, texture=texture)


def bus(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    length, height = rng.uniform(9.5, 11.0), rng.uniform(2.9, 3.1)
    paint = material(colour, texture, repeat_m=1.5, gloss=0.5)
    parts = _chassis(length, 2.5, 0.15, 1.35, 0.9, paint, solid=True)
    parts += [
        box((length - 0.1, 2.44, 0.85), (0, 0, 1.35), GLASS),
        box((length, 2.5, height - 2.2), (0, 0, 2.2), paint),
    ]
    return assemble("bus", colour, parts, texture=texture)


def pedestrian(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:
    """Head, torso and arms are one body, each leg another; the colour is the coat's."""
    height = rng.uniform(1.6, 1.85)
    hip, neck = 0.50 * height, 0.85 * height
    coat = material(colour, texture, repeat_m=0.2)
    skin = Material("plain", _SKIN[int(rng.integers(3))])
    trousers = Material("plain", tuple(rng.uniform(0.08, 0.35, 3)))
    parts = [
        box((0.26, 0.42, neck - hip), (0, 0, hip), coat),
        ellipsoid((0.22, 0.20, height - neck), (0, 0, neck), skin),
        *(capsule(0.12, 0.62, (0, side * 0.27, neck - 0.62), coat) for side in (-1, 1)),
    ]
    leg = (capsule(0.19, hip, (0, 0, -hip), trousers),)
    limbs = tuple(Limb(leg, (0, side * 0.11, hip), (side + 1) / 2 * math.pi) for side in (-1, 1))
    return assemble("pedestrian", colour, parts, texture=texture, limbs=limbs)


def traffic_sign(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:  # noqa: ARG001
    """A lettered plate on a post; the plate faces its own +x."""
    text = SIGN_TEXTS[int(rng.integers(len(SIGN_TEXTS)))]
    ink = (0.05, 0.05, 0.05) if colour in ("white", "yellow", "orange", "pink") else (0.95, 0.95, 0.95)
    first = material(colour).colour
    plate = Material("sign", first, ink, 0.9, text=text)
    post = rng.uniform(2.0, 2.3)
    parts = [
        cylinder(0.09, post, (0, 0, 0), STEEL),
        box((0.05, 0.95, 0.75), (0, 0, post), plate),
    ]
    return assemble("traffic sign", colour, parts)


def traffic_light(rng: np.random.Generator, colour: str, texture: str = "") -> Asset:  # noqa: ARG001
    """The colour is that of the light that is on ("red", "yellow" or "green"); it faces its own +x."""
    post = rng.uniform(2.3, 2.6)
    housing = Material("plain", (0.10, 0.11, 0.12))
    parts = [cylinder(0.12, post, (0, 0, 0), STEEL), box((0.3, 0.36, 1.0), (0, 0, post), housing)]
    for i, lamp in enumerate(("green", "yellow", "red")):
        lit = material(lamp) if lamp == colour else Material("plain", (0.14, 0.14, 0.14))
        parts.append(box((0.04, 0.24, 0.24), (0.17, 0, post + 0.06 + 0.32 * i), lit))
    return assemble("traffic light", colour, parts)


def tree(rng: np.random.Generator, colour: str = "green", texture: str = "") -> Asset:  # noqa: ARG001
    trunk, crown = rng.uniform(1.6, 2.2), rng.uniform(2.2, 3.0)
    leaves = Material("noise", _FOLIAGE.colour, _FOLIAGE.second, rng.uniform(0.5, 0.9))
    parts = [
        cylinder(0.3, trunk, (0, 0, 0), _BARK),
        ellipsoid((crown, crown, crown * 0.95), (0, 0, trunk), leaves),
    ]
    return assemble("tree", colour, parts)


def building(rng: np.random.Generator, colour: str, texture: str = "brick") -> Asset:
    """Its front, with door and rows of windows, faces its own +x."""
    depth, width = rng.uniform(6, 8), rng.uniform(7, 11)
    storeys = int(rng.integers(2, 5))
    height = 3.2 * storeys
    wall = material(colour, texture, repeat_m=0.8)
    parts = [box((depth, width, height), (0, 0, 0), wall), box((depth, width, 0.3), (0, 0, height), _ROOF)]
    for i in range(storeys):
        inset = 2.6 if i == 0 else 0.8  # the door stands beside the ground floor's windows
        parts.append(box((0.06, width - inset, 1.4), (depth / 2 + 0.03, (inset - 0.8) / 2, 3.2 * i + 1.1), _WINDOWS))
    parts.append(box((0.06, 1.2, 2.3), (depth / 2 + 0.03, -width / 2 + 1.0, 0), material("brown", "wooden")))
    return assemble("building", colour, parts, texture=texture)


_ROOF = Material("plain", (0.30, 0.28, 0.28))
_WINDOWS = Material("stripes", (0.20, 0.27, 0.34), (0.80, 0.80, 0.78), 1.6, gloss=0.5)
