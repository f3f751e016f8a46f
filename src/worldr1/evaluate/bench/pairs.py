"""How often, and how well, a reward ranks a clean clip above its broken twin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from worldr1.evaluate.bench.bench import CLEAN, Row
from worldr1.evaluate.bench.catalogue import CASES

_RESAMPLES = 1000


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
