"""The whole record: right in every invariant, small, the same after JSON, and no lie in it goes unnoticed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest

from worldr1.worlds.assets.parts import part_volume_m3
from worldr1.worlds.record import Record
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.scene import Part, Scene
from worldr1.worlds.truth.build import build_record, scene_hash
from worldr1.worlds.truth.invariants import check_record
from worlds.truth.hand import canvas, cast, look, record_of, scene_of, thing

F = 16


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A ball rolls behind a truck and out again, past crates of two colours, while the camera pans."""
    t = np.arange(F)[:, None]
    things = [
        thing(0, "ball", half=0.3, dynamic=True),
        thing(1, "truck", "blue", (0.8, 0.4, 0.8), landmark=True),
        *(thing(i, "crate", ("red", "blue")[i % 2], 0.4, texture="wooden") for i in range(2, 8)),
    ]
    crates = [(-2.5 + i * 0.7, 0.5 * (i % 3) + 0.8, 0.4 + 1.2 * (i % 2)) for i in range(2, 8)]
    paths = [np.hstack([-2 + t * 0.27, 0 * t - 1, 0 * t + 0.3]), (0, -2.0, 0.8), *crates]
    return scene_of(things, paths, look(F, pan_deg=10))


@pytest.fixture(scope="module")
def record(scene: Scene) -> Record:
    return record_of(scene)


@pytest.fixture(scope="module")
def picture(scene: Scene) -> np.ndarray:
    return cast(scene, 64, 64)[0]


def test_the_record_is_right_and_tells_what_happens(scene: Scene, record: Record, picture: np.ndarray) -> None:
    assert check_record(record, instance_ids=picture, scene_hash=scene_hash(scene)) == []
    (behind,) = [e for e in record.events if e.kind == "occlusion" and e.object == 0]
    assert (behind.others, behind.full, behind.onset_seen, behind.end_seen) == ([1], True, True, True)
    assert behind.reappears is not None
    assert [(p.landmark, p.side) for p in record.trajectories[0].passings] == [(1, "behind")]
    (move,) = record.camera.moves
    assert (move.kind, move.unit, move.start_s, move.end_s) == ("pan right", "deg", 0.0, (F - 1) / 8)
    assert record.camera.intrinsics[0] == (64.0, 64.0, 32.0, 32.0)
    assert (record.camera.height_m, record.camera.pitch_deg) == (1.0, 0.0)


def test_json_is_small_complete_and_what_the_schema_says(record: Record) -> None:
    text = record.model_dump_json()
    assert len(text) < 60_000
    assert Record.model_validate_json(text) == record
    schema = Record.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(record.model_dump(mode="json"), schema)
    broken = record.model_dump(mode="json")
    broken["objects"][0]["colour"] = None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_the_packages_renderer_and_a_plain_ray_caster_give_one_record(scene: Scene, record: Record) -> None:
    renderer = WarpRenderer()
    out = renderer([scene], 64, 64)
    pixels = renderer.canvas_px([scene], 64, 64)[0]
    ours = build_record(
        scene, out.instance_ids[0], out.amodal_bits[0], out.depth_m[0], pixels, key="hand-0", index=0, renderer="hand"
    )
    assert check_record(ours, instance_ids=out.instance_ids[0]) == []
    for a, b in zip(ours.objects, record.objects, strict=True):
        # a ray through an edge may fall to either side
        for track in ("visible_px", "amodal_px", "canvas_px"):
            assert np.abs(np.subtract(getattr(a, track), getattr(b, track))).max() <= 2
        for x, y in zip(a.depth_m, b.depth_m, strict=True):
            assert (x is None) == (y is None)
            assert x is None or y is None or abs(x - y) < 0.05
    assert [(e.kind, e.object, e.others) for e in ours.events] == [(e.kind, e.object, e.others) for e in record.events]


def test_bad_arrays_are_refused(scene: Scene) -> None:
    ids, bits, depth = cast(scene, 16, 16)
    with pytest.raises(ValueError, match="8 frames were rendered"):
        build_record(scene, ids[:8], bits[:8], depth[:8], canvas(scene, 16, 16), key="", index=0, renderer="hand")


def test_an_object_without_a_body_is_refused(scene: Scene) -> None:
    with pytest.raises(ValueError, match="have no body"):
        record_of(replace(scene, objects=(*scene.objects, scene.objects[0])), 8, 8)


