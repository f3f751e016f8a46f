"""Where a clip passes, and how many do not: a threshold on scores, and who sets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from worldr1.evaluate.bench.bench import CLEAN, Row

ALARMS = 0.05  # share of clean clips that may be called broken


def plain(rows: Iterable[Row]) -> list[Row]:
    """Clean clips with nothing built in for a corruption's sake (`worlds.stages`)."""
    return [r for r in rows if r.case == CLEAN and not r.stage]


def threshold(clean: Sequence[float]) -> float | None:
    """The score at or above which a clip passes: of ``clean`` clips 5 % at most lie below it."""
    return float(np.quantile(clean, ALARMS, method="lower")) if clean else None


def thresholds(rows: Sequence[Row]) -> dict[int, float | None]:
    """The threshold each world is judged by: that of the other half's clean clips, so that no world sets its own.

    Two-fold cross-fitting: one half alone would leave the clips of the other unjudged, and a 5 % quantile of a few
    dozen clips moves much from half to half. Only `plain` clips count.
    """
    worlds = sorted({r.world for r in rows})
    halves = worlds[: len(worlds) // 2], worlds[len(worlds) // 2 :]
    cuts = [threshold(values_of(r for r in plain(rows) if r.world in half)) for half in halves]
    return {w: cut for half, cut in zip(halves, reversed(cuts), strict=True) for w in half}


def share(values: Iterable[bool]) -> float | None:
    """Of the values those that are true, ``None`` of none."""
    told = list(values)
    return sum(told) / len(told) if told else None


def below(rows: Iterable[Row], limit: float | None) -> float | None:
    """Share of the clips that are seen to be below; one without a score is not."""
    return None if limit is None else share(r.value is not None and r.value < limit for r in rows)


def alarms_of(rows: Iterable[Row], cuts: Mapping[int, float | None]) -> list[tuple[bool, int]]:
    """Whether each clip fails its threshold, and its world; one without a score does not pass."""
    told = [(r.value, cuts[r.world], r.world) for r in rows]
    return [(value is None or value < cut, world) for value, cut, world in told if cut is not None]


def alarmed(rows: Iterable[Row], cuts: Mapping[int, float | None]) -> float | None:
    """Share of the clips that fail the threshold of their world."""
    return share(alarm for alarm, _ in alarms_of(rows, cuts))


def values_of(rows: Iterable[Row]) -> list[float]:
    """The scores of those clips that have one."""
    return [r.value for r in rows if r.value is not None]
