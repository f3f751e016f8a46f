"""A dataset that was killed anywhere goes on where it was, and ends up byte for byte as if nothing had happened."""

from __future__ import annotations

import hashlib
import os
import signal
import tarfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from worldr1 import files
from worldr1.worlds.dataset import generate, shard
from worldr1.worlds.dataset.config import DatasetConfig
from worlds.dataset.fakes import fake_samples

CONFIG = DatasetConfig("landmarks", count=11, size=16, frames=9, clips_per_shard=3, store_frames=True)
SHARDS = 4


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(module: Any, name: str, nth: int, *, after: bool = False) -> None:
    """Die at the ``nth`` call of a function: before it does anything, or just after it."""
    function: Callable[..., Any] = getattr(module, name)
    calls = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and not after:
            die()
        result = function(*args, **kwargs)
        if calls == nth:
            die()
        return result

    setattr(module, name, dying)


def kill_inside_a_sample() -> None:
    """Die with half of the fifth sample's video in the tar file."""
    append = shard._append
    calls = 0

    def half(tar: Any, key: str, files: dict[str, bytes]) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            tar.fileobj.write(files["mp4"][: len(files["mp4"]) // 2])
            tar.fileobj.flush()
            die()
        append(tar, key, files)

    shard._append = half


def kill_inside_the_index() -> None:
    """Die when the second index part is written under its temporary name and not yet renamed."""

    class DyingOS:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def replace(self, source: Any, target: Any) -> None:
            if str(target).endswith("000001.parquet"):
                assert Path(source).stat().st_size > 0
                die()
            os.replace(source, target)

    files.os = DyingOS()


POINTS: dict[str, Callable[[], None]] = {
    "never": lambda: None,
    "inside a sample": kill_inside_a_sample,
    "before the rename": lambda: kill_at(shard, "_finish", 2),
    "after the rename": lambda: kill_at(generate, "write_shard", 2, after=True),
    "inside the index": kill_inside_the_index,
    "between shards": lambda: kill_at(generate, "make_shard", 3),
    "before the card": lambda: kill_at(generate, "write_card", 1),
}


def make(out: Path, point: str) -> None:
    generate.make_samples = fake_samples
    POINTS[point]()
    generate.make_dataset(CONFIG, out, workers=1)


def start(out: Path, point: str = "never") -> int | None:
    """Make the dataset in a process of its own; returns its exit status."""
    process = get_context("fork").Process(target=make, args=(out, point))  # a fork need not import torch again
    process.start()
    process.join(60)
    return process.exitcode


def digests(out: Path) -> dict[str, str]:
    """Of every file in the folder, stray temporary ones too."""
    files = [p for p in out.rglob("*") if p.is_file() and p.name != ".lock"]
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole")
    assert start(out) == 0
    made = digests(out)
    assert len(made) == 3 * SHARDS + 3  # shards, frames, index; settings, schema, card
    return made


@pytest.mark.parametrize(
    ("point", "entered"),
    [
        ("inside a sample", 1),
        ("before the rename", 1),
        ("after the rename", 1),
        ("inside the index", 1),
        ("between shards", 2),
        ("before the card", SHARDS),
    ],
)
def test_a_killed_run_continues(point: str, entered: int, whole: dict[str, str], tmp_path: Path) -> None:
    assert start(tmp_path, point) == -signal.SIGKILL
    parts = sorted((tmp_path / "index").glob("*.parquet"))
    assert len(parts) == entered  # no more than the unfinished shard is lost
    for part in parts:  # what is listed is there in full
        listed = pq.read_table(part).to_pylist()
        with tarfile.open(tmp_path / listed[0]["shard"]) as tar:
            assert len(tar.getnames()) == 4 * len(listed)
    for finished in (tmp_path / "shards").glob("*.tar"):  # and nothing under a shard's name is broken
        assert hashlib.sha256(finished.read_bytes()).hexdigest() == whole[f"shards/{finished.name}"]
    before = {p: p.stat().st_mtime_ns for p in parts}
    assert start(tmp_path) == 0
    assert digests(tmp_path) == whole
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())  # what was finished is not made again
