"""Rigid fits: exact, mirrored, and with a third of the points lying."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from worldr1.geometry.rigid import fit_rigid, fit_rigid_robust, rotation_angle_deg


def random_pose(generator: torch.Generator, angle_rad: float | None = None) -> Tensor:
    axis = torch.randn(3, generator=generator)
    axis = axis / axis.norm()
    angle = 3 * torch.rand(1, generator=generator).item() if angle_rad is None else angle_rad
    cross = torch.tensor([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    pose = torch.eye(4)
    pose[:3, :3] = torch.linalg.matrix_exp(angle * cross)
    pose[:3, 3] = torch.randn(3, generator=generator)
    return pose


def apply(pose: Tensor, points: Tensor) -> Tensor:
    return points @ pose[..., :3, :3].mT + pose[..., None, :3, 3]


@pytest.mark.parametrize("seed", range(5))
def test_recovers_rotation_and_translation(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pose = torch.stack([random_pose(generator) for _ in range(4)])
    source = torch.randn(4, 50, 3, generator=generator)
    found = fit_rigid(source, apply(pose, source), torch.rand(4, 50, generator=generator))
    torch.testing.assert_close(found, pose, atol=1e-5, rtol=0)


def test_weightless_points_have_no_say() -> None:
    generator = torch.Generator().manual_seed(3)
    pose = random_pose(generator)[None]
    source = torch.randn(1, 30, 3, generator=generator)
    target = apply(pose, source)
    target[:, :10] += 5
    weight = torch.ones(1, 30)
    weight[:, :10] = 0
    torch.testing.assert_close(fit_rigid(source, target, weight), pose, atol=1e-5, rtol=0)


def test_a_mirror_image_is_answered_with_a_rotation() -> None:
    source = torch.randn(1, 40, 3, generator=torch.Generator().manual_seed(4))
    mirrored = source * torch.tensor([1.0, 1.0, -1.0])
    rotation = fit_rigid(source, mirrored, torch.ones(1, 40))[0, :3, :3]
    assert torch.linalg.det(rotation).item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-5, rtol=0)


def test_points_in_a_plane_do_not_flip() -> None:
    generator = torch.Generator().manual_seed(5)
    pose = random_pose(generator)[None]
    flat = torch.randn(1, 40, 3, generator=generator) * torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(fit_rigid(flat, apply(pose, flat), torch.ones(1, 40)), pose, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_robust_fit_survives_thirty_percent_gross_outliers(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pose = random_pose(generator, angle_rad=0.15)[None]
    pose[:, :3, 3] *= 0.2
    source = torch.randn(1, 300, 3, generator=generator) + torch.tensor([0.0, 0.0, 4.0])
    target = apply(pose, source)
    target[:, :90] += torch.tensor([1.5, -0.5, 1.0]) + torch.randn(1, 90, 3, generator=generator)
    weight = torch.ones(1, 300)
    robust = fit_rigid_robust(source, target, weight)
    torch.testing.assert_close(robust, pose, atol=2e-3, rtol=0)
    plain = fit_rigid(source, target, weight)
    assert (plain - pose).abs().max() > 20 * (robust - pose).abs().max()


@pytest.mark.parametrize("angle_deg", [0.5, 10.0, 90.0, 179.0])
def test_rotation_angle(angle_deg: float) -> None:
    pose = random_pose(torch.Generator().manual_seed(6), math.radians(angle_deg))
    assert rotation_angle_deg(pose[:3, :3]).item() == pytest.approx(angle_deg, abs=0.1)


def test_rotation_angle_of_nothing_is_nothing() -> None:
    assert rotation_angle_deg(torch.eye(3)).item() == pytest.approx(0, abs=1e-3)
