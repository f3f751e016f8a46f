"""Scenes in MuJoCo's look: the batch ray caster of MuJoCo Warp, on the CPU or CUDA, no OpenGL needed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
import warp as wp
from scipy.spatial.transform import Rotation

from worldr1.worlds.rendered import Rendered
from worldr1.worlds.renderers.assemble import NOTHING, batch, check_scenes, complete, through_air, to_bytes
from worldr1.worlds.renderers.pieces import Piece, Pieces, pieces_of
from worldr1.worlds.scene import Environment, Scene

Array = npt.NDArray[Any]
_MOST_RAYS = 2**23  # cast at a time, 40 bytes each
_FAR_M = 1e5  # nothing is seen beyond
_AWAY_M = (0.0, 0.0, -1e4)  # where a piece is that is not in the world
_SHININESS = 24 / 128  # MuJoCo counts in 128ths of the exponent


def _mujoco_warp() -> Any:
    try:
        return importlib.import_module("mujoco_warp")
    except ImportError as error:
        raise ImportError("the mujoco renderer needs MuJoCo Warp: pip install 'worldr1[mujoco]'") from error


@dataclass(frozen=True)
class MujocoRenderer:
    """Draws a scene as a MuJoCo model: pieces are textured meshes on mocap bodies, frames are worlds of one batch.

    Colour, depth and instances are MuJoCo's; haze and sky are added by distance, since MuJoCo's fog is linear; flow and
    amodal bits are `assemble.complete`'s. Shadows are hard, whatever the lights' softness. The first scene with a new
    number of lights compiles a kernel (10 to 40 s), which Warp keeps on the disk.

    Raises ``ImportError`` when MuJoCo Warp is not installed, ``ValueError`` when the scenes differ in length or there
    is none, or ``samples`` is even: the middle ray of a pixel is the one that tells the truth.
    """

    samples: int = 3  # rays per axis of a pixel, odd
    device: str = "cpu"
    name: str = "mujoco"

    def __post_init__(self) -> None:
        if self.samples < 1 or self.samples % 2 == 0:
            raise ValueError(f"samples has to be odd and positive, not {self.samples}; use 1, 3 or 5")
        _mujoco_warp()

    def __call__(self, scenes: Sequence[Scene], height: int, width: int) -> Rendered:
        check_scenes(scenes)
        wp.config.log_level = wp.LOG_ERROR
        with wp.ScopedDevice(self.device):
            return batch([self._clip(scene, height, width) for scene in scenes])

    def _clip(self, scene: Scene, height: int, width: int) -> Rendered:
        n, frames = self.samples, scene.num_frames
        pieces = pieces_of(scene)
        model = _model(scene, pieces)
        at_once = max(1, min(frames, _MOST_RAYS // (n * n * height * width)))
        view = _View(model, at_once, n * height, n * width)
        owner = np.array([NOTHING] + [p.body for p in pieces.pieces])
        rgb = np.empty((frames, height, width, 3), np.uint8)
        depth = np.empty((frames, height, width), np.float32)
        body = np.empty((frames, height, width), np.int64)
        for first in range(0, frames, at_once):
            span = np.minimum(np.arange(first, first + at_once), frames - 1)  # the batch is filled with the last frame
            some = slice(first, min(first + at_once, frames))
            colour, far, geom = (x[: some.stop - some.start] for x in view.cast(scene, pieces, span))
            colour = through_air(scene, colour, (geom >= 0).astype(np.float32), far, some)
            shape = (-1, height, n, width, n, 3)
            rgb[some] = to_bytes(np.clip(colour, 0, 1).reshape(shape).mean((2, 4)))
            depth[some] = far[:, n // 2 :: n, n // 2 :: n]
            body[some] = owner[1 + geom[:, n // 2 :: n, n // 2 :: n]]
        return complete(scene, rgb, depth, body)


def _model(scene: Scene, pieces: Pieces) -> Any:
    """Geom i is piece i, on a mocap body of its own; body 1 carries the camera."""
    spec = mujoco.MjSpec()
    spec.stat.extent, spec.visual.map.znear, spec.visual.map.zfar = 1.0, 1e-3, _FAR_M
    spec.visual.headlight.active = 0
    _add_lights(spec, scene.environment)
    spec.worldbody.add_body(name="camera", mocap=True).add_camera(name="camera")
    for i, image in enumerate(pieces.images):
        height, width = image.shape[:2]
        texture = spec.add_texture(name=f"{i}", type=mujoco.mjtTexture.mjTEXTURE_2D, width=width, height=height)
        texture.nchannel, texture.data = 3, image.tobytes()
    for i, piece in enumerate(pieces.pieces):
        _add_piece(spec, piece, f"{i}")
    return spec.compile()


def _add_piece(spec: Any, piece: Piece, name: str) -> None:
    material = spec.add_material(name=name, specular=piece.gloss, shininess=_SHININESS)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f"{piece.image}"
    corners = np.arange(len(piece.vertices_m), dtype=np.int32)
    spec.add_mesh(
        name=name,
        uservert=piece.vertices_m.ravel(),
        usernormal=piece.normals.ravel(),
        usertexcoord=piece.uv.ravel(),
        userface=corners,
        userfacenormal=corners,
        userfacetexcoord=corners,
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
    body = spec.worldbody.add_body(name=f"piece {name}", mocap=True)
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=name, contype=0, conaffinity=0, mass=0)


def _add_lights(spec: Any, environment: Environment) -> None:
    """The scene's lights, and one that only carries the ambient light: the kernel is compiled for the headlight's."""
    kind, none = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, [0.0] * 3
    spec.worldbody.add_light(type=kind, ambient=environment.ambient, diffuse=none, specular=none, castshadow=False)
    for light in environment.lights:
        towards = [-x for x in light.direction]
        spec.worldbody.add_light(
            type=kind, dir=towards, ambient=none, diffuse=light.colour, specular=light.colour, castshadow=True
        )


class _View:
    """A model on the device as ``worlds`` frames at a time."""

    def __init__(self, model: Any, worlds: int, height: int, width: int) -> None:
        self._mjw = _mujoco_warp()
        self._shape = (worlds, height, width)
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        self._model, self._data = self._mjw.put_model(model), self._mjw.put_data(model, data, nworld=worlds)
        self._context = self._mjw.create_render_context(
            model,
            nworld=worlds,
            cam_res=(width, height),
            render_rgb=True,
            render_depth=True,
            render_seg=True,
            use_shadows=True,
            use_precomputed_rays=False,  # the field of view changes with the frame
            shadow_light_fraction=0.0,
        )

    def cast(self, scene: Scene, pieces: Pieces, frames: Array) -> tuple[Array, Array, Array]:
        """Colours ``[n, h, w, 3]`` in [0, 1], z-depth and geom (-1: none) ``[n, h, w]`` of frames."""
        height, width = self._shape[1:]
        shown = np.stack([p.shown for p in pieces.pieces], -1)[frames, :, None]
        place = np.where(shown, pieces.position_m[frames], _AWAY_M)
        c2w = scene.camera.c2w[frames]
        eye = Rotation.from_matrix(c2w[:, :3, :3] * np.array([1.0, -1.0, -1.0])).as_quat()  # MuJoCo looks along -z
        position = np.concatenate([c2w[:, None, :3, 3], place], 1)
        turn = np.concatenate([eye[:, None], pieces.rotation[frames]], 1)[..., [3, 0, 1, 2]]
        self._data.mocap_pos = wp.array(position.astype(np.float32), dtype=wp.vec3)
        self._data.mocap_quat = wp.array(turn.astype(np.float32), dtype=wp.quat)
        focal = scene.camera.intrinsics(height, width)[frames, 1, 1]
        fovy = np.degrees(2 * np.arctan(height / 2 / focal))[:, None]
        self._model.cam_fovy = wp.array(fovy.astype(np.float32), dtype=float)
        self._mjw.kinematics(self._model, self._data)
        self._mjw.camlight(self._model, self._data)
        self._mjw.refit_bvh(self._model, self._data, self._context)
        self._mjw.render(self._model, self._data, self._context)
        rgb = wp.empty(self._shape, dtype=wp.vec3)
        depth = wp.empty(self._shape, dtype=float)
        geom = wp.empty(self._shape, dtype=wp.vec2i)
        self._mjw.get_rgb(self._context, 0, rgb)
        self._mjw.get_depth(self._context, 0, _FAR_M, depth)  # in shares of this, in [0, 1]
        self._mjw.get_segmentation(self._context, 0, geom)
        return rgb.numpy(), depth.numpy() * _FAR_M, geom.numpy()[..., 0]
