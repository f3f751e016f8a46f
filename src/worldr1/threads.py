"""How many CPU threads a run should take."""

import os


def usable_cpus() -> int:
    """CPUs this process may run on: fewer than the machine has when it is pinned (``taskset``, containers)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
