"""Parallax gate: a still, panned or zoomed picture is consistent with everything and proves nothing."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from worldr1.geometry.camera import pixel_grid
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult

SATURATION = 0.006  # of the image diagonal; small frames are noisier than the .0006-.0012 of large ones


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
