"""The summary as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worldr1.evaluate.bench.catalogue import CASES, MIDDLE
from worldr1.evaluate.bench.demands import Summary
from worldr1.evaluate.bench.statistics import VISIBLE


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _with_interval(entry: Mapping[str, Any]) -> str:
    return _number(entry["value"]) + _bounds(entry["ci95"])


def _bounds(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def markdown(summary: Summary, command: str, attacks: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Headline, corruptions, hacks, hard positives and terms, the judges side by side."""
    judges = list(summary)
    return (
        "\n\n".join(
            [
                "## Meta-evaluation of the reward",
                f"Made by `{command}`. Intervals: 95 %, bootstrap over worlds; an abstention or a tie is not won.",
                _headline(summary, judges),
                "### Corruptions\nPairs in which the clean clip is strictly above its corrupted twin, by severity "
                "(1 / **2** / 3); those of severity 2 that are easily seen, as they "
                f"change {VISIBLE:.0%} of a frame (how many); AUC across worlds at severity 2 "
                "and Spearman with severity. † held-out type",
                _corruptions(summary, judges),
                "### By what can be seen\nThe same pairs, by the share of pixels that look different (by more than a "
                "tenth of a colour's range) in the frame in which most do.",
                _by_change(summary, judges),
                "### Hacks\nBelow the worst clean clip, and mean score. Pure noise has no truth: it is estimated.",
                _hacks(summary, judges),
                "### Hard positives\nFalse alarms at the threshold that 5 % of the clean clips of the other half of "
                "the worlds miss, and the mean change of the score against the plain clip.",
                _positives(summary, judges),
                *(_terms(judge, summary[judge]) for judge in judges),
                *([_attacks(attacks)] if attacks else []),
            ]
        )
        + "\n"
    )


def _headline(summary: Summary, judges: Sequence[str]) -> str:
    heads = [summary[j]["headline"] for j in judges]
    rows = []
    for key, label in (
        ("accuracy", "clean above corrupted"),
        ("accuracy_middle", "… at severity 2"),
        ("accuracy_visible", f"… that change {VISIBLE:.0%} of a frame or more"),
        ("accuracy_dev_types", "… development types"),
        ("accuracy_held_out_types", "… held-out types"),
        ("hacks", "clean above its hack"),
    ):
        rows.append([label, *(_with_interval(h[key]) for h in heads)])
    for key, label in (
        ("hacks_below_worst_clean", "hacks below the worst clean clip"),
        ("false_alarms_clean", "false alarms, clean"),
        ("false_alarms_positives", "false alarms, hard positives"),
        ("caught_dev_types", "development types below the threshold, all severities"),
        ("caught_held_out_types", "held-out types below the threshold, all severities"),
        ("worst_clean", "worst clean score"),
        ("worst_clean_staged", "worst clean score with a wall, board or overlap built in"),
        ("threshold", "threshold, of all plain clean clips"),
    ):
        rows.append([label, *(_number(h[key]) + _bounds(h.get(f"{key}_ci95")) for h in heads)])
    rows.append(["pairs", *(str(h["accuracy"]["pairs"] + h["hacks"]["pairs"]) for h in heads)])
    rows.append(
        ["pairs with an abstention", *(str(h["accuracy"]["abstained"] + h["hacks"]["abstained"]) for h in heads)]
    )
    return _table(["", *judges], rows)


def names_of(summary: Summary, kind: str) -> list[str]:
    """Cases of a kind that were shown."""
    shown = next(iter(summary.values()))["cases"]
    return [name for name in CASES if CASES[name].kind == kind and name in shown]


