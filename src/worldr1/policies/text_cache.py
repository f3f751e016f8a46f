"""Embedded prompts, kept in memory or, when a folder is given, on disk under a hash of what made them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

_SAMPLED = 64  # values of every weight that enter the fingerprint: encoders have billions, and differ in all


def fingerprint(pipeline: Any, text_length: int) -> str:
    """Identifies what turns a text into states: weights and number types of the encoders, vocabularies, length."""
    digest = hashlib.sha256(f"{type(pipeline).__name__} {text_length}".encode())
    for name, part in sorted(pipeline.components.items()):
        if name.startswith("text_encoder") and part is not None:
            for key, weight in part.named_parameters():
                digest.update(f"{key} {tuple(weight.shape)} {weight.dtype}".encode())
                digest.update(weight.detach().flatten()[:_SAMPLED].float().cpu().numpy().tobytes())
        elif name.startswith("tokenizer") and part is not None:
            digest.update(repr(sorted(part.get_vocab().items())).encode())
    return digest.hexdigest()


class TextCache:
    """Text to its states. On disk, one safetensors file per text; they outlive the run and are safe to delete."""

    def __init__(self, directory: Path | None, made_by: str) -> None:
        self.directory, self.made_by = directory, made_by
        self._memory: dict[str, tuple[Tensor, ...]] = {}
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)

    def _path(self, text: str) -> Path:
        assert self.directory is not None
        return self.directory / (hashlib.sha256(f"{self.made_by}\n{text}".encode()).hexdigest() + ".safetensors")

    def __contains__(self, text: str) -> bool:
        return text in self._memory if self.directory is None else self._path(text).exists()

    def __getitem__(self, text: str) -> tuple[Tensor, ...]:
        if self.directory is None:
            return self._memory[text]
        stored = load_file(self._path(text))
        return tuple(stored[str(i)] for i in range(len(stored)))

    def __setitem__(self, text: str, states: tuple[Tensor, ...]) -> None:
        if self.directory is None:
            self._memory[text] = states
            return
        path = self._path(text)
        partial = path.with_suffix(f".{os.getpid()}.tmp")
        save_file({str(i): t.contiguous() for i, t in enumerate(states)}, partial)
        partial.rename(path)
