"""Random records: nothing was rendered, but every list has its length and every event its pixels."""

from __future__ import annotations

import random

from worldr1.worlds.captions.words import plural
from worldr1.worlds.record import (
    CameraInfo,
    ClipInfo,
    Event,
    Lighting,
    MoveInfo,
    ObjectRecord,
    Passing,
    Record,
    Relation,
    Trajectory,
)

UNITS = {
    "dolly in": "m", "dolly out": "m", "truck left": "m", "truck right": "m", "pedestal up": "m", "pedestal down": "m",
    "pan left": "deg", "pan right": "deg", "tilt up": "deg", "tilt down": "deg", "roll clockwise": "deg",
    "roll counterclockwise": "deg", "orbit left": "deg", "orbit right": "deg", "zoom in": "x", "zoom out": "x",
}  # fmt: skip
MOVERS = ("car", "van", "truck", "bus", "pedestrian", "ball")
THINGS = (
    "crate",
    "block",
    "barrel",
    "traffic cone",
    "tree",
    "traffic sign",
    "traffic light",
    "chair",
    "bookcase",
    "building",
)
COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "white", "grey", "black")
TEXTURES = ("", "", "striped", "wooden", "checked", "speckled")
SIDES = ("left of", "right of", "in front of", "behind", "near", "above")
DIRECTIONS = ("left", "right", "towards the camera", "away from the camera", "with the camera", "down", "")
EYE = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 0.0), (0.0, 1.0, 0.0, 1.4))


def _camera(rng: random.Random, frames: int, fps: float) -> CameraInfo:
    last = (frames - 1) / fps
    moves = []
    if rng.random() < 0.85:
        kinds = rng.sample(sorted(UNITS), rng.choice([1, 1, 2, 3]))
        cuts = [0.0, *sorted(rng.uniform(0.15, 0.85) * last for _ in kinds[1:]), last]
        for i, kind in enumerate(kinds):
            size = {"m": rng.uniform(0.2, 4), "deg": rng.uniform(5, 90), "x": rng.uniform(1.2, 2.5)}[UNITS[kind]]
            start = 0.0 if rng.random() < 0.1 else cuts[i]
            moves.append(
                MoveInfo(kind=kind, start_s=start, end_s=cuts[i + 1], magnitude=size, unit=UNITS[kind], ease="linear")
            )
    else:
        moves.append(MoveInfo(kind="fixed", start_s=0, end_s=last, magnitude=0, unit="", ease="linear"))
    focal = rng.uniform(18, 85)
    factor = next((m.magnitude if m.kind == "zoom in" else 1 / m.magnitude for m in moves if m.unit == "x"), 1.0)
    return CameraInfo(
        focal_mm=[focal * factor ** (f / (frames - 1)) for f in range(frames)], sensor_mm=36.0,
        intrinsics=[(60.0, 60.0, 32.0, 32.0)] * frames, c2w=[list(EYE)] * frames, height_m=rng.uniform(0.4, 3),
        pitch_deg=rng.uniform(-25, 5), moves=moves, shake_deg=rng.choice([0.0, 0.0, 0.4]),
    )  # fmt: skip


def _object(
    rng: random.Random, i: int, frames: int, visible: list[int], expression: str, what: tuple[str, str, str, bool]
) -> ObjectRecord:
    colour, texture, category, dynamic = what
    size = tuple(rng.uniform(0.2, 5) for _ in range(3))
    return ObjectRecord(
        id=i, expression=expression, category=category, colour=colour, texture=texture, size_m=size, volume_m3=1.0,
        dynamic=dynamic, landmark=not dynamic, position_m=[(0.0, 0.0, 0.0)] * frames,
        rotation=[(0.0, 0.0, 0.0, 1.0)] * frames, velocity_m_s=[(0.0, 0.0, 0.0)] * frames,
        box_2d=[(0.0, 0.0, 5.0, 5.0) if v else None for v in visible], visible_px=visible,
        amodal_px=[200] * frames, canvas_px=[200] * frames, depth_m=[5.0 if v else None for v in visible],
    )  # fmt: skip


