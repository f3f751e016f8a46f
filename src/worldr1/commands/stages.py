"""The stages of `worldr1 pretrain` in one folder: what is done is kept, what was begun is finished."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import Progress, TextColumn
from torch import Tensor

from worldr1.runtime import usable_cpus
from worldr1.train.fit import FitConfig, check_same_settings, save_atomically
from worldr1.train.pretrain.config import PretrainConfig
from worldr1.train.pretrain.few_frames import FramesConfig
from worldr1.train.pretrain.flow_pairs import Pairs, render_pairs
from worldr1.train.pretrain.world_frames import render_frames
from worldr1.worlds.tiny.corpus import render_corpus

WorldFrames = Literal[
    "world_frames", "large_frames", "more_frames", "wall_frames", "last_frames", "filmed_frames"
]  # settings of a `PretrainConfig`


class Stages:
    """Runs the stages in one folder; a finished stage leaves ``STAGE.json`` with what it measured."""

    def __init__(self, config: PretrainConfig, out: Path, device: str, console: Console) -> None:
        self.config, self.out, self.device, self.console = config, out, device, console
        out.mkdir(parents=True, exist_ok=True)
        path, text = out / "config.json", json.dumps(asdict(config), indent=2)
        check_same_settings(path, text, "a pretraining")
        path.write_text(text)
        self.measured: dict[str, dict[str, float]] = {}

    def run(self, name: str, body: Callable[[Path, Callable[[int, float], None]], dict[str, float] | None]) -> None:
        """Run (or finish) one stage with a progress bar."""
        done = self.out / f"{name}.json"
        fit_config: FitConfig = getattr(self.config, name)
        with Progress(*Progress.get_default_columns(), TextColumn("{task.fields[loss]}"), console=self.console) as bar:
            task = bar.add_task(name, total=fit_config.steps, loss="")

            def progress(step: int, loss: float) -> None:
                bar.update(task, completed=step, loss=f"loss {loss:.4f}" if step % 20 == 0 else None)

            measured = body(self.out / name, progress) or {}
        done.write_text(json.dumps(measured))
        self.measured[name] = measured
        if measured:
            self.console.print(f"  {name}: " + ", ".join(f"{k} {v:.4f}" for k, v in measured.items()))

    def corpus(self) -> tuple[Tensor, Tensor, list[str], list[dict[str, Any]], list[str]]:
        """Render the corpus once and keep it."""
        path = self.out / "corpus.pt"
        if not path.exists():
            workers = usable_cpus()
            with Progress(console=self.console) as bar:
                task = bar.add_task("corpus", total=self.config.num_clips)
                c = render_corpus(
                    self.config.corpus,
                    0,
                    self.config.num_clips,
                    workers=workers,
                    progress=lambda n: bar.advance(task, n),
                )
            arrays = (torch.from_numpy(c.video), torch.from_numpy(c.depth_m), c.captions, c.facts, c.violations)
            save_atomically(arrays, path)
        loaded: tuple[Tensor, Tensor, list[str], list[dict[str, Any]], list[str]] = torch.load(path, weights_only=True)
        return loaded

    def world_frames(self, name: WorldFrames) -> tuple[Tensor, Tensor, Tensor]:
        """Render the general worlds' frames of this setting once and keep them.

        Filmed worlds come with every second frame of the setting before, or families would be forgotten.
        """
        config: FramesConfig = getattr(self.config, name)
        made: tuple[Tensor, Tensor, Tensor] = self._rendered(name, config.clips, partial(render_frames, config))
        if not config.filmed:
            return made
        video, depth_m, things = (
            torch.cat([own, before[::2]]) for own, before in zip(made, self.world_frames("last_frames"), strict=True)
        )
        return video, depth_m, things

    def world_pairs(self) -> Pairs:
        """Render the general worlds' pairs of frames once and keep them."""
        config = self.config.world_pairs
        made: Pairs = self._rendered("world_pairs", config.pairs, partial(render_pairs, config))
        return made

    def _rendered(self, name: str, total: int, render: Callable[[int, Callable[[int], None]], Any]) -> Any:
        path = self.out / f"{name}.pt"
        if not path.exists():
            with Progress(console=self.console) as bar:
                task = bar.add_task(name, total=total)
                made = render(usable_cpus(), lambda n: bar.advance(task, n))
            save_atomically(made, path)
            del made  # gigabytes
        return torch.load(path, weights_only=True, mmap=True)

    def kept(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """A tensor made once and kept in the folder."""
        path = self.out / f"{name}.pt"
        if not path.exists():
            save_atomically(make(), path)
        tensor: Tensor = torch.load(path, weights_only=True)
        return tensor
