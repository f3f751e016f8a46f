"""How much of each object is in the picture, what hides the rest, and the occlusions that follow from it.

Per frame and object, V is the number of visible pixels, A of those that it would cover in the frame with nothing in
front (amodal), A∞ of those on the larger canvas. ``1 - V/A`` is the hidden share o, ``1 - A/A∞`` the truncation.
Thresholds are compared in whole pixels, so that the record's integers decide the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from worldr1.worlds.record import Event
from worldr1.worlds.rendered import FIRST_OBJECT, SCENERY

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_PX = 12  # of a frame of 64 x 64 pixels; fewer are not seen for certain
REFERENCE_AREA_PX = 64 * 64
OCCLUDER_SHARE = 0.2  # of the hidden pixels


def min_pixels(height: int, width: int) -> float:
    """The least pixels that count as seeing an object: 12 in 64 x 64, and in proportion to the frame's area."""
    return MIN_PX * height * width / REFERENCE_AREA_PX


@dataclass(frozen=True)
class Visibility:
    """Pixels of each object over time."""

    visible_px: Ints  # [frames, objects] V
    amodal_px: Ints  # [frames, objects] A
    canvas_px: Ints  # [frames, objects] A∞
    hidden_by_px: Ints  # [frames, objects, 1 + objects] amodal but not visible, by holder: scenery, then objects
    box: Ints  # [frames, objects, 4] x0, y0, x1, y1 of the visible pixels, ends exclusive; 0 where there are none
    depth_m: Floats  # [frames, objects] median of the visible pixels; NaN where there are none
    min_px: float

    @property
    def seen(self) -> Bools:
        """Where an object is in the picture for certain ``[frames, objects]``."""
        return np.asarray(self.visible_px >= self.min_px)


def _medians(values: npt.NDArray[np.float32], group: Ints, num_groups: int) -> Floats:
    """Median per group ``[num_groups]`` of positive values, NaN for an empty group."""
    # positive floats sort like their bit patterns, so one sort of (group, value) words orders every group at once
    words = np.sort(group.astype(np.uint64) << np.uint64(32) | values.view(np.uint32))
    ordered = (words & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.float32).astype(np.float64)
    count = np.bincount(group, minlength=num_groups)
    first = np.cumsum(count) - count
    out = np.full(num_groups, np.nan)
    some = count > 0
    low, high = first[some] + (count[some] - 1) // 2, first[some] + count[some] // 2
    out[some] = (ordered[low] + ordered[high]) / 2
    return out


def measure(
    instance_ids: npt.NDArray[np.int32],
    amodal_bits: npt.NDArray[np.uint32],
    depth_m: npt.NDArray[np.float32],
    canvas_px: npt.NDArray[Any],
    num_objects: int,
) -> Visibility:
    """Count the pixels of one clip.

    Args:
        instance_ids, amodal_bits, depth_m: ``[frames, h, w]`` as in `Rendered`.
        canvas_px: ``[frames, num_objects]``.

    Raises ``ValueError`` when the arrays' shapes do not fit together or an instance is not one of the objects.
    """
    frames, height, width = instance_ids.shape
    if amodal_bits.shape != instance_ids.shape or depth_m.shape != instance_ids.shape:
        raise ValueError("instance_ids, amodal_bits and depth_m must have one shape [frames, h, w]")
    if canvas_px.shape != (frames, num_objects):
        raise ValueError(f"canvas_px has shape {canvas_px.shape}; this clip needs {(frames, num_objects)}")
    holders = FIRST_OBJECT + num_objects
    ids = instance_ids.reshape(-1).astype(np.int64)
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < holders:
        raise ValueError(f"instance ids reach {ids.max()}; with {num_objects} objects they end at {holders - 1}")
    key = ids + np.repeat(np.arange(frames, dtype=np.int64) * holders, height * width)
    visible = np.bincount(key, minlength=frames * holders).reshape(frames, holders)[:, FIRST_OBJECT:]
    amodal = np.zeros((frames, num_objects), np.int64)
    hidden_by = np.zeros((frames, num_objects, 1 + num_objects), np.int64)
    box = np.zeros((frames, num_objects, 4), np.int64)
    bits = amodal_bits.reshape(-1)
    for i in range(num_objects):
        covered = key[(bits & np.uint32(1 << i)) != 0]
        by_holder = np.bincount(covered, minlength=frames * holders).reshape(frames, holders)
        amodal[:, i] = by_holder.sum(1)
        hidden_by[:, i] = by_holder[:, SCENERY:]
        hidden_by[:, i, 1 + i] = 0
        mask = instance_ids == FIRST_OBJECT + i
        for axis, span in ((0, mask.any(1)), (1, mask.any(2))):
            some = span.any(1)
            box[some, i, axis] = span[some].argmax(1)
            box[some, i, axis + 2] = span.shape[1] - span[some, ::-1].argmax(1)
    on_object = np.flatnonzero(ids >= FIRST_OBJECT)
    group = key[on_object]
    depth = _medians(np.ascontiguousarray(depth_m).reshape(-1)[on_object], group, frames * holders)
    return Visibility(
        visible,
        amodal,
        np.rint(canvas_px).astype(np.int64),
        hidden_by,
        box,
        depth.reshape(frames, holders)[:, FIRST_OBJECT:],
        min_pixels(height, width),
    )


