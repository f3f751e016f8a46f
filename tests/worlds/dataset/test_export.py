"""Layouts of other trainers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from worldr1.video import read_video
from worldr1.worlds.dataset.export import FORMATS, export_dataset
from worldr1.worlds.dataset.shard import read_shard

Clip = tuple[str, str]  # path of the video in the folder, caption


def from_pairs(out: Path) -> list[Clip]:
    return [(p.name, p.with_suffix(".txt").read_text()) for p in sorted(out.glob("*.mp4"))]


def from_jsonl(out: Path) -> list[Clip]:
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
    return [(r["video_path"], r["caption"]) for r in rows]


def from_csv(out: Path) -> list[Clip]:
    with (out / "metadata.csv").open(newline="") as file:
        return [(r["video"], r["prompt"]) for r in csv.DictReader(file)]


def from_videox(out: Path) -> list[Clip]:
    rows = json.loads((out / "metadata.json").read_text())
    assert all(r["type"] == "video" and r["width"] == r["height"] == 16 for r in rows)
    return [(r["file_path"], r["text"]) for r in rows]


def from_finetrainers(out: Path) -> list[Clip]:
    videos, prompts = ((out / name).read_text().splitlines() for name in ("videos.txt", "prompts.txt"))
    return list(zip(videos, prompts, strict=True))


READERS = {
    "pairs": from_pairs,
    "jsonl": from_jsonl,
    "csv": from_csv,
    "videox": from_videox,
    "finetrainers": from_finetrainers,
}


@pytest.mark.parametrize("layout", FORMATS)
def test_layouts(layout: str, dataset: Path, tmp_path: Path) -> None:
    assert export_dataset(dataset, tmp_path / "out", layout) == 7
    clips = READERS[layout](tmp_path / "out")
    samples = [s for p in sorted((dataset / "shards").iterdir()) for s in read_shard(p)]
    assert [caption for _, caption in clips] == [s.caption.replace("\n", " ") for s in samples]
    assert [Path(path).stem for path, _ in clips] == [s.key for s in samples]
    video = (read_video(tmp_path / "out" / clips[4][0]).video * 255).byte().permute(0, 2, 3, 1).numpy()
    assert (video == samples[4].video).all()


def test_refusals(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use one of pairs, jsonl, csv"):
        export_dataset(dataset, tmp_path / "out", "avi")
    with pytest.raises(ValueError, match="no dataset here"):
        export_dataset(tmp_path, tmp_path / "out", "csv")
    with pytest.raises(ValueError, match="is not empty"):
        export_dataset(dataset, dataset, "csv")


def test_datasets_reads_the_jsonl(dataset: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    export_dataset(dataset, tmp_path / "out", "jsonl")
    rows = datasets.load_dataset(
        "json", data_files=str(tmp_path / "out" / "metadata.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert rows.column_names == ["video_path", "caption"]
    assert rows.num_rows == 7
