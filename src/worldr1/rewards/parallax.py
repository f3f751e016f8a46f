"""Parallax gate: a still, panned or zoomed picture is consistent with everything and proves nothing."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from worldr1.geometry.camera import pixel_grid, sample
from worldr1.geometry.turn import nearest_turn
from worldr1.rewards.edges import textured
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult, masked_mean
from worldr1.rewards.tracks import expected, followed

SATURATION = 0.006  # of the image diagonal; small frames are noisier than the .0006-.0012 of large ones
_BETTER = 0.03  # mean absolute difference of RGB by which a colour must be found better
# shares of textured pixels: of 22 pans at most .051, of honest drives at least .12; measured on seeds 14 and 15
_USUAL_OFF, _SATURATION_OFF = 0.06, 0.06
_LEAST_POINTS = 50
_LEAST_TEXTURED = 0.02  # of a picture, to tell by it alone how the picture moves
_UNSEEN = "too little of the picture can be followed from frame to frame to tell parallax"
# of the diagonal: what pans reach (.0038 at most; honest drives .0077 and more), what proves travel on top of it, and
# what one pixel can add
_USUAL, _PROVED, _LARGEST = 0.004, 0.004, 0.05
_LEAST_FOLLOWED = 0.1  # of a picture, for a proof by geometry


def parallax_term(evidence: Evidence) -> TermResult:
    """Upper-quartile distance of the flow to its best homography, relative to the diagonal, saturating.

    A rotating or zooming camera, and a flat scene, move by a homography exactly. Never abstains; it is not asked of a
    prompt whose camera stays on the spot (`spec.SPECS`).
    """
    b, f, _, h, w = evidence.video.shape
    grid = pixel_grid(h, w, evidence.video)[2:-2:2, 2:-2:2].reshape(-1, 2).cpu().numpy()
    steps = sorted({0, (f - 1) // 2, f - 2})
    values = torch.zeros(b)
    flows = evidence.forward_px[:, steps, 2:-2:2, 2:-2:2].reshape(b, len(steps), -1, 2).cpu().numpy()
    for i in range(b):
        residuals = []
        for flow in flows[i]:
            H, _ = cv2.findHomography(grid, grid + flow, 0)
            if H is None:
                continue
            moved = cv2.perspectiveTransform(grid[None], H)[0]
            residuals.append(np.percentile(np.linalg.norm(moved - grid - flow, axis=-1), 75))
        values[i] = float(np.mean(residuals)) if residuals else 0.0
    gate = (values / (SATURATION * float(np.hypot(h, w)))).clamp(max=1).to(evidence.video.device)
    return TermResult(gate, torch.ones_like(gate, dtype=torch.bool), "")


def parallax_seen_term(evidence: Evidence) -> TermResult:
    """1 where either proof of parallax is complete, 0 where there is none of either.

    `parallax_term` for frames of any size and noisy flow: estimated flow lags behind where there is no texture, in
    a way that no homography follows, so that a pan of 64 pixels seems full of parallax. It is compared with the nearest
    `Turn`, which textured pixels decide where there are enough; a homography would also follow a drive over bare
    ground. Two things tell travel apart:

    - colours: the share of textured pixels whose colour the flow finds better than the turn, less what pans and zooms
      reach by DIS flow; needs texture;
    - geometry: how much nearer depth and camera come to the flow than the turn does (root mean square, saturating at
      .8 % of the diagonal); needs depth that is right.

    A still picture passes that is stretched, sheared, or bent as a plane under a camera that travels (a turn that may
    stretch follows honest drives too). An honest push towards a wall that fills the picture is a zoom, and gets 0.

    Flow is followed for a third of the clip, where noise has grown less than parallax; of five such stretches the
    median counts for colours. A camera that turns fast loses sight of everything sooner: then a third of the stretch
    is looked at in its place. One stretch of either length is proof enough by geometry. Abstains where no stretch of
    either length can be followed. It is not asked of a prompt whose camera stays on the spot (`spec.SPECS`).
    """
    f = evidence.video.shape[1]
    short = max(1, f // 3 // 3)
    shares, proofs, told = [], [], torch.zeros(len(evidence.video), dtype=torch.bool, device=evidence.video.device)
    for start, end, landing, trusted in evidence.thirds:
        middle = start + (end - start - short) // 2
        by_colour, by_geometry, followable = _proofs(evidence, start, end, landing, trusted)
        instead, other, soon = _proofs(evidence, middle, middle + short, *followed(evidence, middle, short))
        shares.append(by_colour.where(followable, instead))
        proofs += [by_geometry, other]
        told = told | followable | soon
    share = torch.stack(shares).nanmedian(0).values.nan_to_num(0.0)
    seen = ((share - _USUAL_OFF) / _SATURATION_OFF).clamp(0, 1)
    proved = ((torch.stack(proofs).amax(0) - _USUAL) / _PROVED).clamp(0, 1)
    return TermResult(torch.maximum(seen, proved), told, _UNSEEN)


def _proofs(
    evidence: Evidence, start: int, end: int, landing: Tensor, trusted: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Over one stretch, for each clip ``[b]``: the share of colours that flow finds better than a turn does,
    NaN where too little can be followed; how much nearer depth and camera come; and whether enough of the picture is
    followed."""
    followable = trusted.float().mean((1, 2)) >= _LEAST_FOLLOWED
    usable = textured(evidence.video[:, start, None])[:, 0] & trusted
    # flow lags behind where there is no texture, and would draw the turn along; a small patch says too little of it
    plenty = usable.float().mean((1, 2)) >= _LEAST_TEXTURED
    turned = _by_turn(landing, usable.where(plenty[:, None, None], trusted), evidence.K)
    share = _seen_off(evidence.video[:, start], evidence.video[:, end], landing, turned, usable)
    proof = _nearer(landing, expected(evidence, start, end)[0], turned, trusted)
    enough = followable & (usable.flatten(1).sum(1) >= _LEAST_POINTS)
    return share.where(enough, torch.nan), proof.where(followable, 0.0), followable


