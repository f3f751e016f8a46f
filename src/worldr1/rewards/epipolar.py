"""Epipolar term on dense flow: a rigid scene moves along the lines of one fundamental matrix."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from worldr1.geometry.camera import pixel_grid
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.fundamental import Array, agreement, fit_fundamental
from worldr1.rewards.term import TermResult
from worldr1.rewards.tracks import followed, spread_starts

_STEP_PX, _THIRD_PX = 0.35, 0.5  # that flow may be off, of a step and followed for a third of a clip,
_SMALL_DIAGONAL_PX = 230.0  # in pictures up to this diagonal; in larger ones as much more
_LENGTH_SHARE = 0.01  # of its mean length that it may be off besides: fast motion is told less well, and changing light
_GRID = 4  # cells per side that must each be mostly rigid
_SOLID_CELL, _LEAST_IN_CELL = 0.5, 4  # mean of what is in it; correspondences
_LEAST_SHARE = 0.1  # of the picture that must be followed
_LEAST_LENGTH = 2.0  # mean length of the flow over its error: anything shorter lies on every line
_MOST_POINTS = 1500
_REASON = "the flow is too short, or too little of it can be followed, to fit an epipolar geometry"


def rigid_share(p: Array, q: Array, height: int, width: int, error_px: float) -> float:
    """How well correspondences ``[n, 2]`` lie on one epipolar geometry, times the share of cells that it holds.

    Each counts by its `agreement`, being wrong by ``error_px``; a cell is held where the mean is a half, and by as
    much less as it is below. Nothing is counted by being in or out: of flow that is
    about as wrong as the limit, that would be chance.
    """
    F = fit_fundamental(p, q, error_px)
    if F is None:
        return 0.0
    good = agreement(F, p, q, error_px)
    place, limits = (p[:, 1], p[:, 0]), [[0, height], [0, width]]
    every, _, _ = np.histogram2d(*place, bins=_GRID, range=limits)
    held, _, _ = np.histogram2d(*place, bins=_GRID, range=limits, weights=good)
    judged = every >= _LEAST_IN_CELL
    return float(good.mean() * np.minimum(held[judged] / every[judged] / _SOLID_CELL, 1).mean())


def epipolar_term(evidence: Evidence) -> TermResult:
    """The worse of two means of `rigid_share`, of five steps and, where the prompt lets nothing move by itself, of five
    stretches of a third of the clip.

    A step shows what breaks at once; what bends or creeps moves by less than the error of the flow in a step, and by
    pixels in a third of the clip, as honest movers do too. The flow is that which survives every round trip, near
    texture where there is enough, and may be off by a hundredth of its length on top of what it always may; a stretch
    of which too little survives, or whose flow is too short against its error, says nothing. Uses neither depth nor
    the recovered camera, so it fails for other reasons than the terms that do.
    """
    f = evidence.video.shape[1]
    steps = [(t, t + 1, *followed(evidence, t, 1)) for t in spread_starts(f, 1, 5)]
    shares, at_rest = [_rigid(evidence, steps, _STEP_PX)], evidence.at_rest()
    if f // 3 > 1 and bool(at_rest.any()):
        shares.append(_rigid(evidence, evidence.thirds, _THIRD_PX).where(at_rest, torch.nan))
    worse = torch.stack(shares).nan_to_num(torch.inf).amin(0)
    told = worse.isfinite()
    return TermResult(worse.where(told, 0.0), told, _REASON)


def _rigid(evidence: Evidence, stretches: Iterable[tuple[int, int, Tensor, Tensor]], error_px: float) -> Tensor:
    """Mean of `rigid_share` over stretches, as `Evidence.thirds`; ``[b]``, NaN where none can be told."""
    b, _, _, h, w = evidence.video.shape
    error_px *= max(1.0, float(np.hypot(h, w)) / _SMALL_DIAGONAL_PX)
    grid = pixel_grid(h, w, evidence.video)
    shares: list[list[float]] = [[] for _ in range(b)]
    least = _LEAST_SHARE * h * w
    for start, _, landing, trusted in stretches:
        for i in range(b):
            # elsewhere flow is what its neighbours make of it; a picture that loses its texture is no excuse
            textured = trusted[i] & evidence.near_texture[i, start]
            usable = textured if int(textured.sum()) >= least else trusted[i]
            p, q = grid[usable], landing[i][usable]
            if len(p) < least:
                continue
            length = float((q - p).norm(dim=-1).mean())
            if length < _LEAST_LENGTH * error_px:
                continue
            stride = -(-len(p) // _MOST_POINTS)
            p, q = p[::stride].double().cpu(), q[::stride].double().cpu()
            shares[i].append(rigid_share(p.numpy(), q.numpy(), h, w, error_px + _LENGTH_SHARE * length))
    return evidence.video.new_tensor([float(np.mean(s)) if s else float("nan") for s in shares])
