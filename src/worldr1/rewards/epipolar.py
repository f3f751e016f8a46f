"""Epipolar term on dense flow: a rigid scene moves along the lines of one fundamental matrix."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from worldr1.geometry.camera import pixel_grid
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult

_THRESHOLD_PX, _THRESHOLD_OF_DIAGONAL = (
    0.35,
    0.0015,
)  # the larger one; flow is good to a third of a pixel
_GRID = 4  # cells per side that must each be mostly rigid
_SOLID_CELL = 0.5
_LEAST_POINTS = 50
_LEAST_LENGTH_PX = 0.5  # mean flow of a step; less has no direction
_MOST_POINTS = 1500
_REASON = "the flow is too short, or too little of it can be followed, to fit an epipolar geometry"

Array = npt.NDArray[Any]


def rigid_share(p: Array, q: Array, height: int, width: int) -> float:
    """Share of correspondences ``[n, 2]`` on one epipolar geometry times the share of cells that it holds.

    Pixels; the geometry is fitted by MAGSAC++ (Barath et al. 2020).
    """
    threshold = max(_THRESHOLD_PX, _THRESHOLD_OF_DIAGONAL * float(np.hypot(height, width)))
    cv2.setRNGSeed(0)
    try:
        F, mask = cv2.findFundamentalMat(p, q, cv2.USAC_MAGSAC, threshold, 0.999, 1000)
    except cv2.error:  # OpenCV's answer when no sample yields a geometry
        return 0.0
    if F is None or mask is None:
        return 0.0
    inlier = mask.ravel() > 0
    bins, limits = _GRID, [[0, height], [0, width]]
    every, _, _ = np.histogram2d(p[:, 1], p[:, 0], bins=bins, range=limits)
    good, _, _ = np.histogram2d(p[inlier, 1], p[inlier, 0], bins=bins, range=limits)
    judged = every >= 4
    return float(inlier.mean() * (good[judged] >= _SOLID_CELL * every[judged]).mean())


def epipolar_term(evidence: Evidence) -> TermResult:
    """Mean over five steps of `rigid_share` of the flow that survives the round trip.

    Uses neither depth nor the recovered camera, so it fails for other reasons than the terms that do.
    """
    b, f, _, h, w = evidence.video.shape
    grid = pixel_grid(h, w, evidence.video)
    seen = evidence.visible_flow()
    values, told = torch.zeros(b), torch.zeros(b, dtype=torch.bool)
    for i in range(b):
        shares = []
        for t in sorted({round(s * (f - 2) / 4) for s in range(5)}):
            flow = evidence.forward_px[i, t]
            p = grid[seen[i, t]]
            if len(p) < _LEAST_POINTS or float(flow[seen[i, t]].norm(dim=-1).mean()) < _LEAST_LENGTH_PX:
                continue
            stride = -(-len(p) // _MOST_POINTS)
            q = (p + flow[seen[i, t]])[::stride].double().cpu().numpy()
            shares.append(rigid_share(p[::stride].double().cpu().numpy(), q, h, w))
        if shares:
            values[i], told[i] = float(np.mean(shares)), True
    return TermResult(values.to(evidence.video), told.to(evidence.video.device), _REASON)
