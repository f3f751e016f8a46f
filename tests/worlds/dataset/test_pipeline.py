"""Real clips: what is stored of them, and the same files from any number of workers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from worldr1.worlds.dataset.config import DatasetConfig
from worldr1.worlds.dataset.generate import make_dataset
from worldr1.worlds.dataset.index import read_index
from worldr1.worlds.dataset.pipeline import make_samples
from worldr1.worlds.dataset.sample import encode
from worldr1.worlds.dataset.shard import read_shard
from worldr1.worlds.families import FAMILIES, scene_at
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.rendered import FIRST_OBJECT

CONFIG = DatasetConfig("all", count=len(FAMILIES), size=32, frames=9, clips_per_shard=2)


def digests(out: Path) -> dict[str, str]:
    files = [p for p in out.rglob("*") if p.is_file() and p.name != ".lock"]
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one")
    make_dataset(CONFIG, out, workers=1)
    return out


def test_two_workers_make_the_same_files(by_one: Path, tmp_path: Path) -> None:
    make_dataset(CONFIG, tmp_path, workers=2)
    assert digests(tmp_path) == digests(by_one)


@pytest.mark.slow
def test_ray_makes_the_same_files(by_one: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    make_dataset(CONFIG, tmp_path, executor="ray", workers=2)
    assert digests(tmp_path) == digests(by_one)


def test_a_clip_does_not_depend_on_its_neighbours(by_one: Path) -> None:
    alone = next(make_samples(CONFIG, range(3, 4)))
    together = list(read_shard(by_one / "shards" / "000001.tar"))[1]
    assert together.key == alone.key
    assert encode(together) == encode(alone)


def test_what_is_stored_is_what_was_rendered(by_one: Path) -> None:
    assert read_index(by_one)["family"].to_pylist() == list(FAMILIES)
    schema = json.loads((by_one / "record.schema.json").read_text())
    samples = [s for p in sorted((by_one / "shards").iterdir()) for s in read_shard(p)]
    for i, sample in enumerate(samples):
        record = sample.record
        jsonschema.validate(json.loads(record.model_dump_json()), schema)
        scene = scene_at(record.clip.family, 0, i, num_frames=9)
        out = WarpRenderer()([scene], 32, 32)
        assert np.array_equal(sample.video, out.rgb[0])
        assert np.array_equal(sample.truth["instance_ids"], out.instance_ids[0])
        assert np.array_equal(sample.truth["amodal_bits"], out.amodal_bits[0])
        assert np.allclose(sample.truth["depth_m"], out.depth_m[0], rtol=2**-11)
        for direction, flow in (("forward", out.flow_px), ("backward", out.backward_flow_px)):
            assert np.abs(sample.flow_px(direction) - flow[0]).max() <= 0.05
        assert sample.caption == record.captions[0].text
        assert (record.clip.index, record.clip.seed, record.captions[0].level) == (i, 0, "dense")
        canvas = WarpRenderer().canvas_px([scene], 32, 32)[0]
        assert [t.canvas_px for t in record.objects] == canvas.T.tolist()
        for thing in record.objects:  # the record and the arrays speak of the same pixels
            assert thing.visible_px == (sample.truth["instance_ids"] == FIRST_OBJECT + thing.id).sum((1, 2)).tolist()


def test_settings_reach_the_clips() -> None:
    changed: dict[str, Any] = {"fps": 12.0, "captions": "short", "split": "held_out", "difficulty": "easy"}
    sample = next(make_samples(replace(CONFIG, family="occluder", seed=5, store_flow=True, **changed), range(1)))
    clip = sample.record.clip
    assert (clip.fps, clip.split, clip.difficulty, clip.seed) == (12.0, "held_out", "easy", 5)
    assert sample.record.captions[0].level == "short"
    assert {"forward_px", "backward_px"} <= sample.truth.keys()
