"""Other surfaces for whole scenes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from worldr1.worlds.scene import Material, Part, Scene


def with_surfaces(scene: Scene, **change: Any) -> Scene:
    """The scene with other values of some fields of every body's `Material`."""

    def changed(part: Part) -> Part:
        return replace(part, material=replace(part.material, **change))

    return replace(scene, bodies=tuple(replace(b, parts=tuple(changed(p) for p in b.parts)) for b in scene.bodies))


def untextured(scene: Scene) -> Scene:
    """The scene in plain colours, the ground too."""
    ground = scene.environment.ground
    plain = Material("plain", ground.colour) if ground else None
    bare = with_surfaces(scene, texture="plain")
    return replace(bare, environment=replace(bare.environment, ground=plain))
