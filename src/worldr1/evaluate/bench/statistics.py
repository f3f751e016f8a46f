"""From rows to numbers: how often a reward ranks the clean clip first, how well it separates, what each term adds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from worldr1.evaluate.bench.bench import CLEAN, Row
from worldr1.evaluate.bench.catalogue import CASES, MIDDLE
from worldr1.evaluate.bench.judges import Combine

Floats = npt.NDArray[np.float64]
_RESAMPLES = 1000
CHANGES = (0.01, 0.02, 0.05, 0.1, 0.3)  # shares of a frame's pixels between which pairs are counted apart
VISIBLE = 0.02  # of a frame's pixels, from which on an edit is easily seen
ALARMS = 0.05  # share of clean development clips that may be called broken


@dataclass(frozen=True)
class Pair:
    """A case's clip and its clean twin: the same world, path and stage."""

    case: str
    severity: int
    world: int
    clean: float | None
    broken: float | None
    changed: float = 0.0  # `Row.changed` of the broken clip

    @property
    def won(self) -> float:
        """1 where the clean clip is strictly above. A tie, or an abstention on either side, tells nothing: 0."""
        return float(self.clean is not None and self.broken is not None and self.clean > self.broken)

    @property
    def leaning(self) -> float:
        """As `won`, but 0.5 for a tie and for an abstention: 0.5 is a term that does not react."""
        if self.clean is None or self.broken is None or self.clean == self.broken:
            return 0.5
        return float(self.clean > self.broken)


def pairs_of(rows: Iterable[Row]) -> list[Pair]:
    """Every corruption and hack with its clean twin, of one judge."""
    rows = list(rows)
    clean = {(r.world, r.path, r.stage): r.value for r in rows if r.case == CLEAN}
    return [
        Pair(r.case, r.severity, r.world, clean[r.world, r.path, r.stage], r.value, r.changed)
        for r in rows
        if r.case != CLEAN and CASES[r.case].kind != "positive"
    ]


def interval(values: Sequence[float], worlds: Sequence[int], seed: int = 0) -> tuple[float, float] | None:
    """95 % percentile interval of a mean, resampling worlds; ``None`` with fewer than two of them."""
    index = {w: i for i, w in enumerate(sorted(set(worlds)))}
    if len(index) < 2:
        return None
    sums, counts = np.zeros(len(index)), np.zeros(len(index))
    for value, w in zip(values, worlds, strict=True):
        sums[index[w]] += value
        counts[index[w]] += 1
    drawn = np.random.default_rng(seed).multinomial(len(index), np.full(len(index), 1 / len(index)), size=_RESAMPLES)
    low, high = np.percentile((drawn @ sums) / (drawn @ counts), [2.5, 97.5])
    return float(low), float(high)


