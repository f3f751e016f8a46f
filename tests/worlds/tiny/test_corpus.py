"""A clip depends on its corpus and index and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from worldr1.worlds.tiny.captions import caption
from worldr1.worlds.tiny.corpus import Corpus, CorpusConfig, prompt_at, render_corpus, scene_at
from worldr1.worlds.tiny.render import render

CONFIG = CorpusConfig(seed=9)


def assert_same(a: Corpus, b: Corpus) -> None:
    np.testing.assert_array_equal(a.video, b.video)
    np.testing.assert_array_equal(a.depth_m, b.depth_m)
    assert (a.captions, a.facts, a.violations) == (b.captions, b.facts, b.violations)


def test_a_clip_alone_is_the_clip_in_a_batch() -> None:
    batch = render_corpus(CONFIG, 0, 12)
    alone = render_corpus(CONFIG, 5, 6)
    np.testing.assert_array_equal(alone.video[0], batch.video[5])
    np.testing.assert_array_equal(alone.depth_m[0], batch.depth_m[5])
    assert alone.captions[0] == batch.captions[5]
    assert len({v.tobytes() for v in batch.video}) == 12


def test_chunks_and_workers_do_not_matter() -> None:
    told: list[int] = []
    one = render_corpus(CONFIG, 3, 15)
    assert_same(one, render_corpus(CONFIG, 3, 15, chunk=5))
    assert_same(one, render_corpus(CONFIG, 3, 15, workers=2, chunk=4, progress=told.append))
    assert told == [4, 4, 4]


def test_another_seed_is_another_corpus() -> None:
    other = render_corpus(replace(CONFIG, seed=10), 0, 4)
    assert not np.array_equal(other.video, render_corpus(CONFIG, 0, 4).video)


def test_the_prompt_is_the_scenes() -> None:
    for i in range(10):
        scene, prompt = scene_at(CONFIG, i), prompt_at(CONFIG, i)
        assert prompt.text == caption(scene)
        assert prompt.camera is not None
        torch.testing.assert_close(prompt.camera.c2w, torch.from_numpy(scene.c2w))


def test_scenes_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        render([scene_at(CONFIG, 0), scene_at(replace(CONFIG, num_frames=7), 1)])
    with pytest.raises(ValueError, match="at least one scene"):
        render([])
