"""Everything that happens in a clip, in order of time."""

from __future__ import annotations

import numpy as np

from worldr1.worlds.record import Event
from worldr1.worlds.scene import Floats
from worldr1.worlds.truth.contacts import Pair, PairGap, collision_events, contact_events
from worldr1.worlds.truth.layout import Layout
from worldr1.worlds.truth.visibility import Visibility, crossings, occlusions

MOVES_M_S, RESTS_M_S = 0.15, 0.08  # an object starts above the first speed and stops below the second
MIN_REST = 2  # intervals; the top of a throw is no stop
TURNS_DEG_S, STRAIGHT_DEG_S, MIN_TURN_DEG = 20.0, 10.0, 30.0
REVERSAL_DEG = 150.0  # a step that changes the heading by more has no side to turn to


def moving_runs(speed_m_s: list[float]) -> list[tuple[int, int]]:
    """First and last intervals of each motion; interval k is between frames k and k + 1.

    A motion begins at 0.15 m/s and ends below 0.08 m/s; rests shorter than two intervals belong to it.
    """
    runs: list[tuple[int, int]] = []
    start = -1
    for k, speed in enumerate([*speed_m_s, -1.0]):
        if start < 0 and speed >= MOVES_M_S:
            start = k
        elif start >= 0 and speed < RESTS_M_S:
            if runs and start - runs[-1][1] - 1 < MIN_REST:
                runs[-1] = (runs[-1][0], k - 1)
            else:
                runs.append((start, k - 1))
            start = -1
    return runs


def start_stop_events(layout: Layout) -> list[Event]:
    """Starts and stops of motion, each between two frames, where the clip shows two intervals of rest beside it."""
    out = []
    intervals = len(layout.present) - 1
    for i in range(layout.present.shape[1]):
        for first, last in moving_runs(layout.speed_m_s[:-1, i].tolist()):
            if first >= MIN_REST:
                out.append(Event(kind="start", object=i, start=first, end=first + 1))
            if last < intervals - MIN_REST:
                out.append(Event(kind="stop", object=i, start=last, end=last + 1))
    return out


def headings_deg(layout: Layout) -> Floats:
    """Heading in the ground plane ``[frames, objects]`` from +x towards +y; NaN below 0.08 m/s."""
    x, y = layout.velocity_m_s[..., 0], layout.velocity_m_s[..., 1]
    return np.where(np.hypot(x, y) >= RESTS_M_S, np.degrees(np.arctan2(y, x)), np.nan)


def turn_events(layout: Layout) -> list[Event]:
    """Turns of at least 30° to one side: from 20°/s until below 10°/s. ``peak`` is signed, positive to the left."""
    out = []
    heading = headings_deg(layout)[:-1]
    change = (np.diff(heading, axis=0) + 180) % 360 - 180
    change = np.where(np.isfinite(change) & (np.abs(change) < REVERSAL_DEG), change, 0.0)
    for i in range(heading.shape[1]):
        start, side = -1, 0.0
        for k, step in enumerate([*change[:, i].tolist(), 0.0]):
            if start >= 0 and step * side * layout.fps < STRAIGHT_DEG_S:
                total = float(change[start:k, i].sum())
                if abs(total) >= MIN_TURN_DEG:
                    # change k lies between intervals k and k + 1, around frame k + 1
                    out.append(Event(kind="turn", object=i, start=start, end=k + 1, peak=round(total, 2)))
                start = -1
            if start < 0 and abs(step) * layout.fps >= TURNS_DEG_S:
                start, side = k, float(np.sign(step))
    return out


def all_events(layout: Layout, visibility: Visibility, pairs: dict[Pair, PairGap], sizes_m: Floats) -> list[Event]:
    """Events sorted by time. A turn during a collision of the same object is that collision's."""
    hits = collision_events(layout, pairs)
    turns = [
        t
        for t in turn_events(layout)
        if not any(t.object in (h.object, *h.others) and h.start <= t.end and t.start <= h.end for h in hits)
    ]
    happened = [
        *occlusions(visibility),
        *crossings(visibility, layout.present),
        *contact_events(layout, pairs, sizes_m),
        *hits,
        *start_stop_events(layout),
        *turns,
    ]
    return sorted(happened, key=lambda e: (e.start, e.end, e.kind, e.object, e.others))
