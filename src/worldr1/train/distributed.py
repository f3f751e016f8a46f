"""The processes of a run, one per device: each makes, scores and replays its share of an iteration's samples.

Noise depends on a sample's place in the run alone, scores are put together before anything is computed from them, and
gradients are summed over the samples of all. So a run does not depend on the number of its processes, up to rounding,
and a checkpoint of some resumes on any other number. Processes are started, and talk, through Hugging Face Accelerate.
"""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from worldr1.policies.diffusers_policy import DiffusersPolicy

T = TypeVar("T")


class LostProcessError(ValueError):
    """Another process of the run stopped, or did not answer in time."""


@dataclass(frozen=True)
class Share:
    """The samples that one process contributes to an update, among those of all processes."""

    indices: list[int]  # into the process's own samples; only empty where nobody has any
    weight: float  # of its mean loss in the whole: 0 for a process that has none and evaluates one for company
    first: int  # place of its first sample among all of the update's
    total: int  # samples of all processes
    most: int  # of any process


@dataclass(frozen=True)
class Processes:
    """This process among those of the run."""

    rank: int = 0
    count: int = 1
    accelerator: Any = None
    sharding: Any = None  # FSDP's plugin, where the launcher asked for it

    @property
    def device(self) -> torch.device:
        if self.accelerator is not None:
            device: torch.device = self.accelerator.device
            return device
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def is_main(self) -> bool:
        """Whether this one writes files, prints and judges."""
        return self.rank == 0

    @property
    def takes_part(self) -> bool:
        """Whether this one must sample what only the main one needs: with divided weights it holds some of them."""
        return self.is_main or self.sharding is not None

    @property
    def shards(self) -> int:
        """Processes that a model's weights are divided over: those of a machine, and 1 where weights are whole."""
        local = int(os.environ.get("LOCAL_WORLD_SIZE", self.count))
        return 1 if self.sharding is None else self.count if self.count % local else local

    # --- dividing work --------------------------------------------------------------------------------------

    def part(self, number: int, what: str) -> slice:
        """This process's stretch of ``number`` things; raises ``ValueError`` when they do not divide evenly."""
        size, rest = divmod(number, self.count)
        if rest:
            near = [n for n in (size * self.count, (size + 1) * self.count) if n]
            raise ValueError(
                f"{number} {what} do not divide among {self.count} processes; use {' or '.join(map(str, near))}"
            )
        return slice(self.rank * size, (self.rank + 1) * size)

    def deal(self, items: Sequence[T]) -> list[tuple[T, bool]]:
        """This process's items, dealt in turn, and whether each counts.

        Without divided weights all count. With them every process must evaluate the model as often as the others, so
        that one whose turn finds nothing left is given another's item.
        """
        rounds = zip_longest(*(items[k :: self.count] for k in range(self.count)), fillvalue=None)
        own = [(hand[self.rank], hand[0]) for hand in rounds]
        if self.sharding is None:
            return [(mine, True) for mine, _ in own if mine is not None]
        return [(first, False) if mine is None else (mine, True) for mine, first in own]  # type: ignore[misc]

    def share(self, advantage: Tensor) -> Share:
        """What this process contributes, from the advantages of all samples ``[n]``: those that are not zero."""
        used = [torch.nonzero(a).flatten().tolist() for a in advantage.chunk(self.count)]
        counts = [len(indices) for indices in used]
        mine, total = used[self.rank], sum(counts)
        weight = len(mine) / total if total else 0.0
        first = sum(counts[: self.rank]) if mine else 0
        return Share(mine or [0] * bool(total), weight, first, total, max(counts))

    # --- talking --------------------------------------------------------------------------------------------

    def gather(self, value: T) -> list[T]:
        """What every process gives, in their order, on each of them."""
        if self.count == 1:
            return [value]
        from accelerate.utils import gather_object

        with answered():
            values: list[T] = gather_object([value])
        return values

    def from_main(self, value: T) -> T:
        """What the main process gives, on each of them."""
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        with answered():
            given: list[T] = broadcast_object_list([value])
        return given[0]

    def wait(self) -> None:
        """Return when all processes are here."""
        self.gather(None)

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process runs the block, then the others do."""
        if not self.is_main:
            self.wait()
        yield
        if self.is_main:
            self.wait()

    def root_mean_square(self, value: float | None) -> float | None:
        """Of the processes' values; ``None`` where they have none."""
        values = [v for v in self.gather(value) if v is not None]
        return math.sqrt(sum(v * v for v in values) / len(values)) if len(values) > 1 else value

    @torch.no_grad()
    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes; they have them for the same parameters."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.count == 1 or not gradients:
            return
        flat = torch.cat([g.flatten() for g in gradients])
        with answered():
            summed = self.accelerator.reduce(flat, "sum")
        for gradient, part in zip(gradients, summed.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    # --- divided weights ------------------------------------------------------------------------------------

    def shard(self, pipeline: Any) -> None:
        """Divide the weights of a pipeline's transformers (FSDP2), where the launcher asked for it.

        To be called before a policy is made of the pipeline: weights then go to the device block by block, and the
        LoRA that comes later stays whole on every process, so that its checkpoints know nothing of the division.
        Weights are divided within a machine and repeated on each, since frozen ones need no other machine's gradient.
        """
        if self.sharding is None:
            return
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        warnings.filterwarnings("ignore", "FSDP2-wrapped module", UserWarning)  # nobody changes velocities in place
        shape = (self.count // self.shards, self.shards)
        mesh = init_device_mesh(self.device.type, shape, mesh_dim_names=("machine", "fsdp"))
        # by this name peft knows that a LoRA must fit the whole of a divided matrix
        options = {"mesh": mesh["fsdp"], "reshard_after_forward": self.sharding.reshard_after_forward}
        for name in ("transformer", "transformer_2"):
            transformer = getattr(pipeline, name, None)
            if transformer is None:
                continue
            blocks = getattr(transformer, "_repeated_blocks", None) or transformer._no_split_modules
            for module in [m for m in transformer.modules() if type(m).__name__ in blocks]:
                fully_shard(module, **options)
            fully_shard(transformer, **options)

    @contextlib.contextmanager
    def level(self, policy: DiffusersPolicy, rows: int) -> Iterator[None]:
        """Inside, with divided weights, the policy evaluates ``rows`` samples or more: as many on every process."""
        policy.least_rows = rows if self.sharding is not None else 0
        try:
            yield
        finally:
            policy.least_rows = 0

    def leave(self) -> None:
        """End the talking, when all is done. Not after an error: others may still wait in a sum."""
        if self.accelerator is not None:
            self.accelerator.end_training()


ALONE = Processes()


@contextlib.contextmanager
def answered() -> Iterator[None]:
    """Inside, an error of communication is a `LostProcessError`."""
    try:
        yield
    except RuntimeError as error:  # torch's errors of communication are all of this kind
        raise LostProcessError(
            "another process of this run stopped, or did not answer in time; its own message says why. The same "
            f"command goes on from the last checkpoint ({str(error).splitlines()[0]})"
        ) from error