def random_record(seed: int) -> Record:
    """A record whose relations, events and pixels agree with each other."""
    rng = random.Random(seed)
    frames, fps = rng.choice([9, 17, 33]), rng.choice([8.0, 16.0])
    n = rng.randint(1, 7)
    kinds: list[tuple[str, str, str, bool]] = []
    for _ in range(n):
        dynamic = rng.random() < 0.4
        category = rng.choice(MOVERS if dynamic else THINGS)
        kinds.append((rng.choice(COLOURS), rng.choice(TEXTURES), category, dynamic))
        if rng.random() < 0.2 and len(kinds) < 8:
            kinds.append(kinds[-1])
    visible = [[rng.randint(30, 300)] * frames for _ in kinds]
    events = _events(rng, kinds, visible, frames)
    same = [[j for j, k in enumerate(kinds) if (k[0], k[2]) == (kind[0], kind[2])] for kind in kinds]
    names = []
    for i, (colour, _, category, _) in enumerate(kinds):
        place = ("left", "middle", "right") if len(same[i]) == 3 else ("left", "right")
        count = {2: "two", 3: "three"}.get(len(same[i]), str(len(same[i])))
        if len(same[i]) == 1:
            names.append(f"the {colour} {category}")
        elif len(same[i]) <= 3:
            names.append(f"the {place[same[i].index(i)]} one of the {count} {colour} {plural(category)}")
        else:
            names.append(f"the {colour} {category} number {same[i].index(i)}")
    objects = [_object(rng, i, frames, visible[i], names[i], kinds[i]) for i in range(len(kinds))]
    return Record(
        clip=ClipInfo(key=f"r{seed}", family="random", seed=seed, index=0, generator="test", renderer="none", fps=fps,
                      frames=frames, height=64, width=64, split="train", difficulty="medium", planned=[],
                      scene_hash="0"),
        camera=_camera(rng, frames, fps), objects=objects, relations=_relations(rng, len(kinds), frames),
        trajectories=_trajectories(rng, kinds, frames), events=events,
        lighting=Lighting(weather=rng.choice(["clear", "overcast", "fog"]),
                          time_of_day=rng.choice(["dawn", "noon", "dusk", "night"]), sun_azimuth_deg=0,
                          sun_elevation_deg=40, num_lights=1, shadows=rng.choice(["none", "hard", "soft"]),
                          visibility_m=18),
    )  # fmt: skip


