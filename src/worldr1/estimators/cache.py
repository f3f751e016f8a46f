"""Answers of slow estimators kept on disk, under a key made of what was asked and of whom."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor


def key_of(model: str, inputs: tuple[Tensor, ...]) -> str:
    """SHA-256 of a model's name and of its inputs' shapes, types and bytes."""
    digest = hashlib.sha256(model.encode())
    for x in inputs:
        digest.update(f"|{tuple(x.shape)}|{x.dtype}|".encode())
        digest.update(x.detach().contiguous().cpu().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def state_of(folder: str) -> str:
    """SHA-256 of the names, sizes and times of a folder's files, by which weights that were saved again are others; ""
    where there is no such folder."""
    root = Path(folder)
    if not root.is_dir():
        return ""
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        stat = path.stat()
        digest.update(f"|{path.relative_to(root)}|{stat.st_size}|{stat.st_mtime_ns}|".encode())
    return digest.hexdigest()


class Cached:
    """An estimator that looks in a folder first.

    Every row of its inputs' first axis has an entry of its own, so that a frame is found again in another batch; with
    a ``clipwise`` estimator, whose answer for a frame depends on the others, a call is one entry. It has a method
    ``both_ways`` (flow of clips ``[b, f, 3, h, w]``, around a guess) where the estimator has one. ``model`` must name
    the weights and settings: another name never finds this one's entries. Entries are written under a temporary
    name, then renamed, so any number of processes may share the folder; an unreadable one is computed again. When
    the folder exceeds ``max_bytes`` the least recently used entries go. What needs gradients is not kept.
    """

    def __init__(
        self, estimator: Callable[..., Tensor], model: str, folder: Path, max_bytes: int = 4_000_000_000
    ) -> None:
        if max_bytes <= 0:
            raise ValueError(f"a cache of {max_bytes} bytes holds nothing; give a positive size")
        self.estimator, self.model, self.folder, self.max_bytes = estimator, model, folder, max_bytes
        self.metric = bool(getattr(estimator, "metric", True))
        self.clipwise = bool(getattr(estimator, "clipwise", False))
        if hasattr(estimator, "both_ways"):
            self.both_ways = self._both_ways
        folder.mkdir(parents=True, exist_ok=True)
        self._bytes = sum(stat.st_size for _, stat in self._entries())

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The estimator's answer to ``inputs``, which share their first axis."""
        if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
            return self.estimator(*inputs)
        if self.clipwise:
            whole = self._rows([key_of(self.model, inputs)], lambda _: self.estimator(*inputs)[None])
            return whole[0].to(inputs[0].device)
        keys = [key_of(self.model, row) for row in zip(*inputs, strict=True)]
        return self._rows(keys, lambda rows: self.estimator(*(x[rows] for x in inputs))).to(inputs[0].device)

    def _both_ways(self, video: Tensor, guess_px: Tensor | None = None) -> Tensor:
        guess = () if guess_px is None else (guess_px.transpose(0, 1),)
        keys = [key_of(f"{self.model}:both ways", row) for row in zip(video, *guess, strict=True)]

        def answer(rows: list[int]) -> Tensor:
            around = () if guess_px is None else (guess_px[:, rows],)
            flow: Tensor = self.estimator.both_ways(video[rows], *around)  # type: ignore[attr-defined]
            return flow.transpose(0, 1)

        return self._rows(keys, answer).transpose(0, 1).to(video.device)

    def _rows(self, keys: list[str], answer: Callable[[list[int]], Tensor]) -> Tensor:
        """The entries of ``keys``; ``answer`` is asked for the rows that there are none for."""
        known = [self._read(k) for k in keys]
        missing = [i for i, value in enumerate(known) if value is None]
        if missing:
            for i, value in zip(missing, answer(missing), strict=True):
                known[i] = value
                self._write(keys[i], value)
            self._evict()
        return torch.stack([value.cpu() for value in known if value is not None])

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _read(self, key: str) -> Tensor | None:
        path = self._path(key)
        try:
            value: Tensor = load_file(path)["value"]
            os.utime(path)  # the time of the last use decides who goes
        except (FileNotFoundError, SafetensorError, KeyError):
            return None
        return value

    def _write(self, key: str, value: Tensor) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.folder, suffix=".part")
        os.close(handle)
        save_file({"value": value.contiguous().cpu()}, temporary)
        self._bytes += os.path.getsize(temporary)
        os.replace(temporary, self._path(key))

    def _entries(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in self.folder.glob("*.safetensors"):
            try:
                found.append((path, path.stat()))
            except FileNotFoundError:  # another process has removed it meanwhile
                continue
        return found

    def _evict(self) -> None:
        if self._bytes <= self.max_bytes:
            return
        entries = self._entries()
        entries.sort(key=lambda e: e[1].st_mtime_ns)
        self._bytes = sum(s.st_size for _, s in entries)
        for path, stat in entries:
            if self._bytes <= 0.8 * self.max_bytes:  # some room, so that not every call has to look
                break
            path.unlink(missing_ok=True)
            self._bytes -= stat.st_size
