"""Held-out view term: what half of the frames show must predict the other half."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from worldr1.geometry.camera import project, transform
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.splat import splat
from worldr1.rewards.term import Term, TermResult, masked_mean

Perceptual = Callable[[Tensor, Tensor], Tensor]  # pictures [n, 3, h, w] twice -> distances [n], 0 for the same
PSNR_MIDDLE_DB, PSNR_WIDTH_DB = 19.0, 3.0  # a logistic curve between 0 and 1
PERCEPTUAL_TAU = 0.5
_LEAST_COVER = 0.25  # share of a held-out frame that must be predicted
_LEAST_BASELINE = 0.03  # of the scene's median depth that the camera must travel
_COVERED = 0.3  # summed splat weights
_REASON = "the camera does not move enough, or too little of a held-out frame is seen from the others"


def render_held_out(evidence: Evidence) -> tuple[Tensor, Tensor, Tensor]:
    """Every second frame, its prediction from the others, and where there is one.

    ``[b, k, 3, h, w]`` twice and bool ``[b, k, h, w]``. The cloud holds all pixels of the even frames; each odd frame
    is drawn at its own pose with the clip's intrinsics. Pixels that move by themselves are left out on both sides.
    """
    f, _, h, w = evidence.video.shape[1:]
    cloud = evidence.world_points()[:, ::2].flatten(1, 3)
    colours = evidence.video[:, ::2].permute(0, 1, 3, 4, 2).flatten(1, 3)
    weight = (~evidence.dynamic[:, ::2]).flatten(1).to(cloud)
    targets = range(1, f, 2)
    pictures, covered = [], []
    for t in targets:
        points = transform(torch.linalg.inv(evidence.c2w[:, t]), cloud[:, :, None])
        pixels = project(points, evidence.K)[:, :, 0]
        picture, cover = splat(pixels, points[:, :, 0, 2], colours, weight, h, w)
        pictures.append(picture)
        covered.append((cover > _COVERED) & ~evidence.dynamic[:, t])
    return evidence.video[:, 1::2], torch.stack(pictures, 1), torch.stack(covered, 1)


def masked_ssim(a: Tensor, b: Tensor, mask: Tensor, window: int = 7) -> Tensor:
    """Structural similarity (Wang et al. 2004) ``[n]`` of ``[n, 3, h, w]``, from pixels in ``mask`` ``[n, h, w]`` only.

    Windows in which less than half of the pixels are in the mask do not count.
    """
    kernel = torch.ones(1, 1, window, window, dtype=a.dtype, device=a.device) / window**2
    n, c = a.shape[:2]
    m = mask[:, None].to(a)
    share = conv2d(m, kernel)

    def mean(x: Tensor) -> Tensor:
        folded = conv2d((x * m).reshape(n * c, 1, *x.shape[-2:]), kernel)
        return folded.view(n, c, *folded.shape[-2:]) / share.clamp(min=1e-6)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, cov = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return masked_mean(similarity.mean(1), share[:, 0] > 0.5, (-1, -2))


def held_out_view(perceptual: Perceptual | None = None) -> Term:
    """√(logistic((PSNR − 19)/3) · SSIM) of every second frame drawn from the others, averaged over its frames.

    With ``perceptual`` (LPIPS or the like) a third factor exp(−distance/.5) joins and the root is the third. Abstains
    where the camera stays within 3 % of the scene's distance: a view that is not new is no test.
    """

    def term(evidence: Evidence) -> TermResult:
        b = len(evidence.video)
        true, drawn, covered = (x.flatten(0, 1) for x in render_held_out(evidence))
        error = masked_mean(((true - drawn) ** 2).mean(1), covered, (-1, -2))
        psnr = -10 * torch.log10(error.clamp(min=1e-6))
        factors = [torch.sigmoid((psnr - PSNR_MIDDLE_DB) / PSNR_WIDTH_DB), masked_ssim(true, drawn, covered)]
        if perceptual is not None:
            filled = drawn.where(covered[:, None], true)
            factors.append(torch.exp(-perceptual(true, filled) / PERCEPTUAL_TAU))
        value = torch.stack(factors).clamp(min=1e-6).log().mean(0).exp().view(b, -1)
        enough = (covered.to(error).mean((-1, -2)) >= _LEAST_COVER).view(b, -1)
        distance = evidence.depth_m.flatten(1).median(1).values
        centres = evidence.c2w[:, :, :3, 3]
        travelled = (centres - centres[:, :1]).norm(dim=-1).amax(1) > _LEAST_BASELINE * distance
        return TermResult(masked_mean(value, enough, (1,)), enough.any(1) & travelled, _REASON)

    return term


held_out_view_term = held_out_view()
