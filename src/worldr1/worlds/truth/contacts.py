"""Which objects touch, when two of them collide, and which rest on which: from the geometry of their parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldr1.worlds.record import Event
from worldr1.worlds.scene import STUFF, Floats
from worldr1.worlds.truth.layout import Ints, Layout
from worldr1.worlds.truth.solids import gaps

MIN_TOUCH_M = 0.01
TOUCH_SHARE = 0.02  # of the smaller object's mean extent: a gap below it counts as touching
FOOTING = 0.2  # of an object's longest side: nearer to scenery it has not left it
MIN_COLLISION_M_S = 0.3
GRAVITY_M_S2 = 9.81
Pair = tuple[int, int]  # objects, the moving one first; `STUFF` as the second is scenery or the ground


@dataclass(frozen=True)
class PairGap:
    """The gap between two objects over time: infinite where the search was not worth while."""

    gap_m: Floats  # [frames]
    normal: Floats  # [frames, 3] from the first to the second
    touch_m: float  # gap below which they touch


def _near_parts(layout: Layout, moved: Ints) -> tuple[Ints, Ints, Ints]:
    """Frames and part pairs ``(frame, first, second)`` that could meet before the next frame; first is in ``moved``."""
    frames = len(layout.part_lo_m)
    reach = np.zeros((frames, len(layout.part_object)))
    owned = layout.part_object >= 0
    reach[:, owned] = layout.speed_m_s[:, layout.part_object[owned]] / layout.fps
    reach = np.maximum(reach, np.roll(reach, 1, axis=0)) + MIN_TOUCH_M
    lo, hi = layout.part_lo_m - reach[..., None], layout.part_hi_m + reach[..., None]
    movers = np.isin(layout.part_object, moved)
    first = np.flatnonzero(movers)
    # both of a pair may move: it is then listed under the lower number
    listed = (layout.part_object[first, None] != layout.part_object) & (
        ~movers | (layout.part_object[first, None] < layout.part_object)
    )
    near = listed & layout.part_present[:, first, None] & layout.part_present[:, None]
    for axis in range(3):
        low, high = lo[..., axis], hi[..., axis]
        near &= low[:, first, None] <= high[:, None]
        near &= low[:, None] <= high[:, first, None]
    frame, mover, second = np.nonzero(near)
    return frame, first[mover], second


def pair_gaps(layout: Layout, sizes_m: Floats) -> dict[Pair, PairGap]:
    """Gaps of every pair that comes close and of which one moves; ``sizes_m [objects, 3]``.

    Scenery's gaps include those to the ground.
    """
    frames, count = layout.present.shape
    if frames < 2 or not count:
        return {}
    drift = np.abs(layout.position_m - layout.position_m[:1]).max((0, 2))
    turn = np.abs(layout.rotation - layout.rotation[:1]).max((0, 2))
    moved = np.flatnonzero((drift > 1e-3) | (turn > 1e-3))
    if not len(moved):
        return {}
    frame, first, second = _near_parts(layout, moved)
    num_parts = len(layout.part_object)
    gap, normal = gaps(layout.parts.take(frame * num_parts + first), layout.parts.take(frame * num_parts + second))
    extent = sizes_m.mean(1)
    out: dict[Pair, PairGap] = {}

    def entry(pair: Pair) -> PairGap:
        if pair not in out:
            small = min(extent[list(pair)]) if pair[1] != STUFF else extent[pair[0]]
            touch = max(MIN_TOUCH_M, TOUCH_SHARE * float(small))
            out[pair] = PairGap(np.full(frames, np.inf), np.tile([0.0, 0.0, -1.0], (frames, 1)), touch)
        return out[pair]

    for f, a, b, g, n in zip(
        frame.tolist(),
        layout.part_object[first].tolist(),
        layout.part_object[second].tolist(),
        gap,
        normal,
        strict=True,
    ):
        pair = entry((a, b))
        if g < pair.gap_m[f]:
            pair.gap_m[f], pair.normal[f] = g, n
    for i in moved.tolist() if layout.ground else ():
        pair = entry((i, STUFF))
        height = np.where(layout.present[:, i], layout.lo_m[:, i, 2], np.inf)
        lower = height < pair.gap_m
        pair.gap_m[lower], pair.normal[lower] = height[lower], (0.0, 0.0, -1.0)
    return out


def touching_runs(pair: PairGap, release_m: float, touching: bool = False) -> list[tuple[int, int]]:
    """First and last frames of each contact: from a gap of at most ``touch_m`` until it is more than ``release_m``.

    ``touching`` says that they do before the first frame.
    """
    runs, start = [], 0 if touching else -1
    for f, gap in enumerate([*pair.gap_m.tolist(), np.inf]):
        if start < 0 and gap <= pair.touch_m:
            start = f
        elif start >= 0 and gap > release_m:
            runs.append((start, f - 1))
            start = -1
    return [run for run in runs if run[1] >= 0]


def contact_events(layout: Layout, pairs: dict[Pair, PairGap], sizes_m: Floats) -> list[Event]:
    """Contacts of objects with each other and with scenery (-1).

    What walks or rattles does not leave the ground: contact with scenery ends, and is absent in the first frame, only
    with a gap of a fifth of the object's longest side. Where it never ends it is no event.
    """
    last = len(layout.present) - 1
    out = []
    for (i, j), pair in pairs.items():
        release = 2 * pair.touch_m
        if j == STUFF:
            release = max(release, FOOTING * float(sizes_m[i].max()))
        for start, end in touching_runs(pair, release, touching=j == STUFF):
            if j == STUFF and (start, end) == (0, last):
                continue
            seen = {"onset_seen": start > 0, "end_seen": end < last}
            out.append(Event(kind="contact", object=i, others=[j], start=start, end=end, **seen))
    return out


def collision_events(layout: Layout, pairs: dict[Pair, PairGap]) -> list[Event]:
    """Collisions: two objects close in on each other, meet between frames k and k + 1, and part or stop.

    Along the normal at frame k, let c be the closing speed before it and s the speed of parting after k + 1. They meet
    after τ = gap/c, and going back from frame k + 1 at speed s must find them touching at τ as well (up to what
    gravity and friction change within a frame). A collision needs c + s, the jump in speed, of at least 0.3 m/s and
    0.3 c; it is ``peak``.
    """
    out = []
    dt = 1 / layout.fps
    for (i, j), pair in pairs.items():
        relative = -layout.velocity_m_s[:, i] if j == STUFF else layout.velocity_m_s[:, j] - layout.velocity_m_s[:, i]
        best: dict[int, float] = {}
        for k in range(1, len(relative) - 1):
            n, gap, following = pair.normal[k], float(pair.gap_m[k]), float(pair.gap_m[k + 1])
            closing = -float(relative[k - 1] @ n)
            if closing < MIN_COLLISION_M_S / 2 or not np.isfinite(gap):
                continue
            last = k + 2 >= len(relative)  # nothing is known of the speed after the clip's end
            parting = float(relative[k if last else k + 1] @ n)
            meet = min(max(gap, 0.0) / closing, dt)
            fall = 0.5 * GRAVITY_M_S2 * dt**2 * abs(float(n[2]))
            residue = following if last else following - parting * (dt - meet)
            arrives = gap <= closing * dt + pair.touch_m + 2 * fall
            jump = closing + parting
            uneven = 0.1 * jump * dt  # bodies roll and slide after a hit, so s is a little less than at first
            if arrives and residue <= pair.touch_m + fall + uneven and jump >= max(MIN_COLLISION_M_S, 0.3 * closing):
                best[k] = jump
        # the velocities on both sides of a hit span two frames, so its neighbours see part of the same jump; and what
        # touches in frame k already was hit before
        hits = {k: jump for k, jump in best.items() if not (k - 1 in best and pair.gap_m[k] <= pair.touch_m)}
        for k, jump in hits.items():
            if jump >= hits.get(k - 1, 0.0) and jump > hits.get(k + 1, 0.0):
                out.append(Event(kind="collision", object=i, others=[j], start=k, end=k + 1, peak=round(jump, 3)))
    return out
