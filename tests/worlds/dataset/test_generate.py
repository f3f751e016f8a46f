"""What a dataset's folder holds, and what is refused. Kills are in test_resume, real clips in test_pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import filelock
import jsonschema
import numpy as np
import pytest

from worldr1.worlds.dataset import generate
from worldr1.worlds.dataset.config import DatasetConfig, check_config, load_config
from worldr1.worlds.dataset.frames import open_frames
from worldr1.worlds.dataset.generate import make_dataset
from worldr1.worlds.dataset.index import read_index
from worldr1.worlds.dataset.shard import read_shard
from worlds.dataset.fakes import fake_samples


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "make_samples", fake_samples)


def test_files(dataset: Path, config: DatasetConfig) -> None:
    assert sorted(p.name for p in (dataset / "shards").iterdir()) == ["000000.tar", "000001.tar", "000002.tar"]
    table = read_index(dataset)
    assert table["index"].to_pylist() == list(range(7))
    assert table["key"].to_pylist()[6] == "landmarks-3-0000006"
    assert table["shard"].to_pylist()[5:] == ["shards/000001.tar", "shards/000002.tar"]
    assert table["planned"].to_pylist()[:2] == [[], ["reappearance"]]
    assert table["camera"].to_pylist()[0] == ["dolly in"]
    samples = [s for p in sorted((dataset / "shards").iterdir()) for s in read_shard(p)]
    assert [s.key for s in samples] == table["key"].to_pylist()
    assert [s.caption for s in samples] == table["caption"].to_pylist()
    frames = open_frames(dataset, 1)
    assert isinstance(frames, np.memmap)
    assert np.array_equal(frames, np.stack([s.video for s in samples[3:6]]))
    assert load_config(dataset) == config


def test_records_pass_the_schema(dataset: Path) -> None:
    schema = json.loads((dataset / "record.schema.json").read_text())
    record = next(read_shard(dataset / "shards" / "000002.tar")).record
    content = json.loads(record.model_dump_json())
    jsonschema.validate(content, schema)
    content["clip"]["mood"] = "grim"
    with pytest.raises(jsonschema.ValidationError, match="mood"):
        jsonschema.validate(content, schema)


def test_card(dataset: Path) -> None:
    text = (dataset / "README.md").read_text()
    assert "| landmarks | 7 | 3 |" in text
    assert "Clips with an event: exit 7." in text
    assert "depth_m       [frames, h, w]" in text
    assert "--family landmarks --count 7 --seed 3 --size 16 --frames 9" in text
    assert "{" not in text.replace("{000000..000002}", "")  # no placeholder is left


def test_a_second_run_makes_nothing(dataset: Path, config: DatasetConfig) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("made again")

    steps: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "make_samples", forbidden)
        summary = make_dataset(config, dataset, progress=steps.append)
    assert (summary.clips, summary.new) == (7, 0)
    assert steps == [7]
    assert summary.bytes == sum(p.stat().st_size for p in (dataset / "shards").iterdir())


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("damage", ["delete", "cut"])
def test_a_lost_shard_is_noticed_and_remade(damage: str, config: DatasetConfig, tmp_path: Path) -> None:
    make_dataset(config, tmp_path, workers=1)
    path = tmp_path / "shards" / "000001.tar"
    whole = path.read_bytes()
    if damage == "delete":
        path.unlink()
        with pytest.raises(ValueError, match=r"000001\.tar is missing; run the command"):
            read_index(tmp_path)
    else:
        path.write_bytes(whole[:5000])
    assert make_dataset(config, tmp_path, workers=1).new == 3
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("fake")
def test_other_settings_are_refused(config: DatasetConfig, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="size is 16 there and 32 here"):
        make_dataset(replace(config, size=32), dataset)
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="holds other files"):
        make_dataset(config, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.usefixtures("fake")
def test_two_runs_at_once_are_refused(config: DatasetConfig, tmp_path: Path) -> None:
    with (
        filelock.FileLock(tmp_path / ".lock"),
        pytest.raises(ValueError, match="another run is writing"),
    ):
        make_dataset(config, tmp_path, workers=1)
    make_dataset(config, tmp_path, workers=1)


def test_unreadable_settings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no dataset here"):
        load_config(tmp_path)
    with pytest.raises(ValueError, match="no dataset here"):
        read_index(tmp_path)
    for text in ("{", "[]", '{"mood": 1}'):
        (tmp_path / "dataset.json").write_text(text)
        with pytest.raises(ValueError, match="make the dataset again"):
            load_config(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "ocluder"}, "did you mean occluder?"),
        ({"family": "zzz"}, "use one of .*all"),
        ({"count": 0}, "--count must be at least 1"),
        ({"clips_per_shard": 0}, "--shard must be at least 1"),
        ({"seed": -1}, "--seed"),
        ({"size": 60}, "multiple of 8 pixels.* use 64"),
        ({"size": 0}, "use 8"),
        ({"frames": 16}, "use 13 or 17"),
        ({"frames": 1}, "use 9 or 13"),
        ({"fps": 0.0}, "--fps must be positive"),
        ({"fps": float("nan")}, "--fps must be positive"),
    ],
)
def test_impossible_settings(changes: dict[str, object], message: str, config: DatasetConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        make_dataset(replace(config, **changes), tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_impossible_workers(config: DatasetConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--workers must be at least 1"):
        make_dataset(config, tmp_path / "out", workers=0)
    with pytest.raises(ValueError, match="unknown executor 'slurm'"):
        make_dataset(config, tmp_path / "out", executor="slurm")


def test_all_takes_the_families_in_turn(config: DatasetConfig) -> None:
    everything = replace(config, family="all")
    check_config(everything)
    families = [everything.family_of(i) for i in range(40)]
    assert len(set(families)) > 1
    assert families[0] == families[len(set(families))]
