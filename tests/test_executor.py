"""Executors: the same results from any number of workers, and errors that reach whoever asked."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from worldr1.executor import EXECUTORS, run_local, run_ray

FACTORIALS = [1, 1, 2, 6, 24, 120, 720]


@pytest.mark.parametrize("workers", [1, 2, 30, None])
def test_local(workers: int | None) -> None:
    assert sorted(run_local(math.factorial, range(7), workers)) == FACTORIALS
    assert not multiprocessing.active_children()


def test_no_tasks() -> None:
    assert list(run_local(math.factorial, [], 4)) == []


def test_workers_have_one_thread_and_are_not_this_process() -> None:
    assert list(run_local(os.getenv, ["OMP_NUM_THREADS"] * 4, 2)) == ["1"] * 4
    pids = set(run_local(eval, ["__import__('os').getpid()"] * 4, 2))
    assert os.getpid() not in pids


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_fails(workers: int) -> None:
    with pytest.raises(ValueError, match="not defined for negative"):
        list(run_local(math.factorial, [3, -1, 4], workers))


def test_a_worker_that_is_killed() -> None:
    with pytest.raises(ChildProcessError, match="run the same command again"):
        list(run_local(os._exit, [1, 1, 1], 2))


SLEEPERS = """
import time
from worldr1.executor import run_local
if __name__ == "__main__":
    print("ready", flush=True)
    try:
        list(run_local(time.sleep, [60, 60, 60], 2))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def _running(marker: str) -> list[int]:
    """Processes whose environment holds a marker."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it has ended, or is someone else's
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="counts processes in /proc")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_parent(signum: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    marker = f"WORLDR1_TEST_MARKER={tmp_path}"
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "WORLDR1_TEST_MARKER": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
        text=True,
    )
    deadline = time.monotonic() + 20
    while len(_running(marker)) < 4 and time.monotonic() < deadline:  # parent, resource tracker, two workers
        time.sleep(0.05)
    if signum == signal.SIGINT:
        os.killpg(parent.pid, signum)  # as a terminal does
        out, err = parent.communicate(timeout=20)
        assert out.split() == ["ready", "interrupted"]
        assert "Traceback" not in err
    else:
        parent.kill()
        parent.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while _running(marker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _running(marker) == []


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'worldr1\[ray\]'"):
        list(EXECUTORS["ray"](math.factorial, [1], 1))


@pytest.mark.slow
def test_ray() -> None:
    ray: Any = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        assert sorted(run_ray(math.factorial, range(7), 2)) == FACTORIALS
        assert sorted(run_ray(math.factorial, range(7), 1)) == FACTORIALS  # the first actors gave their CPUs back
        assert list(run_ray(partial(os.getenv, "OMP_NUM_THREADS"), ["0"], 2)) == ["1"]
        with pytest.raises(ValueError, match="not defined for negative"):
            list(run_ray(math.factorial, [3, -1, 4], 2))
        with pytest.raises(ValueError, match="has 2 CPUs; use at most 2 workers"):
            list(run_ray(math.factorial, [1], 3))
        with pytest.raises(ChildProcessError, match="Ray lost a worker"):
            list(run_ray(os._exit, [1], 1))
        assert ray.is_initialized()  # who started it ends it
    finally:
        ray.shutdown()
