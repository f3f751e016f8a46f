"""How large the bench is, and which reward it judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stack = Literal["general", "tiny"]

# pixels a side: general terms are shown up to 256 of a real clip's short side (`rewards.downscaled`), and at 64 many a
# thing that an edit changes is six pixels wide; the tiny stack's estimators know frames of 32
SIZES: dict[Stack, int] = {"general": 128, "tiny": 64}
LEAST_SIZE = 24
CALIBRATION_SEED = 9001  # of the worlds that guards take their floors from


@dataclass(frozen=True)
class BenchConfig:
    """How much is rendered. Every world is seen clean along every path; a case takes ``cells`` of them, spread evenly,
    at each of its severities, or at the mild and the strong one ``outer_cells`` of those. ``scenes * 5`` cells or more
    are all there are."""

    scenes: int = 40
    cells: int = 12
    outer_cells: int | None = None
    num_frames: int = 17
    size: int = SIZES["general"]  # height and width, pixels
    seed: int = 0
    batch: int = 16  # clips scored together
    # of the estimated judge of general terms: names of `estimators.registry`, depth also a hub id or folder
    depth: str = "world"
    flow: str = "world"
    stack: Stack = "general"  # terms for any footage, or those that the tiny preset trains with
    # whether every prompt lets something move by itself, as those of dynamic scenes do: what a world at rest owes is
    # then not asked, and what seems to move is left out
    dynamic: bool = False

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed {self.seed} makes no worlds; use 0 or more")
        if self.seed == CALIBRATION_SEED:
            raise ValueError(f"guards take their floors from the worlds of seed {self.seed}; use another")
        if self.scenes < 2 or self.cells < 1:
            raise ValueError(f"{self.scenes} scenes and {self.cells} cells; use at least 2 scenes and 1 cell a case")
        if self.outer_cells is not None and not 0 <= self.outer_cells <= self.cells:
            raise ValueError(f"{self.outer_cells} outer cells of {self.cells} cells; use 0 to {self.cells}")
        if self.size < LEAST_SIZE:
            raise ValueError(f"frames of {self.size} pixels show no objects; use {LEAST_SIZE} or more")


QUICK = BenchConfig(scenes=6, cells=2, outer_cells=0, num_frames=13, size=48)
