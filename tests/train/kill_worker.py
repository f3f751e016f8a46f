"""Training runs that are killed: ``kill_worker.py FOLDER KILLS SEED`` prints the digests of two finished runs.

One run is left alone, the other is killed (SIGKILL) at random moments and started again until it finishes. Runs are
forks of this process, which has no other thread, so that nothing needs to be imported again.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from learners import CONFIG, Brightness, lora, prompt, without_times
from toys import toy_policy
from worldr1.train.algorithms import PPO
from worldr1.train.loop import train
from worldr1.types import Clip, Rollout, Score


class Noisy(Brightness):
    """Uses the global generator, whose state must come back too."""

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        noise = torch.rand(len(samples)).tolist()
        return [
            Score(n, {"bright": n + (s.value or 0.0)}) for s, n in zip(super().__call__(samples), noise, strict=True)
        ]


def run(folder: Path) -> None:
    torch.manual_seed(0)
    policy = toy_policy()
    rows = train(policy, Noisy(), prompt, replace(CONFIG, iterations=12, algorithm=PPO()), folder)
    digest = hashlib.sha256(lora(policy).numpy().tobytes() + json.dumps(without_times(rows)).encode()).hexdigest()
    (folder / "digest.txt").write_text(digest)


def start(folder: Path) -> int:
    pid = os.fork()
    if pid == 0:
        run(folder)
        os._exit(0)
    return pid


def main(folder: Path, kills: int, seed: int) -> None:
    whole, broken, rng = folder / "whole", folder / "broken", random.Random(seed)
    begun = time.perf_counter()
    assert os.waitpid(start(whole), 0)[1] == 0
    length, done = time.perf_counter() - begun, 0
    while done < kills and not (broken / "digest.txt").exists():
        pid = start(broken)
        time.sleep(rng.uniform(0.02, 2 * length / (kills + 1)))
        os.kill(pid, signal.SIGKILL)
        done += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    if not (broken / "digest.txt").exists():
        assert os.waitpid(start(broken), 0)[1] == 0
    print((whole / "digest.txt").read_text(), (broken / "digest.txt").read_text(), done)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
