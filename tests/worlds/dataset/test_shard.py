"""Samples to bytes and back; shards that are complete or not there."""

from __future__ import annotations

import errno
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldr1.worlds.dataset import shard
from worldr1.worlds.dataset.config import DatasetConfig
from worldr1.worlds.dataset.sample import Sample, decode, encode, encode_video
from worldr1.worlds.dataset.shard import read_shard, write_shard
from worlds.dataset.fakes import fake_samples


def test_a_sample_comes_back_exactly(config: DatasetConfig) -> None:
    sample = next(fake_samples(config, range(4, 5)))
    files = encode(sample)
    assert list(files) == ["mp4", "json", "gt.npz", "txt"]
    assert encode(sample) == files
    back = decode(files)
    assert np.array_equal(back.video, sample.video)  # noise: nothing is lost
    assert back.record == sample.record
    assert back.caption == sample.caption
    assert back.key == "landmarks-3-0000004"
    assert back.truth.keys() == sample.truth.keys()
    for name, array in sample.truth.items():
        assert back.truth[name].dtype == array.dtype
        assert np.array_equal(back.truth[name], array)
    assert back.flow_px().shape == (9, 16, 16, 2)
    assert back.flow_px("backward").reshape(-1, 2)[3].tolist() == [1.5, -2.5]


def test_incomplete_samples_are_refused(config: DatasetConfig) -> None:
    files = encode(next(fake_samples(config, range(1))))
    del files["gt.npz"]
    with pytest.raises(ValueError, match=r"without \.gt\.npz"):
        decode(files)


def test_the_frame_rate_is_in_the_file(tmp_path: Path) -> None:
    import av

    path = tmp_path / "x.mp4"
    path.write_bytes(encode_video(np.zeros((5, 16, 16, 3), np.uint8), 12.5))
    with av.open(str(path)) as file:
        assert float(file.streams.video[0].average_rate or 0) == 12.5


def test_shards_are_the_same_bytes_and_hold_no_moment(config: DatasetConfig, tmp_path: Path) -> None:
    size = write_shard(tmp_path / "a" / "0.tar", fake_samples(config, range(3)))
    write_shard(tmp_path / "b.tar", fake_samples(config, range(3)))
    data = (tmp_path / "a" / "0.tar").read_bytes()
    assert data == (tmp_path / "b.tar").read_bytes()
    assert len(data) == size
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname) for m in tar} == {(0, 0, 0, "")}
        assert tar.getnames()[:4] == [f"landmarks-3-0000000.{s}" for s in ("mp4", "json", "gt.npz", "txt")]
    assert [s.key for s in read_shard(tmp_path / "b.tar")] == [f"landmarks-3-{i:07d}" for i in range(3)]


def test_a_failing_sample_leaves_nothing(config: DatasetConfig, tmp_path: Path) -> None:
    def failing() -> Iterator[Sample]:
        yield from fake_samples(config, range(2))
        raise FileNotFoundError(errno.ENOENT, "no such mesh", "cat.obj")

    with pytest.raises(FileNotFoundError, match="no such mesh"):  # not taken for an error of the shard's disk
        write_shard(tmp_path / "0.tar", failing())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line(config: DatasetConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shard, "_append", full)
    with pytest.raises(OSError, match=r"cannot write .*0\.tar: No space left on device; make room") as caught:
        write_shard(tmp_path / "0.tar", fake_samples(config, range(2)))
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_one_line(config: DatasetConfig, tmp_path: Path) -> None:
    (tmp_path / "shards").write_text("")
    with pytest.raises(OSError, match="cannot write"):
        write_shard(tmp_path / "shards" / "0.tar", fake_samples(config, range(2)))


def test_no_tar_file(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    path.write_bytes(b"x" * 2000)
    with pytest.raises(ValueError, match="not a tar file"):
        list(read_shard(path))
