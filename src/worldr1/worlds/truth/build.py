"""The record of a rendered clip."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from worldr1.worlds.camera import KINDS
from worldr1.worlds.record import (
    CameraInfo,
    ClipInfo,
    Lighting,
    ObjectRecord,
    Record,
)
from worldr1.worlds.scene import Environment, Floats, Scene
from worldr1.worlds.truth.contacts import pair_gaps
from worldr1.worlds.truth.describe import referring_expressions
from worldr1.worlds.truth.events import all_events
from worldr1.worlds.truth.layout import layout
from worldr1.worlds.truth.relations import relations
from worldr1.worlds.truth.trajectories import trajectories
from worldr1.worlds.truth.visibility import Visibility, measure

_GENERATOR = f"worldr1 {version('worldr1')}"
_METRE_DIGITS, _ROTATION_DIGITS, _CAMERA_DIGITS, _HASH_DIGITS = 3, 5, 6, 6


def scene_hash(scene: Scene) -> str:
    """SHA-256 of a scene's content, 16 hex digits: equal for equal scenes, on any machine.

    Arrays count with six decimals, so that the last bits of a sine do not matter.
    """

    def plain(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            fixed = np.round(x.astype(np.float64), _HASH_DIGITS) + 0.0  # no negative zeros
            return [list(x.shape), hashlib.sha256(fixed.astype("<f8").tobytes()).hexdigest()]
        return x.item() if isinstance(x, np.generic) else vars(x)

    return hashlib.sha256(json.dumps(scene, default=plain, sort_keys=True).encode()).hexdigest()[:16]


def _camera(scene: Scene, height: int, width: int) -> CameraInfo:
    camera = scene.camera
    K = camera.intrinsics(height, width)
    duration_s = (scene.num_frames - 1) / scene.fps
    moves = [
        {
            "kind": m.kind,
            "start_s": round(m.start * duration_s, 3),
            "end_s": round(m.end * duration_s, 3),
            "magnitude": round(m.magnitude, 3),
            "unit": KINDS[m.kind],
            "ease": m.ease,
        }
        for m in camera.moves
    ]
    return CameraInfo.model_validate(
        {
            "focal_mm": camera.focal_mm.round(4).tolist(),
            "sensor_mm": camera.sensor_mm,
            "intrinsics": K[:, [0, 1, 0, 1], [0, 1, 2, 2]].round(4).tolist(),
            "c2w": camera.c2w[:, :3].round(_CAMERA_DIGITS).tolist(),
            "height_m": round(float(camera.c2w[0, 2, 3]), _METRE_DIGITS),
            "pitch_deg": round(float(np.degrees(np.arcsin(np.clip(camera.c2w[0, 2, 2], -1, 1)))), 2),
            "moves": moves,
            "shake_deg": camera.shake,
        }
    )


def _lighting(environment: Environment) -> Lighting:
    lights = environment.lights
    x, y, z = lights[0].direction if lights else (0.0, 0.0, 1.0)
    soft = any(light.softness_deg > 0 for light in lights)
    return Lighting(
        weather=environment.weather,
        time_of_day=environment.time_of_day,
        sun_azimuth_deg=round(float(np.degrees(np.arctan2(y, x))), 1),
        sun_elevation_deg=round(float(np.degrees(np.arctan2(z, np.hypot(x, y)))), 1),
        num_lights=len(lights),
        shadows="soft" if soft else "hard" if lights else "none",
        visibility_m=environment.visibility_m,
    )


def _objects(
    scene: Scene, v: Visibility, position_m: Floats, rotation: Floats, velocity_m_s: Floats
) -> list[dict[str, Any]]:
    """Fields of `ObjectRecord`, all at once: the record is validated as a whole."""

    def lists(x: npt.NDArray[Any]) -> list[Any]:
        per_object: list[Any] = x.swapaxes(0, 1).tolist()
        return per_object

    position, turned = lists(position_m.round(_METRE_DIGITS)), lists(rotation.round(_ROTATION_DIGITS))
    velocity, boxes = lists(velocity_m_s.round(_METRE_DIGITS)), lists(v.box)
    visible, amodal, canvas = lists(v.visible_px), lists(v.amodal_px), lists(v.canvas_px)
    depth = lists(v.depth_m.round(_METRE_DIGITS))
    boxes = [[b if b[2] else None for b in row] for row in boxes]
    expressions = referring_expressions(scene.objects, v.seen, boxes)
    return [
        {
            "id": i,
            "expression": expressions[i],
            "category": o.category,
            "colour": o.colour,
            "texture": o.texture,
            "size_m": tuple(round(float(s), _METRE_DIGITS) for s in o.size_m),
            "volume_m3": float(f"{o.volume_m3:.5g}"),
            "dynamic": o.dynamic,
            "landmark": o.landmark,
            "position_m": position[i],
            "rotation": turned[i],
            "velocity_m_s": velocity[i],
            "box_2d": boxes[i],
            "visible_px": visible[i],
            "amodal_px": amodal[i],
            "canvas_px": canvas[i],
            "depth_m": [d if n else None for d, n in zip(depth[i], visible[i], strict=True)],
        }
        for i, o in enumerate(scene.objects)
    ]


def build_record(
    scene: Scene,
    instance_ids: npt.NDArray[np.int32],
    amodal_bits: npt.NDArray[np.uint32],
    depth_m: npt.NDArray[np.float32],
    canvas_px: npt.NDArray[Any],
    *,
    key: str,
    index: int,
    renderer: str,
) -> Record:
    """Everything known about one clip, without captions.

    Args:
        instance_ids, amodal_bits, depth_m: ``[frames, h, w]``, one clip of `Rendered`.
        canvas_px: ``[frames, objects]``, pixels of each object on the larger canvas.
        key, index: of the clip in its dataset.
        renderer: the name of the renderer.

    Raises ``ValueError`` when the arrays do not fit the scene.
    """
    frames, height, width = instance_ids.shape
    if frames != scene.num_frames:
        raise ValueError(f"{frames} frames were rendered of a scene that has {scene.num_frames}")
    v = measure(instance_ids, amodal_bits, depth_m, canvas_px, len(scene.objects))
    where = layout(scene)
    sizes_m = np.array([o.size_m for o in scene.objects], np.float64).reshape(-1, 3)
    dynamic = np.array([o.dynamic for o in scene.objects], np.bool_)
    clip = ClipInfo(
        key=key,
        family=scene.family,
        seed=scene.seed,
        index=index,
        generator=_GENERATOR,
        renderer=renderer,
        fps=scene.fps,
        frames=frames,
        height=height,
        width=width,
        split=scene.split,
        difficulty=scene.difficulty,
        planned=list(scene.planned),
        scene_hash=scene_hash(scene),
        violation=scene.violation,
        violation_frame=scene.violation_frame,
    )
    return Record(
        clip=clip,
        camera=_camera(scene, height, width),
        objects=[
            ObjectRecord.model_validate(fields)
            for fields in _objects(scene, v, where.position_m, where.rotation, where.velocity_m_s)
        ],
        relations=relations(where, v.seen, sizes_m, dynamic),
        trajectories=trajectories(where, v, scene.objects, scene.camera.c2w, where.present),
        events=all_events(where, v, pair_gaps(where, sizes_m), sizes_m),
        lighting=_lighting(scene.environment),
    )