def _occlusion(v: Visibility, i: int, start: int, end: int, limit: int, eligible: Bools) -> Event:
    """The occlusion of object ``i`` from ``start`` to ``end``; a reappearance is looked for before ``limit``."""
    span = slice(start, end + 1)
    hidden = v.hidden_by_px[span, i].sum(0)
    share = hidden / max(int(hidden.sum()), 1)
    occluders = [int(j) - 1 for j in np.argsort(-share, kind="stable") if share[j] >= OCCLUDER_SHARE]
    gone = np.flatnonzero(v.visible_px[span, i] == 0)
    back = None
    if len(gone):
        after = np.flatnonzero(v.visible_px[start + gone[0] : limit, i] >= v.min_px)
        back = int(start + gone[0] + after[0]) if len(after) else None
    visible, amodal = v.visible_px[span, i], v.amodal_px[span, i]
    return Event(
        kind="occlusion",
        object=i,
        others=occluders,
        start=start,
        end=end,
        full=bool(len(gone)),
        reappears=back,
        onset_seen=start > 0 and bool(eligible[start - 1]),
        end_seen=end < len(eligible) - 1 and bool(eligible[end + 1]),
        peak=round(float((1 - visible / amodal).max()), 4),
    )


def occlusions(v: Visibility) -> list[Event]:
    """Occlusions: from o ≥ 0.25 until o < 0.15, only while A ≥ max(12 px, 5 % of A∞), where 12 px grow with the frame.

    Occluders hold at least 20 % of the pixels hidden over the occlusion, largest first; scenery is -1. It is full when
    V = 0 in a frame of it; the object reappears in the first frame after that one with V ≥ 12 px, unless it leaves the
    frame or the next occlusion begins before. ``onset_seen`` (``end_seen``) is False when the frame before (after) does
    not exist or shows too little of the object to tell.
    """
    visible, amodal = v.visible_px, v.amodal_px
    eligible = (amodal >= v.min_px) & (20 * amodal >= v.canvas_px)
    hidden = amodal - visible
    begins = eligible & (4 * hidden >= amodal)
    lasts = eligible & (20 * hidden >= 3 * amodal)
    frames = len(visible)
    out = []
    for i in np.flatnonzero(begins.any(0)):
        runs: list[tuple[int, int]] = []
        start: int | None = None
        for f in range(frames + 1):
            if start is None:
                if f < frames and begins[f, i]:
                    start = f
            elif f == frames or not lasts[f, i]:
                runs.append((start, f - 1))
                start = None
        for n, (start, end) in enumerate(runs):
            limit = runs[n + 1][0] if n + 1 < len(runs) else frames
            left = np.flatnonzero(~eligible[end + 1 : limit, i])
            limit = end + 1 + int(left[0]) if len(left) else limit
            out.append(_occlusion(v, int(i), start, end, limit, eligible[:, i]))
    return out


def crossings(v: Visibility, present: Bools) -> list[Event]:
    """Objects that enter or leave the picture across its edge.

    An object is out while A < max(3 px, 5 % of A∞), and in while A ≥ max(12 px, 25 % of A∞), where pixels grow with
    the frame's area; between the two it keeps its state, and one that is not out in frame 0 starts in. An ``enter``
    lasts from the last frame out to the first frame in, an ``exit`` from the last frame in to the first frame out (or
    the frame before that one, if it was never in by this measure).
    Neither is claimed for an object that the world lacks in the frame out (``present [frames, objects]``), or of which
    the frame in shows nothing because something stands in front.
    """
    amodal, canvas = v.amodal_px, v.canvas_px
    out = (amodal < v.min_px / 4) | (20 * amodal < canvas)
    inside = (amodal >= v.min_px) & (4 * amodal >= canvas)
    events = []
    for i in range(amodal.shape[1]):
        is_in = not out[0, i]
        last = 0 if out[0, i] or inside[0, i] else None  # the last frame that showed the present state for certain
        for f in range(1, len(amodal)):
            if is_in and out[f, i]:
                start = f - 1 if last is None else last
                if present[f, i] and v.visible_px[start, i] > 0:
                    events.append(Event(kind="exit", object=i, start=start, end=f))
                is_in, last = False, f
            elif not is_in and inside[f, i]:
                assert last is not None, "it was out, and that was certain"
                if present[last, i] and v.visible_px[f, i] > 0:
                    events.append(Event(kind="enter", object=i, start=last, end=f))
                is_in, last = True, f
            elif (inside if is_in else out)[f, i]:
                last = f
    return events
