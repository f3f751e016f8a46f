"""What an interrupted run of the bench leaves: its finished worlds, for the same command to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import worldr1
from worldr1.evaluate.bench.bench import Row
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.files import write_atomically


def code_digest() -> str:
    """Of every file of the package: rows of two versions of a reward are not to be mixed."""
    digest, root = hashlib.blake2b(digest_size=16), Path(worldr1.__file__).parent
    for file in sorted(f for f in root.rglob("*") if f.is_file() and "__pycache__" not in f.parts):
        digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return digest.hexdigest()


def begin(path: Path, config: BenchConfig, names: Sequence[str]) -> list[Row]:
    """Rows of the worlds that ``path`` holds of an interrupted run with this bench and these judges; begins the file
    where there is none.

    Raises ``ValueError`` where the file is of other ones, or of another version of the package.
    """
    head = json.dumps({"bench": asdict(config), "judges": list(names), "code": code_digest()}) + "\n"
    if not path.exists() or not path.stat().st_size:
        write_atomically(head, path)
        return []
    first, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if first != head:
        raise ValueError(f"{path} is of an interrupted run with other options or code; delete it, or use another --out")
    whole = [line for line in lines if line.endswith("\n")]  # the last may have been cut off
    write_atomically("".join([head, *whole]), path)
    return [Row(**row) for line in whole for row in json.loads(line)]


def keep(path: Path, rows: Sequence[Row]) -> None:
    """Adds a finished world's rows."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps([asdict(r) for r in rows], allow_nan=False) + "\n")
