"""What a dataset contains, and the file in its folder that says so."""

from __future__ import annotations

import difflib
import json
import math
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from worldr1.files import write_atomically
from worldr1.worlds.families import FAMILIES
from worldr1.worlds.renderers import get_renderer

ALL = "all"  # instead of a family: clip i is of family i modulo their number
CONFIG_FILE = "dataset.json"
LEAST_FRAMES = 9  # 4k + 1, and long enough for a family's event
SIDE_MULTIPLE = 8  # pixels; the least that video models' autoencoders divide a side by

Difficulty = Literal["easy", "medium", "hard"]


@dataclass(frozen=True)
class DatasetConfig:
    """What a dataset contains; the same values give the same files."""

    family: str
    count: int
    seed: int = 0
    size: int = 64  # pixels, height and width
    frames: int = 17
    fps: float = 8.0
    difficulty: Difficulty = "medium"
    split: Literal["train", "held_out"] = "train"
    captions: Literal["short", "camera", "dense", "schematic"] = "dense"
    renderer: str = "warp"  # a key of `renderers.RENDERERS`
    clips_per_shard: int = 32
    store_flow: bool = False
    store_frames: bool = False  # also as raw uint8 arrays

    @property
    def num_shards(self) -> int:
        return -(-self.count // self.clips_per_shard)

    def clips(self, shard: int) -> range:
        """Indices of a shard's clips."""
        return range(shard * self.clips_per_shard, min((shard + 1) * self.clips_per_shard, self.count))

    def family_of(self, index: int) -> str:
        return list(FAMILIES)[index % len(FAMILIES)] if self.family == ALL else self.family

    def command(self) -> str:
        """The command that makes this dataset, without where."""
        names = {"clips_per_shard": "shard"}
        words = []
        for name, value in asdict(self).items():
            if value is True:
                words.append(f"--{name.replace('_', '-')}")
            elif value is not False:
                words.append(f"--{names.get(name, name)} {value}")
        return " ".join(["worldr1 worlds", *words])


def check_config(config: DatasetConfig) -> None:
    """Raise ``ValueError`` for what no dataset can be made of, saying what to ask for instead."""
    try:
        get_renderer(config.renderer)
    except ImportError as error:
        raise ValueError(f"{error}, or use --renderer warp") from error
    names = [*FAMILIES, ALL]
    if config.family not in names:
        near = difflib.get_close_matches(config.family, names, n=1)
        guess = f"did you mean {near[0]}?" if near else f"use one of {', '.join(names)}"
        raise ValueError(f"unknown family {config.family!r}; {guess}")
    for option, value in (("count", config.count), ("shard", config.clips_per_shard)):
        if value < 1:
            raise ValueError(f"--{option} must be at least 1, not {value}")
    if not 0 <= config.seed < 2**63:
        raise ValueError(f"--seed must be a whole number from 0 to 2^63, not {config.seed}")
    if config.size < 1 or config.size % SIDE_MULTIPLE:
        near_size = max(SIDE_MULTIPLE, round(config.size / SIDE_MULTIPLE) * SIDE_MULTIPLE)
        raise ValueError(f"--size must be a multiple of {SIDE_MULTIPLE} pixels, as video models need; use {near_size}")
    if config.frames < LEAST_FRAMES or (config.frames - 1) % 4:
        near_frames = max(LEAST_FRAMES, (config.frames - 1) // 4 * 4 + 1)
        raise ValueError(
            f"--frames must be 4k + 1, as video models' autoencoders need; use {near_frames} or {near_frames + 4}"
        )
    if not (math.isfinite(config.fps) and config.fps > 0):
        raise ValueError(f"--fps must be positive, not {config.fps}")


def settle(config: DatasetConfig, out: Path) -> None:
    """Make the folder this dataset's. Raises ``ValueError`` when it holds something else, ``OSError`` when it cannot
    be written."""
    path = out / CONFIG_FILE
    wanted = {"generator": generator(), **asdict(config)}
    if path.is_file():
        found = _read(path)
        for name in wanted:
            if found.get(name) != wanted[name]:
                raise ValueError(
                    f"{out} holds a dataset with other settings: {name} is {found.get(name)!r} there and "
                    f"{wanted[name]!r} here; use the same ones to continue it, or choose another --out"
                )
    elif out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise ValueError(f"{out} holds other files and no {CONFIG_FILE}; choose a new folder for --out")
    else:
        write_atomically(json.dumps(wanted, indent=2), path)


def load_config(out: Path) -> DatasetConfig:
    """The settings of the dataset in a folder. Raises ``ValueError`` when there is none."""
    path = out / CONFIG_FILE
    if not path.is_file():
        raise ValueError(f"{out}: no dataset here (no {CONFIG_FILE}); make one with worldr1 worlds --out {out}")
    fields = _read(path)
    fields.pop("generator", None)
    try:
        return DatasetConfig(**fields)
    except TypeError as error:
        raise ValueError(f"{path} is of another version of worldr1 ({error}); make the dataset again") from error


def generator() -> str:
    """What records name as their maker."""
    return f"worldr1 {version('worldr1')}"


def _read(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged ({error}); delete the folder and make the dataset again") from error
    if not isinstance(fields, dict):
        raise ValueError(f"{path} is damaged; delete the folder and make the dataset again")
    return fields
