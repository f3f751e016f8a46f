"""Files that are there are complete."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(data: bytes | str, path: Path) -> None:
    """Write bytes, or text as UTF-8, under a temporary name beside ``path``, then rename. Folders are made.

    Raises ``OSError`` with what to do; then nothing is left, or the file that was there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = f"cannot write {path}: {error.strerror or error}; make room or choose another place"
        raise OSError(error.errno, reason) from error
