"""Where objects are to one another, as the camera sees them, over runs of frames in which it is plain.

Sides are those of the picture: an object's place across it is x/z in the camera's axes, and a distance across is
measured at the depth of the nearer of the two. A relation has a margin in metres and is stated while that is at least
10 % of the two objects' mean extent (of the smaller one's for a support), for three frames or more, and only while
both are seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldr1.worlds.record import Relation, RelationKind
from worldr1.worlds.scene import Bools, Floats
from worldr1.worlds.truth.contacts import MIN_TOUCH_M, TOUCH_SHARE
from worldr1.worlds.truth.layout import Ints, Layout

MIN_MARGIN = 0.1  # of the mean extent of the two
MIN_FRAMES = 3
PARTNERS = 3  # each object is placed relative to so many of its nearest neighbours
NEAR = 0.5  # of the mean extent: a smaller gap is near
BETWEEN_OFFSET = 0.15  # of the distance between the two references: farther off the line is not between


@dataclass(frozen=True)
class _Pairs:
    """Margins ``[frames, subjects, objects]`` in metres; not positive (or NaN) where the relation does not hold."""

    left: Floats
    front: Floats
    above: Floats
    on: Floats
    gap: Floats  # between the boxes, not a margin
    distance: Floats  # between the centres, not a margin


def _measure(layout: Layout, extent: Floats) -> _Pairs:
    """All pairs at once."""
    u0, u1 = layout.screen
    z = (layout.camera_lo_m[..., 2] + layout.camera_hi_m[..., 2]) / 2
    near_z = np.minimum(z[:, :, None], z[:, None])
    u, width = (u0 + u1) / 2, (u1 - u0) / 2
    across = (u[:, None] - u[:, :, None]) * near_z  # positive: the subject is to the left
    away = z[:, None] - z[:, :, None]  # positive: the subject is nearer
    left = across - (width[:, :, None] + width[:, None]) / 2 * near_z
    left = np.where(across >= 0.5 * np.abs(away), left, -1.0)
    front = layout.camera_lo_m[:, None, :, 2] - layout.camera_hi_m[:, :, None, 2]
    front = np.where(away >= np.abs(across), front, -1.0)

    centre, lo, hi = layout.centre_m, layout.lo_m, layout.hi_m
    apart = np.maximum(lo[:, None] - hi[:, :, None], lo[:, :, None] - hi[:, None])
    gap = np.linalg.norm(np.maximum(apart, 0), axis=-1)
    distance = np.linalg.norm(centre[:, :, None] - centre[:, None], axis=-1)
    over = (np.abs(centre[:, :, None, :2] - centre[:, None, :, :2]) <= (hi - lo)[:, None, :, :2] / 2).all(-1)
    above = np.where(over, lo[:, :, None, 2] - hi[:, None, :, 2], -1.0)

    on = np.full(gap.shape, -1.0)
    touch = np.maximum(MIN_TOUCH_M, TOUCH_SHARE * np.minimum(extent[:, None], extent))
    close = (gap <= touch) & (lo[:, :, None, 2] > lo[:, None, :, 2])
    for i, j in zip(*np.nonzero(close.any(0)), strict=True):
        mine = np.flatnonzero(layout.part_object == j)
        part_lo, part_hi, middle = layout.part_lo_m[:, mine], layout.part_hi_m[:, mine], centre[:, [i], :2]
        inset = np.minimum(middle - part_lo[..., :2], part_hi[..., :2] - middle).min(-1)
        level = np.abs(lo[:, [i], 2] - part_hi[..., 2]) <= touch[i, j]
        on[:, i, j] = np.where(level & layout.part_present[:, mine], inset, -1.0).max(-1)
    return _Pairs(left, front, above, on, gap, distance)


def _indirect(on: Floats) -> Floats:
    """Margins of resting on something that rests on the object, at its weakest link."""
    total = on
    for _ in range(3):  # taller stacks are told by their four top objects
        chain = np.minimum(total[:, :, :, None], on[:, None]).max(2)
        total = np.maximum(total, chain)
    return np.where(on > 0, -1.0, total)


def _runs(margin: Floats, clear: Bools) -> list[tuple[int, int, int, float]]:
    """``(column, start, end, weakest margin)`` of the runs of ``clear [frames, n]`` that last long enough."""
    frames = len(clear)
    some = np.flatnonzero(clear.any(0))
    edge = np.diff(np.pad(clear[:, some], ((1, 1), (0, 0))).astype(np.int8), axis=0)
    column, start = np.nonzero(edge.T == 1)
    column, end = some[column], np.nonzero(edge.T == -1)[1] - 1
    long = end - start + 1 >= min(MIN_FRAMES, frames)
    return [
        (int(c), int(s), int(e), round(float(margin[s : e + 1, c].min()), 3))
        for c, s, e in zip(column[long], start[long], end[long], strict=True)
    ]


def _between(layout: Layout, pairs: _Pairs, seen: Bools, neighbours: Ints) -> list[Relation]:
    """For each object the two neighbours that it stands between longest, near the line that joins them."""
    centre, lo, hi = layout.centre_m, layout.lo_m[..., 2], layout.hi_m[..., 2]
    a, b = np.triu_indices(neighbours.shape[1], 1)
    i = np.repeat(np.arange(len(neighbours)), len(a))
    j = np.minimum(neighbours[:, a], neighbours[:, b]).reshape(-1)
    k = np.maximum(neighbours[:, a], neighbours[:, b]).reshape(-1)
    line = (centre[:, k] - centre[:, j])[..., :2]
    length = np.maximum(np.linalg.norm(line, axis=-1), 1e-9)
    offset = (centre[:, i] - centre[:, j])[..., :2]
    along = np.sum(offset * line, axis=-1) / length**2
    across = np.abs(offset[..., 0] * line[..., 1] - offset[..., 1] * line[..., 0]) / length
    margin = BETWEEN_OFFSET * length - across
    level = (lo[:, i] < np.minimum(hi[:, j], hi[:, k])) & (hi[:, i] > np.maximum(lo[:, j], lo[:, k]))
    apart = (pairs.gap[:, i, j] > 0) & (pairs.gap[:, i, k] > 0)
    holds = (np.abs(along - 0.5) <= 0.25) & (margin >= 0.3 * BETWEEN_OFFSET * length) & level & apart
    best: dict[int, Relation] = {}
    for c, start, end, weakest in _runs(margin, holds & seen[:, i] & seen[:, j] & seen[:, k]):
        found = Relation(subject=i[c], kind="between", object=j[c], other=k[c], start=start, end=end, margin=weakest)
        known = best.get(found.subject)
        if known is None or (end - start, weakest) > (known.end - known.start, known.margin):
            best[found.subject] = found
    return list(best.values())


def relations(layout: Layout, seen: Bools, sizes_m: Floats, dynamic: Bools) -> list[Relation]:
    """Relations of neighbours: each pair once, told of the moving or else the smaller one.

    Args:
        seen: ``[frames, objects]``.
        sizes_m: ``[objects, 3]``.
        dynamic: ``[objects]``.
    """
    count = seen.shape[1]
    if count < 2:
        return []
    extent = sizes_m.mean(1)
    with np.errstate(invalid="ignore"):  # absent objects are NaN and compare False
        pairs = _measure(layout, extent)
        both = seen[:, :, None] & seen[:, None]
        strength = MIN_MARGIN * (extent[:, None] + extent) / 2
        smallest = MIN_MARGIN * np.minimum(extent[:, None], extent)
        order = np.lexsort((np.arange(count), sizes_m.prod(1), ~dynamic))
        rank = np.empty(count, np.int64)
        rank[order] = np.arange(count)
        told = rank[:, None] < rank
        far = np.where(both, pairs.distance, np.nan)
        together = both.any(0) & ~np.eye(count, dtype=np.bool_)
        mean = np.where(together, np.nansum(far, axis=0) / np.maximum(both.sum(0), 1), np.inf)
        place = mean.argsort(1, kind="stable").argsort(1)
        listed = told & together & ((place < PARTNERS) | (place.T < PARTNERS))
        limit = NEAR * (extent[:, None] + extent) / 2
        under = np.maximum(pairs.on, _indirect(pairs.on) if (pairs.on > 0).any() else pairs.on)
        stacked = (under > 0) | (under > 0).swapaxes(1, 2) | (pairs.above > 0) | (pairs.above > 0).swapaxes(1, 2)
        beside = listed & ~stacked
        kinds: dict[RelationKind, tuple[Floats, Bools]] = {
            "left of": (pairs.left, beside & (pairs.left >= strength)),
            "right of": (pairs.left.swapaxes(1, 2), beside & (pairs.left.swapaxes(1, 2) >= strength)),
            "in front of": (pairs.front, beside & (pairs.front >= strength)),
            "behind": (pairs.front.swapaxes(1, 2), beside & (pairs.front.swapaxes(1, 2) >= strength)),
            "near": (limit - pairs.gap, beside & (place == 0) & (limit - pairs.gap >= strength)),
            "above": (pairs.above, together & (under <= 0) & (pairs.above >= strength)),
            "on": (pairs.on, together & (pairs.on >= smallest)),
            "supported by": (under, together & (under >= smallest) & ~(pairs.on > 0)),
        }
        out = []
        margins = np.stack([m for m, _ in kinds.values()], 1).reshape(len(seen), -1)
        clear = np.stack([c & both for _, c in kinds.values()], 1).reshape(len(seen), -1)
        for column, start, end, weakest in _runs(margins, clear):
            kind = list(kinds)[column // count**2]
            i, j = divmod(column % count**2, count)
            out.append(Relation(subject=i, kind=kind, object=j, start=start, end=end, margin=weakest))
        if count > 2:
            out += _between(layout, pairs, seen, mean.argsort(1, kind="stable")[:, : min(PARTNERS, count - 1)])
    return sorted(out, key=lambda r: (r.start, r.subject, r.object, r.kind))
