"""What is written down about every iteration, and where it goes."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from worldr1.files import write_atomically
from worldr1.train.advantage import TermWeight, term_matrix
from worldr1.train.faults import RESCORED
from worldr1.types import Rollout, Score

Row = dict[str, Any]
_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}


def reward_metrics(scores: Sequence[Score], group: int, weights: Mapping[str, TermWeight], faults: Counter[str]) -> Row:
    """Means of the reward and its terms over the scores that exist, the spread within groups, and what is masked.

    ``rescored`` counts clips whose worker was lost and that another one scored; it is there when there are any.
    """
    values = [s.value for s in scores if s.value is not None]
    out: Row = {"reward": sum(values) / max(1, len(values)), "masked": len(scores) - len(values)}
    for term in weights:
        column = term_matrix(scores, term)
        out[f"reward/{term}"] = None if column.isnan().all() else float(column.nanmean())
    out["spread"] = group_spread(scores, group)
    out["masked_share"] = out["masked"] / len(scores)
    if rescored := sum(RESCORED in s.notes for s in scores):
        out["rescored"] = rescored
    return out | {f"masked/{reason}": count for reason, count in sorted(faults.items())}


def group_spread(scores: Sequence[Score], group: int) -> float | None:
    """Mean over groups of the reward's standard deviation; ``None`` where no group has two scores."""
    spreads = []
    for i in range(0, len(scores), group):
        values = [s.value for s in scores[i : i + group] if s.value is not None]
        if len(values) > 1:
            spreads.append(float(torch.tensor(values).std()))
    return sum(spreads) / len(spreads) if spreads else None


def z_rms(rollouts: Sequence[Rollout]) -> float | None:
    """RMS of (x' − μ)/s as sampled: 1 when the steps were drawn. ``None`` without drawn steps."""
    squares = [(((s.after - s.mean) / s.std) ** 2).mean() for r in rollouts for s in r.steps]
    return float(torch.stack(squares).mean().sqrt()) if squares else None


class Stopwatch:
    """Seconds by phase: on the clock, and of all the process's threads (``seconds_cpu_…``)."""

    def __init__(self) -> None:
        self._seconds: Row = {}

    @contextlib.contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        started, used = time.perf_counter(), time.process_time()
        yield
        self._seconds[f"seconds_{phase}"] = time.perf_counter() - started
        self._seconds[f"seconds_cpu_{phase}"] = time.process_time() - used

    def read(self) -> Row:
        return dict(self._seconds)


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """One JSON object a line, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically("".join(json.dumps(r) + "\n" for r in rows), path)


class Trackers:
    """Experiment trackers through Accelerate, beside ``metrics.jsonl``; none costs nothing."""

    def __init__(self, names: Sequence[str], directory: Path, config: Mapping[str, Any]) -> None:
        """Raises ``ValueError`` that names the package to install when a tracker's is missing."""
        self._accelerator = None
        if not names:
            return
        from accelerate import Accelerator
        from accelerate.tracking import get_available_trackers

        available = [str(getattr(t, "value", t)) for t in get_available_trackers()]
        for name in names:
            if name not in available:
                package = _PACKAGES.get(name, name)
                raise ValueError(f"the tracker {name!r} is not installed; pip install {package}, or leave it out")
        self._accelerator = Accelerator(log_with=list(names), project_dir=str(directory / "trackers"))
        self._accelerator.init_trackers("worldr1", config=_flat(config))

    def log(self, row: Row) -> None:
        """Send an iteration's numbers; what is ``None`` is left out, since trackers have no such value."""
        if self._accelerator is not None:
            numbers = {k: v for k, v in row.items() if isinstance(v, int | float) and k != "iteration"}
            self._accelerator.log(numbers, step=row["iteration"])

    def close(self) -> None:
        if self._accelerator is not None:
            for tracker in self._accelerator.trackers:  # Accelerate's own end would also part the run's processes
                tracker.finish()


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``a/b`` keys with plain values: what trackers take."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}/")
        else:
            out[prefix + key] = value if isinstance(value, int | float | str | bool) else str(value)
    return out
