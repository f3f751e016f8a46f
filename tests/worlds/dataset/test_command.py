"""``worldr1 worlds``: what is asked for, what is refused, and what a full disk looks like."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from worldr1 import cli
from worldr1.worlds.dataset import generate
from worlds.dataset.fakes import fake_samples

Capture = pytest.CaptureFixture[str]
Refused = Callable[..., str]
SMALL = ("--size", "16", "--frames", "9", "--shard", "3", "--workers", "1")


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "make_samples", fake_samples)


@pytest.fixture
def refused(capfd: Capture) -> Refused:
    """Runs a command that must fail as the user's error and returns its one line."""

    def run(*arguments: object) -> str:
        capfd.readouterr()
        assert cli.main(["worlds", *map(str, arguments)]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1, err
        assert err.startswith("worldr1: ")
        return err

    return run


def test_make_show_export(tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "out"
    make = ["worlds", "--family", "crowd", "--count", "5", "--seed", "2", "--out", str(out), *SMALL]
    assert cli.main(make) == 0
    line = capfd.readouterr().out
    assert f"5 clips in {out} (5 new, " in line
    assert "a second" in line
    assert "kB each" in line
    assert cli.main(make) == 0
    assert "(0 new; " in capfd.readouterr().out
    assert cli.main(["worlds", "show", str(out), "--clips", "2"]) == 0
    assert capfd.readouterr().out.strip() == str(out / "sheet.png")
    assert (out / "sheet.png").stat().st_size > 1000
    assert cli.main(["worlds", "export", str(out), "--format", "csv", "--out", str(tmp_path / "csv")]) == 0
    assert capfd.readouterr().out.strip() == f"5 clips in {tmp_path / 'csv'}"
    assert (tmp_path / "csv" / "metadata.csv").is_file()


def test_refusals(refused: Refused, tmp_path: Path, dataset: Path) -> None:
    out = tmp_path / "out"
    assert "--family is missing; use one of landmarks" in refused("--count", 3, "--out", out)
    assert "--count and --out are needed" in refused("--family", "crowd")
    assert "did you mean crowd?" in refused("--family", "crowds", "--count", 3, "--out", out)
    assert "--count must be at least 1" in refused("--family", "crowd", "--count", 0, "--out", out)
    assert "use 13 or 17" in refused("--family", "crowd", "--count", 3, "--out", out, "--frames", 16)
    assert "holds other files" in refused("--family", "crowd", "--count", 3, "--out", Path(__file__).parent)
    assert "count is 7 there and 3 here" in refused("--family", "landmarks", "--count", 3, "--out", dataset)
    assert "worlds show DIR" in refused("show")
    assert "no dataset here" in refused("show", tmp_path)
    assert "--format, one of pairs, jsonl" in refused("export", dataset, "--out", out)
    assert "unknown format 'avi'" in refused("export", dataset, "--out", out, "--format", "avi")
    assert "write --out somewhere" in refused("make", "somewhere")
    assert not out.exists()


def test_a_file_in_the_way(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refused("--family", "crowd", "--count", 3, "--out", tmp_path / "file", *SMALL)
    assert "cannot write" in line


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a full disk: the shard, some 30 kB, does not fit."""
    lines = tmp_path / "lines"
    out = tmp_path / "out"

    def make() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, resource.RLIM_INFINITY))
        with lines.open("w") as file, pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stderr", file)
            status = cli.main(["worlds", "--family", "crowd", "--count", "5", "--out", str(out), *SMALL])
        raise SystemExit(status)

    process = get_context("fork").Process(target=make)
    process.start()
    process.join(60)
    assert process.exitcode == 2
    assert lines.read_text() == (
        f"worldr1: cannot write {out}/shards/000000.tar: File too large; make room or choose another place\n"
    )
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == [".lock", "dataset.json"]
    assert cli.main(["worlds", "--family", "crowd", "--count", "5", "--out", str(out), *SMALL]) == 0
