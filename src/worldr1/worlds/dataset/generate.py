"""Datasets made shard by shard, in any order, by any number of workers, and continued where a run was killed.

Shard k holds clips ``k n`` to ``(k + 1) n``; each is complete or not there. The order on the disk is: settings; then
for each shard its tar file, its raw frames if asked for, its index part; the card and the schema last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import filelock

from worldr1.executor import EXECUTORS
from worldr1.worlds.dataset.card import write_card
from worldr1.worlds.dataset.config import DatasetConfig, check_config, settle
from worldr1.worlds.dataset.frames import write_frames
from worldr1.worlds.dataset.index import is_finished, row_of, shard_path, write_part
from worldr1.worlds.dataset.pipeline import make_samples
from worldr1.worlds.dataset.sample import Sample
from worldr1.worlds.dataset.shard import TEMPORARY, write_shard


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    clips: int  # in the dataset
    new: int  # of them made by this run
    seconds: float
    bytes: int  # of the shards


def make_dataset(
    config: DatasetConfig,
    out: Path,
    *,
    executor: str = "local",
    workers: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Make a dataset, or what is left of it, in a folder; ``progress`` is told how many more clips there are.

    The files do not depend on executor, workers and interruptions. Raises ``ValueError`` for impossible settings and
    for a folder with something else in it, ``OSError`` when the disk does not take it or a worker is killed.
    """
    check_config(config)
    if executor not in EXECUTORS:
        raise ValueError(f"unknown executor {executor!r}; use one of {', '.join(EXECUTORS)}")
    if workers is not None and workers < 1:
        raise ValueError(f"--workers must be at least 1, not {workers}")
    started = time.perf_counter()
    settle(config, out)
    lock = filelock.FileLock(out / ".lock", timeout=0)  # the system frees it when its holder dies
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ValueError(f"another run is writing to {out}; wait for it or choose another --out") from error
    with lock:
        for stale in out.rglob(f".*{TEMPORARY}"):
            stale.unlink()
        todo = [k for k in range(config.num_shards) if not is_finished(out, k)]
        new = sum(len(config.clips(k)) for k in todo)
        progress(config.count - new)
        for done in EXECUTORS[executor](partial(make_shard, config, out), todo, workers):
            progress(done)
        size = write_card(config, out)
    return Summary(config.count, new, time.perf_counter() - started, size)


def make_shard(config: DatasetConfig, out: Path, shard: int) -> int:
    """Make one shard and enter it into the index; returns its number of clips."""
    rows: list[dict[str, Any]] = []
    videos = []

    def samples() -> Iterator[Sample]:
        for sample in make_samples(config, config.clips(shard)):
            rows.append(row_of(sample.record, sample.caption))
            if config.store_frames:
                videos.append(sample.video)
            yield sample

    write_shard(shard_path(out, shard), samples())
    if config.store_frames:
        write_frames(out, shard, videos)
    write_part(out, shard, rows)
    return len(rows)
