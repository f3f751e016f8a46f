"""How large the bench is, and which reward it judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BenchConfig:
    """How much is rendered. Every world is seen clean along every path; a case takes ``cells`` of them, spread evenly,
    at each of its severities. ``scenes * 5`` cells or more are all there are."""

    scenes: int = 40
    cells: int = 12
    num_frames: int = 17
    size: int = 64  # height and width, pixels
    seed: int = 0
    batch: int = 16  # clips scored together
    depth: str = "world"  # of the estimated judge of general terms: a name of `estimators.registry`
    stack: Literal["general", "tiny"] = "general"  # terms for any footage, or those that the tiny preset trains with

    def __post_init__(self) -> None:
        if self.scenes < 2 or self.cells < 1:
            raise ValueError(f"{self.scenes} scenes and {self.cells} cells; use at least 2 scenes and 1 cell a case")


QUICK = BenchConfig(scenes=6, cells=3, num_frames=13, size=48)
