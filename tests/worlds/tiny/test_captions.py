"""Captions tell the truth of the first frame, in a closed vocabulary, and never mention a violation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oracle import clean_scenes, twin
from worldr1.policies.tiny import TEXT_LENGTH, build_tokenizer
from worldr1.worlds.tiny.captions import TAGS, caption, facts, relation, tags_of, vocabulary
from worldr1.worlds.tiny.corpus import CorpusConfig, scene_at
from worldr1.worlds.tiny.render import camera_of
from worldr1.worlds.tiny.violations import KINDS

SCENES = [scene_at(CorpusConfig(seed=3), i) for i in range(400)]


def test_vocabulary_covers_every_caption_and_the_tokenizer_holds_it() -> None:
    words = vocabulary()
    assert len(words) == len(set(words))
    texts = [caption(s) for s in SCENES]
    assert {w for t in texts for w in t.split()} <= set(words)
    ids = build_tokenizer(words)(texts).input_ids
    assert max(len(i) for i in ids) <= TEXT_LENGTH
    assert not any(2 in i for i in ids)  # <unk>


def test_different_claims_have_different_captions() -> None:
    claims = {caption(s): (facts(s)["camera"], frozenset(facts(s)["objects"]), facts(s)["ground"]) for s in SCENES}  # type: ignore[call-overload]
    for scene in SCENES:
        told = facts(scene)
        assert claims[caption(scene)] == (told["camera"], frozenset(told["objects"]), told["ground"])  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", KINDS)
def test_a_violation_is_never_mentioned(kind: str) -> None:
    for i, scene in enumerate(clean_scenes(20)):
        broken = twin(scene, kind, i)
        assert caption(broken) == caption(scene)
        assert facts(broken) == facts(scene)


def test_clean_and_violated_corpora_tell_the_same_of_the_same_index() -> None:
    clean, broken = CorpusConfig(seed=4, violated=0.0), CorpusConfig(seed=4, violated=1.0)
    for i in range(100):
        assert scene_at(broken, i).violation
        assert caption(scene_at(clean, i)) == caption(scene_at(broken, i))


def test_left_and_right_agree_with_the_picture_and_in_front_is_nearer() -> None:
    told = set()
    for scene in (s for s in SCENES if s.num_objects == 2 and s.family == "landmarks"):
        a, b = (torch.from_numpy(scene.in_camera(0, i)) for i in (0, 1))
        K = camera_of(scene, 32).K[0]
        x_px = [float(K[0, 0] * p[0] / p[2] + K[0, 2]) for p in (a, b)]
        where = relation(scene)
        told.add(where)
        if where in ("left of", "right of"):
            assert (x_px[0] < x_px[1]) == (where == "left of")
        else:
            assert bool(a[2] < b[2]) == (where == "in front of")
        names = [scene.object_name(0), scene.object_name(1)]
        assert caption(scene).index(names[0]) < caption(scene).index(where) < caption(scene).index(names[1])
    assert told == {"left of", "right of", "in front of", "behind"}


def test_the_occluder_caption_names_the_direction_of_the_mover() -> None:
    for scene in (s for s in SCENES if s.family == "occluder" and not s.violation):
        x = [scene.in_camera(t, 0)[0] for t in (0, -1)]
        assert f"moves {'right' if x[1] > x[0] else 'left'} behind" in caption(scene)
        middle = scene.num_frames // 2
        assert scene.in_camera(middle, 0)[2] > scene.in_camera(middle, 1)[2]  # behind is farther away


def test_tags_are_what_the_facts_name() -> None:
    for scene in SCENES[:50]:
        claims = facts(scene)
        assert {TAGS[i] for i in tags_of(claims)} == {*claims["objects"], claims["ground"]}  # type: ignore[misc]
    assert len(TAGS) == len(np.unique(TAGS))