def test_an_object_that_vanishes_is_no_exit_and_an_empty_scene_is_a_record(scene: Scene) -> None:
    present = np.ones((F, 8), bool)
    present[9:, 1] = False
    gone = record_of(replace(scene, present=present, violation="vanish", violation_frame=9))
    assert check_record(gone) == []
    assert gone.objects[1].box_2d[8] is not None
    assert gone.objects[1].box_2d[9] is None
    assert not [e for e in gone.events if e.object == 1 and e.kind == "exit"]
    nothing = Scene("hand", 0, (), (), np.zeros((F, 0, 3)), np.zeros((F, 0, 4)), scene.camera)
    assert check_record(record_of(nothing)) == []
    single = scene_of([thing(0)], [(0, 0, 0.5)], look(1))
    assert check_record(record_of(single)) == []


def test_the_hash_tells_scenes_apart_and_nothing_else(scene: Scene) -> None:
    assert scene_hash(scene) == scene_hash(copy.deepcopy(scene))
    assert scene_hash(replace(scene, position_m=scene.position_m + 1e-9)) == scene_hash(scene)
    assert scene_hash(replace(scene, fps=np.float64(8.0))) == scene_hash(scene)
    others = [
        replace(scene, position_m=scene.position_m + 1e-3),
        replace(scene, seed=1),
        replace(scene, objects=scene.objects[::-1]),
        replace(scene, environment=replace(scene.environment, weather="fog")),
        replace(scene, camera=replace(scene.camera, shake=0.1)),
        replace(scene, present=np.ones((F, 8), bool)),
        replace(scene, bodies=(*scene.bodies[:-1], replace(scene.bodies[-1], instance=0))),
    ]
    assert len({scene_hash(s) for s in (scene, *others)}) == 1 + len(others)


@pytest.mark.parametrize("shape", ["box", "sphere", "cylinder", "capsule", "cone"])
def test_volumes_are_those_of_random_points(shape: Any) -> None:
    half = (0.4, 0.4, 0.9) if shape == "capsule" else (0.4, 0.6, 0.9)
    p = np.random.default_rng(0).uniform(-1, 1, (400_000, 3))
    r = np.hypot(p[:, 0], p[:, 1])
    core = np.maximum(np.abs(p[:, 2]) * half[2] - (half[2] - half[0]), 0)
    inside = {
        "box": r >= 0,
        "sphere": np.linalg.norm(p, axis=1) <= 1,
        "cylinder": r <= 1,
        "cone": r <= (1 - p[:, 2]) / 2,
        "capsule": np.hypot(r * half[0], core) <= half[0],
    }[shape]
    expected = inside.mean() * 8 * math.prod(half)
    assert part_volume_m3(Part(shape, half)) == pytest.approx(expected, rel=0.01)


