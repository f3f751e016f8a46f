"""What assets are made of: materials by word, primitives by size and place, and the finished `Asset`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from worldr1.worlds.meshes import volume_m3 as mesh_volume_m3
from worldr1.worlds.scene import RGB, Material, ObjectInfo, Part, Quaternion, Shape, Texture, Vec3

COLOURS: dict[str, RGB] = {
    "red": (0.80, 0.09, 0.08),
    "orange": (0.95, 0.46, 0.05),
    "yellow": (0.93, 0.83, 0.12),
    "green": (0.13, 0.58, 0.18),
    "teal": (0.06, 0.62, 0.62),
    "blue": (0.10, 0.24, 0.82),
    "purple": (0.50, 0.14, 0.68),
    "pink": (0.96, 0.48, 0.68),
    "brown": (0.42, 0.24, 0.12),
    "white": (0.92, 0.92, 0.90),
    "grey": (0.48, 0.48, 0.50),
    "black": (0.08, 0.08, 0.09),
}
TEXTURES: dict[str, Texture] = {
    "": "plain",
    "striped": "stripes",
    "banded": "bands",
    "checked": "checker",
    "brick": "bricks",
    "wooden": "wood",
    "tiled": "tiles",
    "speckled": "noise",
}
RUBBER = Material("plain", (0.07, 0.07, 0.08))
GLASS = Material("plain", (0.12, 0.17, 0.22), gloss=0.8)
STEEL = Material("plain", (0.40, 0.42, 0.45), gloss=0.4)
ALONG_Y: Quaternion = (math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5))  # turns an upright cylinder into an axle


def material(colour: str, texture: str = "", *, repeat_m: float = 0.4, gloss: float = 0.1) -> Material:
    """A surface of a colour word and a texture word, the second colour a shade of the first.

    Raises ``KeyError`` for words that are in neither table.
    """
    first = COLOURS[colour]
    dark = sum(first) < 0.75  # black and brown are lightened, everything else is darkened
    shade = [c + 0.35 * (1 - c) for c in first] if dark else [0.5 * c for c in first]
    return Material(TEXTURES[texture], first, (shade[0], shade[1], shade[2]), repeat_m, gloss=gloss)


def _part(shape: Shape, size: Vec3, at: Vec3, surface: Material, rotation: Quaternion = (0.0, 0.0, 0.0, 1.0)) -> Part:
    half = (size[0] / 2, size[1] / 2, size[2] / 2)
    return Part(shape, half, surface, (at[0], at[1], at[2] + size[2] / 2), rotation)


def box(size: Vec3, at: Vec3, surface: Material) -> Part:
    """A box of full ``size``; ``at`` is the middle of its underside, as for every upright primitive here."""
    return _part("box", size, at, surface)


def ellipsoid(size: Vec3, at: Vec3, surface: Material) -> Part:
    return _part("sphere", size, at, surface)


def cylinder(diameter: float, height: float, at: Vec3, surface: Material) -> Part:
    return _part("cylinder", (diameter, diameter, height), at, surface)


def cone(diameter: float, height: float, at: Vec3, surface: Material) -> Part:
    return _part("cone", (diameter, diameter, height), at, surface)


def capsule(diameter: float, height: float, at: Vec3, surface: Material) -> Part:
    return _part("capsule", (diameter, diameter, height), at, surface)


def mesh(name: str, size: Vec3, at: Vec3, surface: Material) -> Part:
    """A mesh of `meshes.MESHES`, stretched to ``size``."""
    return replace(_part("mesh", size, at, surface), mesh=name)


def axle(diameter: float, width: float, at: Vec3, surface: Material) -> Part:
    """A cylinder lying along y, standing on ``at``."""
    part = _part("cylinder", (diameter, diameter, width), (0.0, 0.0, 0.0), surface, ALONG_Y)
    return replace(part, offset_m=(at[0], at[1], at[2] + diameter / 2))


def box_of(parts: tuple[Part, ...]) -> tuple[Vec3, Vec3]:
    """Lower and upper corner of the parts' bounding box in their body's axes."""
    halves = [np.abs(Rotation.from_quat(p.rotation).as_matrix()) @ p.half_size_m for p in parts if any(p.rotation[:3])]
    turned = iter(halves)
    half = np.array([next(turned) if any(p.rotation[:3]) else p.half_size_m for p in parts])
    offset = np.array([p.offset_m for p in parts])
    low, high = (offset - half).min(0).tolist(), (offset + half).max(0).tolist()
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def part_volume_m3(part: Part) -> float:
    """Volume of a part: of a primitive from its half sizes (a, b, c), of a mesh by the divergence theorem."""
    a, b, c = part.half_size_m
    if part.shape == "box":
        return 8 * a * b * c
    if part.shape == "sphere":
        return 4 / 3 * math.pi * a * b * c
    if part.shape == "cylinder":
        return 2 * math.pi * a * b * c
    if part.shape == "cone":
        return 2 / 3 * math.pi * a * b * c
    if part.shape == "capsule":
        return math.pi * a * b * (2 * (c - a) + 4 / 3 * a)
    return mesh_volume_m3(part.mesh, part.half_size_m)


@dataclass(frozen=True)
class Limb:
    """A further body of an asset that swings about the y axis through its origin."""

    parts: tuple[Part, ...]
    hinge_m: Vec3  # its origin in the first body's axes
    phase_rad: float


@dataclass(frozen=True)
class Asset:
    """An object as built. The origin of the first body is the centre of the object's box of ``size_m``."""

    category: str
    colour: str
    texture: str
    parts: tuple[Part, ...]
    size_m: Vec3
    limbs: tuple[Limb, ...] = ()

    @property
    def volume_m3(self) -> float:
        """Sum over the parts, which touch and do not overlap (limbs as they hang at rest)."""
        return sum(part_volume_m3(p) for group in (self.parts, *(b.parts for b in self.limbs)) for p in group)

    def scaled(self, factor: float) -> Asset:
        """The same object, larger or smaller in every direction, its textures with it."""

        def times(v: Vec3) -> Vec3:
            return (v[0] * factor, v[1] * factor, v[2] * factor)

        def grow(parts: tuple[Part, ...]) -> tuple[Part, ...]:
            return tuple(
                replace(
                    p,
                    half_size_m=times(p.half_size_m),
                    offset_m=times(p.offset_m),
                    material=replace(p.material, scale_m=p.material.scale_m * factor),
                )
                for p in parts
            )

        limbs = tuple(Limb(grow(b.parts), times(b.hinge_m), b.phase_rad) for b in self.limbs)
        return replace(self, parts=grow(self.parts), size_m=times(self.size_m), limbs=limbs)

    def info(self, *, dynamic: bool = False, landmark: bool = False) -> ObjectInfo:
        return ObjectInfo(self.category, self.colour, self.size_m, self.volume_m3, dynamic, landmark, self.texture)


def assemble(
    category: str, colour: str, parts: list[Part], *, texture: str = "", limbs: tuple[Limb, ...] = ()
) -> Asset:
    """An asset from parts that stand on z = 0 around the origin, moved so that its box is centred."""
    hanging = [
        replace(p, offset_m=(p.offset_m[0] + b.hinge_m[0], p.offset_m[1] + b.hinge_m[1], p.offset_m[2] + b.hinge_m[2]))
        for b in limbs
        for p in b.parts
    ]
    low, high = box_of((*parts, *hanging))
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]

    def centred(v: Vec3) -> Vec3:
        return (v[0] - middle[0], v[1] - middle[1], v[2] - middle[2])

    size = (high[0] - low[0], high[1] - low[1], high[2] - low[2])
    moved = tuple(replace(p, offset_m=centred(p.offset_m)) for p in parts)
    return Asset(category, colour, texture, moved, size, tuple(replace(b, hinge_m=centred(b.hinge_m)) for b in limbs))
