"""The bench: clean worlds and their broken twins, scored by any reward, one row a clip."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np
from torch import Tensor

from worldr1.evaluate.bench.catalogue import AMOUNTS, CASES, MIDDLE, Case
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.judges import JUDGES, Judge, answer
from worldr1.evaluate.bench.shown import Shown, render
from worldr1.executor import run_local
from worldr1.rewards.composite import counted
from worldr1.types import Rollout
from worldr1.worlds.filmed import PATHS, film, world
from worldr1.worlds.scene import NoPlaceError, Scene
from worldr1.worlds.stages import STAGES

CLEAN = "clean"
_SEEN = 0.1  # of the range of a colour: a pixel that differs by more in one of them looks different


@dataclass(frozen=True)
class Row:
    """A clip's score."""

    judge: str
    world: int
    path: str
    stage: str
    case: str  # a key of `CASES`, or `CLEAN`
    severity: int  # 0 for clean
    value: float | None
    parts: Mapping[str, float | None] = field(default_factory=dict)  # those that are `counted`
    changed: float = 0.0  # `changed_share` against the clean twin, itself for a clean clip


def changed_share(video: Tensor, twin: Tensor) -> float:
    """Share of the pixels that look different, in the frame of ``[frames, 3, h, w]`` in which most do."""
    different = (video - twin).abs().amax(1) > _SEEN
    return float(different.float().mean((1, 2)).max())


def cells_of(case: Case, config: BenchConfig) -> list[tuple[int, str]]:
    """Worlds and paths on which a case is shown: different worlds first, the paths in turn."""
    count = min(config.cells, config.scenes * len(case.paths))
    offset = zlib.crc32(case.name.encode())
    cells = []
    for k in range(count):
        if count > config.scenes:  # each round takes every world along its next path
            cells.append((k % config.scenes, case.paths[(k // config.scenes + k % config.scenes) % len(case.paths)]))
        else:
            cells.append(((offset + k * config.scenes // count) % config.scenes, case.paths[k % len(case.paths)]))
    return cells


def severities_of(case: Case, config: BenchConfig) -> dict[tuple[int, str], tuple[int, ...]]:
    """The severities at which a case is shown in each of its cells."""
    cells = cells_of(case, config)
    outer = cells[: config.outer_cells]  # the first ones: paths come in turn
    return {cell: case.severities if cell in outer else (MIDDLE,) for cell in cells}


def clean_scene(config: BenchConfig, index: int, path: str, stage: str = "") -> Scene:
    """A clean world as filmed, with what a stage builds into it. Raises ``NoPlaceError`` where there is none for it."""
    base = world(config.seed, index, config.num_frames)
    filmed = replace(base, camera=film(base, path))
    return STAGES[stage](filmed) if stage else filmed


def _rng(config: BenchConfig, index: int, path: str, case: Case) -> np.random.Generator:
    """The same for all severities, so that one edit grows."""
    return np.random.default_rng((config.seed, index, PATHS.index(path), zlib.crc32(case.name.encode())))


@dataclass(frozen=True)
class Slot:
    """A clip before it is scored."""

    path: str
    stage: str
    case: str
    severity: int
    shown: Shown
    asked: Shown
    movers: tuple[str, ...] = ()  # that its prompt names


def world_clips(config: BenchConfig, index: int) -> list[Slot]:
    """All clips of one world: clean ones first, then those of every case that has it in a cell.

    A cell whose edit has nothing to be seen on in this world (`NoPlaceError`) is left out.
    """
    scenes: dict[tuple[str, str], Scene] = {(path, ""): clean_scene(config, index, path) for path in PATHS}
    edited: list[tuple[str, Case, int, Scene]] = []
    painted: list[tuple[str, Case, int]] = []
    for case in CASES.values():
        for path, severities in [(p, s) for (i, p), s in severities_of(case, config).items() if i == index]:
            try:
                key = (path, case.stage)
                if key not in scenes:
                    scenes[key] = clean_scene(config, index, path, case.stage)
                if (edit := case.scene_edit) is None:
                    painted += [(path, case, s) for s in severities]
                else:  # all severities, or none
                    edited += [
                        (path, case, s, edit(scenes[key], _rng(config, index, path, case), AMOUNTS[s]))
                        for s in severities
                    ]
            except NoPlaceError:
                continue
    shown = render([*scenes.values(), *(s for *_, s in edited)], config.size, config.size)
    clean = dict(zip(scenes, shown, strict=False))
    slots = [Slot(path, stage, CLEAN, 0, s, s) for (path, stage), s in clean.items()]
    for (path, case, severity, _), s in zip(edited, shown[len(scenes) :], strict=True):
        # an honest clip answers a prompt for its own camera, a broken one that of its clean twin
        slots.append(
            Slot(path, case.stage, case.name, severity, s, s, case.movers)
            if case.kind == "positive"
            else Slot(path, case.stage, case.name, severity, s, clean[path, case.stage])
        )
    for path, case, severity in painted:
        assert case.clip_edit is not None, case.name
        source = clean[path, case.stage]
        broken = case.clip_edit(source, _rng(config, index, path, case), AMOUNTS[severity])
        slots.append(Slot(path, case.stage, case.name, severity, broken, source))
    return slots


def score_world(config: BenchConfig, judges: Sequence[Judge], index: int) -> list[Row]:
    """Rows of one world, the judges one after the other."""
    slots, rows = world_clips(config, index), []
    clean = {(s.path, s.stage): s.shown.clip.video for s in slots if s.case == CLEAN}
    for judge in judges:
        for first in range(0, len(slots), config.batch):
            part = slots[first : first + config.batch]
            if judge.learn is not None:
                judge.learn([s.shown for s in part])
            movers = ("an object",) if config.dynamic else ()
            samples: list[Rollout] = [answer(s.shown, s.asked, s.path, s.movers or movers) for s in part]
            for slot, score in zip(part, judge.reward(samples), strict=True):
                place = (index, slot.path, slot.stage, slot.case, slot.severity)
                changed = changed_share(slot.shown.clip.video, clean[slot.path, slot.stage])
                rows.append(Row(judge.name, *place, score.value, counted(score.parts, score.notes), changed))
    return rows


@cache  # once a process
def _judges(config: BenchConfig, names: tuple[str, ...]) -> tuple[Judge, ...]:
    return tuple(JUDGES[name](config) for name in names)


def _named(config: BenchConfig, names: tuple[str, ...], index: int) -> list[Row]:
    return score_world(config, _judges(config, names), index)


def run_named(
    config: BenchConfig, names: Sequence[str], workers: int | None = None, worlds: Sequence[int] | None = None
) -> Iterator[list[Row]]:
    """Rows of each world, or of ``worlds``, by the judges of these names (keys of `JUDGES`), in any order."""
    yield from run_local(
        partial(_named, config, tuple(names)), range(config.scenes) if worlds is None else worlds, workers
    )
