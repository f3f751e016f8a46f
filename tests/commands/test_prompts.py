"""`worldr1 prompts` writes what `worldr1 generate --prompts` reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from worldr1 import cli
from worldr1.worlds.prompts import write_prompts


def test_the_file_holds_the_writers_prompts_and_the_table_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "prompts.jsonl"
    assert cli.main(["prompts", "--out", str(out), "--kind", "dynamic", "--count", "12", "--seed", "4"]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["prompt"] for line in lines] == [p.text for p in write_prompts("dynamic", 12, 4)]
    assert len({line["name"] for line in lines}) == 12
    assert "12 prompts" in capsys.readouterr().out


def test_no_prompts_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prompts", "--out", str(tmp_path / "p.jsonl"), "--count", "0"]) == 2
    assert "at least one" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
