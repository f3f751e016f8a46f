"""Other people's libraries read what was written: `datasets`, `webdataset`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from worldr1.worlds.dataset.sample import decode_video
from worldr1.worlds.dataset.shard import read_shard

datasets = pytest.importorskip("datasets")
webdataset = pytest.importorskip("webdataset")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def test_webdataset(dataset: Path) -> None:
    urls = str(dataset / "shards" / "{000000..000002}.tar")
    samples = list(webdataset.WebDataset(urls, shardshuffle=False))
    assert [s["__key__"] for s in samples] == [f"landmarks-3-{i:07d}" for i in range(7)]
    ours = next(read_shard(dataset / "shards" / "000000.tar"))
    first = samples[0]
    assert np.array_equal(decode_video(first["mp4"]), ours.video)
    assert first["txt"].decode() == ours.caption
    assert json.loads(first["json"])["clip"]["key"] == first["__key__"]
    assert np.array_equal(np.load(io.BytesIO(first["gt.npz"]))["depth_m"], ours.truth["depth_m"])


def test_datasets_reads_the_shards(dataset: Path, tmp_path: Path) -> None:
    clips = datasets.load_dataset(
        "webdataset",
        data_files=str(dataset / "shards" / "*.tar"),
        split="train",
        streaming=True,
        cache_dir=str(tmp_path),
    )
    clips = clips.cast_column("mp4", datasets.Video(decode=False))
    rows = list(clips)
    ours = [s for p in sorted((dataset / "shards").iterdir()) for s in read_shard(p)]
    assert [r["__key__"] for r in rows] == [s.key for s in ours]
    assert [r["txt"] for r in rows] == [s.caption for s in ours]
    assert np.array_equal(decode_video(rows[3]["mp4"]["bytes"]), ours[3].video)
    assert rows[3]["json"]["clip"]["scene_hash"] == ours[3].record.clip.scene_hash


def test_datasets_reads_the_index(dataset: Path, tmp_path: Path) -> None:
    index = datasets.load_dataset(
        "parquet", data_files=str(dataset / "index" / "*.parquet"), split="train", cache_dir=str(tmp_path)
    )
    assert index["index"][:] == list(range(7))
    assert index.filter(lambda row: "reappearance" in row["planned"]).num_rows == 3


def test_the_card_says_where_the_clips_are(dataset: Path, tmp_path: Path) -> None:
    clips = datasets.load_dataset(str(dataset), split="train", streaming=True, cache_dir=str(tmp_path))
    assert {"mp4", "json", "gt.npz", "txt"} <= set(clips.features)
    assert len(list(clips.cast_column("mp4", datasets.Video(decode=False)))) == 7
