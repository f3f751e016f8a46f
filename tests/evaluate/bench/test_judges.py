"""The judges that `worldr1 validate-rewards` names, from worlds to rows: one world and two cases."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

from worldr1.evaluate.bench import bench, judges
from worldr1.evaluate.bench.bench import CLEAN, Row, clean_scene, run_named
from worldr1.evaluate.bench.catalogue import CASES
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.judges import JUDGES, answer, combine_of
from worldr1.evaluate.bench.shown import render
from worldr1.rewards.classical.terms import TERMS as CLASSICAL
from worldr1.rewards.general import GENERAL, OF_OBJECTS
from worldr1.rewards.stack import TERMS
from worldr1.worlds.filmed import PATHS

TINY = BenchConfig(scenes=2, cells=2, outer_cells=0, num_frames=8, size=40, stack="tiny")
GENERAL_TERMS = GENERAL.keys() | {"sharpness", "motion"}
TINY_TERMS = TERMS.keys() | {"sharpness", "motion"}


@pytest.fixture(autouse=True)
def _two_cases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bench, "CASES", {name: CASES[name] for name in ("pure noise", "static")})
    monkeypatch.setattr(judges, "_CALIBRATION_WORLDS", 1)
    yield
    bench._judges.cache_clear()
    judges._on_estimates.cache_clear()


def rows_of(config: BenchConfig, *names: str) -> dict[str, list[Row]]:
    (rows,) = run_named(config, names, workers=1, worlds=[0])
    return {name: [r for r in rows if r.judge == name] for name in names}


def checked(rows: list[Row], config: BenchConfig, terms: set[str], path: str) -> float:
    """The mean of the clean clips: every clip has its row, whose parts are the judge's and make its value, and noise
    and a still picture along ``path`` are worth nothing."""
    clean = {r.path: r for r in rows if r.case == CLEAN}
    assert set(clean) == set(PATHS)
    assert [(r.case, r.path) for r in rows if r.case != CLEAN] == [("pure noise", path), ("static", path)]
    values = []
    for row in rows:
        assert (row.world, row.stage) == (0, "")
        assert set(row.parts) == terms
        assert all(v is None or math.isfinite(v) for v in row.parts.values())
        assert row.value is not None
        assert row.value == pytest.approx(combine_of(row.judge, config)(row.parts))
        assert (row.changed > 0.1) == (row.case != CLEAN)
        assert row.case == CLEAN or row.value < 0.02 < (clean[path].value or 0.0)
        values += [row.value] if row.case == CLEAN else []
    return sum(values) / len(values)


# measured: oracle .70, estimated .45, classical .10 in the mean of the clean clips, which are small for SIFT
def test_all_judges_make_rows_and_the_truth_is_worth_more_than_estimates() -> None:
    rows = rows_of(TINY, "oracle", "estimated", "classical")
    oracle, estimated = (checked(rows[n], TINY, TINY_TERMS, "truck") for n in ("oracle", "estimated"))
    assert oracle > estimated + 0.1
    assert min(r.parts["depth"] or 0.0 for r in rows["oracle"] if r.case == CLEAN) > 0.98
    checked(rows["classical"], TINY, set(CLASSICAL), "truck")


def test_the_oracle_answers_from_what_it_is_shown() -> None:
    judge = JUDGES["oracle"](TINY)
    (shown,) = render([clean_scene(TINY, 0, "truck")], TINY.size, TINY.size)
    truth = shown.truth
    wrong = shown.with_truth(
        shown.clip.video, truth.depth_m.flip(-2), truth.instance_ids, -truth.flow_px, -shown.backward_px
    )
    values = []
    for known in (shown, wrong):
        assert judge.learn is not None
        judge.learn([known])
        values.append(judge.reward([answer(shown, shown, "truck")])[0].value or 0.0)
    assert values[0] > 0.8
    assert values[1] < 0.5


# measured: oracle .91, estimated .60
@pytest.mark.slow
def test_the_general_terms_are_judged_on_truth_and_on_estimates() -> None:
    config = replace(TINY, stack="general")
    rows = rows_of(config, "oracle", "estimated")
    oracle = checked(rows["oracle"], config, GENERAL_TERMS | OF_OBJECTS.keys(), "truck")
    assert oracle > checked(rows["estimated"], config, GENERAL_TERMS, "truck") + 0.1
