"""Two processes learn what one learns, from each other's checkpoints too, and no process waits for a lost one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from learners import CONFIG, Brightness, lora, prompt, without_times
from train.process_worker import interrupted, new_policy, run
from worldr1.train import launch
from worldr1.train.distributed import ALONE, Processes
from worldr1.train.launch import join
from worldr1.train.loop import train

WORKER = Path(__file__).with_name("process_worker.py")
TOLERANCE = 1e-3
# of the sums of shards bfloat16 rounds others, processor by processor: .7 % of the move on one without such arithmetic
SHARDED_TOLERANCE = 2e-2
EXACT = ("iteration", "used", "masked", "masked/raised", "skipped", "dynamic", "rate")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the worker's two processes have carried out everything."""
    folder = tmp_path_factory.mktemp("processes")
    with pytest.raises(KeyboardInterrupt):  # what they resume is a single process's
        train(new_policy(ALONE), Brightness(), interrupted, CONFIG, folder / "resumed")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(WORKER.parents[1])}
    done = subprocess.run([sys.executable, str(WORKER), str(folder)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [torch.load(folder / f"{name}-{rank}.pt", weights_only=True) for rank in range(2)]


def assert_same_run(
    rows: list[dict[str, Any]], weights: Tensor, other: dict[str, Any], tolerance: float = TOLERANCE
) -> None:
    """Up to the order of sums. The loss itself is next to nothing: advantages add up to zero."""
    fresh = new_policy(ALONE)
    fresh.add_lora(4, CONFIG.seed)
    moved = weights - lora(fresh)
    assert (other["lora"] - weights).norm() < tolerance * moved.norm()
    for one, two in zip(without_times(rows), without_times(other["rows"]), strict=True):
        assert one.keys() == two.keys()
        for name, value in one.items():
            exact = name in EXACT or value is None
            assert two[name] == (value if exact else pytest.approx(value, rel=tolerance, abs=5e-5)), name


@pytest.mark.parametrize("name", ["grpo", "nft", "ppo", "divided group", "failing", "sharded", "sharded gradient"])
def test_two_processes_learn_what_one_learns(finished: Path, tmp_path: Path, name: str) -> None:
    one = run(name, ALONE, tmp_path, [])
    first, second = of(finished, name)
    assert first["error"] == second["error"] == ""
    assert torch.equal(first["lora"], second["lora"])
    tolerance = SHARDED_TOLERANCE if name.startswith("sharded") else TOLERANCE
    assert_same_run(one["rows"], one["lora"], first, tolerance)


def test_a_checkpoint_of_one_resumes_on_two_and_the_reverse(finished: Path) -> None:
    whole = new_policy(ALONE)
    rows = train(whole, Brightness(), prompt, CONFIG, finished / "whole")
    first, second = of(finished, "resumed")
    assert first["reported"] == [3, 4]
    assert torch.equal(first["lora"], second["lora"])
    assert_same_run(rows, lora(whole), first)

    resumed, seen = new_policy(ALONE), []
    again = train(resumed, Brightness(), prompt, CONFIG, finished / "stopped", lambda r: seen.append(r["iteration"]))
    assert seen == [3, 4]
    assert_same_run(rows, lora(whole), {"rows": again, "lora": lora(resumed)})


def test_only_the_main_process_writes_and_reports(finished: Path) -> None:
    first, second = of(finished, "grpo")  # the second's ways of writing raise
    assert (first["reported"], second["reported"]) == ([1, 2, 3, 4], [])
    assert len((finished / "grpo" / "metrics.jsonl").read_text().splitlines()) == 4


def test_a_reward_that_fails_on_one_process_is_counted_on_all(finished: Path) -> None:
    for result in of(finished, "failing"):
        assert [(r["masked"], r["masked/raised"], r["used"]) for r in result["rows"]] == [(4, 4, 4)] * 4
    for result in of(finished, "failing too often"):
        assert "the reward failed on 4 of 8 samples (4 raised), more than max_masked = 0.2" in result["error"]
    assert (finished / "failing too often" / "checkpoints" / "iteration-000000.pt").exists()


def test_a_lost_process_does_not_leave_the_other_waiting(finished: Path) -> None:
    first, second = of(finished, "lost")
    assert second["error"].startswith("ZeroDivisionError")
    assert first["error"].startswith("LostProcessError: another process of this run stopped")
    assert (finished / "lost" / "checkpoints" / "iteration-000002.pt").exists()


def test_samples_that_do_not_divide_are_refused(finished: Path) -> None:
    for result in of(finished, "uneven"):
        assert result["error"].endswith(
            "5 samples per iteration (prompts x group) do not divide among 2 processes; use 4 or 6"
        )


def test_work_is_dealt_so_that_nothing_is_lost_or_done_twice() -> None:
    for number in range(8):
        for sharding in (None, object()):
            dealt = [Processes(rank, 3, sharding=sharding).deal(range(number)) for rank in range(3)]
            assert sorted(i for hand in dealt for i, counts in hand if counts) == list(range(number))
            if sharding:  # as many for each: what does not count is done for company
                assert len({len(hand) for hand in dealt}) == 1


def test_shares_add_up_to_the_whole() -> None:
    advantage = torch.tensor([0.0, 1, -1, 0, 0, 0, 0, 2, 0])
    shares = [Processes(rank, 3).share(advantage) for rank in range(3)]
    assert [s.indices for s in shares] == [[1, 2], [0], [1]]  # the second has none, and evaluates one for company
    assert [(s.first, s.total, s.most) for s in shares] == [(0, 3, 2), (0, 3, 2), (2, 3, 2)]
    assert [s.weight for s in shares] == pytest.approx([2 / 3, 0, 1 / 3])
    assert ALONE.share(torch.zeros(4)).indices == []


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "--use_fsdp"),
        ({"ACCELERATE_USE_FSDP": "true"}, "--fsdp_version 2"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_OFFLOAD_PARAMS": "true"}, "offload"),
    ],
)
def test_what_the_launcher_cannot_have_is_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    assert join() is ALONE
    for name, value in {"WORLD_SIZE": "2", **environment}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message):
        join()


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the interpreter: writes down what it was started as, and then stays."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho "$RANK of $WORLD_SIZE: $@" >> {tmp_path}/started\nexec sleep 30\n')
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    monkeypatch.setattr(launch, "usable_cpus", lambda: 3)
    monkeypatch.setattr(launch, "_PATIENCE_S", 0.5)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    return tmp_path / "started"


