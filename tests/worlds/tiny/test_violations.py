"""Each violation is seen from its frame on, and not before."""

from __future__ import annotations

import numpy as np
import pytest

from oracle import clean_scenes, twin
from worldr1.worlds.tiny.corpus import CorpusConfig, scene_at
from worldr1.worlds.tiny.render import render
from worldr1.worlds.tiny.violations import KINDS, violate


@pytest.mark.parametrize("kind", KINDS)
def test_frames_change_from_the_violation_on_and_none_before(kind: str) -> None:
    clean = clean_scenes(16)
    broken = [twin(s, kind, i) for i, s in enumerate(clean)]
    a, b = (render(s).rgb.astype(int) for s in (clean, broken))
    from_the_start = 0
    for i, scene in enumerate(broken):
        assert scene.violation == kind
        assert 2 <= scene.violation_frame < scene.num_frames - 2
        change = np.abs(a[i] - b[i]).mean((1, 2, 3))  # [frames]
        assert (change[: scene.violation_frame] == 0).all()
        after = change[scene.violation_frame :]
        assert after.max() > 0.3  # not at every frame: an object may be hidden by the other one
        from_the_start += int(after[0] > 0.05)
    assert from_the_start >= 10  # in the occluder family it may start while the mover is hidden


def test_half_of_the_corpus_is_violated_by_every_kind() -> None:
    kinds = [scene_at(CorpusConfig(seed=1), i).violation for i in range(500)]
    share = np.mean([bool(k) for k in kinds])
    assert share == pytest.approx(0.5, abs=0.07)  # three standard deviations
    assert {k for k in kinds if k} == set(KINDS)
    assert not any(scene_at(CorpusConfig(seed=1, violated=0.0), i).violation for i in range(100))


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        violate(np.random.default_rng(0), clean_scenes(1)[0], "melt")
