from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from worldr1.evaluate.bench import bench
from worldr1.evaluate.bench.attack import KNOBS, AttackConfig, attack
from worldr1.evaluate.bench.bench import (
    CLEAN,
    Row,
    Slot,
    cells_of,
    changed_share,
    score_world,
    severities_of,
    world_clips,
)
from worldr1.evaluate.bench.catalogue import CASES
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.judges import Judge, answer, combine_of
from worldr1.rewards.general import TYPICAL
from worldr1.rewards.spec import spec_of
from worldr1.types import Clip, Rollout, Score
from worldr1.worlds.filmed import PATHS
from worldr1.worlds.scene import NoPlaceError, Scene

TINY = BenchConfig(scenes=2, cells=1, num_frames=9, size=24)


def travel(samples: Sequence[Rollout | Clip]) -> list[Score]:
    """A reward that wants the camera to move and nothing to change otherwise, read off the truth."""
    scores = []
    for s in samples:
        assert isinstance(s, Rollout)
        truth = s.clip.truth
        assert truth is not None
        way = float((truth.camera.c2w[-1, :3, 3] - truth.camera.c2w[0, :3, 3]).norm())
        scores.append(Score(way, {"way": way}))
    return scores


def test_cells_spread_over_worlds_and_paths() -> None:
    case = CASES["jitter"]
    few = cells_of(case, BenchConfig(scenes=40, cells=12))
    assert len({w for w, _ in few}) == 12
    assert {p for _, p in few} == set(PATHS)
    everything = cells_of(case, BenchConfig(scenes=4, cells=1000))
    assert sorted(everything) == sorted((w, p) for w in range(4) for p in PATHS)
    assert sorted(cells_of(case, BenchConfig(scenes=5, cells=1000))) == sorted((w, p) for w in range(5) for p in PATHS)


def test_mild_and_strong_edits_may_have_fewer_cells() -> None:
    case, few = CASES["jitter"], severities_of(CASES["jitter"], BenchConfig(scenes=40, cells=12, outer_cells=3))
    assert list(few) == cells_of(case, BenchConfig(scenes=40, cells=12))
    assert sorted(few.values()) == [(1, 2, 3)] * 3 + [(2,)] * 9
    assert set(severities_of(case, BenchConfig(cells=12)).values()) == {(1, 2, 3)}
    assert set(severities_of(case, BenchConfig(cells=12, outer_cells=0)).values()) == {(2,)}
    assert set(severities_of(CASES["static"], BenchConfig(cells=12, outer_cells=3)).values()) == {(2,)}
    rows = [s for s in world_clips(replace(TINY, cells=2, outer_cells=0), 0) if s.case == "jitter"]
    assert [s.severity for s in rows] == [2]


def test_a_bench_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 4"):
        BenchConfig(cells=4, outer_cells=5)
    with pytest.raises(ValueError, match="at least 2 scenes"):
        BenchConfig(scenes=1)
    with pytest.raises(ValueError, match="24 or more"):
        BenchConfig(size=16)
    with pytest.raises(ValueError, match="floors from the worlds of seed 9001"):
        BenchConfig(seed=9001)


def test_a_row_says_how_much_of_the_picture_its_edit_changes() -> None:
    rows = score_world(TINY, [Judge("mine", travel)], 0)
    assert all(r.changed == 0.0 for r in rows if r.case == CLEAN)
    cuts = [r.changed for r in rows if r.case == "hard cut"]
    assert cuts
    assert min(cuts) > 0.1
    video = torch.zeros(3, 3, 4, 4)
    other = video.clone()
    other[0, :, 0] = 0.09  # too little to see
    other[1, 2, 0] = 0.2  # a row in one colour
    other[2, :, 0, 0] = 1.0
    assert changed_share(other, video) == 0.25


@pytest.fixture(scope="module")
def worlds() -> list[list[Slot]]:
    return [world_clips(TINY, world) for world in range(TINY.scenes)]


def test_every_clean_clip_is_there_once_and_every_broken_one_has_its_twin(worlds: list[list[Slot]]) -> None:
    assert {s.case for slots in worlds for s in slots} >= {CLEAN, "static", "jitter", "specular"}
    for slots in worlds:
        clean = [(s.path, s.stage) for s in slots if s.case == CLEAN]
        assert len(clean) == len(set(clean))
        assert {p for p, stage in clean if not stage} == set(PATHS)
        assert {(s.path, s.stage) for s in slots} <= set(clean)


def test_worlds_are_the_same_every_time(worlds: list[list[Slot]]) -> None:
    again = world_clips(TINY, 1)
    assert all(torch.equal(a.shown.clip.video, b.shown.clip.video) for a, b in zip(worlds[1], again, strict=True))


def test_rows_pair_any_callable_with_its_truth_first() -> None:
    learned: list[int] = []
    judge = Judge("mine", travel, learn=lambda part: learned.append(len(part)))
    rows = score_world(TINY, [judge], 0)
    assert all(isinstance(r, Row) and r.judge == "mine" for r in rows)
    assert sum(learned) == len(rows)
    assert max(learned) <= TINY.batch
    for r in rows:
        assert r.parts == {"way": r.value}