def _nearer(landing: Tensor, resting: Tensor, turned: Tensor, trusted: Tensor) -> Tensor:
    """How much nearer to ``landing`` ``[b, h, w, 2]`` a resting world comes than a turn does where it is
    trusted: root of the mean difference of squares over the diagonal, ``[b]``."""
    diagonal = float(np.hypot(*landing.shape[1:3]))
    off_turn, off_world = (((x - landing).norm(dim=-1) / diagonal).clamp(max=_LARGEST) for x in (turned, resting))
    return masked_mean(off_turn**2 - off_world**2, trusted, (1, 2)).clamp(min=0).sqrt()


def _by_turn(landing: Tensor, here: Tensor, K: Tensor) -> Tensor:
    """``landing`` ``[b, h, w, 2]`` as the camera that turns and zooms would have it that comes nearest where ``here``
    ``[b, h, w]``."""
    grid, turned = pixel_grid(here.shape[1], here.shape[2], landing), landing.clone()
    for i, mine in enumerate(here):
        if int(mine.sum()) < _LEAST_POINTS:
            continue
        p, q = (x[mine].double().cpu().numpy() for x in (grid, landing[i]))
        turn = nearest_turn(p, q, K[i].double().cpu().numpy())
        every = turn(grid.reshape(-1, 2).double().cpu().numpy())
        turned[i] = torch.from_numpy(every).to(landing).view_as(grid)
    return turned


def _seen_off(now: Tensor, later: Tensor, landing: Tensor, turned: Tensor, usable: Tensor) -> Tensor:
    """Share of ``usable`` ``[b, h, w]`` pixels whose colour is found better by flow than by a turn, less the
    contrary: ``[b]``.

    ``landing`` and ``turned`` ``[b, h, w, 2]`` lead from ``now`` to ``later``, both ``[b, 3, h, w]``, whose exposure is
    made equal: a drift of it would be all that is seen of either.
    """
    found = sample(later, landing)
    gain = (_brightness(found, usable) / _brightness(now, usable)).view(-1, 1, 1, 1)
    now, brighter = now * gain.clamp(min=1), (1 / gain).clamp(min=1)
    by_flow = (brighter * found - now).abs().mean(1)
    by_turn = (brighter * sample(later, turned) - now).abs().mean(1)
    better = (by_turn > by_flow + _BETTER).float() - (by_flow > by_turn + _BETTER).float()
    return masked_mean(better, usable, (1, 2))


def _brightness(image: Tensor, here: Tensor) -> Tensor:
    """Mean ``[b]`` of ``image`` ``[b, 3, h, w]`` where ``here`` ``[b, h, w]``, kept from 0."""
    return masked_mean(image.mean(1), here, (1, 2)) + 1e-3
