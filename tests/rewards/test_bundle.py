"""Bundle adjustment: from flow and a poor guess of depth to the world and the camera that were rendered."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rewards.general import evidence_of, orbit, push, scene
from worldr1.geometry.camera import lift, project, transform
from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards import bundle
from worldr1.rewards.bundle import DEPTH_SIGMA, _adjust_depth, _jacobians, _residual, _robust, adjust
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.flow_edges import follow_edges
from worldr1.rewards.motion_field import exponential


def guessed(evidence: Evidence) -> Tensor:
    """Depth off by a fifth, differently in every frame, smooth over the picture, as a network's is."""
    b, f, h, w = evidence.depth_m.shape
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(b, f, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic", align_corners=False)
    return evidence.depth_m * (0.2 * smooth + 0.05 * torch.randn(b, f, 1, 1, generator=generator)).exp()


def errors(depth_m: Tensor, c2w: Tensor, truth: Evidence, true_c2w: Tensor) -> tuple[float, float, float]:
    """Median error of log depth nearer than 8 m up to one scale, largest of the camera's place and of its turn (°)."""
    near = truth.depth_m < 8
    ratio = (depth_m / truth.depth_m).log()[near]
    scale = ratio.median()
    place = (c2w[..., :3, 3] * (-scale).exp() - true_c2w[..., :3, 3]).norm(dim=-1)
    turn = rotation_angle_deg(c2w[..., :3, :3].mT @ true_c2w[..., :3, :3])
    return float((ratio - scale).abs().median()), float(place.max()), float(turn.max())


def test_adjustment_recovers_depth_and_camera() -> None:
    for poses in (orbit(), push()):
        truth = evidence_of([scene(poses)])
        true = torch.linalg.inv(torch.from_numpy(poses[:1])) @ torch.from_numpy(poses)
        true = true.float()[None]
        guess = guessed(truth)
        edges = follow_edges(truth.forward_px, truth.backward_px)
        noisy = truth.c2w.clone()
        noisy[:, 1:, :3, 3] += 0.1 * torch.randn(noisy[:, 1:, :3, 3].shape, generator=torch.Generator().manual_seed(1))
        before = errors(guess, noisy, truth, true)
        after = errors(*adjust(guess, noisy, truth.K, edges), truth, true)
        print(before, after)
        assert after[0] < 0.4 * before[0]
        assert after[1] < 0.3 * before[1]


def drift(depth_m: Tensor, truth: Evidence) -> float:
    """Spread over the frames of the logarithm of their scale."""
    ratio = (depth_m / truth.depth_m).log().where(truth.depth_m < 8, torch.nan)
    return float(ratio.flatten(2).nanmedian(-1).values.std())


def test_adjustment_finds_the_scale_of_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network is off by another factor in every frame: what its pixels share is no chance of each of them."""
    for poses in (orbit(), push()):
        truth = evidence_of([scene(poses)])
        factor = 0.2 * torch.randn(1, len(poses), 1, 1, generator=torch.Generator().manual_seed(0))
        guess, edges = truth.depth_m * factor.exp(), follow_edges(truth.forward_px, truth.backward_px)
        before, after = drift(guess, truth), drift(adjust(guess, truth.c2w, truth.K, edges)[0], truth)
        with monkeypatch.context() as patch:
            patch.setattr(bundle, "SCALE_SIGMA", 1e-4)
            of_pixels = drift(adjust(guess, truth.c2w, truth.K, edges)[0], truth)
        print(before, of_pixels, after)
        assert after < 0.15 * before
        assert after < 0.5 * of_pixels


def test_the_sky_keeps_its_depth_and_leads_no_scale() -> None:
    """It is as far as a network goes, whatever the scale of a frame, and really farther."""
    for poses in (orbit(), push()):
        open_air = scene(poses)
        open_air = replace(
            open_air,
            bodies=open_air.bodies[:3],  # no wall
            position_m=open_air.position_m[:, :3],
            rotation=open_air.rotation[:, :3],
        )
        truth = evidence_of([open_air])
        sky, near = truth.depth_m > 19.9, truth.depth_m < 8
        factor = (0.2 * torch.randn(1, len(poses), 1, 1, generator=torch.Generator().manual_seed(0))).exp()
        factor = factor / factor.log().mean().exp()
        guess, edges = (truth.depth_m * factor).where(~sky, 20.0), follow_edges(truth.forward_px, truth.backward_px)
        found = adjust(guess, truth.c2w, truth.K, edges)[0]
        assert sky.float().mean() > 0.3
        assert drift(found, truth) < 0.02
        far = torch.stack([depth_m[where].median() for depth_m, where in zip(found[0], sky[0], strict=True)])
        assert far.max() < 1.06 * far.min()
        assert 18 < far.median() < 23
        assert (found / truth.depth_m).log()[near].median().abs() < 0.08


def test_scales_are_not_led_by_the_flow_of_a_camera_that_hardly_moves() -> None:
    """Its errors are long and smooth, and count as if every point had its own."""
    truth = evidence_of([scene(orbit(5, 33))])
    generator = torch.Generator().manual_seed(0)

    def noisy(flow: Tensor) -> Tensor:
        b, n, h, w, _ = flow.shape
        coarse = torch.randn(b * n, 2, 4, 4, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic", align_corners=False)
        return flow + 0.2 * smooth.permute(0, 2, 3, 1).reshape(flow.shape)

    edges = follow_edges(noisy(truth.forward_px), noisy(truth.backward_px))
    guess = truth.depth_m * (0.1 * torch.randn(1, 33, 1, 1, generator=torch.Generator().manual_seed(1))).exp()
    assert drift(adjust(guess, truth.c2w, truth.K, edges)[0], truth) < 1.1 * drift(guess, truth)


def test_the_step_of_every_depth_is_gauss_newton_with_the_derivatives_of_the_rest() -> None:
    truth = evidence_of([scene(orbit(), s) for s in range(2)])
    edges = follow_edges(truth.forward_px, truth.backward_px)
    prior, w2c = guessed(truth).log(), torch.linalg.inv(truth.c2w)
    log_depth = prior + 0.05 * torch.randn(prior.shape, generator=torch.Generator().manual_seed(2))
    rays = lift(torch.ones_like(prior), truth.K[:, None].expand(2, prior.shape[1], 3, 3))
    moved, error, motion = _residual(rays * log_depth.exp()[..., None], w2c, truth.K, edges)
    by_depth = _jacobians(moved, motion, truth.K)[2]
    weight = _robust(error, edges.sigma_px) * edges.trusted * (moved[..., 2] > 0.05)
    C = torch.full_like(prior, DEPTH_SIGMA**-2).index_add(1, edges.start, weight * (by_depth**2).sum(-1))
    e = ((prior - log_depth) / DEPTH_SIGMA**2).index_add(1, edges.start, weight * (by_depth * error).sum(-1))
    expected = log_depth + (e / C).clamp(-0.3, 0.3)
    torch.testing.assert_close(
        _adjust_depth(log_depth, prior, rays, w2c, truth.K, edges), expected, atol=1e-4, rtol=1e-4
    )
    assert (expected - log_depth).abs().mean() > 0.01


def test_derivatives_are_those_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    K = torch.tensor([[40.0, 0, 4], [0, 42.0, 3], [0, 0, 1]]).double()[None]
    depth = 2 + torch.rand(1, 1, 6, 8, generator=generator).double()
    rays = lift(torch.ones_like(depth), K[:, None])
    w2c = exponential(0.2 * torch.randn(2, 6, generator=generator).double())

    def landing(earlier: Tensor, later: Tensor, log_depth: Tensor) -> Tensor:
        motion = exponential(later[None]) @ w2c[1:] @ torch.linalg.inv(exponential(earlier[None]) @ w2c[:1])
        return project(transform(motion[:, None], rays * log_depth.exp()[..., None]), K[:, None])

    zero, log_depth = torch.zeros(6).double(), depth.log()
    motion = (w2c[1:] @ torch.linalg.inv(w2c[:1]))[:, None]
    later, earlier, by_depth = _jacobians(transform(motion, rays * depth[..., None]), motion, K)
    step = 1e-6
    for k in range(6):
        tiny = step * torch.eye(6).double()[k]
        assert torch.allclose(
            (landing(zero, tiny, log_depth) - landing(zero, -tiny, log_depth)) / (2 * step), later[..., k], atol=1e-5
        )
        assert torch.allclose(
            (landing(tiny, zero, log_depth) - landing(-tiny, zero, log_depth)) / (2 * step), earlier[..., k], atol=1e-5
        )
    found = (landing(zero, zero, log_depth + step) - landing(zero, zero, log_depth - step)) / (2 * step)
    assert torch.allclose(found, by_depth, atol=1e-5)
