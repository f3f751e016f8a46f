"""Scenes as textured triangles, for renderers that know neither our primitives nor our textures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import trimesh
from scipy.spatial.transform import Rotation
from trimesh import Trimesh
from trimesh.graph import smooth_shade

from worldr1.worlds.kernel.pack import GROUND_HAZE_LENGTHS
from worldr1.worlds.meshes import get_mesh
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.scene import Body, CameraTrack, Environment, Floats, Material, Part, Scene

GROUND = -1  # in place of the index of a body
Floats32 = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]  # [h, w, 3], the first row on top

_SIDES = 64  # of what stands for a circle: its sagitta is 0.1 % of the radius
_SHARP_DEG = 30.0  # edges that bend more than this are shaded as edges
_FAR = 300.0  # distance of the camera that pictures a texture, in half sizes
_TEXELS_PER_REPEAT = 16
_GROUND_REPEATS, _GROUND_TEXELS = 24, 1024
_SUBDIVISIONS = 3


@dataclass(frozen=True)
class Piece:
    """One rigid mesh with one image. Corners of triangles are not shared: each has its normal and its place."""

    vertices_m: Floats32  # [3 triangles, 3] in the body's axes, stretched as the body is
    normals: Floats32  # [3 triangles, 3]
    uv: Floats32  # [3 triangles, 2] of the image, from its upper left corner; beyond [0, 1] it repeats
    image: int  # index into `Pieces.images`
    gloss: float
    body: int  # index into `Scene.bodies`, or GROUND
    shown: npt.NDArray[np.bool_]  # [frames]


@dataclass(frozen=True)
class Pieces:
    """A scene's geometry and surfaces. ``position_m [frames, pieces, 3]`` and ``rotation [frames, pieces, 4]``
    (x, y, z, w) say where each piece's axes are."""

    pieces: tuple[Piece, ...]
    images: tuple[Image, ...]
    position_m: Floats
    rotation: Floats


def pieces_of(scene: Scene) -> Pieces:
    """Cut a scene into pieces; a body that is stretched anew at some frame becomes another piece from there on."""
    frames = scene.num_frames
    parts = {_bare(p) for b in scene.bodies for p in b.parts}
    images = _images(parts)
    number = {key: i for i, key in enumerate(images)}
    present = np.ones((frames, len(scene.bodies)), bool) if scene.present is None else scene.present
    pieces, position, rotation = [], [], []
    for index, body in enumerate(scene.bodies):
        scales = np.ones((frames, 3)) if scene.scale is None else scene.scale[:, index]
        for scale in np.unique(scales, axis=0):
            shown = present[:, index] & (scales == scale).all(1)
            for part in body.parts if shown.any() else ():
                vertices, normals, uv = _placed(part, scale)
                gloss = part.material.gloss
                pieces.append(Piece(vertices, normals, uv, number[_bare(part)], gloss, index, shown))
                position.append(scene.position_m[:, index])
                rotation.append(scene.rotation[:, index])
    pictures = list(images.values())
    if scene.environment.ground is not None:
        piece, place = _ground(scene, scene.environment.ground, len(pictures))
        pictures.append(_ground_image(scene.environment.ground))
        pieces.append(piece)
        position.append(place)
        rotation.append(np.tile([0.0, 0.0, 0.0, 1.0], (frames, 1)))
    if not pieces:
        raise ValueError("a scene without bodies and ground has nothing to render; use the warp renderer for its sky")
    return Pieces(tuple(pieces), tuple(pictures), np.stack(position, 1), np.stack(rotation, 1))


def _bare(part: Part) -> Part:
    """The part without its place in the body: what its image depends on."""
    return replace(part, offset_m=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.0, 1.0))


