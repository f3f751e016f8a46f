"""``worldr1 validate-rewards`` writes its tables from rows; what makes rows is tested with the bench."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from worldr1.cli import main
from worldr1.commands import validate
from worldr1.commands.arguments import ValidateRewards
from worldr1.commands.validate import run_validate
from worldr1.evaluate.bench import kept
from worldr1.evaluate.bench.bench import CLEAN, Row
from worldr1.evaluate.bench.config import QUICK, BenchConfig
from worldr1.evaluate.bench.judges import combine_of
from worldr1.evaluate.bench.kept import begin


def rows_of(
    config: BenchConfig,
    names: Sequence[str],
    workers: int | None,  # noqa: ARG001
    worlds: Sequence[int] | None = None,
) -> Iterator[list[Row]]:
    """Worlds in another order than asked for, as workers give them; the oracle is right and the estimates are not."""
    for world in reversed(range(config.scenes) if worlds is None else worlds):
        part = []
        for name in names:
            place = (name, world, "orbit", "")
            broken = 0.2 if name == "oracle" else 0.95
            part.append(Row(*place, CLEAN, 0, 0.9, {"depth": 0.9}))
            part += [Row(*place, "object morph", s, broken, {"depth": broken}) for s in (1, 2, 3)]
        yield part


@pytest.fixture(autouse=True)
def _without_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "run_named", rows_of)


def test_it_judges_exact_and_estimated_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate-rewards", "--quick", "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "validation.json").read_text())
    assert list(result["judges"]) == ["oracle", "estimated"]
    assert result["bench"]["scenes"] == QUICK.scenes
    assert result["judges"]["oracle"]["headline"]["accuracy"]["value"] == 1.0
    assert result["judges"]["estimated"]["headline"]["accuracy"]["value"] == 0.0
    text = (tmp_path / "validation.md").read_text()
    assert "| clean above corrupted | 1.00 [1.00, 1.00] | 0.00 [0.00, 0.00] |" in text
    assert result["command"] in text
    assert (tmp_path / "validation.svg").read_text().startswith("<svg")
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == sum(len(part) for part in rows_of(QUICK, ("oracle", "estimated"), None))
    assert all(row["value"] == row["parts"]["depth"] for row in rows)
    assert not list(tmp_path.glob("*.part"))
    assert "validation.md" in capsys.readouterr().out.replace("\n", "")  # a long path is wrapped


def test_the_command_that_is_written_makes_the_same_table(tmp_path: Path) -> None:
    options = ["--estimated", "--scenes", "3", "--cells", "5", "--outer-cells", "2", "--seed", "4", "--dynamic"]
    assert main(["validate-rewards", *options, "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "validation.json").read_text())
    assert list(result["judges"]) == ["estimated"]
    assert (result["bench"]["cells"], result["bench"]["outer_cells"], result["bench"]["dynamic"]) == (5, 2, True)
    again = tmp_path / "again"
    assert main([*result["command"].split()[1:], "--out", str(again)]) == 0
    assert json.loads((again / "validation.json").read_text()) == result


def test_other_estimators_are_judged_without_what_is_typical_of_the_packaged_ones(tmp_path: Path) -> None:
    options = ["--estimated", "--scenes", "2", "--flow", "dis", "--depth", "tiny"]
    assert main(["validate-rewards", *options, "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "validation.json").read_text())
    assert (result["bench"]["depth"], result["bench"]["flow"]) == ("tiny", "dis")
    assert "--depth tiny --flow dis" in result["command"]
    silent = {"depth": 0.9, "rest": None}
    assert combine_of("estimated", BenchConfig(flow="dis"))(silent) == pytest.approx(0.9)
    assert combine_of("estimated", BenchConfig())(silent) < 0.9


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--depth", "wrold"], "did you mean 'world'?"),
        (["--flow", "rafd_small"], "did you mean 'raft_small'?"),
        (["--stack", "tiny", "--flow", "dis"], "the tiny stack has its own"),
    ],
)
def test_estimators_that_cannot_be_had_are_refused_before_work(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["validate-rewards", *options, "--out", str(out)]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_an_interrupted_run_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[int]] = []

    def two_worlds(
        config: BenchConfig, names: Sequence[str], workers: int | None, worlds: Sequence[int]
    ) -> Iterator[list[Row]]:
        asked.append(list(worlds))
        for n, part in enumerate(rows_of(config, names, workers, worlds)):
            if n == 2:
                raise KeyboardInterrupt
            yield part

    arguments, whole = ValidateRewards(out=tmp_path, quick=True, estimated=True), tmp_path / "whole"
    run_validate(replace(arguments, out=whole))
    with monkeypatch.context() as patched:
        patched.setattr(validate, "run_named", two_worlds)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run_validate(arguments)
    last = QUICK.scenes - 1
    assert asked == [list(range(last + 1)), list(range(last - 1))]
    with (tmp_path / "worlds.part").open("a") as file:
        file.write('[{"judge": "estimated", "wor')  # killed as it wrote
    with pytest.raises(ValueError, match="other options"):
        run_validate(replace(arguments, seed=1))
    run_validate(arguments)
    assert f"4 of {QUICK.scenes} worlds are there" in capsys.readouterr().err
    for name in ("rows.jsonl", "validation.json"):
        assert (tmp_path / name).read_text() == (whole / name).read_text()
    assert not (tmp_path / "worlds.part").exists()


def test_rows_of_other_code_are_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "worlds.part"
    path.touch()  # killed before it wrote
    assert begin(path, QUICK, ["estimated"]) == []
    assert begin(path, QUICK, ["estimated"]) == []
    monkeypatch.setattr(kept, "code_digest", lambda: "another")
    with pytest.raises(ValueError, match="other options or code"):
        begin(path, QUICK, ["estimated"])


def test_the_size_follows_the_stack_unless_it_is_given(tmp_path: Path) -> None:
    def size(*options: str) -> int:
        assert main(["validate-rewards", "--scenes", "2", "--out", str(tmp_path), *options]) == 0
        found: int = json.loads((tmp_path / "validation.json").read_text())["bench"]["size"]
        return found

    assert [size(), size("--stack", "tiny"), size("--size", "80")] == [128, 64, 80]
    assert [size("--quick"), size("--quick", "--size", "80")] == [QUICK.size, 80]


def test_too_few_worlds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate-rewards", "--scenes", "1", "--out", str(tmp_path)]) == 2
    assert "at least 2 scenes" in capsys.readouterr().err
    assert main(["validate-rewards", "--size", "8", "--out", str(tmp_path)]) == 2
    assert "24 or more" in capsys.readouterr().err
    assert main(["validate-reward"]) == 2
    assert "did you mean validate-rewards?" in capsys.readouterr().err


def test_what_is_asked_for_beside_quick_counts(tmp_path: Path) -> None:
    assert main(["validate-rewards", "--quick", "--scenes", "3", "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "validation.json").read_text())
    assert result["bench"]["scenes"] == 3
    assert (result["bench"]["size"], result["bench"]["cells"]) == (QUICK.size, QUICK.cells)
    again = tmp_path / "again"
    assert main([*result["command"].split()[1:], "--out", str(again)]) == 0
    assert json.loads((again / "validation.json").read_text()) == result


def test_a_seed_below_0_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["validate-rewards", "--quick", "--seed", "-1", "--out", str(out)]) == 2
    assert "seed -1 makes no worlds; use 0 or more" in capsys.readouterr().err
    assert not out.exists()
