"""A run takes the CPUs it may use, not those the machine has."""

import os

import pytest

from worldr1.runtime import usable_cpus


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the platform cannot pin processes")
def test_pinned_to_one_cpu() -> None:
    allowed = os.sched_getaffinity(0)
    assert usable_cpus() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
