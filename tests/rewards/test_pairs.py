"""Pairs of frames together say what each says alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rewards.general import FRAMES, evidence_of, push, scene
from worldr1.rewards import pairs
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.pairs import Carried, far_pairs, frame_pairs, over_pairs
from worldr1.rewards.tracks import expected, same_surface


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return evidence_of([scene(push(), s) for s in range(2)])


def test_pairs_go_both_ways_and_far_ones_far() -> None:
    assert frame_pairs(2) == [(0, 1), (1, 0)]
    all_, far = frame_pairs(FRAMES), far_pairs(FRAMES)
    assert {(j, i) for i, j in all_} == set(all_)
    assert (0, FRAMES - 1) in far
    assert {abs(i - j) for i, j in far} == {FRAMES // 2, FRAMES - 1}
    assert set(far) < set(all_)


def test_what_is_carried_lands_as_it_does_alone(evidence: Evidence) -> None:
    chosen = [(0, 5), (7, 2), (3, FRAMES - 1)]
    carried = Carried(evidence, chosen)
    assert carried.source.shape == (2 * len(chosen), *evidence.video.shape[2:])
    for k, (i, j) in enumerate(chosen):
        landing, depth = expected(evidence, i, j)
        mine = [clip * len(chosen) + k for clip in range(2)]
        torch.testing.assert_close(carried.landing[mine], landing, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(carried.expected_m[mine], depth)
        assert carried.source[mine].equal(evidence.video[:, i])
        assert carried.target_m[mine].equal(evidence.depth_m[:, j])
        same = carried.same_surface[mine] == same_surface(evidence.depth_m[:, j], landing, depth)
        assert same.float().mean() > 0.999


def test_how_many_are_looked_at_at_once_changes_nothing(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(pair: Carried) -> tuple[Tensor, Tensor]:
        seen.append(len(pair.pairs))
        return pair.expected_m.mean((1, 2)), pair.moves.float().mean((1, 2))

    chosen, pixels = frame_pairs(FRAMES), evidence.depth_m[:, 0].numel()
    found = []
    for share in (len(chosen), 3, 1, 0):
        seen: list[int] = []
        monkeypatch.setattr(pairs, "_AT_ONCE", share * pixels)
        found.append(over_pairs(evidence, chosen, measure))
        assert max(seen) == max(1, share)
        assert sum(seen) == len(chosen)
    for depth, moves in found:
        assert depth.shape == (2, len(chosen))
        torch.testing.assert_close(depth, found[0][0])
        assert moves.equal(found[0][1])
