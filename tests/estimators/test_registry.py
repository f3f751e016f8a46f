"""Estimators by name: the right one, or a message that says what to do."""

from __future__ import annotations

import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi
from torch import Tensor

from worldr1.estimators import registry
from worldr1.estimators.cache import Cached
from worldr1.estimators.depth import MAX_DEPTH_M, PACKAGED, TransformersDepth
from worldr1.estimators.flow import DISFlow
from worldr1.estimators.flow_network import WorldFlow
from worldr1.estimators.multiview import DepthAnything3Depth, MoGeDepth, VGGTDepth
from worldr1.estimators.raft import RAFTFlow
from worldr1.estimators.registry import make_depth, make_features, make_flow, make_judge, make_matcher, make_segments


def test_names_make_what_they_name(tmp_path: Path) -> None:
    assert isinstance(make_depth("tiny"), TransformersDepth)
    assert isinstance(make_flow("dis"), DISFlow)
    assert isinstance(make_flow("world"), WorldFlow)
    kept = make_flow("dis", tmp_path)
    assert isinstance(kept, Cached)
    assert isinstance(kept.estimator, DISFlow)


@pytest.mark.parametrize(
    ("make", "name", "hint"),
    [(make_depth, "tini", "'tiny'"), (make_flow, "raft", "raft_"),
     (make_features, "dino", "hub id"), (make_segments, "sam2", "hub id"), (make_depth, "xyz", "hub id")],
)  # fmt: skip
def test_unknown_names_are_refused_with_a_hint(make: Callable[[str], Any], name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        make(name)


@pytest.mark.parametrize(
    ("name", "package"), [("vggt", "vggt"), ("moge", "moge"), ("depth-anything-3", "depth_anything_3")]
)
def test_missing_packages_are_named(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"{package}.*pip install"):
        make_depth(name)


def test_raft_without_torchvision_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ImportError, match=r"worldr1\[raft\]"):
        make_flow("raft_small")


class Shifts(torch.nn.Module):
    """Answers like RAFT, a list of refinements, with a constant flow; keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[Tensor] = []

    def forward(self, a: Tensor, b: Tensor) -> list[Tensor]:
        self.seen += [a, b]
        flow = torch.tensor([4.0, -2.0]).view(1, 2, 1, 1).expand(len(a), 2, *a.shape[-2:])
        return [0 * flow, flow]


def test_raft_gets_multiples_of_eight_in_minus_one_to_one_and_flow_comes_back_in_pixels() -> None:
    network = Shifts()
    a, b = torch.zeros(3, 3, 60, 90), torch.ones(3, 3, 60, 90)
    flow = RAFTFlow(network, batch=2)(a, b)
    shown = network.seen[0].shape[-2:]
    assert shown == (128, 192)
    assert (network.seen[0] == -1).all()
    assert (network.seen[1] == 1).all()
    assert flow.shape == (3, 60, 90, 2)
    torch.testing.assert_close(flow[..., 0], torch.full((3, 60, 90), 4.0 * 90 / 192))
    torch.testing.assert_close(flow[..., 1], torch.full((3, 60, 90), -2.0 * 60 / 128))
    with pytest.raises(ValueError, match="shape"):
        RAFTFlow(network)(a, b[:1])


class Loaded:
    """Stands in for a package's model: depth grows to the right."""

    @classmethod
    def from_pretrained(cls, name: str) -> Loaded:  # noqa: ARG003
        return cls()

    def to(self, device: torch.device) -> Loaded:  # noqa: ARG002
        return self

    def eval(self) -> Loaded:
        return self

    def __call__(self, clips: Tensor) -> dict[str, Tensor]:  # VGGT
        assert clips.shape[-2] % 14 == clips.shape[-1] % 14 == 0
        return {"depth": ramp(*clips.shape[-2:]).expand(1, clips.shape[1], -1, -1)[..., None]}

    def infer(self, frames: Tensor) -> dict[str, Tensor]:  # MoGe
        depth = ramp(*frames.shape[-2:]).repeat(len(frames), 1, 1) + torch.arange(len(frames)).view(-1, 1, 1)
        depth[:, 0] = torch.inf
        return {"depth": depth}

    def inference(self, pictures: list[Any]) -> types.SimpleNamespace:  # Depth Anything 3
        assert pictures[0].dtype == "uint8"
        return types.SimpleNamespace(depth=ramp(28, 42).expand(len(pictures), -1, -1).numpy())


def ramp(height: int, width: int) -> Tensor:
    return torch.linspace(10, 30, width).expand(height, width)


@pytest.mark.parametrize(
    ("module", "attribute", "adapter"),
    [("vggt.models.vggt", "VGGT", VGGTDepth), ("depth_anything_3.api", "DepthAnything3", DepthAnything3Depth)],
)
def test_clipwise_packages_are_scaled_per_clip(
    module: str, attribute: str, adapter: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = types.ModuleType(module)
    setattr(fake, attribute, Loaded)
    parts = module.split(".")
    for i in range(1, len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[:i]), types.ModuleType(parts[0]))
    monkeypatch.setitem(sys.modules, module, fake)
    depth = adapter(device="cpu")(torch.rand(3, 3, 20, 30))
    assert adapter.clipwise
    assert not adapter.metric
    assert depth.shape == (3, 20, 30)
    assert depth.median() == pytest.approx(3.0, rel=0.05)
    assert (depth[..., -1] / depth[..., 0]).mean() == pytest.approx(3.0, rel=0.15)


def test_moge_stays_in_metres(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("moge.model.v2")
    fake.MoGeModel = Loaded  # type: ignore[attr-defined]
    for name in ("moge", "moge.model"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "moge.model.v2", fake)
    depth = MoGeDepth(device="cpu")(torch.rand(3, 3, 20, 30), batch=2)
    assert depth[:, 5, 0].tolist() == [10, 11, 10]  # two together, in their order
    assert (depth[:, 0] == MAX_DEPTH_M).all()


def test_a_new_revision_of_the_answers_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def depth(frames: Tensor) -> Tensor:
        asked.append(len(frames))
        return frames[:, 0]

    monkeypatch.setitem(registry.DEPTH, "mine", lambda: depth)
    frames = torch.rand(2, 3, 4, 4)
    for _ in range(2):
        make_depth("mine", tmp_path)(frames)
    assert asked == [2]
    monkeypatch.setattr(registry, "_REVISION", -1)
    make_depth("mine", tmp_path)(frames)
    assert asked == [2, 2]


@pytest.mark.parametrize("make", [make_depth, make_features, make_judge, make_matcher, make_segments])
def test_the_hub_is_asked_before_a_model_is_loaded(
    make: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: HfApi, name: str, timeout: float) -> None:
        raise OSError(f"no road to {name} in {timeout:.0f} s")

    monkeypatch.setattr(HfApi, "model_info", refuse)
    with pytest.raises(ValueError, match=r"cannot be reached \(no road to owner/model in 10 s\); use a folder"):
        make("owner/model")
    with pytest.raises(ValueError, match="there is no folder '/home/me/modle', and it is no hub id"):
        make("/home/me/modle")


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    folder = shutil.copytree(PACKAGED, tmp_path / "depth")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"the weights of {folder} are damaged"):
        make_depth(str(folder))
