"""What every record must satisfy, whoever made it. Nothing here uses the code that builds records."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from worldr1.worlds.record import Event, ObjectRecord, Record

_HALF_MM = 5.1e-4  # what rounding to millimetres takes away
_ORTHONORMAL = 1e-5
_QUATERNION = 1e-4


def _camera(r: Record) -> Iterator[str]:
    camera, frames = r.camera, r.clip.frames
    for name in ("focal_mm", "intrinsics", "c2w"):
        if len(getattr(camera, name)) != frames:
            yield f"camera.{name} has {len(getattr(camera, name))} entries, the clip has {frames} frames"
            return
    expected = np.array(camera.focal_mm) / camera.sensor_mm * r.clip.width
    K = np.array(camera.intrinsics)
    if np.abs(K[:, :2] - expected[:, None]).max() > 2e-3 * max(1.0, r.clip.width / camera.sensor_mm):
        yield "camera.intrinsics: fx, fy are not focal_mm / sensor_mm * width"
    if np.abs(K[:, 2:] - [r.clip.width / 2, r.clip.height / 2]).max() > 1e-3:
        yield "camera.intrinsics: cx, cy are not the middle of the frame"
    c2w = np.array(camera.c2w)
    if c2w.shape != (frames, 3, 4):
        yield f"camera.c2w has shape {c2w.shape}, not {(frames, 3, 4)}"
        return
    R = c2w[:, :, :3]
    if np.abs(R @ R.swapaxes(1, 2) - np.eye(3)).max() > _ORTHONORMAL or np.linalg.det(R).min() < 0:
        yield "camera.c2w is not a rotation"
    if abs(c2w[0, 2, 3] - camera.height_m) > _HALF_MM:
        yield "camera.height_m is not that of the first frame"
    if abs(math.sin(math.radians(camera.pitch_deg)) - c2w[0, 2, 2]) > 2e-4:
        yield "camera.pitch_deg is not that of the first frame"
    duration_s = (frames - 1) / r.clip.fps
    for m in camera.moves:
        if not -1e-3 <= m.start_s <= m.end_s <= duration_s + 1e-3 or m.magnitude < 0:
            yield f"camera move {m.kind} is outside the clip or negative"


def _object(o: ObjectRecord, r: Record) -> Iterator[str]:
    frames, name = r.clip.frames, f"object {o.id}"
    tracks = ("position_m", "rotation", "velocity_m_s", "box_2d", "visible_px", "amodal_px", "canvas_px", "depth_m")
    for track in tracks:
        if len(getattr(o, track)) != frames:
            yield f"{name}: {track} has {len(getattr(o, track))} entries, the clip has {frames} frames"
            return
    if not (min(o.size_m) > 0 and 0 < o.volume_m3 <= 1.01 * math.prod(s + _HALF_MM for s in o.size_m)):
        yield f"{name}: volume {o.volume_m3} does not fit into its box {o.size_m}"
    if np.abs(np.linalg.norm(o.rotation, axis=1) - 1).max() > _QUATERNION:
        yield f"{name}: a rotation is not of unit length"
    if frames > 1:
        step = np.diff(np.array(o.position_m), axis=0) * r.clip.fps
        error = np.abs(np.array(o.velocity_m_s) - np.concatenate([step, step[-1:]]))
        if error.max() > 2 * _HALF_MM * r.clip.fps + _HALF_MM:
            yield f"{name}: velocities are not the differences of positions"
    slack = 8 * max(1.0, math.sqrt(r.clip.height * r.clip.width) / 64)
    for f in range(frames):
        v, a, c = o.visible_px[f], o.amodal_px[f], o.canvas_px[f]
        box, depth = o.box_2d[f], o.depth_m[f]
        if not 0 <= v <= a <= r.clip.height * r.clip.width:
            yield f"{name}, frame {f}: visible {v}, amodal {a}"
        if c < 0.9 * a - slack:
            yield f"{name}, frame {f}: canvas {c} is less than amodal {a}"
        if (v == 0) != (box is None) or (v == 0) != (depth is None):
            yield f"{name}, frame {f}: a box and a depth belong to visible pixels and to nothing else"
        if depth is not None and not 0 < depth < math.inf:
            yield f"{name}, frame {f}: depth {depth}"
        if box is not None:
            x0, y0, x1, y1 = box
            if not (0 <= x0 < x1 <= r.clip.width and 0 <= y0 < y1 <= r.clip.height):
                yield f"{name}, frame {f}: box {box} is not in the frame"
            # a tight box has a visible pixel in each of its outer rows and columns
            elif v > (x1 - x0) * (y1 - y0) or (v == 1 and (x1 - x0, y1 - y0) != (1, 1)):
                yield f"{name}, frame {f}: box {box} is not tight around {v} pixels"


def _occlusions(o: ObjectRecord, found: list[Event], r: Record) -> Iterator[str]:
    """The definition of an occlusion, said of each frame instead of run by run."""
    name, frames = f"object {o.id}", r.clip.frames
    least = 12 * r.clip.height * r.clip.width / 4096
    clear = [a >= least and 20 * a >= c for a, c in zip(o.amodal_px, o.canvas_px, strict=True)]
    hidden = [(a - v) / a if a else 0.0 for v, a in zip(o.visible_px, o.amodal_px, strict=True)]
    starts = [clear[f] and 4 * (o.amodal_px[f] - o.visible_px[f]) >= o.amodal_px[f] for f in range(frames)]
    lasts = [clear[f] and 20 * (o.amodal_px[f] - o.visible_px[f]) >= 3 * o.amodal_px[f] for f in range(frames)]
    inside = [False] * frames
    for e in found:
        span = range(e.start, e.end + 1)
        for f in span:
            if inside[f]:
                yield f"{name}: occlusions overlap in frame {f}"
            inside[f] = True
        if not (starts[e.start] and all(lasts[f] for f in span)):
            yield f"{name}: the occlusion {e.start}-{e.end} has frames that are not hidden enough"
            continue
        if e.end + 1 < frames and lasts[e.end + 1]:
            yield f"{name}: the occlusion {e.start}-{e.end} goes on"
        if e.onset_seen != (e.start > 0 and clear[e.start - 1]) or e.end_seen != (
            e.end + 1 < frames and clear[e.end + 1]
        ):
            yield f"{name}: what is seen of the ends of the occlusion {e.start}-{e.end}"
        if abs(e.peak - max(hidden[f] for f in span)) > 1e-3:
            yield f"{name}: peak {e.peak} of the occlusion {e.start}-{e.end}"
        gone = [f for f in span if o.visible_px[f] == 0]
        if e.full != bool(gone):
            yield f"{name}: the occlusion {e.start}-{e.end} is said to be full: {e.full}"
        if e.reappears is not None:
            back = e.reappears
            if not gone or not gone[0] < back < frames or o.visible_px[back] < least:
                yield f"{name}: reappears in frame {back} without having been gone, or is not visible there"
            elif any(o.visible_px[f] >= least for f in range(gone[0], back)):
                yield f"{name}: reappears before frame {back}"
        elif any(o.visible_px[f] >= least for f in span if gone and f > gone[0]):
            yield f"{name}: the reappearance in the occlusion {e.start}-{e.end} is missing"
    missed = [f for f in range(frames) if starts[f] and not inside[f]]
    if missed:
        yield f"{name}: hidden in frames {missed}, but no occlusion says so"


def _events(r: Record) -> Iterator[str]:
    ids, frames = range(len(r.objects)), r.clip.frames
    least = 12 * r.clip.height * r.clip.width / 4096
    inside = [e for e in r.events if e.object in ids and 0 <= e.start <= e.end < frames]
    if len(inside) < len(r.events):
        yield "an event is outside the clip or of an unknown object"
    for e in inside:
        what, o = f"{e.kind} of object {e.object} at {e.start}-{e.end}", r.objects[e.object]
        if any(j not in ids and j != -1 for j in e.others) or e.object in e.others:
            yield f"{what}: others {e.others}"
        if e.kind in ("contact", "collision") and len(e.others) != 1:
            yield f"{what} needs one partner"
        if e.kind in ("start", "stop", "collision") and e.end != e.start + 1:
            yield f"{what} is not between two frames"
        if e.kind == "contact" and (e.onset_seen != (e.start > 0) or e.end_seen != (e.end < frames - 1)):
            yield f"{what}: what is seen of its ends"
        if e.kind in ("enter", "exit"):
            outside, shown = (e.start, e.end) if e.kind == "enter" else (e.end, e.start)
            out = [a < least / 4 or 20 * a < c for a, c in zip(o.amodal_px, o.canvas_px, strict=True)]
            if not (e.start < e.end and out[outside] and not out[shown] and o.visible_px[shown] > 0):
                yield f"{what}: the object is not outside first (last) and visible inside"
        if e.kind != "occlusion" and (e.full or e.reappears is not None):
            yield f"{what} has fields of an occlusion"
        speed = np.linalg.norm(o.velocity_m_s, axis=1)
        if e.kind == "start" and not speed[e.start - 1] < 0.15 <= speed[e.start] + 2e-3:
            yield f"{what}: it does not start to move there"
        if e.kind == "stop" and not speed[e.end] - 2e-3 < 0.08 <= speed[e.start] + 2e-3:
            yield f"{what}: it does not come to rest there"
    for o in r.objects:
        yield from _occlusions(o, [e for e in inside if e.kind == "occlusion" and e.object == o.id], r)


def _references(r: Record) -> Iterator[str]:
    ids, frames = range(len(r.objects)), r.clip.frames
    if [o.id for o in r.objects] != list(ids):
        yield "object ids do not count from 0"
    if len({o.expression for o in r.objects}) < len(ids):
        yield "two objects have one expression"
    for q in r.relations:
        named = [q.subject, q.object, *([] if q.other is None else [q.other])]
        if (
            any(i not in ids for i in named)
            or len(set(named)) < len(named)
            or (q.other is None) == (q.kind == "between")
        ):
            yield f"relation {q.subject} {q.kind} {q.object} names {named}"
        elif not 0 <= q.start <= q.end < frames or q.margin <= 0:
            yield f"relation {q.subject} {q.kind} {q.object} is outside the clip or has no margin"
        elif any(r.objects[i].visible_px[f] == 0 for i in named for f in range(q.start, q.end + 1)):
            yield f"relation {q.subject} {q.kind} {q.object} is of what nobody sees"
    for t in r.trajectories:
        if t.object not in ids or not r.objects[t.object].dynamic:
            yield f"trajectory of {t.object}, which is no dynamic object"
            continue
        path = np.array(r.objects[t.object].position_m)
        if len(t.heading_deg) != frames or len(t.distance_m) != (0 if t.nearest_landmark is None else frames):
            yield f"trajectory of {t.object}: lists do not have an entry per frame"
        if abs(np.linalg.norm(np.diff(path, axis=0), axis=1).sum() - t.length_m) > 4 * _HALF_MM * frames:
            yield f"trajectory of {t.object}: length {t.length_m}"
        if np.abs(np.array(t.polyline_m)[[0, -1]] - path[[0, -1]]).max() > 2 * _HALF_MM:
            yield f"trajectory of {t.object}: the polyline does not begin and end with the path"
        marks = [p.landmark for p in t.passings] + ([] if t.nearest_landmark is None else [t.nearest_landmark])
        if any(m not in ids or not r.objects[m].landmark for m in marks):
            yield f"trajectory of {t.object} is told by what is no landmark"
        if any(not 0 < p.frame < frames for p in t.passings):
            yield f"trajectory of {t.object}: a passing outside the clip"


def _picture(r: Record, instance_ids: npt.NDArray[Any]) -> Iterator[str]:
    for o in r.objects:
        for f, mask in enumerate(instance_ids == 2 + o.id):
            y, x = np.nonzero(mask)
            box = None if not len(x) else (x.min(), y.min(), x.max() + 1, y.max() + 1)
            if len(x) != o.visible_px[f] or box != o.box_2d[f]:
                said = f"the record says {o.visible_px[f]} in {o.box_2d[f]}"
                yield f"object {o.id}, frame {f}: {len(x)} pixels in {box}, {said}"


def check_record(
    record: Record, *, instance_ids: npt.NDArray[Any] | None = None, scene_hash: str | None = None
) -> list[str]:
    """Faults of a record, in words; empty when it is right.

    Args:
        instance_ids: ``[frames, h, w]`` of its picture, to compare pixel counts and boxes with.
        scene_hash: of the scene that it should come from.
    """
    clip = record.clip
    if clip.frames < 1 or clip.fps <= 0 or min(clip.height, clip.width) < 1:
        return [f"clip has {clip.frames} frames of {clip.height} x {clip.width} at {clip.fps} fps"]
    faults = []
    if len(clip.scene_hash) != 16 or not set(clip.scene_hash) <= set("0123456789abcdef"):
        faults.append(f"scene_hash {clip.scene_hash!r} is not 16 hex digits")
    if scene_hash is not None and clip.scene_hash != scene_hash:
        faults.append(f"scene_hash {clip.scene_hash} is not that of the scene, {scene_hash}")
    if bool(clip.violation) != (0 <= clip.violation_frame < clip.frames):
        faults.append(f"violation {clip.violation!r} at frame {clip.violation_frame}")
    faults += _camera(record)
    shape = [fault for o in record.objects for fault in _object(o, record)]
    faults += shape
    if any("entries" in fault for fault in shape):
        return faults  # what follows reads the lists frame by frame
    faults += _references(record)
    faults += _events(record)
    if instance_ids is not None:
        faults += _picture(record, instance_ids)
    return faults
