"""Shards: tar files of samples that exist complete or not at all."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from worldr1.worlds.dataset.sample import Sample, decode, encode

TEMPORARY = ".tmp"  # suffix of files that were never finished


def write_shard(path: Path, samples: Iterable[Sample]) -> int:
    """Write samples to a tar file and return its bytes; the same samples give the same file.

    It is written under a temporary name, flushed to the disk and renamed. Raises ``OSError`` when the disk does not
    take it (full, no permission).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    with _disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = temporary.open("wb")
    try:
        with file:
            with _disk_errors(path):
                tar = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
            for sample in samples:
                files = encode(sample)
                with _disk_errors(path):
                    _append(tar, sample.key, files)
            with _disk_errors(path):
                tar.close()
                file.flush()
                os.fsync(file.fileno())
        with _disk_errors(path):
            _finish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path.stat().st_size


def _finish(temporary: Path, path: Path) -> None:
    os.replace(temporary, path)
    flush_folder(path.parent)


def _append(tar: tarfile.TarFile, key: str, files: dict[str, bytes]) -> None:
    for suffix, data in files.items():
        info = tarfile.TarInfo(f"{key}.{suffix}")  # owner 0 and time 0: nothing of this machine or moment
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def read_shard(path: Path) -> Iterator[Sample]:
    """The samples of a shard in their order. Raises ``ValueError`` for what is no shard."""
    for files in read_files(path).values():
        yield decode(files)


def read_files(path: Path, suffixes: tuple[str, ...] = ()) -> dict[str, dict[str, bytes]]:
    """The files of a shard by key and suffix, of some suffixes or all. Raises ``ValueError`` for what is no shard."""
    samples: dict[str, dict[str, bytes]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                key, _, suffix = info.name.partition(".")
                content = tar.extractfile(info) if not suffixes or suffix in suffixes else None
                if content is not None:
                    samples.setdefault(key, {})[suffix] = content.read()
    except tarfile.TarError as error:
        raise ValueError(f"{path}: not a tar file ({error}); delete it and run worldr1 worlds again") from error
    return samples


def flush_folder(folder: Path) -> None:
    """Make a rename in this folder outlast a power cut."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot, and need not
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"cannot write {path}: {error.strerror or error}; make room or choose another place"
        raise OSError(error.errno, reason) from error
