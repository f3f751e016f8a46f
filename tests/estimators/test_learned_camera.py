"""Cameras of VGGT and Depth Anything 3, from stand-ins that answer as the packages document (OpenCV, to the camera)."""

from __future__ import annotations

import math
import sys
import types
from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from worldr1.estimators.learned_camera import NO_CHECK, NO_POSE, from_world_to_camera
from worldr1.estimators.registry import make_camera
from worldr1.estimators.structure import Structure
from worldr1.rewards.camera import camera_term
from worldr1.rewards.evidence import gather_evidence
from worldr1.rewards.sfm import sfm_term
from worldr1.types import CameraPath, Prompt

FRAMES, K = 4, torch.tensor([[40.0, 0, 15], [0, 40, 10], [0, 0, 1]])


def true_c2w() -> Tensor:
    """A camera that walks forward and to the right while it turns, from somewhere in the world."""
    start = torch.eye(4)
    start[:3, :3] = torch.from_numpy(Rotation.from_euler("xyz", [20, 50, -10], degrees=True).as_matrix()).float()
    start[:3, 3] = torch.tensor([2.0, -1.0, 0.5])
    steps = torch.eye(4).repeat(FRAMES, 1, 1)
    for t in range(FRAMES):
        steps[t, :3, :3] = torch.from_numpy(Rotation.from_euler("y", 6 * t, degrees=True).as_matrix()).float()
        steps[t, :3, 3] = torch.tensor([0.2 * t, 0.0, 0.5 * t])
    return start @ steps


def relative() -> Tensor:
    return torch.linalg.inv(true_c2w()[:1]) @ true_c2w()


class Network:
    """Both packages' model."""

    rows = 3

    @classmethod
    def from_pretrained(cls, name: str) -> Network:  # noqa: ARG003
        return cls()

    def to(self, device: torch.device) -> Network:  # noqa: ARG002
        return self

    def eval(self) -> Network:
        return self

    def __call__(self, clips: Tensor) -> dict[str, Tensor]:
        """VGGT: translation, quaternion (x, y, z, w) of the world to the camera, then fields of view."""
        w2c = torch.linalg.inv(true_c2w())
        quaternion = torch.from_numpy(Rotation.from_matrix(w2c[:, :3, :3].numpy()).as_quat()).float()
        views = torch.full((FRAMES, 2), math.radians(45))
        assert len(clips[0]) == FRAMES
        return {"pose_enc": torch.cat([w2c[:, :3, 3], quaternion, views], 1)[None]}

    def inference(self, pictures: list[Any]) -> types.SimpleNamespace:
        """Depth Anything 3: ``extrinsics`` of the world to the camera, with or without their last row."""
        assert len(pictures) == FRAMES
        w2c = torch.linalg.inv(true_c2w())[:, : self.rows].numpy() if self.rows else None
        return types.SimpleNamespace(extrinsics=w2c)


def decode(encoding: Tensor, size: list[int]) -> tuple[Tensor, Tensor]:
    """``vggt.utils.pose_enc.pose_encoding_to_extri_intri``: ``[b, f, 3, 4]`` and intrinsics."""
    assert [side % 14 for side in size] == [0, 0]
    turn = torch.from_numpy(Rotation.from_quat(encoding[0, :, 3:7].numpy()).as_matrix()).float()
    return torch.cat([turn, encoding[0, :, :3, None]], -1)[None], torch.eye(3)


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {"vggt.models.vggt": {"VGGT": Network}, "vggt.utils.pose_enc": {"pose_encoding_to_extri_intri": decode},
                "depth_anything_3.api": {"DepthAnything3": Network}}  # fmt: skip
    for name, attributes in contents.items():
        parts = name.split(".")
        for i in range(1, len(parts)):
            monkeypatch.setitem(sys.modules, ".".join(parts[:i]), types.ModuleType(parts[0]))
        module = types.ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize(("name", "rows"), [("vggt", 3), ("depth-anything-3", 3), ("depth-anything-3", 4)])
def test_the_camera_comes_out_in_our_convention(name: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "rows", rows)
    found = make_camera(name)(torch.rand(FRAMES, 3, 20, 30), K)
    torch.testing.assert_close(found.c2w, relative(), atol=1e-5, rtol=0)
    assert found.c2w[-1, 2, 3] > 1  # it went forward
    assert found.c2w[-1, 0, 3] > 0.5  # and to the right
    assert bool(found.registered.all())
    assert (found.shown, found.silent) == (FRAMES, NO_CHECK)


def test_a_model_without_cameras_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "rows", 0)
    with pytest.raises(ValueError, match="DA3-LARGE"):
        make_camera("depth-anything-3")(torch.rand(FRAMES, 3, 20, 30), K)


def test_frames_without_a_pose_are_not_registered() -> None:
    w2c = torch.linalg.inv(true_c2w())[:, :3]
    w2c[0] = torch.nan
    found = from_world_to_camera(w2c)
    assert found.registered.tolist() == [False, True, True, True]
    assert bool(found.c2w[0].isnan().all())
    expected = torch.linalg.inv(true_c2w()[1:2]) @ true_c2w()[1:]
    torch.testing.assert_close(found.c2w[1:], expected, atol=1e-5, rtol=0)
    nothing = from_world_to_camera(w2c * torch.nan)
    assert (nothing.silent, bool(nothing.registered.any())) == (NO_POSE, False)


def test_it_has_half_the_say_about_the_camera_and_none_about_the_world() -> None:
    prompt = Prompt("walk", CameraPath(true_c2w(), K.repeat(FRAMES, 1, 1)))

    def still(first: Tensor, _second: Tensor) -> Tensor:
        return torch.zeros(*first.shape[:1], 20, 30, 2)

    def flat(frames: Tensor) -> Tensor:
        return torch.full((len(frames), 20, 30), 3.0)

    video = torch.rand(1, FRAMES, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    evidence = gather_evidence(video, K[None], [prompt], flat, still, camera=make_camera("vggt"))
    assert evidence.structures is not None
    assert isinstance(evidence.structures[0], Structure)
    told = sfm_term(evidence)
    assert not bool(told.applicable[0])
    assert told.reason_of(0) == NO_CHECK
    # flow and depth see no motion; the network agrees with the prompt up to the scale, which is the other's
    moving = replace(evidence, c2w=relative()[None])
    alone = camera_term(replace(evidence, structures=None))
    assert float(camera_term(moving).values[0]) == pytest.approx(1, abs=1e-3)
    wrong = replace(moving, structures=(replace(evidence.structures[0], c2w=relative().flip(0)),))
    assert 0.4 < float(camera_term(wrong).values[0]) < 0.95
    assert float(alone.values[0]) < 0.5


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vggt.utils.pose_enc", None)
    with pytest.raises(ImportError, match=r"vggt\.utils\.pose_enc.*pip install"):
        make_camera("vggt")
