from __future__ import annotations

from dataclasses import replace

import pytest

from worldr1.evaluate.bench.alarms import threshold, thresholds
from worldr1.evaluate.bench.bench import CLEAN, Row
from worldr1.evaluate.bench.catalogue import CASES, MIDDLE
from worldr1.evaluate.bench.chart import chart
from worldr1.evaluate.bench.demands import checks, weak_cases
from worldr1.evaluate.bench.pairs import accuracy, auc, interval, pairs_of, spearman
from worldr1.evaluate.bench.statistics import ablations, by_case, by_change, headline, summarise
from worldr1.evaluate.bench.table import markdown
from worldr1.rewards.composite import aggregate


def row(world: int, case: str, severity: int, value: float | None, **parts: float | None) -> Row:
    return Row("mine", world, "orbit", "", case, severity, value, parts)


def bench(*, morph: float = 0.5, noise: float = 0.5, static: float = 0.1, specular: float = 0.95) -> list[Row]:
    rows = []
    for w in range(4):
        rows.append(row(w, CLEAN, 0, 0.9 + 0.01 * w, depth=0.9, flow=0.8))
        for severity in (1, 2, 3):
            rows.append(row(w, "object morph", severity, morph - 0.1 * severity, depth=0.4, flow=0.8))
            rows.append(row(w, "growing blur", severity, noise - 0.1 * severity, depth=0.95, flow=0.3))
        rows.append(row(w, "static", 2, static, depth=1.0, flow=1.0))
        rows.append(row(w, "specular", 2, specular, depth=0.9, flow=0.7))
    return rows


def test_a_pair_is_won_only_when_the_clean_clip_is_strictly_above() -> None:
    rows = [row(0, CLEAN, 0, 0.5)]
    rows += [row(0, "object morph", s, v) for s, v in ((1, 0.4), (2, 0.5), (3, None))]
    pairs = pairs_of(rows)
    assert [p.won for p in pairs] == [1.0, 0.0, 0.0]
    assert [p.leaning for p in pairs] == [1.0, 0.5, 0.5]
    found = accuracy(pairs)
    assert found["value"] == pytest.approx(1 / 3)
    assert (found["pairs"], found["abstained"]) == (3, 1)


def test_a_pair_compares_within_its_world_and_stage() -> None:
    rows = [row(0, CLEAN, 0, 0.9), row(1, CLEAN, 0, 0.2), row(1, "object morph", 2, 0.3)]
    assert [p.won for p in pairs_of(rows)] == [0.0]


def test_pairs_are_counted_by_how_much_of_the_picture_changes() -> None:
    rows = [row(0, CLEAN, 0, 0.5)]
    for value, changed in ((0.6, 0.0), (0.6, 0.0099), (0.4, 0.01), (0.6, 0.049), (0.4, 0.02), (0.4, 1.0)):
        rows.append(replace(row(0, "object morph", 2, value), changed=changed))
    rows.append(replace(row(0, "static", 2, 0.9), changed=0.5))  # no corruption
    assert headline(rows)["accuracy_visible"]["pairs"] == 3
    assert headline(rows)["accuracy_visible"]["value"] == pytest.approx(2 / 3)
    assert by_case(rows)["object morph"]["visible_middle"]["pairs"] == 3
    found = {group["from"]: (group["pairs"], group["value"]) for group in by_change(rows)}
    assert found == {0.0: (2, 0.0), 0.01: (1, 1.0), 0.02: (2, 0.5), 0.05: (0, None), 0.1: (0, None), 0.3: (1, 1.0)}


def test_the_interval_resamples_worlds_not_clips() -> None:
    # two worlds, one always right and one always wrong: clips are many, evidence is two worlds
    values, worlds = [1.0] * 50 + [0.0] * 50, [0] * 50 + [1] * 50
    assert interval(values, worlds) == (0.0, 1.0)
    low, high = interval(values, list(range(100)))  # type: ignore[misc]
    assert 0.35 < low < 0.5 < high < 0.65
    assert interval([1.0], [0]) is None


def test_auc_and_threshold_by_hand() -> None:
    assert auc([3.0, 2.0], [1.0, 2.0]) == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    assert auc([], [1.0]) is None
    assert threshold([k / 100 for k in range(101)]) == 0.05
    assert threshold([0.9, 0.8, 0.7]) == 0.7
    assert threshold([]) is None


def test_spearman_has_the_sign_of_honesty() -> None:
    assert spearman(bench(), "object morph") == pytest.approx(1.0)
    worse_is_better = [row(0, CLEAN, 0, 0.1), *(row(0, "object morph", s, 0.1 + 0.1 * s) for s in (1, 2, 3))]
    assert spearman(worse_is_better, "object morph") == pytest.approx(-1.0)
    constant = [row(0, CLEAN, 0, 0.1), *(row(0, "object morph", s, 0.1) for s in (1, 2, 3))]
    assert spearman(constant, "object morph") == 0.0


