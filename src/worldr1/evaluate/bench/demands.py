"""What is demanded of a reward, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worldr1.evaluate.bench.catalogue import CASES, MIDDLE

Summary = Mapping[str, Mapping[str, Any]]  # of `statistics.summarise`, by judge

# what is demanded of (oracle, every other judge); hacks and false alarms alike of all
_LIMITS: Mapping[str, tuple[str, float, float]] = {
    "accuracy": ("clean above corrupted, all", 0.99, 0.95),
    "accuracy_middle": ("… at middle severity", 0.99, 0.95),
    "hacks_below_worst_clean": ("hacks below the worst clean clip", 1.0, 1.0),
}
_AT_MOST = 0.10  # false alarms on hard positives
WEAK = 0.85  # accuracy per corruption at middle severity
_GAP = 0.03  # that held-out types may be lower by


def checks(summary: Summary) -> dict[str, dict[str, bool | None]]:
    """What is demanded, by judge: whether it holds; ``None`` where it could not be measured."""
    out: dict[str, dict[str, bool | None]] = {}
    for judge, result in summary.items():
        head = result["headline"]
        limit = {k: (v[1] if judge == "oracle" else v[2]) for k, v in _LIMITS.items()}
        found: dict[str, bool | None] = {}
        for key, (label, *_) in _LIMITS.items():
            value = head[key]["value"] if isinstance(head[key], Mapping) else head[key]
            found[f"{label} ≥ {limit[key]}"] = None if value is None else value >= limit[key]
        alarms = head["false_alarms_positives"]
        found[f"false alarms on hard positives ≤ {_AT_MOST}"] = None if alarms is None else alarms <= _AT_MOST
        seen, unseen = head["accuracy_dev_types"]["value"], head["accuracy_held_out_types"]["value"]
        told = seen is not None and unseen is not None
        found[f"held-out types at most {_GAP} lower"] = unseen >= seen - _GAP if told else None
        found[f"every corruption ≥ {WEAK} at middle severity"] = _no_weak_case(result)
        out[judge] = found
    return out


def _no_weak_case(result: Mapping[str, Any]) -> bool | None:
    shown = [name for name, row in result["cases"].items() if row["kind"] == "corruption"]
    if weak_cases(result):
        return False
    return True if len(shown) == sum(case.kind == "corruption" for case in CASES.values()) else None


def weak_cases(result: Mapping[str, Any]) -> list[str]:
    """Corruptions that are ranked below the clean clip too rarely at middle severity."""
    weak = []
    for name, row in result["cases"].items():
        if row["kind"] == "corruption":
            value = row["severities"][MIDDLE]["value"]
            if value is None or value < WEAK:
                weak.append(name)
    return weak
