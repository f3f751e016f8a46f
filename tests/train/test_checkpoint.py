"""Checkpoints: what is damaged is passed over, the last few and the best are kept, a kill at any moment is survived."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from worldr1.train.checkpoint import Checkpoints, intact, random_states, restore_random_states

WORKER = Path(__file__).parent / "kill_worker.py"


def filled(folder: Path, count: int, keep: int = 3) -> Checkpoints:
    checkpoints = Checkpoints(folder, keep)
    for k in range(1, count + 1):
        checkpoints.save({"value": k, "tensor": torch.full((4,), float(k))}, k)
    return checkpoints


def test_the_last_few_are_kept_with_their_checksums(tmp_path: Path) -> None:
    checkpoints = filled(tmp_path, 5, keep=2)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [f"iteration-{k:06d}.pt{s}" for k in (4, 5) for s in ("", ".sha256")]
    state = checkpoints.newest()
    assert state is not None
    assert state["value"] == 5
    check = subprocess.run(["sha256sum", "-c", *tmp_path.glob("*.sha256")], cwd=tmp_path, capture_output=True)
    assert check.returncode == 0


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "no checksum"])
def test_a_damaged_newest_falls_back_and_says_so(tmp_path: Path, damage: str) -> None:
    checkpoints = filled(tmp_path, 3)
    path = tmp_path / "iteration-000003.pt"
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.with_name(path.name + ".sha256").unlink()
    with pytest.warns(UserWarning, match=r"iteration-000003.pt is damaged"):
        state = checkpoints.newest()
    assert state is not None
    assert state["value"] == 2


def test_when_all_are_damaged_nothing_starts_silently_anew(tmp_path: Path) -> None:
    checkpoints = filled(tmp_path, 2)
    for path in tmp_path.glob("*.pt"):
        path.write_bytes(b"x")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(ValueError, match="every checkpoint"):
        checkpoints.newest()
    assert Checkpoints(tmp_path / "elsewhere").newest() is None


def test_the_best_is_replaced_by_a_better_one_only(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    outcome = [checkpoints.save_best({"value": k}, k, score) for k, score in enumerate((0.2, 0.5, 0.4, 0.5, 0.6))]
    assert outcome == [True, True, False, False, True]
    assert [p.name for p in tmp_path.glob("best-*.pt")] == ["best-000004.pt"]
    assert torch.load(tmp_path / "best-000004.pt", weights_only=True) == {"value": 4, "score": 0.6}
    assert intact(tmp_path / "best-000004.pt")


def test_every_global_generator_is_restored(tmp_path: Path) -> None:
    def draw() -> list[float]:
        return [random.random(), random.gauss(0, 1), float(np.random.rand()), float(np.random.randn()), *torch.rand(2)]

    random.gauss(0, 1)  # leaves a cached second value, which is state too
    np.random.randn()
    Checkpoints(tmp_path).save({"random": random_states()}, 1)
    first = draw()
    assert draw() != first
    state = Checkpoints(tmp_path).newest()
    assert state is not None
    restore_random_states(state["random"])
    assert draw() == first


def survives(folder: Path, kills: int, seed: int) -> int:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(WORKER.parents[1])}
    arguments = [sys.executable, str(WORKER), str(folder), str(kills), str(seed)]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole, broken, killed = done.stdout.split()
    assert whole == broken
    return int(killed)


def test_killed_runs_end_in_the_same_weights(tmp_path: Path) -> None:
    assert survives(tmp_path, kills=3, seed=0) > 0


@pytest.mark.slow
def test_twenty_kills_end_in_the_same_weights(tmp_path: Path) -> None:
    assert survives(tmp_path, kills=20, seed=1) > 10
