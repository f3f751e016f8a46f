"""How terms become a score: nothing is invented, nothing is swapped, nonsense is refused."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from oracle import Oracle, clean_scenes, twin
from worldr1.rewards.composite import WorldReward, aggregate, counted
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.general import TYPICAL
from worldr1.rewards.guards import Floor, floor_from, floor_guard, motion, sharpness
from worldr1.rewards.spec import SPECS
from worldr1.rewards.stack import TERMS
from worldr1.rewards.term import Term, TermResult
from worldr1.types import CameraPath, Clip, Prompt, Rollout


def flat_depth(frames: Tensor) -> Tensor:
    return torch.full((len(frames), *frames.shape[-2:]), 3.0)


def no_flow(first: Tensor, second: Tensor) -> Tensor:  # noqa: ARG001
    return torch.zeros(len(first), *first.shape[-2:], 2)


def noise_clip(seed: int = 0, frames: int = 5, size: int = 32) -> Clip:
    return Clip(torch.rand(frames, 3, size, size, generator=torch.Generator().manual_seed(seed)))


def test_nothing_applicable_is_none_not_a_number() -> None:
    assert aggregate({}) is None
    assert aggregate({"depth": None, "flow": None}) is None
    assert aggregate({"depth": None, "parallax": 1.0, "motion": 1.0}) is None  # a gate is no evidence


def test_terms_enter_by_geometric_mean_and_abstentions_do_not_count() -> None:
    assert aggregate({"depth": 0.9, "flow": 0.4}) == pytest.approx(0.6)
    assert aggregate({"depth": 0.9, "flow": None}) == pytest.approx(0.9)
    assert (aggregate({"depth": 1.0, "flow": 0.0}) or 0.0) < 0.01  # one good term does not pay for a bad one


def test_silence_neither_pays_nor_costs_where_the_typical_value_is_known() -> None:
    typical = {"depth": 0.4, "flow": 0.9, "parallax": 0.1}
    hidden = aggregate({"depth": None, "flow": 0.9}, typical)
    assert hidden == pytest.approx(0.6)
    assert (aggregate({"depth": 0.3, "flow": 0.9}, typical) or 1.0) < (hidden or 0.0)
    assert (aggregate({"depth": 0.5, "flow": 0.9}, typical) or 0.0) > (hidden or 1.0)
    assert aggregate({"flow": 0.9}, typical) == pytest.approx(0.9)  # a reward without that term does not have it
    assert aggregate({"depth": 0.4, "camera": None}, typical) == pytest.approx(0.4)  # no one knows what is typical
    assert aggregate({"depth": None, "flow": None}, typical) is None  # and it is no evidence


def test_gate_and_guards_multiply() -> None:
    parts = {"depth": 0.8, "parallax": 0.5, "sharpness": 0.5, "motion": 1.0}
    assert aggregate(parts) == pytest.approx(0.2)
    assert aggregate({**parts, "motion": 0.0}) == 0


@pytest.mark.parametrize("name", [n for n, s in SPECS.items() if s.kind != "term"])
def test_a_gate_or_guard_without_evidence_is_never_1(name: str) -> None:
    assert aggregate({"depth": 0.8, name: None}) == 0
    assert aggregate({"depth": 0.8, name: None}, {name: 0.9}) == 0  # whatever is usual
    assert aggregate({name: None}) is None


def says(value: float, reason: str = "") -> Term:
    """A term that answers ``value``, or abstains for a ``reason``."""

    def term(evidence: Evidence) -> TermResult:
        b = len(evidence.video)
        return TermResult(torch.full((b,), value), torch.full((b,), not reason), reason)

    return term


@pytest.mark.parametrize("both_hands", [False, True])
def test_silence_of_the_gate_is_0_unless_the_prompt_asks_for_none(both_hands: bool) -> None:
    terms = {"flow": says(0.9), "constancy": says(0.6), "parallax": says(0.0, "it is dark")}
    reward = WorldReward(terms, flat_depth, no_flow, both_hands=both_hands)
    fixed = Prompt("a box", facts={"camera": "fixed"})
    score = reward([noise_clip()])[0]
    assert (score.value, score.parts["parallax"]) == (0, None)
    assert score.notes["parallax"] == "it is dark; a gate without evidence counts as 0"
    spared = reward([Rollout(fixed, noise_clip(), ())])[0]
    assert spared.value == pytest.approx(0.6)  # the flow term does not apply either
    assert spared.notes["parallax"] == "the prompt asks for a camera that does not travel"


@pytest.mark.parametrize("both_hands", [False, True])
def test_no_score_stands_where_a_guard_failed(both_hands: bool) -> None:
    terms = {"flow": says(0.9), "picture": says(math.nan)}
    score = WorldReward(terms, flat_depth, no_flow, both_hands=both_hands)([noise_clip()])[0]
    assert score.value is None
    assert score.parts == {"flow": pytest.approx(0.9), "picture": None}
    assert "not a finite number" in score.notes["picture"]
    assert counted(score.parts, score.notes) == {}  # so that nobody makes a score of them later


def test_a_guard_without_a_floor_asks_nothing() -> None:
    guards: dict[str, Term] = {n: floor_guard(sharpness, Floor()) for n in ("sharpness", "motion")}
    score = WorldReward({"flow": says(0.9)} | guards, flat_depth, no_flow)([noise_clip()])[0]
    assert score.value == pytest.approx(0.9)
    assert score.parts["motion"] is None


@cache
def recorded() -> list[dict[str, Any]]:
    path = Path(__file__).parents[2] / "docs" / "seed15-rows.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_that_were_recorded_can_be_put_together_again() -> None:
    for row in recorded():
        value = aggregate(row["parts"], TYPICAL)
        assert value is not None
        assert (value == 0) == (0 in row["parts"].values() or row["parts"]["parallax"] is None), row


def test_scores_stay_with_their_clips() -> None:
    scenes, oracle = clean_scenes(10), Oracle()
    rollouts = oracle.render([s if i % 2 else twin(s, "colour", i) for i, s in enumerate(scenes)])
    reward = WorldReward(TERMS, oracle.depth, oracle.flow)
    straight = reward(rollouts)
    assert len({s.value for s in straight}) == 10
    order = list(range(10))
    random.Random(1).shuffle(order)
    shuffled = reward([rollouts[i] for i in order])
    for position, i in enumerate(order):
        assert shuffled[position].value == pytest.approx(straight[i].value, abs=1e-4)
        assert shuffled[position].notes == straight[i].notes
    alone = reward(rollouts[4:5])[0]
    for term, value in alone.parts.items():
        expected = straight[4].parts[term]
        assert (value is None) == (expected is None)
        assert value is None or value == pytest.approx(expected, abs=1e-4)


def test_an_abstention_has_a_reason_and_a_broken_term_becomes_none() -> None:
    def silent(evidence: Evidence) -> TermResult:
        b = len(evidence.video)
        return TermResult(torch.ones(b), torch.zeros(b, dtype=torch.bool), "it is dark")

    def broken(evidence: Evidence) -> TermResult:
        b = len(evidence.video)
        return TermResult(torch.full((b,), math.nan), torch.ones(b, dtype=torch.bool), "")

    score = WorldReward({"silent": silent, "broken": broken}, flat_depth, no_flow)([noise_clip()])[0]
    assert score.parts == {"silent": None, "broken": None}
    assert score.notes["silent"] == "it is dark"
    assert "finite" in score.notes["broken"]
    assert score.value is None


@pytest.mark.parametrize("both_hands", [False, True])
def test_what_the_prompt_leaves_out_and_what_failed_is_not_taken_for_typical(both_hands: bool) -> None:
    silent = says(0.0, "it is dark")
    terms = {"flow": says(0.9), "depth": silent, "palette": silent, "camera": says(math.nan)}
    typical = {"depth": 0.4, "palette": 0.2, "camera": 0.1}
    reward = WorldReward(terms, flat_depth, no_flow, both_hands=both_hands, typical=typical)
    movers = Prompt("a fox runs", None, "", 0, {"movers": ["a fox"]})
    score = reward([Rollout(movers, noise_clip(), ())])[0]
    assert score.parts == {"flow": pytest.approx(0.9), "depth": None, "palette": None, "camera": None}
    assert score.value == pytest.approx((0.9 * 0.4) ** 0.5)  # things move, so that nobody asks whether all rests
    rests = Prompt("a stone", None, "", 0, {"movers": []})
    assert reward([Rollout(rests, noise_clip(), ())])[0].value == pytest.approx((0.9 * 0.4 * 0.2) ** (1 / 3))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    clip = noise_clip()
    clip.video[2, 1, 5, 5] = bad
    with pytest.raises(ValueError, match="not finite"):
        WorldReward(TERMS, flat_depth, no_flow)([noise_clip(1), clip])


def test_one_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="two frames"):
        WorldReward(TERMS, flat_depth, no_flow)([noise_clip(frames=1)])


@pytest.mark.parametrize("other", [noise_clip(frames=4), noise_clip(size=16)])
def test_different_shapes_are_refused(other: Clip) -> None:
    with pytest.raises(ValueError, match="same number of frames and size"):
        WorldReward(TERMS, flat_depth, no_flow)([noise_clip(), other])


def test_no_terms_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one term"):
        WorldReward({}, flat_depth, no_flow)


def test_floors_are_floors() -> None:
    clips = [noise_clip(), Clip(noise_clip().video * 0.1 + 0.45), Clip(torch.full((5, 3, 32, 32), 0.5))]

    def values(floor: float) -> list[float]:
        terms = {"guard": floor_guard(sharpness, Floor(default=floor))}
        return [s.parts["guard"] or 0.0 for s in WorldReward(terms, flat_depth, no_flow)(clips)]

    assert values(1e-3)[:2] == [1.0, 1.0]  # never more than 1, however far above
    busy, faint, blank = values(0.1)
    assert busy == 1
    assert 0 < faint < 1
    assert blank == 0
    assert values(0.2)[1] == pytest.approx(faint / 2, rel=1e-4)


def test_a_floor_is_looked_up_by_what_the_prompt_asks_for() -> None:
    prompts = [Prompt("a", facts={"camera": c}) for c in ("fixed", "fixed", "push in")]
    floor = floor_from(torch.tensor([1.0, 3.0, 10.0]), prompts, "camera")
    assert floor.of(prompts[0]) == 2.0
    assert floor.of(prompts[2]) == 10.0
    assert floor.of(None) == pytest.approx(14 / 3)


def test_motion_is_the_length_of_the_flow() -> None:
    def diagonal(first: Tensor, second: Tensor) -> Tensor:  # noqa: ARG001
        return torch.tensor([3.0, 4.0]).expand(len(first), *first.shape[-2:], 2)

    evidence = WorldReward({"guard": floor_guard(motion, Floor(default=10.0))}, flat_depth, diagonal)
    assert evidence([noise_clip()])[0].parts["guard"] == pytest.approx(0.5)


def test_without_a_floor_a_guard_abstains() -> None:
    reward = WorldReward({"guard": floor_guard(sharpness, Floor())}, flat_depth, no_flow)
    score = reward([noise_clip()])[0]
    assert score.parts["guard"] is None
    assert "no floor" in score.notes["guard"]


def test_a_prompt_that_asks_for_a_zoom_is_refused() -> None:
    clip = noise_clip()
    path = CameraPath(torch.eye(4).repeat(5, 1, 1), torch.eye(3).repeat(5, 1, 1))
    reward = WorldReward(TERMS, flat_depth, no_flow)
    assert len(reward([Rollout(Prompt("a pan", path), clip, ())])) == 1
    longer = path.K * torch.tensor([1.0, 1.1, 1.2, 1.3, 1.4])[:, None, None]
    with pytest.raises(ValueError, match="leave out prompts with a zoom"):
        reward([Rollout(Prompt("closer", replace(path, K=longer)), clip, ())])
