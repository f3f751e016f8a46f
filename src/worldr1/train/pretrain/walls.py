"""Walls and boards in the scenes that the depth network is trained on: the families have few that fill a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldr1.worlds.added import add_body, facing
from worldr1.worlds.assets.parts import COLOURS, TEXTURES, material
from worldr1.worlds.families.stage import turn, vec3, yaw_rotation
from worldr1.worlds.scene import STUFF, Body, Floats, Material, Part, Scene

_BEHIND = 0.7  # share of walls behind what is looked at; the others are boards before it
_TURN_RAD = 0.3  # spread
_LEAST_LEVEL = 0.05  # of the length of a direction that the camera looks along the ground
_USUAL_M = 4.0  # of a camera that looks at no object


def with_wall(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with a wall of upright panels behind its objects, straight or bent, or a board before them.

    Sizes are shares of the distance that the camera of the middle frame looks at. A camera that looks straight down
    sees no wall, and gets none.
    """
    camera = scene.camera.c2w[scene.num_frames // 2]
    eye, forward = camera[:3, 3], camera[:3, 2]
    level = float(np.hypot(forward[0], forward[1]))
    if level < _LEAST_LEVEL:
        return scene
    away = np.array([forward[0], forward[1], 0.0]) / level
    distance = _looked_at(scene, eye, away)
    behind = rng.random() < _BEHIND
    there = distance * (rng.uniform(1.1, 2.0) if behind else rng.uniform(0.25, 0.8))
    width = there * (rng.uniform(0.7, 2.6) if behind else rng.uniform(0.15, 0.9))
    height = there * rng.uniform(0.35, 1.3) if behind else max(0.1, eye[2]) * rng.uniform(0.3, 1.6)
    facing_it = turn(yaw_rotation(rng.normal(0, _TURN_RAD)), away)
    right = np.array([facing_it[1], -facing_it[0], 0.0])
    middle = eye * [1, 1, 0] + there * away + rng.normal(0, 0.15) * there * right
    panels = int(rng.integers(1, 17)) if behind else 1
    across = (np.arange(panels) - (panels - 1) / 2) / panels
    bulge = (
        there
        * rng.uniform(0, 0.25)
        * (rng.random() < 0.5)
        * np.sin(2 * np.pi * (rng.uniform(0.5, 2) * across + rng.random()))
    )
    surface = _surface(rng, there)
    rotation = facing(facing_it, scene.num_frames)
    for place, depth in zip(across * width, bulge, strict=True):
        at = middle + place * right + depth * facing_it
        part = Part("box", (width / panels / 2, 0.015 * there, height / 2), _shade(surface, rng))
        scene = add_body(
            scene, Body((part,), STUFF), np.tile([at[0], at[1], height / 2], (scene.num_frames, 1)), rotation
        )
    return scene


def _looked_at(scene: Scene, eye: Floats, away: Floats) -> float:
    """How far along the ground the objects are that are before the camera, in the middle; metres."""
    bodies = [i for i, body in enumerate(scene.bodies) if body.instance != STUFF]
    ahead = (scene.position_m[scene.num_frames // 2, bodies] - eye) @ away
    return float(np.median(ahead[ahead > 0])) if (ahead > 0).any() else _USUAL_M


def _surface(rng: np.random.Generator, there: float) -> Material:
    colour, texture = str(rng.choice(list(COLOURS))), str(rng.choice(list(TEXTURES)))
    return material(colour, texture, repeat_m=there * rng.uniform(0.04, 0.3), gloss=rng.uniform(0, 0.3))


def _shade(surface: Material, rng: np.random.Generator) -> Material:
    """A panel's own shade: shared texture coordinates would make all alike."""
    gain = rng.uniform(0.7, 1.15)
    first, second = (vec3(np.minimum(1, gain * np.array(rgb))) for rgb in (surface.colour, surface.second))
    return replace(surface, colour=first, second=second)
