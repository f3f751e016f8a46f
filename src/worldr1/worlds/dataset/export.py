"""A dataset as other trainers read it: one function per layout, each writes the videos, then what lists them.

`FORMATS` names them. Captions are put on one line; videos are the shards' own files.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from worldr1.files import write_atomically
from worldr1.worlds.dataset.config import load_config
from worldr1.worlds.dataset.index import read_index
from worldr1.worlds.dataset.shard import read_files


@dataclass(frozen=True)
class Entry:
    """A clip that was written."""

    path: str  # of the video, relative to the exported folder
    caption: str


Write = Callable[[Path, Iterator[tuple[str, bytes, str]], int], None]  # folder; key, video, caption; side in pixels


def export_dataset(dataset: Path, out: Path, layout: str) -> int:
    """Write a dataset in another layout and return its clips. Raises ``ValueError`` for an unknown layout, a folder
    that is no dataset, and one that holds something already."""
    if layout not in FORMATS:
        raise ValueError(f"unknown format {layout!r}; use one of {', '.join(FORMATS)}")
    table = read_index(dataset)
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; choose a new folder for --out")
    shards = [dataset / name for name in table["shard"].unique().to_pylist()]
    FORMATS[layout](out, _clips(shards), load_config(dataset).size)
    return len(table)


def _clips(shards: Sequence[Path]) -> Iterator[tuple[str, bytes, str]]:
    for shard in shards:
        for key, files in read_files(shard, ("mp4", "txt")).items():
            yield key, files["mp4"], " ".join(files["txt"].decode().split())


def _write_videos(out: Path, folder: str, clips: Iterator[tuple[str, bytes, str]]) -> list[Entry]:
    entries = []
    for key, video, caption in clips:
        write_atomically(video, out / folder / f"{key}.mp4")
        entries.append(Entry(f"{folder}/{key}.mp4", caption))
    return entries


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    write_atomically("".join(f"{line}\n" for line in lines), path)


def pairs(out: Path, clips: Iterator[tuple[str, bytes, str]], _: int) -> None:
    """``key.mp4`` beside ``key.txt``: most LoRA trainers, finetrainers' file pairs."""
    for key, video, caption in clips:
        write_atomically(video, out / f"{key}.mp4")
        write_atomically(caption, out / f"{key}.txt")


def jsonl(out: Path, clips: Iterator[tuple[str, bytes, str]], _: int) -> None:
    """``metadata.jsonl`` of ``video_path`` and ``caption``: musubi-tuner (started in the folder) and others."""
    entries = _write_videos(out, "videos", clips)
    _write_lines(out / "metadata.jsonl", [json.dumps({"video_path": e.path, "caption": e.caption}) for e in entries])


def csv_table(out: Path, clips: Iterator[tuple[str, bytes, str]], _: int) -> None:
    """``metadata.csv`` of ``video`` and ``prompt``: DiffSynth-Studio."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["video", "prompt"])
    writer.writerows([e.path, e.caption] for e in _write_videos(out, "videos", clips))
    write_atomically(text.getvalue(), out / "metadata.csv")


def videox(out: Path, clips: Iterator[tuple[str, bytes, str]], side: int) -> None:
    """``metadata.json``, a list of ``file_path``, ``text``, ``type``, ``width``, ``height``: VideoX-Fun."""
    rows = [
        {"file_path": e.path, "text": e.caption, "type": "video", "width": side, "height": side}
        for e in _write_videos(out, "train", clips)
    ]
    write_atomically(json.dumps(rows, indent=1), out / "metadata.json")


def finetrainers(out: Path, clips: Iterator[tuple[str, bytes, str]], _: int) -> None:
    """``prompts.txt`` and ``videos.txt``, a line per clip: finetrainers' lists, CogVideoX-Factory."""
    entries = _write_videos(out, "videos", clips)
    _write_lines(out / "prompts.txt", [e.caption for e in entries])
    _write_lines(out / "videos.txt", [e.path for e in entries])


FORMATS: dict[str, Write] = {
    "pairs": pairs,
    "jsonl": jsonl,
    "csv": csv_table,
    "videox": videox,
    "finetrainers": finetrainers,
}