def _relations(rng: random.Random, n: int, frames: int) -> list[Relation]:
    out = []
    for a in range(n):
        for b in range(n):
            if a == b or rng.random() > 0.35 or any({r.subject, r.object} == {a, b} for r in out):
                continue
            start, end = (0, frames - 1) if rng.random() < 0.6 else (frames // 4, frames - 1 - frames // 4)
            kind = rng.choice(SIDES)
            out.append(Relation(subject=a, kind=kind, object=b, start=start, end=end, margin=rng.random()))
    if n > 3 and rng.random() < 0.4:
        out.append(Relation(subject=0, kind="between", object=1, other=2, start=0, end=frames - 1, margin=0.5))
    return out


def _events(
    rng: random.Random, kinds: list[tuple[str, str, str, bool]], visible: list[list[int]], frames: int
) -> list[Event]:
    events: list[Event] = []
    for i, (_, _, _, dynamic) in enumerate(kinds):
        other = rng.choice([j for j in range(len(kinds)) if j != i]) if len(kinds) > 1 and rng.random() < 0.9 else -1
        if rng.random() < 0.4:
            onset, ending = rng.random() < 0.85, rng.random() < 0.85
            start = rng.randint(2, frames // 2) if onset else 0
            end = rng.randint(start + 2, frames - 3) if ending else frames - 1
            full = rng.random() < 0.6
            for f in range(start, end + 1):
                visible[i][f] = 0 if full and f > start else 20
            back = end + 1 if full and ending else None
            peak = 1.0 if full else rng.uniform(0.3, 0.9)
            events.append(Event(kind="occlusion", object=i, others=[other], start=start, end=end, full=full,
                                reappears=back, onset_seen=onset, end_seen=ending, peak=peak))  # fmt: skip
        elif dynamic:
            frame = rng.randint(2, frames - 3)
            for kind in rng.sample(
                ["enter", "exit", "collision", "contact", "start", "stop", "turn"], rng.choice([0, 1, 1, 2])
            ):
                partner = [other] if kind in ("collision", "contact") else []
                peak = {"turn": rng.uniform(15, 120), "collision": 2.0}.get(kind, 0.0)
                events.append(Event(kind=kind, object=i, others=partner, start=frame, end=frame, peak=peak))
    return events


def _trajectories(rng: random.Random, kinds: list[tuple[str, str, str, bool]], frames: int) -> list[Trajectory]:
    out = []
    marks = [i for i, k in enumerate(kinds) if not k[3]]
    for i, kind in enumerate(kinds):
        if kind[3]:
            mark = rng.choice(marks) if marks else None
            side, frame = rng.choice(["in front of", "behind"]), rng.randint(1, frames - 2)
            passes = mark is not None and rng.random() < 0.5
            out.append(Trajectory(
                object=i, polyline_m=[(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)], length_m=rng.uniform(0.3, 9),
                heading_deg=[0.0] * frames, direction=rng.choice(DIRECTIONS), nearest_landmark=mark,
                distance_m=[rng.uniform(0.5, 8) for _ in range(frames)] if mark is not None else [],
                passings=[Passing(landmark=mark, side=side, frame=frame)] if passes else [],
            ))  # fmt: skip
    return out


def hand_record() -> Record:
    """17 frames at 8 fps: the camera dollies in by 1.2 m, then pans left by 15 degrees, while a red car drives left
    behind a blue truck: hidden from 0.5 s to 1 s, back at 1.12 s, at rest at 1.75 s. A green tree is on the left."""
    frames = 17
    hidden = [200] * 4 + [40] + [0] * 4 + [60] + [200] * 7
    always = [300] * frames
    what = [("red", "", "car", True), ("blue", "", "truck", False), ("green", "", "tree", False)]
    names = [f"the {colour} {category}" for colour, _, category, _ in what]
    seen = (hidden, always, always)
    objects = [_object(random.Random(i), i, frames, seen[i], names[i], what[i]) for i in range(3)]
    moves = [
        MoveInfo(kind="dolly in", start_s=0, end_s=1, magnitude=1.2, unit="m", ease="linear"),
        MoveInfo(kind="pan left", start_s=1, end_s=2, magnitude=15, unit="deg", ease="smooth"),
    ]
    base = random_record(0)
    return base.model_copy(update={
        "clip": base.clip.model_copy(update={"key": "hand", "frames": frames, "fps": 8.0}),
        "camera": base.camera.model_copy(update={
            "focal_mm": [35.0] * frames, "height_m": 1.4, "pitch_deg": -10.0, "moves": moves, "shake_deg": 0.0}),
        "objects": objects,
        "relations": [
            Relation(subject=2, kind="left of", object=1, start=0, end=16, margin=1.0),
            Relation(subject=0, kind="right of", object=1, start=0, end=3, margin=1.0),
            Relation(subject=0, kind="left of", object=1, start=10, end=16, margin=1.0),
        ],
        "trajectories": [Trajectory(
            object=0, polyline_m=[(0.0, 0.0, 0.0), (-5.0, 0.0, 0.0)], length_m=5.0, heading_deg=[180.0] * frames,
            direction="left", nearest_landmark=2, distance_m=[9.0 - f * 0.25 for f in range(frames)],
            passings=[Passing(landmark=1, side="behind", frame=6)])],
        "events": [
            Event(kind="occlusion", object=0, others=[1], start=4, end=8, full=True, reappears=9, peak=1.0),
            Event(kind="stop", object=0, start=14, end=15),
        ],
        "lighting": base.lighting.model_copy(update={
            "weather": "overcast", "time_of_day": "noon", "shadows": "soft"}),
    })  # fmt: skip