def _corruptions(summary: Summary, judges: Sequence[str]) -> str:
    rows = []
    for name in names_of(summary, "corruption"):
        row = [name + (" †" if CASES[name].held_out else "")]
        for judge in judges:
            case = summary[judge]["cases"][name]
            cells = {s: _number(a["value"]) for s, a in case["severities"].items()}
            row.append(" / ".join(f"**{c}**" if s == MIDDLE else c for s, c in cells.items()))
            easily = case["visible_middle"]
            row.append(f"{_number(easily['value'])} ({easily['pairs']} of {case['severities'][MIDDLE]['pairs']})")
            row.append(f"{_number(case['auc'])}, {_number(case['spearman'])}")
        rows.append(row)
    header = ["corruption", *(h for j in judges for h in (j, "easily seen", "AUC, ρ"))]
    return _table(header, rows)


def _by_change(summary: Summary, judges: Sequence[str]) -> str:
    groups = list(zip(*(summary[j]["by_change"] for j in judges), strict=True))
    rows = []
    for k, group in enumerate(groups):
        low = f"{100 * group[0]['from']:g}"
        label = f"{low} % or more" if k == len(groups) - 1 else f"{low} to {100 * groups[k + 1][0]['from']:g} %"
        rows.append([label, str(group[0]["pairs"]), *(_number(g["value"]) for g in group)])
    return _table(["pixels that change", "pairs", *judges], rows)


def _hacks(summary: Summary, judges: Sequence[str]) -> str:
    rows = []
    for name in names_of(summary, "hack"):
        cases = [summary[j]["cases"][name] for j in judges]
        rows.append([name, *(f"{_number(c['below_worst_clean'])} ({_number(c['mean'])})" for c in cases)])
    return _table(["hack", *judges], rows)


def _positives(summary: Summary, judges: Sequence[str]) -> str:
    rows = []
    for name in names_of(summary, "positive"):
        cases = [summary[j]["cases"][name] for j in judges]
        signed = ["–" if c["change"] is None else f"{c['change']:+.2f}" for c in cases]
        rows.append([name, *(f"{_number(c['false_alarms'])} ({s})" for c, s in zip(cases, signed, strict=True))])
    return _table(["hard positive", *judges], rows)


def _terms(judge: str, result: Mapping[str, Any]) -> str:
    full = result["headline"]
    rows = []
    for term, found in result["terms"].items():
        without = found["without"]
        value, whole = without["accuracy"]["value"], full["accuracy"]["value"]
        change = "–" if value is None or whole is None else f"{value - whole:+.3f}"
        alone = {c: v for c, v in found["alone"].items() if CASES[c].kind == "corruption"}
        mean = sum(alone.values()) / len(alone) if alone else None
        ranked = sorted(alone, key=lambda c: alone[c])
        wrong = ", ".join(f"{c} {alone[c]:.2f}" for c in ranked[:3] if alone[c] < 0.5) or "–"
        best = ", ".join(f"{c} {alone[c]:.2f}" for c in ranked[::-1][:3])
        hacks = _number(without["hacks_below_worst_clean"])
        alarms = _number(without["false_alarms_positives"])
        told, clean = _number(found["told"]), _number(found["clean_mean"])
        rows.append([term, told, clean, change, hacks, alarms, _number(mean), best, wrong])
    header = ["term", "told", "clean mean", "Δ accuracy without it", "hacks without it", "false alarms without it"]
    header += ["alone", "best on", "wrong way on"]
    note = "Alone: share of pairs that the term by itself leans to the right side on; 0.5 is no reaction."
    return f"### Terms, {judge}\n{note}\n\n" + _table(header, rows)


def _attacks(attacks: Mapping[str, Mapping[str, Any]]) -> str:
    """What optimising against each reward found."""
    knobs = list(next(iter(attacks.values()))["knobs"])
    rows = []
    for judge, found in attacks.items():
        verdict = "yes" if found["consistent"] else "no"
        scores = [_number(found["score"]), _number(found["honest_score"])]
        rows.append([judge, *(_number(found["knobs"][k]) for k in knobs), *scores, verdict])
    note = "What the search (cross-entropy method) finds best; 0 is honest for all knobs but the camera's speed."
    table = _table(["judge", *knobs, "score", "score, honest", "consistent"], rows)
    return f"### Optimised against\n{note}\n\n{table}"
