"""A small dataset of fake samples, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldr1.worlds.dataset import generate
from worldr1.worlds.dataset.config import DatasetConfig
from worlds.dataset.fakes import fake_samples


@pytest.fixture(scope="session")
def config() -> DatasetConfig:
    return DatasetConfig("landmarks", count=7, seed=3, size=16, frames=9, clips_per_shard=3, store_frames=True)


@pytest.fixture(scope="session")
def dataset(config: DatasetConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of seven clips in three shards. Tests only read it."""
    out = tmp_path_factory.mktemp("dataset")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "make_samples", fake_samples)
        generate.make_dataset(config, out, workers=1)
    return out
