"""The Parquet index: one part per shard, written after its shard, so that it never lists a missing one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from worldr1.files import write_atomically
from worldr1.worlds.dataset.shard import flush_folder
from worldr1.worlds.record import Record

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("shard", pa.string()),  # path in the dataset's folder
        ("shard_bytes", pa.int64()),
        ("family", pa.string()),
        ("seed", pa.int64()),
        ("index", pa.int64()),
        ("split", pa.string()),
        ("difficulty", pa.string()),
        ("frames", pa.int32()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("fps", pa.float64()),
        ("caption", pa.string()),
        ("camera", pa.list_(pa.string())),  # kinds of the camera's moves, in order
        ("num_objects", pa.int32()),
        ("planned", pa.list_(pa.string())),
        ("events", pa.list_(pa.string())),  # kinds, each once
        ("weather", pa.string()),
        ("time_of_day", pa.string()),
        ("scene_hash", pa.string()),
    ]
)


def shard_path(out: Path, shard: int) -> Path:
    return out / "shards" / f"{shard:06d}.tar"


def part_path(out: Path, shard: int) -> Path:
    return out / "index" / f"{shard:06d}.parquet"


def row_of(record: Record, caption: str) -> dict[str, Any]:
    """What the index says about a clip, but for its shard."""
    clip = record.clip
    facts = clip.model_dump(include=set(SCHEMA.names) & set(type(clip).model_fields))
    return facts | {
        "caption": caption,
        "camera": [m.kind for m in record.camera.moves],
        "num_objects": len(record.objects),
        "events": sorted({e.kind for e in record.events}),
        "weather": record.lighting.weather,
        "time_of_day": record.lighting.time_of_day,
    }


def write_part(out: Path, shard: int, rows: Sequence[dict[str, Any]]) -> None:
    """Enter a finished shard. Raises ``OSError`` when the disk does not take it."""
    path = shard_path(out, shard)
    place = {"shard": path.relative_to(out).as_posix(), "shard_bytes": path.stat().st_size}
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row | place for row in rows], SCHEMA), buffer)
    write_atomically(buffer.getvalue(), part_path(out, shard))
    flush_folder(part_path(out, shard).parent)


def is_finished(out: Path, shard: int) -> bool:
    """Whether a shard is entered and still there in full; an entry whose shard is not is taken back."""
    part, path = part_path(out, shard), shard_path(out, shard)
    if not part.is_file():
        return False
    entered = pq.read_table(part, columns=["shard_bytes"])["shard_bytes"][0].as_py()
    if path.is_file() and path.stat().st_size == entered:
        return True
    part.unlink()
    return False


def read_index(out: Path) -> pa.Table:
    """The whole index, in the clips' order. Raises ``ValueError`` when there is none or a shard of it is gone."""
    parts = sorted((out / "index").glob("*.parquet"))
    if not parts:
        raise ValueError(f"{out}: no dataset here (no index/*.parquet); make one with worldr1 worlds --out {out}")
    table = pa.concat_tables([pq.read_table(p) for p in parts])
    for shard in table["shard"].unique().to_pylist():
        if not (out / shard).is_file():
            raise ValueError(f"{out / shard} is missing; run the command in {out / 'README.md'} again to remake it")
    return table