@lru_cache(maxsize=256)
def _triangles(shape: str, mesh: str, straight: float) -> tuple[Floats, Floats, Floats]:
    """Corners ``[n, 3, 3]``, normals ``[n, 3, 3]`` and uv ``[n, 3, 2]`` of a unit form, inscribed in [-1, 1]³."""
    form: Trimesh
    match shape:
        case "box":
            form = trimesh.creation.box((2, 2, 2))
        case "sphere":
            form = trimesh.creation.icosphere(subdivisions=_SUBDIVISIONS)
        case "cylinder":
            form = trimesh.creation.cylinder(1.0, 2.0, sections=_SIDES)
        case "capsule":
            form = trimesh.creation.capsule(2 * straight, 1.0, count=[_SIDES, _SIDES // 2])
            form.apply_scale([1, 1, 1 / (1 + straight)])
        case "cone":
            form = trimesh.creation.cone(1.0, 2.0, sections=_SIDES)
            form.apply_translation([0, 0, -1])
        case _:
            form = get_mesh(mesh)
    if shape != "mesh":  # meshes are flat-shaded, as our own renderer does
        form = smooth_shade(form, angle=np.radians(_SHARP_DEG))
    corners, flat = np.asarray(form.triangles), np.asarray(form.face_normals)
    normals = np.repeat(flat[:, None], 3, 1)
    if shape != "mesh":
        smooth = np.asarray(form.vertex_normals)[form.faces]
        near = np.einsum("nkd,nd->nk", smooth, flat) > np.cos(np.radians(_SHARP_DEG))  # false at the tip of a cone
        normals = np.where(near[..., None], smooth, normals)
    axis = np.abs(flat).argmax(1)
    chart = 2 * axis + (np.take_along_axis(flat, axis[:, None], 1)[:, 0] < 0)
    right, down = _CHARTS[chart, 0], _CHARTS[chart, 1]
    on_chart = np.stack([np.einsum("nkd,nd->nk", corners, side) for side in (right, down)], -1)
    return corners, normals, np.concatenate([on_chart, np.repeat(chart[:, None, None], 3, 1)], -1)


def _charts() -> Floats:
    """Axes ``[6, 3, 3]`` (right, down, forward) of the views onto the sides +x, -x, +y, -y, +z, -z."""
    out = np.zeros((6, 3, 3))
    for axis in range(3):
        for side, sign in enumerate((1.0, -1.0)):
            forward, right = -sign * np.eye(3)[axis], np.eye(3)[(axis + 1) % 3]
            out[2 * axis + side] = right, np.cross(forward, right), forward
    return out


_CHARTS = _charts()


def _placed(part: Part, scale: Floats) -> tuple[Floats32, Floats32, Floats32]:
    """Corners, normals and uv of a part in its body's axes, stretched by ``scale [3]``."""
    half = np.asarray(part.half_size_m)
    straight = half[2] / half.min() - 1 if part.shape == "capsule" else 0.0
    corners, normals, charted = _triangles(part.shape, part.mesh, float(straight))
    turn = Rotation.from_quat(part.rotation).as_matrix()
    to_body = scale[:, None] * turn * half
    vertices = corners @ to_body.T + scale * part.offset_m
    upright = normals @ np.linalg.inv(to_body)
    upright /= np.linalg.norm(upright, axis=-1, keepdims=True)
    texels = _texels(part)
    at = 0.5 + (charted[..., :2] + 1) / 2 * (texels - 1)  # between the centres of the outer texels
    column, row = charted[..., 2] % 3, charted[..., 2] // 3
    uv = np.stack([(at[..., 0] / texels + column) / 3, (at[..., 1] / texels + row) / 2], -1)
    flat = (vertices.reshape(-1, 3), upright.reshape(-1, 3), uv.reshape(-1, 2))
    return tuple(x.astype(np.float32) for x in flat)  # type: ignore[return-value]


def _texels(part: Part) -> int:
    """Side of a chart: enough for the texture's repeats, a power of two."""
    m = part.material
    if m.texture == "plain":
        return 4
    repeats = 8.0 if m.texture == "sign" else 2 * max(part.half_size_m) / m.scale_m
    return int(np.clip(2 ** np.ceil(np.log2(_TEXELS_PER_REPEAT * max(repeats, 1e-3))), 32, 256))


def _images(parts: Iterable[Part]) -> dict[Part, Image]:
    """Images of parts, three by two charts: pictures that our renderer takes of them, unlit, one from each side."""
    ordered = sorted(parts, key=repr)
    out: dict[Part, Image] = {}
    for texels in sorted({_texels(p) for p in ordered}):
        same = [p for p in ordered if _texels(p) == texels]
        views = _unlit()([_portrait(p, texels) for p in same], texels, texels).rgb
        for part, view in zip(same, views, strict=True):
            rows = view.reshape(2, 3, texels, texels, 3).transpose(0, 2, 1, 3, 4)
            out[part] = np.ascontiguousarray(rows.reshape(2 * texels, 3 * texels, 3))
    return out


def _unlit() -> WarpRenderer:
    return WarpRenderer(samples=1, threshold=256)  # the centre rays' colours, and nothing traced twice


def _bright(colour: tuple[float, float, float], ground: Material | None) -> Environment:
    """Surroundings in which a surface shows its own colour."""
    return Environment(ground, (), (1.0, 1.0, 1.0), colour, colour, 1e6)


def _portrait(part: Part, texels: int) -> Scene:
    """Six views of a part, stretched to the cube of half side 1 (textures stretch along) and seen from afar."""
    c2w = np.tile(np.eye(4), (6, 1, 1))
    c2w[:, :3, :3] = _CHARTS.swapaxes(-1, -2)
    c2w[:, :3, 3] = -_FAR * _CHARTS[:, 2]
    focal = (texels - 1) / 2 * (_FAR - 1) / texels  # the near side of the cube ends at the outer texels' centres
    return Scene(
        "portrait",
        0,
        (Body((part,)),),
        (),
        np.zeros((6, 1, 3)),
        np.tile([0.0, 0.0, 0.0, 1.0], (6, 1, 1)),
        CameraTrack(c2w, np.full(6, focal), sensor_mm=1.0),
        _bright(part.material.colour, None),
        scale=np.tile(1 / np.asarray(part.half_size_m), (6, 1, 1)),
    )


@lru_cache(maxsize=32)
def _ground_image(material: Material) -> Image:
    """A square of the ground around the origin, x to the right and y up."""
    side = _GROUND_REPEATS * material.scale_m
    c2w = np.eye(4)
    c2w[:3, :3] = np.diag([1.0, -1.0, -1.0])
    c2w[2, 3] = 4 * side
    none = np.zeros((1, 0, 3))
    track = CameraTrack(c2w[None], np.array([4.0]), sensor_mm=1.0)
    surroundings = _bright(material.colour, material)
    scene = Scene("portrait", 0, (), (), none, np.zeros((1, 0, 4)), track, surroundings)
    image: Image = _unlit()([scene], _GROUND_TEXELS, _GROUND_TEXELS).rgb[0, 0]
    return image


def _ground(scene: Scene, material: Material, image: int) -> tuple[Piece, Floats]:
    """A square that reaches beyond the haze from everywhere the camera goes, and its place ``[frames, 3]``."""
    place = np.zeros((scene.num_frames, 3))
    if scene.ground_offset_m is not None:
        place[:, :2] = -scene.ground_offset_m
    seen_from = np.abs(scene.camera.c2w[:, :2, 3] - place[:, :2]).max()
    reach = seen_from + 2 * GROUND_HAZE_LENGTHS * scene.environment.visibility_m
    corners = reach * np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, -1, 0), (1, 1, 0), (-1, 1, 0)], np.float32)
    uv = 0.5 + corners[:, :2] * np.array([1, -1]) / (_GROUND_REPEATS * material.scale_m)
    up = np.tile(np.array([0, 0, 1], np.float32), (6, 1))
    shown = np.ones(scene.num_frames, bool)
    return Piece(corners.astype(np.float32), up, uv.astype(np.float32), image, material.gloss, GROUND, shown), place