def accuracy(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Share of pairs won with its interval, and how many could not be told; ``None`` without pairs."""
    if not pairs:
        return {"value": None, "ci95": None, "pairs": 0, "abstained": 0}
    won = [p.won for p in pairs]
    return {
        "value": float(np.mean(won)),
        "ci95": interval(won, [p.world for p in pairs]),
        "pairs": len(pairs),
        "abstained": sum(p.clean is None or p.broken is None for p in pairs),
    }


def auc(above: Sequence[float], below: Sequence[float]) -> float | None:
    """Probability that one of ``above`` exceeds one of ``below``, ties half (Mann & Whitney 1947)."""
    if not above or not below:
        return None
    ranks = rankdata([*above, *below])[: len(above)].sum()
    return float((ranks - len(above) * (len(above) + 1) / 2) / (len(above) * len(below)))


def spearman(rows: Sequence[Row], case: str) -> float | None:
    """Mean over cells of the rank correlation of severity (0: clean) with minus the score; a constant score has 0."""
    clean = {(r.world, r.path, r.stage): r.value for r in rows if r.case == CLEAN}
    cells: dict[tuple[int, str, str], list[tuple[int, float | None]]] = defaultdict(list)
    for r in rows:
        if r.case == case:
            cells[r.world, r.path, r.stage].append((r.severity, r.value))
    found = []
    for key, scored in cells.items():
        told = [(s, v) for s, v in [(0, clean[key]), *scored] if v is not None]
        if len(told) < 3:
            continue
        severity, value = rankdata([s for s, _ in told]), rankdata([-v for _, v in told])
        constant = np.ptp(value) == 0
        found.append(0.0 if constant else float(np.corrcoef(severity, value)[0, 1]))
    return float(np.mean(found)) if found else None


def threshold(clean: Sequence[float]) -> float | None:
    """The score at or above which a clip passes: of ``clean`` clips 5 % at most lie below it."""
    return float(np.quantile(clean, ALARMS, method="lower")) if clean else None


def thresholds(rows: Sequence[Row]) -> dict[int, float | None]:
    """The threshold each world is judged by: that of the other half's clean clips, so that no world sets its own.

    Two-fold cross-fitting: one half alone would leave the clips of the other unjudged, and a 5 % quantile of a few
    dozen clips moves much from half to half. Clean clips with something built in (`worlds.stages`) do not count.
    """
    worlds = sorted({r.world for r in rows})
    halves = worlds[: len(worlds) // 2], worlds[len(worlds) // 2 :]
    plain = [r for r in rows if r.case == CLEAN and not r.stage]
    cuts = [threshold(_values(r for r in plain if r.world in half)) for half in halves]
    return {w: cut for half, cut in zip(halves, reversed(cuts), strict=True) for w in half}


def _share(values: Iterable[bool]) -> float | None:
    told = list(values)
    return sum(told) / len(told) if told else None


def _below(rows: Iterable[Row], limit: float | None) -> float | None:
    """Share of the clips that are seen to be below; one without a score is not."""
    return None if limit is None else _share(r.value is not None and r.value < limit for r in rows)


def _alarms(rows: Iterable[Row], cuts: Mapping[int, float | None]) -> list[tuple[bool, int]]:
    """Whether each clip fails its threshold, and its world; one without a score does not pass."""
    told = [(r.value, cuts[r.world], r.world) for r in rows]
    return [(value is None or value < cut, world) for value, cut, world in told if cut is not None]


def _alarmed(rows: Iterable[Row], cuts: Mapping[int, float | None]) -> float | None:
    return _share(alarm for alarm, _ in _alarms(rows, cuts))


def _values(rows: Iterable[Row]) -> list[float]:
    return [r.value for r in rows if r.value is not None]


def headline(rows: Sequence[Row]) -> dict[str, Any]:
    """The numbers that a reward is held to, from rows of one judge.

    False alarms, and what is caught, are counted at `thresholds`; ``threshold`` is that of all plain clean clips, to
    use on others. Clean clips with something built in for a corruption's sake (`worlds.stages`; a board across the
    picture is the hardest) set neither it nor ``worst_clean``; theirs is ``worst_clean_staged``.
    """
    pairs, cuts = pairs_of(rows), thresholds(rows)
    broken = [p for p in pairs if CASES[p.case].kind == "corruption"]
    clean = [r for r in rows if r.case == CLEAN and not r.stage]
    edited = [r for r in rows if r.case != CLEAN]
    corrupted = [r for r in edited if CASES[r.case].kind == "corruption"]
    worst = min(_values(clean), default=None)
    hacks = [r for r in edited if CASES[r.case].kind == "hack"]
    alarms = _alarms((r for r in edited if CASES[r.case].kind == "positive"), cuts)
    return {
        "accuracy": accuracy(broken),
        "accuracy_middle": accuracy([p for p in broken if p.severity == MIDDLE]),
        "accuracy_visible": accuracy([p for p in broken if p.changed >= VISIBLE]),
        "accuracy_dev_types": accuracy([p for p in broken if not CASES[p.case].held_out]),
        "accuracy_held_out_types": accuracy([p for p in broken if CASES[p.case].held_out]),
        "hacks": accuracy([p for p in pairs if CASES[p.case].kind == "hack"]),
        "hacks_below_worst_clean": _below(hacks, worst),
        "worst_clean": worst,
        "worst_clean_staged": min(_values(r for r in rows if r.case == CLEAN and r.stage), default=None),
        "threshold": threshold(_values(clean)),
        "false_alarms_clean": _alarmed(clean, cuts),
        "false_alarms_positives": _share(alarm for alarm, _ in alarms),
        "false_alarms_positives_ci95": interval([float(a) for a, _ in alarms], [w for _, w in alarms]),
        "caught_dev_types": _alarmed((r for r in corrupted if not CASES[r.case].held_out), cuts),
        "caught_held_out_types": _alarmed((r for r in corrupted if CASES[r.case].held_out), cuts),
    }


def by_case(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """What each case does to one judge's score."""
    pairs, out = pairs_of(rows), {}
    cuts, worst = thresholds(rows), min(_values(r for r in rows if r.case == CLEAN and not r.stage), default=None)
    twins = {(r.world, r.path, r.stage): r.value for r in rows if r.case == CLEAN}
    for name in dict.fromkeys(r.case for r in rows if r.case != CLEAN):
        case, mine = CASES[name], [r for r in rows if r.case == name]
        middle = [r for r in mine if r.severity == MIDDLE]
        row: dict[str, Any] = {"kind": case.kind, "held_out": case.held_out, "mean": _mean(_values(middle))}
        if case.kind == "positive":
            row["false_alarms"] = _alarmed(mine, cuts)
            told = [(r.value, twins[r.world, r.path, r.stage]) for r in mine]
            row["change"] = _mean([v - clean for v, clean in told if v is not None and clean is not None])
        else:
            its = [p for p in pairs if p.case == name]
            row["severities"] = {s: accuracy([p for p in its if p.severity == s]) for s in case.severities}
            row["accuracy"] = accuracy(its)
            row["visible_middle"] = accuracy([p for p in its if p.severity == MIDDLE and p.changed >= VISIBLE])
            stage = {r.stage for r in mine}
            row["auc"] = auc(_values(r for r in rows if r.case == CLEAN and r.stage in stage), _values(middle))
        if case.kind == "corruption":
            row["spearman"] = spearman(rows, name)
        if case.kind == "hack":
            row["below_worst_clean"] = _below(mine, worst)
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
            "told": _share(r.parts.get(term) is not None for r in rows),
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
