"""Scenes as triangles, against the analytic shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from trimesh import Trimesh

from worldr1.worlds.meshes import volume_m3
from worldr1.worlds.renderers.pieces import GROUND, Piece, pieces_of
from worldr1.worlds.scene import Body, Environment, Material, Part, Scene, Shape
from worlds.renderers.staged import FRAMES, SHAPES, stage

HALF = (0.5, 0.4, 0.7)
VOLUMES = {
    "box": 8 * 0.5 * 0.4 * 0.7,
    "sphere": 4 / 3 * np.pi * 0.5 * 0.4 * 0.7,
    "cylinder": 2 * np.pi * 0.5 * 0.4 * 0.7,
    # radii 0.5 and 0.4; in units of its cap's height, 0.4 m, a straight part of 2 (0.7 / 0.4 - 1) under scale 0.4
    "capsule": 0.5 * 0.4 * 0.4 * (4 / 3 * np.pi + 2 * np.pi * (0.7 / 0.4 - 1)),
    "cone": 2 / 3 * np.pi * 0.5 * 0.4 * 0.7,
    "mesh": volume_m3("vase", HALF),
}


def solid(piece: Piece) -> Trimesh:
    return Trimesh(piece.vertices_m, np.arange(len(piece.vertices_m)).reshape(-1, 3), process=True)


def at_rest(*bodies: Body) -> Scene:
    """Bodies at the origin, no ground."""
    return replace(
        stage(scale=None, present=None, environment=Environment(None)),
        bodies=bodies,
        position_m=np.zeros((FRAMES, len(bodies), 3)),
        rotation=np.tile([0.0, 0.0, 0.0, 1.0], (FRAMES, len(bodies), 1)),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_fills_its_volume_and_faces_outward(shape: Shape) -> None:
    (piece,) = pieces_of(at_rest(Body((Part(shape, HALF, mesh="vase"),)))).pieces
    mesh = solid(piece)
    assert mesh.volume == pytest.approx(VOLUMES[shape], rel=0.01)  # positive: wound outward
    assert np.allclose(mesh.bounds, [np.negative(HALF), HALF], atol=2e-3)
    corners = piece.vertices_m.reshape(-1, 3, 3)
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat /= np.linalg.norm(flat, axis=-1, keepdims=True)
    agreement = np.einsum("nkc,nc->nk", piece.normals.reshape(-1, 3, 3), flat)
    assert agreement.min() > 0.85
    assert np.allclose(np.linalg.norm(piece.normals, axis=-1), 1, atol=1e-5)


def test_a_stretched_body_is_another_piece_while_it_lasts() -> None:
    scene = stage()
    pieces = [p for p in pieces_of(scene).pieces if p.body == 2]
    assert [p.shown.tolist() for p in pieces] == [[True, True, False, False], [False, False, True, True]]
    assert scene.scale is not None
    assert solid(pieces[1]).volume / solid(pieces[0]).volume == pytest.approx(np.prod(scene.scale[-1, 2]), rel=1e-4)


def test_an_absent_body_is_not_shown() -> None:
    (piece,) = (p for p in pieces_of(stage()).pieces if p.body == 4)
    assert piece.shown.tolist() == [True, False, False, True]


def test_images_have_the_colours_of_the_texture_at_its_place() -> None:
    """Bands of half a repeat, along z: the colour of a point follows from its height."""
    first, second = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)
    material = Material("bands", first, second, 0.7)
    pieces = pieces_of(at_rest(Body((Part("cylinder", HALF, material),))))
    (piece,), (image,) = pieces.pieces, pieces.images
    height, width = image.shape[:2]
    corners, uv = piece.vertices_m.reshape(-1, 3, 3), piece.uv.reshape(-1, 3, 2)
    side = np.abs(piece.normals.reshape(-1, 3, 3)[..., 2]).max(1) < 0.5
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], size=(side.sum(), 20))
    z = np.einsum("nsk,nk->ns", weights, corners[side, :, 2])
    at = np.einsum("nsk,nkc->nsc", weights, uv[side])
    seen = image[(at[..., 1] * height).astype(int), (at[..., 0] * width).astype(int)] / 255
    band = np.floor(2 * (z + HALF[2]) / material.scale_m)
    clear = np.abs((2 * (z + HALF[2]) / material.scale_m) % 1 - 0.5) < 0.4  # away from the edges of bands
    expected = np.where((band % 2 == 1)[..., None], second, first)
    assert np.abs(seen - expected)[clear].max() < 0.02


def test_the_ground_moves_with_its_offset() -> None:
    offset = np.linspace([0.0, 0.0], [3.0, -1.0], FRAMES)
    pieces = pieces_of(stage(ground_offset_m=offset))
    (index,) = (i for i, p in enumerate(pieces.pieces) if p.body == GROUND)
    assert np.allclose(pieces.position_m[:, index, :2], -offset)


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to render"):
        pieces_of(at_rest())
