"""The state of a run on disk: atomic, checksummed, the last few and the best."""

from __future__ import annotations

import contextlib
import hashlib
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from worldr1.files import write_atomically
from worldr1.train.distributed import ALONE, Processes
from worldr1.train.fit import save_atomically

State = dict[str, Any]


def random_states() -> State:
    """Every global random generator: a reward or an estimator may use one without asking."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached),
    }


def restore_random_states(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))


@dataclass
class TrainState:
    """What changes while training; all of it goes into a checkpoint.

    The rest is a function of the configuration and the iteration: schedule, prompts, windows and noise.
    """

    parameters: list[nn.Parameter]
    average: list[Tensor]  # moving average of the parameters: the result
    optimizer: torch.optim.Optimizer
    rows: list[dict[str, Any]] = field(default_factory=list)  # of metrics, one per finished iteration
    algorithm: State = field(default_factory=dict)  # the algorithm's own memory
    base: dict[str, Tensor] = field(default_factory=dict)  # what the monitor remembers of the base policy
    processes: Processes = ALONE  # all have the same state, but for their random generators

    def state(self, random: State | None = None) -> State:
        """What goes into a checkpoint, with the generators' states given or else as they are; asked of all at once."""
        randoms = self.processes.gather(random_states() if random is None else random)
        return {
            "parameters": [p.detach() for p in self.parameters],
            "average": list(self.average),
            "optimizer": self.optimizer.state_dict(),
            "rows": self.rows,
            "algorithm": self.algorithm,
            "base": self.base,
            "random": randoms[0],
            "random_of_others": randoms[1:],
        }

    @torch.no_grad()
    def restore(self, state: State) -> None:
        here, there = (*self.parameters, *self.average), (*state["parameters"], *state["average"])
        for p, saved in zip(here, there, strict=True):
            p.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.rows, self.algorithm, self.base = state["rows"], state["algorithm"], state["base"]
        randoms = [state["random"], *state.get("random_of_others", ())]
        restore_random_states(randoms[self.processes.rank % len(randoms)])

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the average towards the parameters."""
        for a, p in zip(self.average, self.parameters, strict=True):
            a.lerp_(p.detach(), 1 - decay)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the parameters hold their average."""
        present = [p.detach().clone() for p in self.parameters]
        self._put(self.average)
        try:
            yield
        finally:
            self._put(present)

    @torch.no_grad()
    def _put(self, values: Sequence[Tensor]) -> None:
        for p, value in zip(self.parameters, values, strict=True):
            p.copy_(value)


@dataclass(frozen=True)
class Checkpoints:
    """``iteration-000020.pt`` and its ``.sha256`` (as ``sha256sum -c`` reads it) in a folder."""

    directory: Path
    keep: int = 3

    def save(self, state: State, iteration: int) -> None:
        """Write a checkpoint, then remove all but the last ``keep``. A kill at any moment leaves the older ones."""
        self._write(state, self._path(iteration))
        for path in self._all()[: -self.keep]:
            _remove(path)

    def save_best(self, state: State, iteration: int, score: float) -> bool:
        """Keep ``best-….pt`` where ``score`` is above the one in the present best; tells whether it was."""
        present = sorted(self.directory.glob("best-*.pt"))
        for path in present:
            if intact(path) and score <= torch.load(path, weights_only=True, map_location="cpu")["score"]:
                return False
        self._write(state | {"score": score}, self.directory / f"best-{iteration:06d}.pt")
        for path in present:
            _remove(path)
        return True

    def newest(self) -> State | None:
        """The newest intact checkpoint, ``None`` where there is none yet.

        A damaged one is passed over with a warning for the one before. Raises ``ValueError`` when all are damaged.
        """
        paths = self._all()
        for path in reversed(paths):
            if intact(path):
                state: State = torch.load(path, weights_only=True, map_location="cpu")
                return state
            warnings.warn(f"{path} is damaged (its checksum differs); going back to the one before", stacklevel=2)
        if paths:
            raise ValueError(f"every checkpoint in {self.directory} is damaged; delete the folder to start again")
        return None

    def _all(self) -> list[Path]:
        return sorted(self.directory.glob("iteration-*.pt"))

    def _path(self, iteration: int) -> Path:
        return self.directory / f"iteration-{iteration:06d}.pt"

    def _write(self, state: State, path: Path) -> None:
        fresh = path.with_suffix(".new")
        save_atomically(state, fresh)
        # the checksum first: a checkpoint under its final name always has one
        write_atomically(f"{_digest(fresh)}  {path.name}\n", _checksum_path(path))
        fresh.replace(path)


def intact(path: Path) -> bool:
    """Whether a file is what was written."""
    checksum = _checksum_path(path)
    return checksum.exists() and checksum.read_text().split()[:1] == [_digest(path)]


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(path.suffix + ".sha256")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _checksum_path(path).unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
