"""Where independent tasks run: processes of this machine, or a Ray cluster.

A task is worth seconds (16-64 clips), so that starting it costs nothing beside it, and depends on nothing but its
argument, so that results are the same for any executor and any number of workers.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, Protocol, TypeVar

from worldr1.runtime import usable_cpus

Task = TypeVar("Task")
Result = TypeVar("Result")

# One thread in each worker: the libraries would start one per core in every process.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
ONE_THREAD = dict.fromkeys(_THREADS, "1")


class Executor(Protocol):
    """Calls ``function`` on every task and yields the results as they come, in any order.

    An error of a task is raised here, and the tasks that were not begun are dropped. ``workers`` is all that there
    are when ``None``; the function and the tasks must pickle.
    """

    def __call__(
        self, function: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None
    ) -> Iterator[Result]: ...


def run_local(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None = None
) -> Iterator[Result]:
    """Spawned processes; a single worker is this process. Raises ``ChildProcessError`` when one of them is killed."""
    workers = min(workers or usable_cpus(), len(tasks))
    if workers <= 1:
        yield from map(function, tasks)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_prepare_worker) as pool:
        with _interrupts_held():
            futures = [pool.submit(function, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise ChildProcessError(
                "a worker process was killed (out of memory?); run the same command again to go on, with fewer workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started meanwhile take an interrupt when they are ready for it, not in the midst of their imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _prepare_worker() -> None:
    """Runs first in a spawned process, before numpy or torch are imported there."""
    os.environ.update(ONE_THREAD)
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # a task interrupted anywhere leaves no finished file
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held since this process was started
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End with the parent: when it is killed, its workers would wait for tasks for ever."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


@contextmanager
def ray_cluster(workers: int | None, instead: str) -> Iterator[Any]:
    """The module ``ray``, connected to the cluster of ``RAY_ADDRESS`` or else to a new one on this machine.

    Who is connected already stays so; otherwise the connection ends with the block. Raises ``ValueError`` when Ray is
    not installed, naming what to use ``instead``, and for more workers than the cluster has CPUs, since those would
    wait for ever.
    """
    try:
        import ray
    except ImportError as error:
        raise ValueError(f"this needs Ray: pip install 'worldr1[ray]', or use {instead}") from error
    started = not ray.is_initialized()
    if started:
        address = os.environ.get("RAY_ADDRESS", "local")
        cpus = (workers or usable_cpus()) if address == "local" else None
        ray.init(address=address, num_cpus=cpus, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        cpus = int(ray.cluster_resources().get("CPU", 0))
        if (workers or 1) > cpus:
            raise ValueError(f"the Ray cluster has {cpus} CPUs; use at most {cpus} workers, not {workers}")
        yield ray
    finally:
        if started:
            ray.shutdown()


def run_ray(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None = None) -> Iterator[Result]:
    """Ray actors of one CPU each; raises as `ray_cluster` does."""
    with ray_cluster(workers, "--executor local") as ray:
        from ray.exceptions import RayError, RayTaskError
        from ray.util import ActorPool

        worker = ray.remote(num_cpus=1, runtime_env={"env_vars": ONE_THREAD})(_Actor)
        cpus = int(ray.cluster_resources()["CPU"])
        actors = [worker.remote() for _ in range(min(workers or cpus, len(tasks)))]
        try:
            yield from ActorPool(actors).map_unordered(lambda actor, task: actor.call.remote(function, task), tasks)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            raise ChildProcessError(f"Ray lost a worker ({error}); run the same command again to go on") from error
        finally:
            for actor in actors:  # each holds its CPU until then
                ray.kill(actor)


class _Actor:
    def call(self, function: Callable[[Any], Any], task: Any) -> Any:
        return function(task)


EXECUTORS: dict[str, Executor] = {"local": run_local, "ray": run_ray}
