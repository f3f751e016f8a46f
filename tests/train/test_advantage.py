"""Advantages: per term, per group, without inventing numbers."""

from __future__ import annotations

import pytest
import torch

from worldr1.rewards.composite import scored
from worldr1.rewards.mirror import NOT_FINITE
from worldr1.rewards.spec import spec_of
from worldr1.train.advantage import TermWeight, advantages, group_normalise, guard_pressure, spare, term_matrix
from worldr1.train.loop import TrainConfig
from worldr1.types import Score

NAN = float("nan")


def scores(*rows: dict[str, float | None]) -> list[Score]:
    return [Score(0.5, dict(row)) for row in rows]


def test_a_group_is_centred_and_scaled() -> None:
    z = group_normalise(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), 0.0)
    assert z.mean().item() == pytest.approx(0, abs=1e-6)
    assert z.std().item() == pytest.approx(1, abs=1e-6)


def test_missing_values_are_masked_and_the_rest_normalised_without_them() -> None:
    with_gap = group_normalise(torch.tensor([[1.0, NAN, 2.0, 6.0]]), 0.02)
    without = group_normalise(torch.tensor([[1.0, 2.0, 6.0]]), 0.02)
    assert with_gap[0, 1].isnan()
    torch.testing.assert_close(with_gap[0, [0, 2, 3]], without[0])


def test_a_group_without_spread_teaches_nothing() -> None:
    assert group_normalise(torch.full((1, 4), 0.7), 0.02).abs().max() < 1e-6
    assert group_normalise(torch.tensor([[0.3, NAN, NAN]]), 0.02).isnan().all()
    assert (advantages(scores(*[{"a": 0.7}] * 4), 4, {"a": TermWeight(1.0)}) == 0).all()


def test_scale_and_offset_of_a_term_do_not_matter() -> None:
    values = torch.rand(3, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(group_normalise(100 * values - 7, 0.0), group_normalise(values, 0.0), atol=1e-4, rtol=0)


def test_small_spread_counts_less_than_its_floor() -> None:
    noise = torch.tensor([[0.500, 0.501, 0.502, 0.503]])
    assert group_normalise(noise, 0.02).abs().max() < 0.1
    assert group_normalise(noise, 0.0).abs().max() > 1


def test_groups_do_not_see_each_other() -> None:
    good = [{"a": v} for v in (0.90, 0.92, 0.94, 0.96)]
    bad = [{"a": v} for v in (0.10, 0.12, 0.14, 0.16)]
    weights = {"a": TermWeight(1.0)}
    both = advantages(scores(*good, *bad), 4, weights)
    torch.testing.assert_close(both[:4], advantages(scores(*good), 4, weights))
    torch.testing.assert_close(both[:4], both[4:], atol=1e-4, rtol=0)  # a hard prompt is not punished
    assert both[:4].sum().item() == pytest.approx(0, abs=1e-5)


def test_terms_are_normalised_before_they_are_weighted() -> None:
    rows = scores(*[{"wide": 10.0 * i, "narrow": -0.1 * i} for i in range(4)])
    weights = {"wide": TermWeight(1.0, floor=0.0), "narrow": TermWeight(1.0, floor=0.0)}
    assert advantages(rows, 4, weights).abs().max() < 1e-5  # the wide one does not drown the narrow one
    leaning = advantages(rows, 4, {"wide": TermWeight(1.0, floor=0.0), "narrow": TermWeight(0.5, floor=0.0)})
    assert (leaning.diff() > 0).all()


def test_an_abstention_is_not_a_zero() -> None:
    rows = scores({"a": 0.2}, {"a": None}, {"a": 0.4}, {"a": 0.6})
    assert term_matrix(rows, "a").isnan().tolist() == [False, True, False, False]
    assert advantages(rows, 4, {"a": TermWeight(1.0)})[1] == 0
    assert term_matrix(rows, "never heard of").isnan().all()


def test_a_silent_gate_is_a_zero_unless_nobody_asked_for_it() -> None:
    told = [Score(v, {"parallax": v}) for v in (1.0, 0.6, 0.2)]
    silent = scored({"flow": 0.9, "parallax": None}, {"parallax": "nothing can be followed"})
    assert term_matrix([*told, silent], "parallax").tolist() == pytest.approx([1.0, 0.6, 0.2, 0.0])
    found = advantages([*told, silent], 4, {"parallax": TermWeight(1.0)})
    assert float(found[3]) == float(found.min()) < 0  # hiding parallax pays less than showing little of it
    unasked = scored({"flow": 0.9, "parallax": None}, {"parallax": spec_of("parallax").reason})
    failed = scored({"flow": 0.9, "parallax": None}, {"parallax": NOT_FINITE})
    assert term_matrix([unasked, failed], "parallax").isnan().all()


def test_advantages_are_clipped() -> None:
    rows = scores(*[{"a": 0.0}] * 31, {"a": 1.0})
    assert advantages(rows, 32, {"a": TermWeight(1.0)}).max() == 3


def test_incomplete_groups_and_empty_weights_are_errors() -> None:
    rows = scores(*[{"a": 0.1}] * 5)
    with pytest.raises(ValueError, match="do not fill groups of 4"):
        advantages(rows, 4, {"a": TermWeight(1.0)})
    with pytest.raises(ValueError, match="positive weight"):
        advantages(rows, 5, {"a": TermWeight(0.0)})


@pytest.mark.parametrize("group", [0, 1])
def test_a_group_needs_two(group: int) -> None:
    with pytest.raises(ValueError, match="no spread"):
        TrainConfig(group=group)


def test_guard_pressure_grows_only_while_the_guard_is_short() -> None:
    pressure, integral = guard_pressure(0.2, [0.76], target=0.8)
    assert pressure > integral > 0.2
    pressure, integral = guard_pressure(0.2, [0.84], target=0.8)
    assert pressure < integral < 0.2
    assert guard_pressure(0.05, [2.0], target=0.8) == (0, 0)
    assert guard_pressure(0.99, [0.1], target=0.8) == (1, 1)
    assert guard_pressure(0.4, [], target=0.8) == (0.4, 0.4)


def test_what_would_lower_a_guard_is_taken_out() -> None:
    generator = torch.Generator().manual_seed(0)
    guard = torch.randn(40, generator=generator)
    term = torch.randn(40, generator=generator) - 0.5 * guard  # earns by slowing down, and otherwise too
    scores = [Score(None, {"a": float(a), "guard": float(g)}) for a, g in zip(term, guard, strict=True)]
    weights = {"a": TermWeight(1.0), "guard": TermWeight(5.0, guard=True)}
    z = group_normalise(guard.view(5, 8), 0.02).flatten()
    plain = advantages(scores, 8, {"a": TermWeight(1.0)})
    free = advantages(scores, 8, weights, {"guard": 0.0})
    assert plain @ z < -5
    assert abs(float(free @ z)) < 1e-4
    assert torch.corrcoef(torch.stack([plain, free]))[0, 1] > 0.8  # the rest of the term still teaches
    assert advantages(scores, 8, weights, {"guard": 1.0}) @ z > 5


def test_a_guard_that_the_terms_raise_is_left_alone() -> None:
    total, guard = torch.tensor([[2.0, -1.0, -1.0]]), torch.tensor([[1.0, 0.0, -1.0]])
    assert torch.equal(spare(total, guard), total)
