"""From rows to numbers: what a reward is held to, case by case, and what each term adds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from worldr1.evaluate.bench.alarms import alarmed, alarms_of, below, plain, share, threshold, thresholds, values_of
from worldr1.evaluate.bench.bench import CLEAN, Row
from worldr1.evaluate.bench.catalogue import CASES, MIDDLE
from worldr1.evaluate.bench.judges import Combine
from worldr1.evaluate.bench.pairs import accuracy, auc, interval, pairs_of, spearman

CHANGES = (0.01, 0.02, 0.05, 0.1, 0.3)  # shares of a frame's pixels between which pairs are counted apart
VISIBLE = 0.02  # of a frame's pixels, from which on an edit is easily seen


def headline(rows: Sequence[Row]) -> dict[str, Any]:
    """The numbers that a reward is held to, from rows of one judge.

    False alarms, and what is caught, are counted at `thresholds`; ``threshold`` is that of all plain clean clips, to
    use on others. Clean clips with something built in for a corruption's sake (`worlds.stages`; a board across the
    picture is the hardest) set neither it nor ``worst_clean``; theirs is ``worst_clean_staged``.
    """
    pairs, cuts = pairs_of(rows), thresholds(rows)
    broken = [p for p in pairs if CASES[p.case].kind == "corruption"]
    clean = plain(rows)
    edited = [r for r in rows if r.case != CLEAN]
    corrupted = [r for r in edited if CASES[r.case].kind == "corruption"]
    worst = min(values_of(clean), default=None)
    hacks = [r for r in edited if CASES[r.case].kind == "hack"]
    alarms = alarms_of((r for r in edited if CASES[r.case].kind == "positive"), cuts)
    return {
        "accuracy": accuracy(broken),
        "accuracy_middle": accuracy([p for p in broken if p.severity == MIDDLE]),
        "accuracy_visible": accuracy([p for p in broken if p.changed >= VISIBLE]),
        "accuracy_dev_types": accuracy([p for p in broken if not CASES[p.case].held_out]),
        "accuracy_held_out_types": accuracy([p for p in broken if CASES[p.case].held_out]),
        "hacks": accuracy([p for p in pairs if CASES[p.case].kind == "hack"]),
        "hacks_below_worst_clean": below(hacks, worst),
        "worst_clean": worst,
        "worst_clean_staged": min(values_of(r for r in rows if r.case == CLEAN and r.stage), default=None),
        "threshold": threshold(values_of(clean)),
        "false_alarms_clean": alarmed(clean, cuts),
        "false_alarms_positives": share(alarm for alarm, _ in alarms),
        "false_alarms_positives_ci95": interval([float(a) for a, _ in alarms], [w for _, w in alarms]),
        "caught_dev_types": alarmed((r for r in corrupted if not CASES[r.case].held_out), cuts),
        "caught_held_out_types": alarmed((r for r in corrupted if CASES[r.case].held_out), cuts),
    }


def by_case(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """What each case does to one judge's score."""
    pairs, out = pairs_of(rows), {}
    cuts, worst = thresholds(rows), min(values_of(plain(rows)), default=None)
    twins = {(r.world, r.path, r.stage): r.value for r in rows if r.case == CLEAN}
    for name in dict.fromkeys(r.case for r in rows if r.case != CLEAN):
        case, mine = CASES[name], [r for r in rows if r.case == name]
        middle = [r for r in mine if r.severity == MIDDLE]
        row: dict[str, Any] = {"kind": case.kind, "held_out": case.held_out, "mean": _mean(values_of(middle))}
        if case.kind == "positive":
            row["false_alarms"] = alarmed(mine, cuts)
            told = [(r.value, twins[r.world, r.path, r.stage]) for r in mine]
            row["change"] = _mean([v - clean for v, clean in told if v is not None and clean is not None])
        else:
            its = [p for p in pairs if p.case == name]
            row["severities"] = {s: accuracy([p for p in its if p.severity == s]) for s in case.severities}
            row["accuracy"] = accuracy(its)
            row["visible_middle"] = accuracy([p for p in its if p.severity == MIDDLE and p.changed >= VISIBLE])
            stage = {r.stage for r in mine}
            row["auc"] = auc(values_of(r for r in rows if r.case == CLEAN and r.stage in stage), values_of(middle))
        if case.kind == "corruption":
            row["spearman"] = spearman(rows, name)
        if case.kind == "hack":
            row["below_worst_clean"] = below(mine, worst)
        out[name] = row
    return out


def by_change(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Pairs of corruptions that are won, by how much of the picture they change at most, the least first."""
    broken = [p for p in pairs_of(rows) if CASES[p.case].kind == "corruption"]
    groups = [[p for p in broken if sum(p.changed >= c for c in CHANGES) == k] for k in range(len(CHANGES) + 1)]
    return [{"from": a, **accuracy(group)} for a, group in zip((0.0, *CHANGES), groups, strict=True)]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def ablations(rows: Sequence[Row], combine: Combine) -> dict[str, dict[str, Any]]:
    """For each term: the headline without it, and what it tells alone.

    ``alone`` is, by case, the share of pairs that the term by itself leans to the right side on (0.5: it does not
    react), ``told`` the share of clips on which it does not abstain.
    """
    out = {}
    for term in dict.fromkeys(t for r in rows for t in r.parts):
        without = [replace(r, value=combine({k: v for k, v in r.parts.items() if k != term})) for r in rows]
        alone = pairs_of(replace(r, value=r.parts.get(term)) for r in rows)
        cases: dict[str, list[float]] = defaultdict(list)
        for p in alone:
            cases[p.case].append(p.leaning)
        out[term] = {
            "without": headline(without),
            "alone": {case: float(np.mean(values)) for case, values in cases.items()},
            "told": share(r.parts.get(term) is not None for r in rows),
            "clean_mean": _mean([v for r in rows if r.case == CLEAN and (v := r.parts.get(term)) is not None]),
        }
    return out


def summarise(rows: Sequence[Row], combine: Mapping[str, Combine]) -> dict[str, Any]:
    """Everything, by judge. ``combine`` puts each judge's parts together."""
    out = {}
    for judge in dict.fromkeys(r.judge for r in rows):
        mine = [r for r in rows if r.judge == judge]
        assert all(v is None or math.isfinite(v) for r in mine for v in (r.value, *r.parts.values())), judge
        out[judge] = {
            "headline": headline(mine),
            "cases": by_case(mine),
            "by_change": by_change(mine),
            "terms": ablations(mine, combine[judge]),
        }
    return out
