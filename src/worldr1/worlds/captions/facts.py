"""What a caption may say: typed facts with tolerances, taken from a record.

Only what is visible becomes a fact: an object has to show `min_pixels`, a relation holds while both of its objects
do, and an occlusion that was under way in the first frame has no onset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from worldr1.worlds.record import Event, ObjectRecord, Record
from worldr1.worlds.truth.visibility import min_pixels

Level = Literal["short", "camera", "dense", "schematic"]
LEVELS: tuple[Level, ...] = ("short", "camera", "dense", "schematic")
Unit = Literal["mm", "m", "deg", "s", "x", "%"]
INDOORS = ("room",)  # families from which no sky is seen
SCENERY = -1  # an occluder or partner that is no object: a wall, a kerb
_DECIMALS: dict[Unit, int] = {"mm": 1, "m": 2, "deg": 1, "s": 2, "x": 2, "%": 0}
_ABSOLUTE: dict[Unit, float] = {"mm": 0.5, "m": 0.05, "deg": 0.5, "s": 0.06, "x": 0.05, "%": 4.0}
_RELATIVE = 0.03  # room for a rewriter that rounds
_MOST = {"object": 12, "relation": 6, "motion": 6, "distance": 3, "size": 6, "event": 10}  # stated in one caption


@dataclass(frozen=True)
class Quantity:
    """A number as it is printed, already rounded, with the error a paraphrase may have."""

    value: float
    unit: Unit
    tolerance: float

    @property
    def text(self) -> str:
        """The digits alone; ``float(text) == value``."""
        return (
            f"{self.value:.{_DECIMALS[self.unit]}f}".rstrip("0").rstrip(".") if self.value % 1 else f"{self.value:.0f}"
        )


@dataclass(frozen=True)
class Fact:
    """``subject`` ``word`` ``objects``: "object 1" "left of" "object 3"; a camera fact has no subject.

    ``start`` and ``end`` in ``quantities`` are seconds; an event that fills the clip or whose ends nobody saw lacks
    the one that must not be stated. ``frames`` are the true first and last frame, for checks of order.
    """

    id: str
    kind: str
    word: str = ""
    subject: int | None = None
    objects: tuple[int, ...] = ()
    quantities: dict[str, Quantity] = field(default_factory=dict)
    frames: tuple[int, int] = (0, 0)
    flags: frozenset[str] = frozenset()
    weight: float = 0.0  # how much it deserves a place in a caption that cannot hold all


@dataclass(frozen=True)
class Facts:
    """All facts of a clip, and what a reader needs to resolve names."""

    all: tuple[Fact, ...]
    objects: dict[int, ObjectRecord]  # the visible ones
    num_frames: int
    fps: float

    def of(self, *kinds: str) -> list[Fact]:
        """Facts of these kinds, in order."""
        return [f for f in self.all if f.kind in kinds]


def quantity(value: float, unit: Unit, fps: float = 0.0) -> Quantity:
    """Round ``value`` to the printed precision; times may be off by half a frame."""
    rounded = round(float(value), _DECIMALS[unit]) + 0.0  # no minus zero
    slack = 0.5 / fps + 0.01 if unit == "s" and fps else _RELATIVE * abs(rounded) if unit != "s" else 0.0
    return Quantity(rounded, unit, max(_ABSOLUTE[unit], slack))


def facts_of(record: Record) -> Facts:
    """Every fact of ``record``. Raises ``ValueError`` for a record without frames."""
    if record.clip.frames < 1 or len(record.camera.focal_mm) != record.clip.frames:
        raise ValueError(f"record {record.clip.key!r} has {len(record.camera.focal_mm)} focal lengths for "
                         f"{record.clip.frames} frames; build it with worlds.truth")  # fmt: skip
    least = min_pixels(record.clip.height, record.clip.width)
    seen = {o.id: [px >= least for px in o.visible_px] for o in record.objects}
    visible = {o.id: o for o in record.objects if any(seen[o.id])}
    clip = _Clip(record, visible, seen)
    facts = _camera(record) + _objects(clip)
    facts += _relations(clip) + _motions(clip)
    for i, event in enumerate(record.events):
        facts += _event(clip, i, event)
    light = record.lighting
    facts.append(Fact("shadows", "shadows", light.shadows))
    if record.clip.family not in INDOORS:
        facts += [Fact("weather", "weather", light.weather), Fact("time of day", "time of day", light.time_of_day)]
    return Facts(tuple(facts), visible, record.clip.frames, record.clip.fps)


@dataclass(frozen=True)
class _Clip:
    record: Record
    visible: dict[int, ObjectRecord]  # in some frame
    seen: dict[int, list[bool]]  # per frame


def _camera(record: Record) -> list[Fact]:
    camera, fps, last = record.camera, record.clip.fps, record.clip.frames - 1
    lens = {"start": quantity(camera.focal_mm[0], "mm")}
    if abs(camera.focal_mm[-1] - camera.focal_mm[0]) > 0.05:
        lens["end"] = quantity(camera.focal_mm[-1], "mm")
    facts = [
        Fact("clip", "clip", quantities={"duration": quantity(record.clip.frames / fps, "s", fps)}),
        Fact("lens", "lens", quantities=lens),
        Fact("sensor", "sensor", quantities={"width": quantity(camera.sensor_mm, "mm")}),
        Fact("height", "height", quantities={"height": quantity(camera.height_m, "m")}),
        Fact("pitch", "pitch", "down" if camera.pitch_deg < 0 else "up",
             quantities={"pitch": quantity(abs(camera.pitch_deg), "deg")}),
    ]  # fmt: skip
    moves = [m for m in camera.moves if m.kind != "fixed"]
    for i, move in enumerate(moves):
        numbers = {
            "start": quantity(move.start_s, "s", fps),
            "end": quantity(move.end_s, "s", fps),
            "duration": quantity(move.end_s - move.start_s, "s", fps),
        }
        if move.unit:
            numbers["magnitude"] = quantity(move.magnitude, move.unit)
        frames = (round(move.start_s * fps), min(round(move.end_s * fps), last))
        whole = {"whole"} if frames == (0, last) or move.end_s - move.start_s > (last - 0.6) / fps else set()
        facts.append(Fact(f"move:{i}", "move", move.kind, None, (), numbers, frames, frozenset(whole)))
    if not moves:
        facts.append(Fact("move:fixed", "move", "fixed", frames=(0, last), flags=frozenset({"whole"})))
    if camera.shake_deg > 0:
        facts.append(Fact("shake", "shake"))
    return facts


def _objects(clip: _Clip) -> list[Fact]:
    record, visible = clip.record, clip.visible
    area = float(record.clip.height * record.clip.width)
    facts = []
    for i, o in visible.items():
        weight = max(o.visible_px) / area + o.dynamic + 0.2 * o.landmark
        flags = frozenset({"moving"} if o.dynamic else {"static"})
        facts.append(Fact(f"object:{i}", "object", o.category, i, flags=flags, weight=weight))
        dims = {k: quantity(v, "m") for k, v in zip(("length", "width", "height"), o.size_m, strict=True)}
        facts.append(Fact(f"size:{i}", "size", "", i, quantities=dims, weight=weight))
    return facts


def _seen_run(start: int, end: int, seen: Sequence[list[bool]]) -> tuple[int, int] | None:
    """Longest run of frames within ``start`` to ``end`` in which all are seen; None below two frames."""
    best, begin = (0, -1), start
    for frame in range(start, end + 2):
        if frame > end or not all(s[frame] for s in seen):
            if frame - begin > best[1] - best[0] + 1:
                best = (begin, frame - 1)
            begin = frame + 1
    return best if best[1] > best[0] else None


def _span(run: tuple[int, int], num_frames: int, fps: float) -> tuple[dict[str, Quantity], frozenset[str]]:
    """Start and end in seconds of a run of frames, and whether it is the whole clip."""
    flags = frozenset({"whole"} if run == (0, num_frames - 1) else set())
    return {"start": quantity(run[0] / fps, "s", fps), "end": quantity(run[1] / fps, "s", fps)}, flags


def _relations(clip: _Clip) -> list[Fact]:
    record, visible = clip.record, clip.visible
    facts, frames, fps = [], record.clip.frames, record.clip.fps
    always = {i for i in visible if all(clip.seen[i])}
    for i, r in enumerate(record.relations):
        ids = (r.subject, r.object) if r.other is None else (r.subject, r.object, r.other)
        if not all(j in visible for j in ids):
            continue
        hidden = [clip.seen[j] for j in ids if j not in always]
        run = _seen_run(r.start, r.end, hidden) if hidden else (r.start, r.end)
        if run is None or run[1] <= run[0]:
            continue
        numbers, flags = _span(run, frames, fps)
        weight = (run[1] - run[0] + 1) / frames + 0.3 * visible[r.object].landmark + 0.2 * visible[r.subject].dynamic
        weight += 0.1 * min(r.margin, 1.0) - 0.02 * (r.subject + r.object)
        facts.append(Fact(f"relation:{i}", "relation", r.kind, r.subject, ids[1:], numbers, run, flags, weight))
    return facts


def _motions(clip: _Clip) -> list[Fact]:
    record, visible = clip.record, clip.visible
    facts, fps, last = [], record.clip.fps, record.clip.frames - 1
    for t in record.trajectories:
        mover = visible.get(t.object)
        if mover is None or not t.direction:
            continue
        seen = [f for f, shown in enumerate(clip.seen[t.object]) if shown]
        weight = t.length_m + max(mover.visible_px) / (record.clip.height * record.clip.width)
        whole = frozenset({"whole"} if len(seen) == last + 1 else set())
        numbers = {"length": quantity(t.length_m, "m")} if whole else {}  # a part of the way went unseen
        facts.append(Fact(f"motion:{t.object}", "motion", t.direction, t.object, (), numbers, (0, last), whole, weight))
        if t.nearest_landmark in visible and t.distance_m and len(seen) > 1:
            a, b = t.distance_m[seen[0]], t.distance_m[seen[-1]]
            ends = {"first": quantity(a, "m"), "last": quantity(b, "m")}
            facts.append(
                Fact(f"distance:{t.object}", "distance", "", t.object, (t.nearest_landmark,), ends,
                     (seen[0], seen[-1]), weight=abs(a - b))
            )  # fmt: skip
        for k, p in enumerate(t.passings):
            if p.landmark in visible and clip.seen[t.object][p.frame] and clip.seen[p.landmark][p.frame]:
                time = {"start": quantity(p.frame / fps, "s", fps)}
                name = f"passing:{t.object}:{k}"
                facts.append(Fact(name, "passing", p.side, t.object, (p.landmark,), time, (p.frame, p.frame), weight=1))
    return facts


def _event(clip: _Clip, i: int, event: Event) -> list[Fact]:
    record, visible, seen = clip.record, clip.visible, clip.seen
    fps, obj = record.clip.fps, visible.get(event.object)
    others = [j for j in event.others if j == SCENERY or j in visible]
    if obj is None:
        return []
    if event.kind == "occlusion":
        return _occlusion(clip, obj, i, event, others)
    shown = event.end if event.kind == "enter" else event.start
    partners = [j for j in others if j != SCENERY]
    near = range(max(shown - 1, 0), min(shown + 2, record.clip.frames))
    if not event.onset_seen or not all(any(seen[j][f] for f in near) for j in [obj.id, *partners]):
        return []
    if event.kind in ("contact", "collision") and not others:
        return []
    done = event.end if event.kind in ("enter", "exit") else event.start  # a crossing is told when it is complete
    numbers = {"start": quantity(done / fps, "s", fps)}
    if event.kind == "turn":
        numbers["angle"] = quantity(abs(event.peak), "deg")
    weight = {"collision": 3.0, "exit": 2.0, "enter": 2.0, "contact": 0.5}.get(event.kind, 1.0)
    frames = (done, event.end)
    word = ("left" if event.peak > 0 else "right") if event.kind == "turn" else ""
    return [Fact(f"event:{i}", event.kind, word, obj.id, tuple(others[:1]), numbers, frames, weight=weight)]


def _occlusion(clip: _Clip, obj: ObjectRecord, i: int, event: Event, others: list[int]) -> list[Fact]:
    record, seen = clip.record, clip.seen[obj.id]
    fps, occluder, facts = record.clip.fps, tuple(others[:1]), []
    before = event.onset_seen and any(seen[: event.start + 1])
    partly_at_start = not before and seen[event.start] and event.start == 0
    if before or partly_at_start:
        numbers, flags = {}, {"full"} if event.full else {"partial"}
        if before:
            numbers["start"] = quantity(event.start / fps, "s", fps)
        else:
            flags.add("onset unseen")
        if event.end < record.clip.frames - 1:
            numbers["end"] = quantity(event.end / fps, "s", fps)
        else:
            flags.add("end unseen")
        if not event.full:
            numbers["peak"] = quantity(100 * event.peak, "%")
        frames, weight = (event.start, event.end), 1.5 if not before else 3.5 if event.full else 2.5
        facts.append(
            Fact(f"event:{i}", "occlusion", "", obj.id, occluder, numbers, frames, frozenset(flags), weight=weight)
        )
    if event.reappears is not None:
        time = {"start": quantity(event.reappears / fps, "s", fps)}
        frames = (event.reappears, event.reappears)
        facts.append(Fact(f"event:{i}:back", "reappearance", "", obj.id, occluder, time, frames, weight=4))
    return facts


EVENTS = ("occlusion", "reappearance", "enter", "exit", "contact", "collision", "start", "stop", "turn", "passing")


def _best(facts: Facts, kinds: Sequence[str], most: int) -> list[Fact]:
    return sorted(facts.of(*kinds), key=lambda f: (-f.weight, f.id))[:most]


def required(facts: Facts, level: Level) -> list[Fact]:
    """The facts a caption of this level states: what the realiser says and what recall is measured against."""
    moves = facts.of("move", "shake")
    if level == "short":
        return [*facts.of("move"), *_best(facts, ["object"], 3), *_best(facts, EVENTS, 1)]
    if level == "camera":
        return [*facts.of("lens", "height", "pitch"), *moves, *_best(facts, ["object"], 1)]
    events = sorted(_best(facts, EVENTS, _MOST["event"]), key=lambda f: (f.frames, f.id))
    objects = _best(facts, ["object"], _MOST["object"])
    named = {f.subject for f in objects}
    told: list[Fact] = []
    for fact in _best(facts, ["relation"], 200):  # one per subject, and no pair twice
        if len(told) == _MOST["relation"]:
            break
        if fact.subject in named and all(
            fact.subject != t.subject and {fact.subject, *fact.objects} != {t.subject, *t.objects} for t in told
        ):
            told.append(fact)
    common = [*facts.of("lens", "height"), *moves, *objects, *told, *_best(facts, ["motion"], _MOST["motion"]), *events]
    light = facts.of("weather", "time of day")
    if level == "dense":
        return [*common, *light]
    numbers = [*facts.of("clip", "sensor", "pitch"), *_best(facts, ["size"], _MOST["size"])]
    return [*numbers, *common, *_best(facts, ["distance"], _MOST["distance"]), *light, *facts.of("shadows")]
