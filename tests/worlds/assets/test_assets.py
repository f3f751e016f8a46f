"""Assets are closed under what is said of them: size, volume, colours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from worldr1.worlds.assets import ASSETS, COLOURS, Asset
from worldr1.worlds.assets.parts import material, part_volume_m3
from worldr1.worlds.scene import Part

POINTS = 60_000


def inside(part: Part, points: np.ndarray) -> np.ndarray:
    """Which points lie in a primitive, by its implicit equation."""
    p = (points - part.offset_m) @ Rotation.from_quat(part.rotation).as_matrix()
    u = p / part.half_size_m
    a, _, c = part.half_size_m
    radius = np.hypot(u[:, 0], u[:, 1])
    if part.shape == "box":
        return np.abs(u).max(-1) <= 1
    if part.shape == "sphere":
        return np.linalg.norm(u, axis=-1) <= 1
    if part.shape == "cylinder":
        return (radius <= 1) & (np.abs(u[:, 2]) <= 1)
    if part.shape == "cone":
        return (np.abs(u[:, 2]) <= 1) & (radius <= (1 - u[:, 2]) / 2)
    over = np.maximum(np.abs(p[:, 2]) - (c - a), 0)
    return np.hypot(np.hypot(p[:, 0], p[:, 1]), over) <= a


def placed_parts(asset: Asset) -> list[Part]:
    parts = list(asset.parts)
    for limb in asset.limbs:
        for p in limb.parts:
            offset = tuple(np.add(p.offset_m, limb.hinge_m))
            parts.append(Part(p.shape, p.half_size_m, p.material, offset, p.rotation))
    return parts


@pytest.mark.parametrize("category", ASSETS)
def test_volume_and_box_are_those_of_the_parts(category: str) -> None:
    rng = np.random.default_rng(1)
    asset = ASSETS[category](rng, "red")
    parts = placed_parts(asset)
    box_m3 = float(np.prod(asset.size_m))
    assert 0 < asset.volume_m3 <= box_m3 * (1 + 1e-9)
    if any(p.shape == "mesh" for p in parts):
        return  # the mesh's own test checks it
    half = np.array(asset.size_m) / 2
    points = rng.uniform(-1.02, 1.02, (POINTS, 3)) * half
    hits = np.array([inside(p, points) for p in parts])
    assert not hits[:, (np.abs(points) > half + 1e-9).any(-1)].any()  # nothing sticks out
    assert (hits.sum(0) > 1).mean() < 2e-4  # the parts do not overlap
    share = hits.any(0).mean()
    measured = share * box_m3 * 1.02**3
    error = 4 * np.sqrt(share * (1 - share) / POINTS) / share  # four standard deviations
    assert measured == pytest.approx(asset.volume_m3, rel=error + 1e-3)
    for axis in range(3):  # and the box is tight
        touching = [np.abs(Rotation.from_quat(p.rotation).as_matrix()) @ p.half_size_m for p in parts]
        ends = [p.offset_m[axis] + t[axis] for p, t in zip(parts, touching, strict=True)]
        assert max(ends) == pytest.approx(half[axis], abs=1e-9)


def test_scaling_scales_volume_by_the_cube() -> None:
    walker = ASSETS["pedestrian"](np.random.default_rng(0), "blue")
    half = walker.scaled(0.5)
    assert half.volume_m3 == pytest.approx(walker.volume_m3 / 8)
    assert half.limbs[0].hinge_m[2] == pytest.approx(walker.limbs[0].hinge_m[2] / 2)


def test_an_asset_is_a_function_of_its_random_numbers() -> None:
    for build in ASSETS.values():
        assert build(np.random.default_rng(5), "green") == build(np.random.default_rng(5), "green")


def test_colours_can_be_told_apart() -> None:
    table = np.array(list(COLOURS.values()))
    apart = np.abs(table[:, None] - table[None]).max(-1) + np.eye(len(table))
    assert len(table) == 12
    assert apart.min() > 0.15
    with pytest.raises(KeyError):
        material("ultraviolet")


def test_known_volumes() -> None:
    unit = (0.5, 0.5, 1.0)
    assert part_volume_m3(Part("box", unit)) == pytest.approx(2)
    assert part_volume_m3(Part("cylinder", unit)) == pytest.approx(np.pi / 2)
    assert part_volume_m3(Part("cone", unit)) == pytest.approx(np.pi / 6)
    assert part_volume_m3(Part("sphere", unit)) == pytest.approx(np.pi / 3)
    assert part_volume_m3(Part("capsule", unit)) == pytest.approx(np.pi * (1 / 4 + 1 / 6))