def set_in(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """An edit that puts ``value``, or what it makes of the old one, at "objects.0.visible_px.3"."""

    def edit(data: dict[str, Any]) -> None:
        *way, last = (int(k) if k.lstrip("-").isdigit() else k for k in path.split("."))
        for k in way:
            data = data[k]
        data[last] = value(data[last]) if callable(value) else value

    return edit


def event_of(kind: str, **fields: Any) -> Callable[[dict[str, Any]], None]:
    """An edit of the ball's first event of a kind."""

    def edit(data: dict[str, Any]) -> None:
        event = next(e for e in data["events"] if e["kind"] == kind and e["object"] == 0)
        event.update({k: v(event[k]) if callable(v) else v for k, v in fields.items()})

    return edit


def drop_occlusion(data: dict[str, Any]) -> None:
    data["events"] = [e for e in data["events"] if not (e["kind"] == "occlusion" and e["object"] == 0)]


def more(kind: str, **fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["events"].append({"kind": kind, "object": 1, "start": 3, "end": 4, **fields})


MUTATIONS = {
    "visible above amodal": set_in("objects.1.visible_px.3", lambda v: v + 500),
    "amodal below visible": set_in("objects.1.amodal_px.3", 10),
    "canvas below amodal": set_in("objects.1.canvas_px.3", 100),
    "negative pixels": set_in("objects.0.visible_px.0", -1),
    "box outside the frame": set_in("objects.1.box_2d.0.2", 65),
    "box upside down": set_in("objects.1.box_2d.0", lambda b: [b[2], b[1], b[0], b[3]]),
    "box too small for its pixels": set_in("objects.1.box_2d.0.2", lambda x: x - 10),
    "box wide of its pixels": set_in("objects.1.box_2d.0.0", lambda x: x - 1),
    "box of nothing": set_in("objects.0.box_2d.7", [0, 0, 3, 3]),
    "no box": set_in("objects.1.box_2d.7", None),
    "no depth": set_in("objects.1.depth_m.7", None),
    "negative depth": set_in("objects.1.depth_m.7", -1.0),
    "track too short": set_in("objects.0.visible_px", lambda v: v[:-1]),
    "volume beyond the box": set_in("objects.0.volume_m3", 0.3),
    "no volume": set_in("objects.0.volume_m3", 0.0),
    "rotation not of unit length": set_in("objects.0.rotation.4", [0.0, 0.0, 0.1, 1.0]),
    "velocity of another sign": set_in("objects.0.velocity_m_s.3.0", lambda v: -v),
    "position jumps": set_in("objects.2.position_m.5.2", lambda v: v + 0.1),
    "ids out of order": set_in("objects.2.id", 3),
    "one expression twice": set_in("objects.2.expression", "the red ball"),
    "focal length of another lens": set_in("camera.focal_mm.2", 50.0),
    "centre of another frame": set_in("camera.intrinsics.2.2", 31.0),
    "camera mirrored": set_in("camera.c2w.1.0", lambda row: [-row[0], *row[1:]]),
    "camera sheared": set_in("camera.c2w.1.0.0", lambda v: v + 0.01),
    "camera too short": set_in("camera.c2w", lambda c: c[:-1]),
    "camera at another height": set_in("camera.height_m", 1.5),
    "camera looks up": set_in("camera.pitch_deg", 5.0),
    "move beyond the clip": set_in("camera.moves.0.end_s", 3.0),
    "move backwards in time": set_in("camera.moves.0.start_s", 2.5),
    "occlusion begins early": event_of("occlusion", start=lambda s: s - 1),
    "occlusion begins late": event_of("occlusion", start=lambda s: s + 1),
    "occlusion ends early": event_of("occlusion", end=lambda e: e - 1),
    "occlusion ends late": event_of("occlusion", end=lambda e: e + 1),
    "occlusion dropped": drop_occlusion,
    "full occlusion denied": event_of("occlusion", full=False),
    "reappears while hidden": event_of("occlusion", reappears=lambda r: r - 1),
    "reappears later": event_of("occlusion", reappears=lambda r: r + 1),
    "reappearance dropped": event_of("occlusion", reappears=None),
    "onset nobody saw": event_of("occlusion", onset_seen=False),
    "end nobody saw": event_of("occlusion", end_seen=False),
    "peak": event_of("occlusion", peak=0.7),
    "occluder that does not exist": event_of("occlusion", others=[8]),
    "occludes itself": event_of("occlusion", others=[0]),
    "event of no object": event_of("occlusion", object=9),
    "event beyond the clip": more("contact", others=[2], end=F),
    "event that ends before it begins": more("contact", others=[2], end=2),
    "contact with nobody": more("contact"),
    "enters though always there": more("enter"),
    "exits though it stays": more("exit"),
    "starts though at rest": more("start"),
    "stops though at rest": more("stop"),
    "collision of several frames": more("collision", others=[2], end=6),
    "relation to nobody": set_in("relations.0.object", 8),
    "relation to itself": lambda d: d["relations"][0].update(object=d["relations"][0]["subject"]),
    "relation between one": set_in("relations.0.kind", "between"),
    "relation beyond the clip": set_in("relations.0.end", F),
    "relation without margin": set_in("relations.0.margin", 0.0),
    "relation to what is hidden": lambda d: d["relations"].append(
        {"subject": 0, "kind": "behind", "object": 1, "start": 0, "end": F - 1, "margin": 0.5}
    ),
    "trajectory of what stands": set_in("trajectories.0.object", 2),
    "trajectory too long": set_in("trajectories.0.length_m", lambda v: v * 1.1),
    "polyline that begins elsewhere": set_in("trajectories.0.polyline_m.0.1", 0.0),
    "passes no landmark": set_in("trajectories.0.passings.0.landmark", 2),
    "passes after the end": set_in("trajectories.0.passings.0.frame", F),
    "heading too short": set_in("trajectories.0.heading_deg", lambda h: h[:-1]),
    "hash that is none": set_in("clip.scene_hash", "xyz"),
    "hash of another scene": set_in("clip.scene_hash", "0" * 16),
    "violation without a frame": set_in("clip.violation", "vanish"),
    "no frames": set_in("clip.frames", 0),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_is_caught(name: str, scene: Scene, record: Record, picture: np.ndarray) -> None:
    data = record.model_dump(mode="json")
    MUTATIONS[name](data)
    mutant = Record.model_validate(data)
    assert mutant != record
    assert check_record(mutant, instance_ids=picture, scene_hash=scene_hash(scene))
