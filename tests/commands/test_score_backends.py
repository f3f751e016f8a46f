"""Which backend a video gets, and what becomes of names that are none."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from worldr1 import cli
from worldr1.commands import score_backends
from worldr1.commands.score_backends import check_backend, choose_backend, load_backend
from worldr1.rewards.composite import WorldReward


@pytest.mark.parametrize(
    ("size", "backend"),
    [
        ((64, 64), "tiny"),
        ((32, 32), "tiny"),
        ((64, 65), "classical"),
        ((72, 96), "classical"),
        ((500, 128), "classical"),
    ],
)
def test_auto(size: tuple[int, int], backend: str) -> None:
    assert choose_backend("auto", *size) == backend
    assert choose_backend("some/model", *size) == "some/model"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clasical", "did you mean 'classical'?"),
        ("tini", "did you mean 'tiny'?"),
        ("wrold", "did you mean 'world'?"),
        ("vgt", "did you mean 'vggt'?"),
        ("qqq", "use one of auto, classical, tiny, world"),
        ("/no/such/model", "no such folder"),
        ("./model", "no such folder"),
    ],
)
def test_wrong_names_are_refused_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    """Before any file is looked at, and without asking the hub."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    capfd.readouterr()
    assert cli.main(["score", str(tmp_path / "missing.mp4"), "--backend", name]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert words in err


def test_names_that_may_be_right_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("auto", "classical", "world", "moge", "folder", str(tmp_path), "owner/model"):
        check_backend(name)


def refusal() -> RepositoryNotFoundError:
    response = httpx2.Response(404, request=httpx2.Request("GET", "https://hub.invalid"))
    return RepositoryNotFoundError("404", response=response)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx2.ConnectError("Name or service not known"), r"cannot be reached \(Name or service not known\)"),
        (httpx2.ConnectTimeout(""), r"cannot be reached \(ConnectTimeout\)"),
        (refusal(), "no such model"),
    ],
)
def test_the_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    asked = []

    def model_info(_: HfApi, name: str, timeout: float) -> Any:
        asked.append((name, timeout))
        raise error

    monkeypatch.setattr(HfApi, "model_info", model_info)
    with pytest.raises(ValueError, match=words):
        load_backend("owner/model")
    assert len(asked) == 1


def test_a_backend_that_lacks_its_package_is_one_line() -> None:
    with pytest.raises(ValueError, match="--backend moge: this backend needs the package 'moge"):
        load_backend("moge")


def test_networks_go_to_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class Network(torch.nn.Module):
        device = "cpu"

        def to(self, device: str) -> Network:  # type: ignore[override]
            self.device = device
            return self

    class Estimator:
        def __init__(self) -> None:
            self.model = Network()

    depth, flow = Estimator(), Estimator()
    reward = WorldReward({"x": lambda _: None}, depth, flow)  # type: ignore[arg-type, dict-item, return-value]
    monkeypatch.setattr(score_backends, "make_reward", lambda *_, **__: reward)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    load_backend("tiny")
    assert depth.model.device == flow.model.device == "cuda"
