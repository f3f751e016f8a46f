"""Parallax gate: a still, panned or zoomed picture is consistent with everything and proves nothing."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from worldr1.geometry.camera import inside, pixel_grid, sample
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult, masked_mean

SATURATION = 0.006  # of the image diagonal; small frames are noisier than the .0006-.0012 of large ones
_TEXTURE = 0.03  # difference of luminance between neighbours
_BETTER = 0.03  # mean absolute difference of RGB by which a colour must be found better
_USUAL_OFF, _SATURATION_OFF = 0.07, 0.06  # shares of textured pixels; at 64 pixels a pan reaches .05, a push .16
_LEAST_POINTS = 50


def parallax_term(evidence: Evidence) -> TermResult:
    """Upper-quartile distance of the flow to its best homography, relative to the diagonal, saturating.

    A rotating or zooming camera, and a flat scene, move by a homography exactly. Abstains where the prompt asks
    for a fixed camera.
    """
    b, f, _, h, w = evidence.video.shape
    grid = pixel_grid(h, w, evidence.video)[2:-2:2, 2:-2:2].reshape(-1, 2).cpu().numpy()
    still = evidence.still_camera()
    steps = sorted({0, (f - 1) // 2, f - 2})
    values = torch.zeros(b)
    flows = evidence.forward_px[:, steps, 2:-2:2, 2:-2:2].reshape(b, len(steps), -1, 2).cpu().numpy()
    for i in range(b):
        if still[i]:
            continue
        residuals = []
        for flow in flows[i]:
            H, _ = cv2.findHomography(grid, grid + flow, 0)
            if H is None:
                continue
            moved = cv2.perspectiveTransform(grid[None], H)[0]
            residuals.append(np.percentile(np.linalg.norm(moved - grid - flow, axis=-1), 75))
        values[i] = float(np.mean(residuals)) if residuals else 0.0
    gate = (values / (SATURATION * float(np.hypot(h, w)))).clamp(max=1).to(still.device)
    return TermResult(gate, ~still, "the prompt asks for a fixed camera")


def parallax_seen_term(evidence: Evidence) -> TermResult:
    """Share of textured pixels whose colour the flow finds better than its best homography does, saturating.

    `parallax_term` for frames of any size and noisy flow: estimated flow lags behind where there is no texture, in
    a way that no homography follows, so that a pan of 64 pixels seems full of parallax; its colours tell. Flow is
    followed for a third of the clip, where noise has grown less than parallax; the median of five such stretches
    counts, less what pans and zooms reach by DIS flow.
    """
    b, f, _, h, w = evidence.video.shape
    textured, gap = _textured(evidence.video), max(1, f // 3)
    shares, told = [], []
    for t in sorted({round(s * (f - 1 - gap) / 4) for s in range(5)}):
        landing = pixel_grid(h, w, evidence.video).expand(b, h, w, 2)
        for k in range(t, t + gap):
            landing = landing + sample(evidence.forward_px[:, k].permute(0, 3, 1, 2), landing).permute(0, 2, 3, 1)
        usable = textured[:, t] & inside(landing, h, w)
        told.append(usable.flatten(1).sum(1) >= _LEAST_POINTS)
        shares.append(_seen_off(evidence.video[:, t], evidence.video[:, t + gap], landing, usable))
    share = torch.stack(shares).where(torch.stack(told), torch.nan).nanmedian(0).values
    gate = ((share - _USUAL_OFF) / _SATURATION_OFF).clamp(0, 1)
    enough = torch.stack(told).any(0)
    return TermResult(gate.where(enough, 0.0), enough, "too little texture can be followed to tell parallax")


def _textured(video: Tensor) -> Tensor:
    """Pixels ``[b, f, h, w]`` that differ from their neighbours."""
    gray = video.mean(2)
    across = torch.nn.functional.pad(gray.diff(dim=-1).abs(), (0, 1))
    down = torch.nn.functional.pad(gray.diff(dim=-2).abs(), (0, 0, 0, 1))
    return torch.maximum(across, down) > _TEXTURE


def _seen_off(now: Tensor, later: Tensor, landing: Tensor, usable: Tensor) -> Tensor:
    """Share of ``usable`` ``[b, h, w]`` pixels that flow explains better than a homography, less the contrary: ``[b]``.

    ``landing`` ``[b, h, w, 2]`` is where flow leads from ``now`` to ``later``, both ``[b, 3, h, w]``.
    """
    grid, plane = pixel_grid(usable.shape[1], usable.shape[2], now), landing.clone()
    for i, here in enumerate(usable):
        if int(here.sum()) < _LEAST_POINTS:
            continue
        p, q = (x[here].double().cpu().numpy() for x in (grid, landing[i]))
        H, _ = cv2.findHomography(p, q, 0)
        if H is not None:
            every = grid.reshape(1, -1, 2).double().cpu().numpy()
            plane[i] = torch.from_numpy(cv2.perspectiveTransform(every, H)[0]).to(landing).view_as(grid)
    by_flow = (sample(later, landing) - now).abs().mean(1)
    by_plane = (sample(later, plane) - now).abs().mean(1)
    better = (by_plane > by_flow + _BETTER).float() - (by_flow > by_plane + _BETTER).float()
    return masked_mean(better, usable, (1, 2))
