"""Objects by category: ``ASSETS["crate"](rng, "red")`` is an `Asset` in its category's usual texture."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from worldr1.worlds.assets import props, traffic
from worldr1.worlds.assets.parts import COLOURS, TEXTURES, Asset, assemble, part_volume_m3

__all__ = ["ASSETS", "COLOURS", "TEXTURES", "Asset", "Build", "assemble", "part_volume_m3"]


class Build(Protocol):
    """Makes an asset of a colour word and, unless its category's usual one, a texture word."""

    def __call__(self, rng: np.random.Generator, colour: str, texture: str = ...) -> Asset: ...


ASSETS: dict[str, Build] = {
    "crate": props.crate,
    "block": props.block,
    "ball": props.ball,
    "barrel": props.barrel,
    "traffic cone": props.traffic_cone,
    "pillar": props.pillar,
    "wall": props.wall,
    "table": props.table,
    "chair": props.chair,
    "sofa": props.sofa,
    "bookcase": props.bookcase,
    "plant": props.plant,
    "lamp": props.lamp,
    "vase": props.vase,
    "rock": props.rock,
    "ring": props.ring,
    "statue": props.statue,
    "car": traffic.car,
    "van": traffic.van,
    "truck": traffic.truck,
    "bus": traffic.bus,
    "pedestrian": traffic.pedestrian,
    "traffic sign": traffic.traffic_sign,
    "traffic light": traffic.traffic_light,
    "tree": traffic.tree,
    "building": traffic.building,
}
