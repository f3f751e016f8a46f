"""Photometric term: surfaces do not flicker. A slow drift of exposure is honest."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from worldr1.geometry.camera import pixel_grid, sample
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult, masked_mean

GAIN_TAU = 0.04  # change between steps of the log gain that brings the score to 1/e
LOCAL_TAU = 0.4  # mean absolute change of low-pass log brightness, the gain taken out, that does
_DARK = 0.02  # keeps the logarithm of black finite
_LEAST_SHARE = 0.1  # of a frame that must be followed
_REASON = "too little of the picture can be followed for three frames"


def _low_pass(video: Tensor) -> Tensor:
    """Log brightness ``[b, f, h, w]`` blurred over about a sixteenth of the picture."""
    size = 2 * (min(video.shape[-2:]) // 32) + 1
    gray = video.mean(2)
    blurred = avg_pool2d(gray, size, stride=1, padding=size // 2, count_include_pad=False)
    return (blurred + _DARK).log()


def _changes(evidence: Evidence) -> tuple[Tensor, Tensor]:
    """Change of log brightness along the flow and where it can be told, both ``[b, f-1, h, w]``."""
    low = _low_pass(evidence.video)
    b, f, h, w = low.shape
    landing = pixel_grid(h, w, low) + evidence.forward_px.flatten(0, 1)
    following = sample(low[:, 1:].reshape(-1, 1, h, w), landing)[:, 0].view(b, f - 1, h, w)
    return following - low[:, :-1], evidence.visible_flow() & ~evidence.dynamic[:, :-1]


def photometric_term(evidence: Evidence) -> TermResult:
    """exp(−g/.04 − l/.4): g the mean change between steps of the gain, l of what the gain leaves.

    The gain of a step is the mean change of log brightness along the flow. Both g and l are second differences in
    time, so that exposure may drift and a highlight may travel, but nothing may go up and down. Abstains with
    fewer than three frames, or where flow cannot be followed.
    """
    change, seen = _changes(evidence)
    if change.shape[1] < 2:
        nothing = evidence.video.new_zeros(len(evidence.video))
        return TermResult(nothing, nothing > 1, _REASON)
    gain = masked_mean(change, seen, (-1, -2))
    h, w = change.shape[-2:]
    landing = pixel_grid(h, w, change) + evidence.forward_px[:, :-1].flatten(0, 1)
    rest = change - gain[..., None, None]
    carried = sample(rest[:, 1:].reshape(-1, 1, h, w), landing)[:, 0].view_as(rest[:, 1:])
    still_seen = sample(seen[:, 1:].reshape(-1, 1, h, w).to(change), landing)[:, 0].view_as(carried) > 0.99
    both = seen[:, :-1] & still_seen
    enough = both.to(change).mean((-1, -2)) >= _LEAST_SHARE
    jump = masked_mean(gain.diff(dim=1).abs(), enough, (1,))
    local = masked_mean(masked_mean((carried - rest[:, :-1]).abs(), both, (-1, -2)), enough, (1,))
    return TermResult(torch.exp(-jump / GAIN_TAU - local / LOCAL_TAU), enough.any(1), _REASON)