def test_a_run_takes_every_core_and_leaves_none_behind(recorder: Path) -> None:
    started = time.monotonic()
    with launch.on_every_core(["demo", "--seed", "3"], samples=12):
        assert (os.environ["RANK"], os.environ["WORLD_SIZE"]) == ("0", "3")
        while not recorder.exists() or len(recorder.read_text().splitlines()) < 2:
            assert time.monotonic() - started < 20
    assert "WORLD_SIZE" not in os.environ
    assert sorted(recorder.read_text().splitlines()) == [f"{k} of 3: -m worldr1 demo --seed 3" for k in (1, 2)]
    assert time.monotonic() - started < 25  # those that stay are ended


@pytest.mark.usefixtures("recorder")
def test_an_error_ends_the_other_processes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_PATIENCE_S", 60.0)
    started = time.monotonic()
    with pytest.raises(RuntimeError), launch.on_every_core(["demo"], samples=12):
        raise RuntimeError
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(("samples", "launched"), [(7, None), (1, None), (12, "2")])
def test_one_process_where_samples_do_not_divide_or_a_launcher_has_decided(
    recorder: Path, monkeypatch: pytest.MonkeyPatch, samples: int, launched: str | None
) -> None:
    if launched:
        monkeypatch.setenv("WORLD_SIZE", launched)
    with launch.on_every_core(["demo"], samples):
        assert os.environ.get("WORLD_SIZE") == launched
    assert not recorder.exists()
