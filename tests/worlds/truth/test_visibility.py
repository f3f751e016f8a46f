"""Pixel counts on pictures drawn by hand, and occlusions against a count that is written another way."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby

import numpy as np
import pytest

from worldr1.worlds.record import Event
from worldr1.worlds.truth.visibility import Visibility, crossings, measure, min_pixels, occlusions


def visibility_of(visible, amodal, canvas, hidden_by=None, min_px: float = 12.0) -> Visibility:
    """Of lists per frame of one object, or arrays ``[frames, objects]``."""
    v, a, c = (np.asarray(x, np.int64).reshape(len(visible), -1) for x in (visible, amodal, canvas))
    if hidden_by is None:
        hidden_by = np.zeros((*v.shape, 1 + v.shape[1]), np.int64)
        hidden_by[..., 0] = a - v
    return Visibility(v, a, c, hidden_by, np.zeros((*v.shape, 4), np.int64), np.full(v.shape, np.nan), min_px)


def brute_force(v: Visibility, i: int) -> list[dict]:
    """The definition, frame by frame: f is occluded if hiding began at some s <= f and never let up in between."""
    frames = len(v.visible_px)
    V, A, C = ([int(n) for n in x[:, i]] for x in (v.visible_px, v.amodal_px, v.canvas_px))
    enough = [A[f] >= max(Fraction(v.min_px), Fraction(C[f], 20)) and A[f] > 0 for f in range(frames)]
    o = [1 - Fraction(V[f], A[f]) if A[f] else Fraction(0) for f in range(frames)]

    def occluded(f: int) -> bool:
        return any(
            enough[s]
            and o[s] >= Fraction(1, 4)
            and all(enough[g] and o[g] >= Fraction(15, 100) for g in range(s, f + 1))
            for s in range(f + 1)
        )

    state = [occluded(f) for f in range(frames)]
    found = []
    for on, group in groupby(range(frames), key=lambda f: state[f]):
        span = list(group)
        if not on:
            continue
        s, e = span[0], span[-1]
        gone = [f for f in span if V[f] == 0]
        back = [
            r
            for r in range(frames)
            if gone
            and r > gone[0]
            and V[r] >= v.min_px
            and all(enough[g] and not state[g] for g in range(e + 1, r + 1))
            if r >= s
        ]
        held = {j - 1: sum(int(v.hidden_by_px[f, i, j]) for f in span) for j in range(v.hidden_by_px.shape[2])}
        total = sum(held.values())
        found.append(
            {
                "start": s,
                "end": e,
                "full": bool(gone),
                "reappears": min(back) if back else None,
                "onset_seen": s > 0 and enough[s - 1],
                "end_seen": e < frames - 1 and enough[e + 1],
                "peak": pytest.approx(float(max(o[f] for f in span)), abs=1e-4),
                "others": {j for j, n in held.items() if total and Fraction(n, total) >= Fraction(1, 5)},
            }
        )
    return found


def test_occlusions_are_those_of_a_brute_force_count() -> None:
    rng = np.random.default_rng(0)
    kinds = dict.fromkeys(("runs", "reappears", "gone for good", "onset unseen", "end unseen", "two occluders"), 0)
    for _ in range(1500):
        frames, count = int(rng.integers(1, 20)), int(rng.integers(1, 4))
        shape = (frames, count)
        C = rng.integers(0, 300, count)[None] + rng.integers(0, 5, shape)
        share = np.clip(np.cumsum(rng.normal(0, 0.25, shape), axis=0) + rng.random(count), 0, 1)
        A = (C * share).astype(int)
        hidden = np.clip(np.cumsum(rng.normal(0, 0.25, shape), axis=0) + rng.random(count) - 0.3, 0, 1)
        V = np.rint(A * (1 - hidden)).astype(int)
        edge = rng.random(shape) < 0.15  # exactly on a threshold, where floating point would go either way
        A[edge], V[edge] = 20, rng.choice([15, 17, 18, 16, 0, 12], int(edge.sum()))
        C = np.maximum(C, A)
        by = np.stack([[rng.multinomial(n, rng.dirichlet(np.ones(1 + count))) for n in row] for row in A - V])
        v = visibility_of(V, A, C, by)
        events = occlusions(v)
        for i in range(count):
            mine = [e for e in events if e.object == i]
            expected = brute_force(v, i)
            assert len(mine) == len(expected)
            for e, x in zip(mine, expected, strict=True):
                assert {k: set(e.others) if k == "others" else getattr(e, k) for k in x} == x
                assert e.others == sorted(e.others, key=lambda j: -by[e.start : e.end + 1, i, 1 + j].sum())
                kinds["runs"] += 1
                kinds["reappears"] += e.reappears is not None
                kinds["gone for good"] += e.full and e.reappears is None
                kinds["onset unseen"] += not e.onset_seen
                kinds["end unseen"] += not e.end_seen
                kinds["two occluders"] += len(e.others) > 1
    assert min(kinds.values()) > 100, kinds


def only(v: Visibility) -> Event:
    (event,) = occlusions(v)
    return event


def test_hysteresis_at_its_two_thresholds() -> None:
    # hidden shares .24, .25, .15, .14 of 100 pixels
    e = only(visibility_of([76, 75, 85, 86], [100] * 4, [100] * 4))
    assert (e.start, e.end, e.onset_seen, e.end_seen) == (1, 2, True, True)
    assert occlusions(visibility_of([76, 80, 85], [100] * 3, [100] * 3)) == []


def test_too_little_of_the_object_in_the_frame_is_no_occlusion() -> None:
    assert occlusions(visibility_of([0, 0], [11, 11], [11, 11])) == []
    assert len(occlusions(visibility_of([0, 0], [12, 12], [12, 12]))) == 1
    assert occlusions(visibility_of([0, 0], [49, 49], [1000, 1000])) == []  # under 5 % of all of it
    assert len(occlusions(visibility_of([0, 0], [50, 50], [1000, 1000]))) == 1


def test_an_object_that_leaves_while_hidden_does_not_reappear() -> None:
    # hidden, out of the frame, then back in full view: nobody saw it come out from behind
    e = only(visibility_of([40, 0, 0, 0, 40], [40, 40, 40, 2, 40], [40] * 5))
    assert (e.start, e.end, e.full, e.reappears, e.end_seen) == (1, 2, True, None, False)


def test_reappearance_needs_twelve_pixels() -> None:
    e = only(visibility_of([40, 0, 11, 12, 40], [40] * 5, [40] * 5))
    assert (e.reappears, e.full, e.peak) == (3, True, 1.0)
    assert only(visibility_of([40, 1, 11, 12, 40], [40] * 5, [40] * 5)).reappears is None


def test_thresholds_grow_with_the_frame() -> None:
    assert min_pixels(64, 64) == 12
    assert min_pixels(128, 128) == 48
    assert min_pixels(32, 64) == 6
    assert occlusions(visibility_of([0], [40], [40], min_px=48)) == []


def crossing(amodal, canvas, visible=None, present=True) -> list[tuple[str, int, int]]:
    v = visibility_of(amodal if visible is None else visible, amodal, canvas)
    here = np.broadcast_to(np.asarray(present).reshape(-1, 1), v.amodal_px.shape)
    return [(e.kind, e.start, e.end) for e in crossings(v, here)]


def test_entering_and_leaving() -> None:
    hundred = [100] * 5
    assert crossing([0, 2, 20, 60, 100], hundred) == [("enter", 1, 3)]
    assert crossing([100, 60, 20, 4, 0], hundred) == [("exit", 1, 3)]
    assert crossing([100, 20, 6, 20, 100], hundred) == []  # cut off, never out
    assert crossing([30, 60, 100, 100, 100], hundred) == []  # was in from the start
    assert crossing([20, 20, 20, 20, 0], hundred) == [("exit", 3, 4)]  # never more than a corner of it
    assert crossing([0, 100, 100, 0, 0], hundred) == [("enter", 0, 1), ("exit", 2, 3)]
    assert crossing([0, 0, 100, 100, 100], hundred, visible=[0, 0, 0, 0, 50]) == []  # came in behind something
    assert crossing([100, 100, 0, 0, 0], [100, 100, 0, 0, 0], present=[1, 1, 0, 0, 0]) == []  # vanished
    assert crossing([0, 0, 100, 100, 100], [0, 0, 100, 100, 100], present=[0, 0, 1, 1, 1]) == []


def test_measured_pixels_of_a_picture_drawn_by_hand() -> None:
    ids = np.zeros((2, 8, 8), np.int32)
    bits = np.zeros((2, 8, 8), np.uint32)
    depth = np.full((2, 8, 8), np.inf, np.float32)
    ids[0, 4:] = 1
    ids[0, 2:6, 1:5], depth[0, 2:6, 1:5] = 2, np.arange(16).reshape(4, 4) + 1
    bits[0, 2:6, 1:5] |= 1
    ids[0, 3:6, 4:7], depth[0, 3:6, 4:7] = 3, 0.5  # object 1 hides a column of object 0
    bits[0, 3:6, 4:7] |= 2
    ids[0, 5, 1], depth[0, 5, 1] = 1, 0.25  # scenery hides a pixel
    v = measure(ids, bits, depth, np.array([[16, 9], [3.4, 0]]), 2)
    assert v.visible_px.tolist() == [[12, 9], [0, 0]]
    assert v.amodal_px.tolist() == [[16, 9], [0, 0]]
    assert v.canvas_px.tolist() == [[16, 9], [3, 0]]
    assert v.hidden_by_px[0].tolist() == [[1, 0, 3], [0, 0, 0]]
    assert v.box[0].tolist() == [[1, 2, 5, 6], [4, 3, 7, 6]]
    assert v.box[1].tolist() == [[0] * 4] * 2
    shown = depth[0][ids[0] == 2]
    assert v.depth_m[0].tolist() == [pytest.approx(np.median(shown)), 0.5]
    assert np.isnan(v.depth_m[1]).all()
    with pytest.raises(ValueError, match="canvas_px has shape"):
        measure(ids, bits, depth, np.zeros((2, 3)), 2)
    with pytest.raises(ValueError, match="instance ids reach 3"):
        measure(ids, bits, depth, np.zeros((2, 1)), 1)
    with pytest.raises(ValueError, match="one shape"):
        measure(ids, bits[:, :4], depth, np.zeros((2, 2)), 2)


def test_counts_of_random_pictures_are_numpys() -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 6, (3, 12, 10)).astype(np.int32)
    bits = rng.integers(0, 16, ids.shape).astype(np.uint32)
    for i in range(4):
        bits[ids == 2 + i] |= np.uint32(1 << i)
    depth = rng.uniform(0.1, 50, ids.shape).astype(np.float32)
    v = measure(ids, bits, depth, np.zeros((3, 4)), 4)
    for f in range(3):
        for i in range(4):
            seen, covers = ids[f] == 2 + i, (bits[f] >> i & 1) == 1
            assert v.visible_px[f, i] == seen.sum()
            assert v.amodal_px[f, i] == covers.sum()
            assert v.depth_m[f, i] == pytest.approx(np.median(depth[f][seen]))
            y, x = np.nonzero(seen)
            assert v.box[f, i].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
            for j in range(4):
                assert v.hidden_by_px[f, i, 1 + j] == (covers & (ids[f] == 2 + j)).sum() * (i != j)
            assert v.hidden_by_px[f, i, 0] == (covers & (ids[f] == 1)).sum()
