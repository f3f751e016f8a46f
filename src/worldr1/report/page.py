"""One self-contained HTML page of a run: what changed, what it cost, and the videos to judge it by."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from worldr1.files import write_atomically
from worldr1.report import charts
from worldr1.report.sprites import embed
from worldr1.report.template import load_template

FRAME_MS = 125  # eight frames a second


@dataclass(frozen=True)
class Pair:
    """One held-out prompt, sampled from the same initial noise before and after training."""

    prompt: str
    before: Tensor  # [frames, 3, h, w] in [0, 1]
    after: Tensor  # [frames, 3, h, w] in [0, 1]
    figures: dict[str, tuple[float, float]] = field(default_factory=dict)  # metric -> (before, after)


@dataclass(frozen=True)
class ReportData:
    """All that the page shows.

    ``results``: ``{"metrics": {name: {"before", "after", "ci95": [lo, hi] of the paired change, "better":
    "lower" | "higher"}}, "guards": {name: {"value", "threshold", "pass"}}, "seconds": {phase: float},
    "command", "version", "seed"}``; any of them may be missing when a run was interrupted.
    """

    results: dict[str, Any]
    rows: Sequence[Mapping[str, Any]]  # one per iteration: "iteration", "reward", "reward/<term>", "kl", ...
    pairs: Sequence[Pair]  # in the order to show
    worst: Sequence[Pair]  # the prompts that are worst after training
    config: Mapping[str, Any]  # the resolved configuration, JSON-able
    interrupted: bool = False


def write_report(data: ReportData, path: Path) -> None:
    """Write the page; an older one at ``path`` is replaced at once, or survives if anything fails.

    Raises ``ValueError`` where ``data`` does not keep to the layout above, ``OSError`` where the disk refuses.
    """
    write_atomically(render(data), path)


def render(data: ReportData) -> str:
    """The page as text; raises ``ValueError`` where ``data`` does not keep to its layout."""
    try:
        config = json.dumps(data.config, indent=2, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"the configuration is not JSON-able ({error}); pass plain dicts and numbers") from error
    results = data.results
    metrics: Mapping[str, Any] = results.get("metrics") or {}
    better = {name: m.get("better", "") for name, m in metrics.items()}
    template = load_template("page.html")
    return template.render(
        results=results,
        interrupted=data.interrupted,
        num_iterations=len(data.rows),
        metrics=[_metric(name, m) for name, m in metrics.items()],
        guards=[_guard(name, g) for name, g in (results.get("guards") or {}).items()],
        charts=_charts(data.rows),
        size=charts,
        pairs=[_card(p, better) for p in data.pairs],
        worst=[_card(p, better) for p in data.worst],
        phases=_phases(results.get("seconds") or {}),
        config=config,
        frame_ms=FRAME_MS,
    )


def _card(pair: Pair, better: Mapping[str, str]) -> dict[str, Any]:
    figures = []
    for name, (before, after) in pair.figures.items():
        decimals = _decimals(before, after)
        gain = {"higher": after - before, "lower": before - after}.get(better.get(name, ""), 0.0)
        winner = "" if not gain or math.isnan(gain) else "after" if gain > 0 else "before"
        cells = (_number(before, decimals), _number(after, decimals))
        figures.append({"name": name, "before": cells[0], "after": cells[1], "winner": winner})
    return {"prompt": pair.prompt, "before": embed(pair.before), "after": embed(pair.after), "figures": figures}


def _metric(name: str, metric: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the metric table; the verdict says whether the interval excludes zero, and on which side."""
    missing = [key for key in ("before", "after", "better") if key not in metric]
    if missing or metric["better"] not in ("lower", "higher"):
        wanted = '"before", "after" and "better": "lower" or "higher"'
        raise ValueError(f"metric {name!r} of the results needs {wanted}; it has {dict(metric)}")
    before, after = _float(metric["before"]), _float(metric["after"])
    low, high = (_float(x) for x in metric.get("ci95") or (None, None))
    known = all(map(math.isfinite, (before, after, low, high)))
    verdict = "unknown" if math.isnan(low) or math.isnan(high) else "unclear"
    if low > 0 or high < 0:
        verdict = "better" if (low > 0) == (metric["better"] == "higher") else "worse"
    decimals = max(_decimals(before, after), _decimals(high - low, digits=2))
    return {
        "name": name,
        "better": metric["better"],
        "before": _number(before, decimals),
        "after": _number(after, decimals),
        "change": _number(after - before, decimals, sign="+"),
        "low": _number(low, decimals, sign="+"),
        "high": _number(high, decimals, sign="+"),
        "verdict": verdict,
        "interval": charts.interval(low, after - before, high) if known else None,
    }


def _guard(name: str, guard: Mapping[str, Any]) -> dict[str, Any]:
    if not {"value", "threshold", "pass"} <= set(guard):
        raise ValueError(f'guard {name!r} of the results needs "value", "threshold" and "pass": {dict(guard)}')
    value, threshold = _float(guard["value"]), _float(guard["threshold"])
    decimals = _decimals(value, threshold)
    cells = {"value": _number(value, decimals), "threshold": _number(threshold, decimals)}
    return {"name": name, "passed": bool(guard["pass"]), **cells}


def _charts(rows: Sequence[Mapping[str, Any]]) -> list[charts.Chart]:
    """The total reward, its terms in the order they appear, then what keeps the reward honest."""
    if any("iteration" not in row for row in rows):
        raise ValueError('every training row of the report needs an "iteration"')
    keys = list(dict.fromkeys(key for row in rows for key in row))
    labels = {"reward": ("total reward", "reward")}
    labels |= {key: (key.removeprefix("reward/"), "score") for key in keys if key.startswith("reward/")}
    labels |= {"kl": ("KL to the base model", "KL"), "masked": ("samples without a score", "samples")}
    xs = [float(row["iteration"]) for row in rows]
    wanted = [(key, *names) for key, names in labels.items() if key in keys]
    return [charts.line_chart(title, unit, xs, [row.get(key) for row in rows]) for key, title, unit in wanted]


def _phases(seconds: Mapping[str, float]) -> list[dict[str, Any]]:
    total = sum(seconds.values()) or 1.0
    return [{"name": k, "time": _duration(v), "percent": round(100 * v / total)} for k, v in seconds.items()]


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _decimals(*values: float, digits: int = 3) -> int:
    """Decimals that give the largest of the values ``digits`` significant digits, at most 6; 0 for no value."""
    finite = [abs(v) for v in values if math.isfinite(v)]
    if not any(finite):
        return digits - 1 if finite else 0
    return min(6, max(0, digits - 1 - math.floor(math.log10(max(finite)))))


def _number(value: float, decimals: int, sign: str = "-") -> str:
    return f"{value:{sign}.{decimals}f}".replace("-", "−") if math.isfinite(value) else "—"
