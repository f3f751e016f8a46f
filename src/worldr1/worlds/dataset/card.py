"""The dataset's card (``README.md``, with the front matter of the Hugging Face hub) and the record's JSON schema."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from worldr1.files import write_atomically
from worldr1.worlds.dataset import sample
from worldr1.worlds.dataset.config import DatasetConfig, generator
from worldr1.worlds.dataset.index import SCHEMA, read_index
from worldr1.worlds.record import VERSION, Record

SCHEMA_FILE = "record.schema.json"

CARD = """---
license: cc0-1.0
pretty_name: {title}
task_categories: [text-to-video]
tags: [synthetic, video, captions, depth, optical-flow, segmentation, camera-poses, webdataset]
configs:
- config_name: default
  data_files: shards/*.tar
---
# {title}

{count} rendered clips of {frames} frames, {size}x{size} pixels, {fps:g} frames a second, each with a caption and the
exact geometry it was rendered from. Everything is synthetic: no recordings, no real people or places. The clips are in
the public domain (CC0 1.0).

| family | clips | with a planned event |
|---|---|---|
{families}

{events}

## Files

- `shards/*.tar`: WebDataset samples of `key.mp4` (H.264, RGB, lossless), `key.json` (the record), `key.gt.npz` (the
  truth), `key.txt` (the caption, level "{captions}"); {bytes_per_clip} bytes a clip.
- `index/*.parquet`: a row per clip ({columns}).
- `{schema_file}`: JSON schema of the record, version {version}: camera, objects, relations, trajectories, events,
  lighting, captions. Metres, seconds, degrees; world z-up; OpenCV cameras; quaternions (x, y, z, w).
{frames_line}
The arrays of `key.gt.npz`:

```
{truth}
```

## Reading

```python
from datasets import load_dataset
clips = load_dataset("webdataset", data_files="shards/*.tar", split="train", streaming=True)
index = load_dataset("parquet", data_files="index/*.parquet", split="train")

import webdataset
clips = webdataset.WebDataset("shards/{{000000..{last:06d}}}.tar", shardshuffle=False)

from worldr1.worlds.dataset.shard import read_shard
for clip in read_shard("shards/000000.tar"):
    clip.video, clip.caption, clip.record.events, clip.truth["depth_m"], clip.flow_px()
```

`worldr1 worlds show DIR` draws a contact sheet, `worldr1 worlds export DIR --format ... --out DIR` writes what other
trainers read.

## Made by

{generator}: `{command} --out DIR`. The same command gives the same scenes, captions and truth on any number of workers.
"""


def write_card(config: DatasetConfig, out: Path) -> int:
    """Describe a finished dataset; returns the bytes of its shards."""
    table = read_index(out)
    shards = table.select(["shard", "shard_bytes"]).group_by("shard").aggregate([("shard_bytes", "max")])
    size = int(pc.sum(shards["shard_bytes_max"]).as_py())
    text = CARD.format(
        title=f"worldr1 {config.family}, {config.count} clips",
        count=config.count,
        frames=config.frames,
        size=config.size,
        fps=config.fps,
        captions=config.captions,
        families=_families(table),
        events=_events(table),
        bytes_per_clip=size // config.count,
        columns=", ".join(f"`{name}`" for name in SCHEMA.names),
        schema_file=SCHEMA_FILE,
        version=VERSION,
        frames_line="- `frames/*.npy`: the raw frames of a shard, uint8.\n" if config.store_frames else "",
        truth=_truth_lines(),
        last=config.num_shards - 1,
        generator=generator(),
        command=config.command(),
    )
    schema = json.dumps(Record.model_json_schema(), indent=1)
    write_atomically(schema, out / SCHEMA_FILE)
    write_atomically(text, out / "README.md")
    return size


def _families(table: pa.Table) -> str:
    planned = Counter(f for f, p in zip(table["family"].to_pylist(), table["planned"].to_pylist(), strict=True) if p)
    counts = Counter(table["family"].to_pylist())
    return "\n".join(f"| {name} | {n} | {planned[name]} |" for name, n in sorted(counts.items()))


def _events(table: pa.Table) -> str:
    counts = Counter(kind for kinds in table["events"].to_pylist() for kind in kinds)
    if not counts:
        return "No events."
    return "Clips with an event: " + ", ".join(f"{kind} {n}" for kind, n in sorted(counts.items())) + "."


def _truth_lines() -> str:
    """The list of arrays in `sample`'s docstring, so that there is one."""
    assert sample.__doc__ is not None
    return "\n".join(line[4:] for line in sample.__doc__.splitlines() if line.startswith("    "))
