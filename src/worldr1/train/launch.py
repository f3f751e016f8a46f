"""How a process finds the others of its run: what ``accelerate launch`` or ``torchrun`` left in the environment, or
what it started itself, one on each core."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from datetime import timedelta

import torch

from worldr1.runtime import usable_cpus
from worldr1.train.distributed import ALONE, Processes, answered

_MOST_COMPANIONS = 3  # each holds a copy of the models
_PATIENCE_S = 20.0  # for companions to end by themselves, after an interrupt for example


@contextlib.contextmanager
def on_every_core(arguments: Sequence[str], samples: int) -> Iterator[None]:
    """Inside, this process is the main one of several that carry out ``worldr1 arguments``, each on its own core.

    A small model gains more from a second process than from a second thread (docs/results.md). The others are started
    here and ended when the block is left. Nothing is started on a GPU, on one core, under a launcher, or where the
    ``samples`` of an iteration would not divide evenly.
    """
    most = min(usable_cpus(), 1 + _MOST_COMPANIONS)
    count = next(n for n in range(most, 0, -1) if samples % n == 0)
    if count == 1 or "WORLD_SIZE" in os.environ or torch.cuda.is_available():
        yield
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    shared |= {"OMP_NUM_THREADS": str(usable_cpus() // count)}
    before = dict(os.environ)
    command = [sys.executable, "-m", "worldr1", *arguments]
    companions: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(1, count):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            companions.append(subprocess.Popen(command, env=before | shared | own, stdout=subprocess.DEVNULL))
        os.environ |= shared | {"RANK": "0", "LOCAL_RANK": "0"}
        yield
    finally:
        for name in {*shared, "RANK", "LOCAL_RANK"} - before.keys():
            os.environ.pop(name, None)
        os.environ |= before
        _end(companions)


def _end(companions: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait until they end, and make them where they do not: after an error here they may wait for this process."""
    if sys.exc_info()[0] is not None:
        for companion in companions:
            companion.terminate()
    for companion in companions:
        try:
            companion.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            companion.kill()
            companion.wait()


def join(timeout_s: float = 7200.0) -> Processes:
    """The processes that ``accelerate launch`` or ``torchrun`` started beside this one; `ALONE` without either.

    Whoever waits for another longer than ``timeout_s`` gets a `LostProcessError`; it must allow for what the main
    process does alone. Raises ``ValueError`` for what the launcher was asked and worldr1 does not do.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    if _asked("ACCELERATE_USE_DEEPSPEED"):
        raise ValueError(
            "DeepSpeed is not supported: what it divides first, a LoRA's optimiser, is small; "
            "divide the model's weights with --use_fsdp --fsdp_version 2"
        )
    from accelerate import Accelerator, FullyShardedDataParallelPlugin, InitProcessGroupKwargs

    sharding = None
    if _asked("ACCELERATE_USE_FSDP"):
        if os.environ.get("FSDP_VERSION", "1") != "2":
            raise ValueError("FSDP is supported in its second version only: add --fsdp_version 2")
        if _asked("FSDP_OFFLOAD_PARAMS"):
            raise ValueError("FSDP's offloading to the CPU is not supported; use --fsdp_offload_params false")
        # every process reads the files itself: with efficient loading the others' text encoders would stay empty
        sharding = FullyShardedDataParallelPlugin(cpu_ram_efficient_loading=False)
    with answered():
        accelerator = Accelerator(
            mixed_precision="no",  # a policy knows its number types, and noise levels must not be rounded to bfloat16
            cpu=not torch.cuda.is_available(),
            fsdp_plugin=sharding,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(seconds=timeout_s))],
        )
    if not accelerator.is_main_process:
        warnings.simplefilter("ignore")  # the main one warns for all
    torch.set_num_threads(max(1, usable_cpus() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    return Processes(accelerator.process_index, accelerator.num_processes, accelerator, sharding)


def _asked(variable: str) -> bool:
    return os.environ.get(variable, "false").lower() in ("1", "true", "yes")
