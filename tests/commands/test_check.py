"""``worldr1 check``: the self-tests of a preset, alone."""

from __future__ import annotations

import pytest

from worldr1.commands.check import run_check
from worldr1.demo import Run
from worldr1.train.selftest import SelfTestError


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that wait for each other on a busy machine take minutes."""
    monkeypatch.setattr("worldr1.commands.check.usable_cpus", lambda: 1)


def test_it_prints_what_it_measured(capsys: pytest.CaptureFixture[str]) -> None:
    run_check("debug")
    shown = capsys.readouterr().out
    assert "debug, nft: all passed" in shown
    assert "z_rms" in shown


def test_what_cannot_be_checked_is_named() -> None:
    with pytest.raises(ValueError, match="did you mean 'debug'"):
        run_check("debugg")
    with pytest.raises(ValueError, match="did you mean 'awm'"):
        run_check("debug", "awn")


def test_a_failed_self_test_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise SelfTestError("self-test z_rms = 0: the sampler does not draw")

    monkeypatch.setattr(Run, "self_test", fail)
    with pytest.raises(ValueError, match="does not draw"):
        run_check("debug")
