"""How a process finds the others of its run: what ``accelerate launch`` or ``torchrun`` left in the environment."""

from __future__ import annotations

import os
import warnings
from datetime import timedelta

import torch

from worldr1.runtime import usable_cpus
from worldr1.train.distributed import ALONE, Processes


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
