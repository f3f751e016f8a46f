"""Projection round trips, and sampling on the pixel grid."""

from __future__ import annotations

import pytest
import torch

from worldr1.geometry.camera import inside, lift, pixel_grid, project, sample, transform

K = torch.tensor([[30.0, 0.0, 15.0], [0.0, 28.0, 11.0], [0.0, 0.0, 1.0]])


def test_lift_then_project_gives_the_pixel_back() -> None:
    depth = 0.5 + 9 * torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(0))
    points = lift(depth, K.expand(3, 3, 3))
    torch.testing.assert_close(points[..., 2], depth)
    pixels = project(points, K.expand(3, 3, 3))
    torch.testing.assert_close(pixels, pixel_grid(24, 32, depth).expand_as(pixels), atol=1e-4, rtol=0)


def test_lift_puts_the_principal_point_on_the_axis_and_y_down() -> None:
    points = lift(torch.full((22, 30), 2.0), K)
    right_of_axis, below_axis = points[10, 15], points[11, 14]
    torch.testing.assert_close(right_of_axis, torch.tensor([0.5 / 30 * 2, -0.5 / 28 * 2, 2.0]))
    torch.testing.assert_close(below_axis, torch.tensor([-0.5 / 30 * 2, 0.5 / 28 * 2, 2.0]))


def test_points_behind_the_camera_land_far_outside() -> None:
    behind = torch.tensor([0.3, 0.2, -1.0]).view(1, 1, 3)
    assert not inside(project(behind, K), 22, 30).any()


def test_sample_at_pixel_centres_is_the_image_itself() -> None:
    image = torch.rand(2, 3, 7, 9, generator=torch.Generator().manual_seed(1))
    grid = pixel_grid(7, 9, image).expand(2, 7, 9, 2)
    torch.testing.assert_close(sample(image, grid), image, atol=1e-5, rtol=0)


def test_sample_half_way_is_the_mean_of_the_neighbours() -> None:
    image = torch.arange(12.0).view(1, 1, 3, 4)
    between = torch.tensor([2.0, 1.5]).view(1, 1, 1, 2)  # between columns 1 and 2 of row 1
    assert sample(image, between).item() == pytest.approx((5 + 6) / 2, abs=1e-5)


def test_inside_ends_half_a_pixel_from_the_border() -> None:
    pixels = torch.tensor([[0.5, 0.5], [31.5, 23.5], [0.4, 5.0], [5.0, 23.6]])
    assert inside(pixels, 24, 32).tolist() == [True, True, False, False]


def test_transform_applies_rotation_then_translation() -> None:
    pose = torch.eye(4)
    pose[:3, :3] = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    pose[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    moved = transform(pose, torch.tensor([1.0, 0.0, 0.0]).view(1, 1, 3))
    torch.testing.assert_close(moved.view(3), torch.tensor([1.0, 3.0, 3.0]))