def test_a_good_reward_passes_every_check_and_a_fooled_one_does_not() -> None:
    def found(**changes: float) -> dict[str, bool | None]:
        rows = bench(**changes)
        cases = {"headline": headline(rows), "cases": by_case(rows)}
        return checks({"estimated": cases})["estimated"]

    told = found()
    assert told.pop("every corruption ≥ 0.85 at middle severity") is None  # two of them are shown, others never were
    assert set(told.values()) == {True}
    assert found(static=0.95)["hacks below the worst clean clip ≥ 1.0"] is False
    assert found(specular=0.2)["false alarms on hard positives ≤ 0.1"] is False
    assert found(morph=1.2)["clean above corrupted, all ≥ 0.95"] is False
    assert found(noise=1.2)["held-out types at most 0.03 lower"] is False  # growing blur is held out
    rows = bench(morph=1.2)
    assert weak_cases({"cases": by_case(rows)}) == ["object morph"]


def test_no_world_is_judged_by_a_threshold_it_set() -> None:
    assert thresholds(bench()) == {0: 0.92, 1: 0.92, 2: 0.9, 3: 0.9}
    assert thresholds(bench(noise=1.2, morph=0.2, specular=0.1)) == thresholds(bench())  # clean clips only
    rows = [replace(r, value=0.2) if r.world >= 2 and r.case == CLEAN else r for r in bench()]
    assert thresholds(rows) == {0: 0.2, 1: 0.2, 2: 0.9, 3: 0.9}
    assert headline(rows)["threshold"] == 0.2
    assert headline(rows)["false_alarms_clean"] == 0.5


def test_every_hard_positive_is_judged() -> None:
    for world, alarms in ((0, 0.5), (3, 0.75)):  # .91 is below the second half's threshold, not the first's
        rows = [replace(r, value=0.91) if r.case == "specular" else r for r in bench()]
        rows = [replace(r, value=0.2) if r.world == world and r.case == "specular" else r for r in rows]
        assert headline(rows)["false_alarms_positives"] == alarms
        assert by_case(rows)["specular"]["false_alarms"] == alarms


def test_false_alarms_have_an_interval_over_worlds() -> None:
    fine = bench(specular=0.95)
    rows = [replace(r, value=0.2) if r.world == 3 and r.case == "specular" else r for r in fine]
    head = headline(rows)
    assert head["false_alarms_positives"] == 0.25
    low, high = head["false_alarms_positives_ci95"]
    assert low == 0.0
    assert 0.25 < high <= 1.0
    assert headline(fine)["false_alarms_positives_ci95"] == (0.0, 0.0)
    assert f"| false alarms, hard positives | 0.25 [0.00, {high:.2f}] |" in markdown(
        {"mine": summarise(rows, {"mine": aggregate})["mine"]}, "c"
    )


def test_clean_clips_with_something_built_in_have_a_worst_of_their_own() -> None:
    staged = [replace(r, stage="screen", value=0.05) for r in bench() if r.world == 1 and r.case == CLEAN]
    head = headline([*bench(), *staged])
    assert (head["worst_clean"], head["worst_clean_staged"]) == (0.9, 0.05)
    assert head["hacks_below_worst_clean"] == 1.0
    assert headline(bench())["worst_clean_staged"] is None


def test_an_ablation_recomputes_the_score_without_the_term() -> None:
    rows = [row(0, CLEAN, 0, None, depth=0.9, flow=0.5), row(0, "object morph", 2, None, depth=0.8, flow=0.9)]
    terms = ablations(rows, aggregate)
    assert terms["flow"]["without"]["accuracy"]["value"] == 1.0
    assert terms["depth"]["without"]["accuracy"]["value"] == 0.0
    assert terms["depth"]["alone"]["object morph"] == 1.0
    assert terms["flow"]["alone"]["object morph"] == 0.0


def test_the_tables_say_what_was_measured() -> None:
    rows = bench(static=0.95)
    summary = summarise(rows, {"mine": aggregate})
    text = markdown(summary, "worldr1 validate-rewards --quick")
    assert "`worldr1 validate-rewards --quick`" in text
    assert "| hacks below the worst clean clip | 0.00 |" in text
    assert "| static | 0.00 (0.95) |" in text
    assert "| growing blur † | 1.00 / **1.00** / 1.00 | – (0 of 4) |" in text
    assert "| 0 to 1 % | 24 | 1.00 |" in text
    assert "| 30 % or more | 0 | – |" in text
    svg = chart(summary)
    assert svg.startswith("<svg")
    assert svg.count("<rect") == 1 + 3  # paper, two corruptions, one hack with its empty bar


def test_a_clip_without_a_score_passes_nothing() -> None:
    rows = [replace(r, value=None) if r.case in ("static", "specular") and r.world < 3 else r for r in bench()]
    assert headline(rows)["hacks_below_worst_clean"] == by_case(rows)["static"]["below_worst_clean"] == 0.25
    assert headline(rows)["false_alarms_positives"] == by_case(rows)["specular"]["false_alarms"] == 0.75


def test_every_corruption_must_have_been_shown_to_hold() -> None:
    every = [name for name, case in CASES.items() if case.kind == "corruption"]
    rows = [row(w, CLEAN, 0, 0.9) for w in range(2)]
    rows += [row(w, name, MIDDLE, 0.5) for w in range(2) for name in every]

    def holds(rows: list[Row]) -> bool | None:
        found = {"estimated": {"headline": headline(rows), "cases": by_case(rows)}}
        return checks(found)["estimated"]["every corruption ≥ 0.85 at middle severity"]

    assert holds(rows) is True
    assert holds([r for r in rows if r.case != every[0]]) is None
    assert holds([replace(r, value=0.95) if r.case == every[0] else r for r in rows]) is False
