"""What a command settles before it works: threads, and how much the libraries talk."""

import os


def usable_cpus() -> int:
    """CPUs this process may run on: fewer than the machine has when it is pinned (``taskset``, containers)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quiet_libraries() -> None:
    """Turn off the loading bars and notices of diffusers and transformers; errors stay."""
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
