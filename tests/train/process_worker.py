"""Runs of two processes: ``process_worker.py FOLDER`` carries out every scenario there, in forks of this process.

So nothing needs to be imported again. Each process of scenario X leaves ``X-RANK.pt``: rows, reported iterations,
weights, and the message where it ended in an error.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import accelerate  # noqa: F401  once, before the forks
import torch

from learners import CONFIG, Brightness, PlainBrightness, lora, prompt
from policies import pipelines
from toys import TEXTS
from worldr1.policies.diffusers_policy import DiffusersPolicy, Memory
from worldr1.train import checkpoint, metrics
from worldr1.train.algorithms import RewardGradient, make_algorithm
from worldr1.train.config import TrainConfig
from worldr1.train.distributed import Processes
from worldr1.train.launch import join
from worldr1.train.loop import train
from worldr1.types import Clip, Prompt, Rollout, Score

SHARDED = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}


class Failing(PlainBrightness):
    """Cannot score the second prompt, which is the second process's."""

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        if any(isinstance(s, Rollout) and s.prompt.text == TEXTS[1] for s in samples):
            raise RuntimeError("out of order")
        return super().__call__(samples)


class Choosy(Brightness):
    """Scores half of the clips of the second prompt, so that processes use different numbers of samples."""

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        scores = super().__call__(samples)
        for k, sample in enumerate(samples):
            if isinstance(sample, Rollout) and sample.prompt.text == TEXTS[1] and k % 2:
                scores[k] = Score(None, {"bright": None})
        return scores


def always(index: int) -> Prompt:
    """The same two prompts in every iteration."""
    return prompt(index % 2)


def interrupted(index: int) -> Prompt:
    if index >= 2 * CONFIG.prompts:
        raise KeyboardInterrupt("after two iterations")
    return prompt(index)


def second_stops(index: int) -> Prompt:
    if index >= 2 * CONFIG.prompts and os.environ["RANK"] == "1":
        raise ZeroDivisionError
    return prompt(index)


def unlike(name: str, **changes: Any) -> TrainConfig:
    return replace(CONFIG, algorithm=make_algorithm(name), **changes)


# name: configuration, reward, prompts
RUNS: dict[str, tuple[TrainConfig, Brightness, Callable[[int], Prompt]]] = {
    "grpo": (unlike("grpo", epochs=2), Choosy(), always),
    "nft": (unlike("nft"), Choosy(), always),
    "ppo": (unlike("ppo"), Brightness(), prompt),
    "stopped": (CONFIG, Brightness(), interrupted),
    "resumed": (CONFIG, Brightness(), prompt),
    "failing": (CONFIG, Failing(), always),
    "failing too often": (replace(CONFIG, max_masked=0.2), Failing(), always),
    "divided group": (replace(CONFIG, prompts=3, iterations=2), Choosy(), prompt),
    "uneven": (replace(CONFIG, prompts=1, group=5), Brightness(), prompt),
    "lost": (CONFIG, Brightness(), second_stops),
    "sharded": (unlike("grpo"), Choosy(), always),
    "sharded gradient": (replace(CONFIG, iterations=2, algorithm=RewardGradient(chunk=2)), Choosy(), always),
}


def new_policy(processes: Processes) -> DiffusersPolicy:
    """One that computes in float32: in bfloat16 the order of sums alone moves the weights apart by some per cent."""
    pipeline = pipelines.build("ltx")
    processes.shard(pipeline)
    # replayed in twos where weights are divided: a process with fewer samples must still evaluate as often
    memory = Memory(checkpoint=True, replay_batch=2) if processes.sharding else Memory()
    return pipelines.policy("ltx", pipeline, width=32, batch=64, memory=memory)


def run(name: str, processes: Processes, folder: Path, reported: list[int]) -> dict[str, Any]:
    """One process of a scenario, or the whole of it in a single process."""
    config, reward, prompts = RUNS[name]
    policy = new_policy(processes)
    rows = train(
        policy, reward, prompts, config, folder / name, lambda r: reported.append(r["iteration"]), processes=processes
    )
    return {"rows": rows, "lora": lora(policy)}


def refuse(*_: object) -> None:
    raise AssertionError("only the main process writes")


def process(name: str, folder: Path) -> None:
    reported: list[int] = []
    out: dict[str, Any] = {"error": "", "reported": reported}
    try:
        processes = join(timeout_s=60)
        if not processes.is_main:
            checkpoint.save_atomically = checkpoint.write_atomically = metrics.write_atomically = refuse
        out |= run(name, processes, folder, reported)
        processes.leave()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the tests look at it
        out["error"] = f"{type(error).__name__}: {error}"
    torch.save(out, folder / f"{name}-{os.environ['RANK']}.pt")
    os._exit(0)  # a fork has no business with the rest


def together(name: str, folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(2):
        if (pid := os.fork()) == 0:
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            os.environ |= SHARDED if name.startswith("sharded") else {}
            process(name, folder)
        started.append(pid)
    for pid in started:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    for name in RUNS:
        together(name, Path(sys.argv[1]))