def test_a_broken_clip_answers_the_prompt_of_its_clean_twin(worlds: list[list[Slot]]) -> None:
    slots = [s for world in worlds for s in world]
    pan = next(s for s in slots if s.case == "parallax-free pan")
    prompt = answer(pan.shown, pan.asked, pan.path).prompt
    assert prompt.camera is not None
    assert float((prompt.camera.c2w[-1, :3, 3] - prompt.camera.c2w[0, :3, 3]).norm()) > 0.1
    assert not torch.equal(prompt.camera.c2w, pan.shown.truth.camera.c2w)
    fast = next(s for s in slots if s.case == "forward motion")
    assert answer(fast.shown, fast.asked, fast.path).prompt.camera is fast.shown.truth.camera
    assert prompt.facts["movers"] == []  # a broken world was asked to rest


def test_a_prompt_names_what_honestly_moves(worlds: list[list[Slot]]) -> None:
    named = {s.case: s.movers for world in worlds for s in world}
    assert named["rigid movers"]
    assert named["articulated motion"]
    assert all(not movers for case, movers in named.items() if case not in ("rigid movers", "articulated motion"))


def test_a_dynamic_bench_lets_something_move_in_every_prompt() -> None:
    asked: list[list[str]] = []

    def judge(samples: Sequence[Rollout | Clip]) -> list[Score]:
        asked.extend(s.prompt.facts["movers"] for s in samples if isinstance(s, Rollout))
        return travel(samples)

    score_world(replace(TINY, dynamic=True), [Judge("mine", judge)], 0)
    assert all(asked)
    asked.clear()
    score_world(TINY, [Judge("mine", judge)], 0)
    assert not all(asked)


class Reference:
    """A reward that cannot be fooled: it likes what is most like the first clips it was shown, the honest ones."""

    def __init__(self) -> None:
        self.honest: list[torch.Tensor] = []

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        videos = [(s.clip if isinstance(s, Rollout) else s).video for s in samples]
        self.honest = self.honest or videos
        return [Score(1 - float((v - h).abs().mean())) for v, h in zip(videos, self.honest, strict=True)]


def stillness(samples: Sequence[Rollout | Clip]) -> list[Score]:
    """A reward that a frozen picture satisfies best."""
    clips = [s.clip if isinstance(s, Rollout) else s for s in samples]
    return [Score(1 - float(c.video.diff(dim=0).abs().mean())) for c in clips]


SEARCH = AttackConfig(scenes=1, population=12, elites=3, iterations=6)


def test_the_search_finds_what_a_fooled_reward_likes() -> None:
    found = attack(Judge("still", stillness), TINY, SEARCH)
    assert not found.consistent
    assert found.knobs["camera speed"] < 0.3
    assert found.score > found.honest_score
    assert set(found.knobs) == set(KNOBS)


def test_the_search_comes_near_the_honest_clip_for_a_reward_that_cannot_be_fooled() -> None:
    found = attack(Judge("reference", Reference()), TINY, SEARCH)
    assert abs(found.knobs["camera speed"] - 1) < 0.1  # the knob that changes most pixels of so small a clip
    assert found.honest_score == 1.0


def test_a_cheating_clip_that_is_liked_less_than_the_honest_one_fools_nobody() -> None:
    found = attack(Judge("reference", Reference()), TINY, replace(SEARCH, population=4, elites=2, iterations=1))
    assert np.mean(list(found.knobs.values())[1:]) > SEARCH.most_cheating
    assert found.score < found.honest_score
    assert found.consistent


def test_a_reward_without_a_score_for_honest_clips_certifies_nothing() -> None:
    silent = Judge("silent", lambda samples: [Score(None) for _ in samples])
    with pytest.raises(ValueError, match="silent has no score for any honest clip"):
        attack(silent, TINY, SEARCH)


def test_a_world_without_a_place_is_left_out_and_a_broken_edit_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(error: Exception) -> set[int]:
        def edit(scene: Scene, _rng: np.random.Generator, amount: float) -> Scene:
            if amount > 1:  # at the strongest severity only: then none is shown
                raise error
            return scene

        monkeypatch.setitem(bench.CASES, "object morph", replace(CASES["object morph"], scene_edit=edit))
        config = replace(TINY, cells=10)
        return {s.severity for s in world_clips(config, 0) if s.case == "object morph"}

    assert without(NoPlaceError("no object")) == set()
    with pytest.raises(ValueError, match="shapes"):
        without(ValueError("shapes do not match"))


def test_silence_is_typical_only_for_estimates_of_general_terms_by_packaged_depth() -> None:
    config, parts = BenchConfig(), {"flow": 0.9, "far_view": None}
    assert combine_of("estimated", config)(parts) == pytest.approx((0.9 * TYPICAL["far_view"]) ** 0.5)
    others = [
        ("oracle", config),
        ("estimated", replace(config, stack="tiny")),
        ("estimated", replace(config, depth="x")),
    ]
    for name, other in others:
        assert combine_of(name, other)(parts) == pytest.approx(0.9), (name, other)


def test_rows_keep_the_parts_that_count() -> None:
    def partly(samples: Sequence[Rollout | Clip]) -> list[Score]:
        parts = {"flow": 0.9, "depth": None, "rest": None}
        notes = {"depth": "it is dark", "rest": spec_of("rest").reason}
        return [Score(0.5, dict(parts), dict(notes)) for _ in samples]

    rows = score_world(TINY, [Judge("partly", partly)], 0)
    assert rows
    assert all(r.parts == {"flow": 0.9, "depth": None} for r in rows)
