"""Guards: floors, never something to climb. Each is 1 at or above its floor and falls to 0 below it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from worldr1.geometry.camera import pixel_grid, sample
from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term, TermResult
from worldr1.types import Prompt

# why a guard with floors, and the one against cuts, do not apply
NO_FLOOR = "no floor for what the prompt asks"
TURNS = "the prompt's camera turns fast in each of the few steps that there are"
_BINS = 16
_CLIPPED = 0.02  # distance from black or white within which a value counts as clipped
_SAME_COLOUR = 0.12  # mean absolute difference of RGB
_CUT, _CUT_STEPS = 0.6, 3
# shares of the pixels: noise of any contrast has at most .104, an honest pan of 62 degrees in half a clip .44
_OF_CONTRAST, _LOST, _SHOWN = 0.5, 0.1, 0.3
# of one step: of 20 cuts to another world at most .17, of 20 honest clips .69 or more, by steps six times as long .41
# in nine of ten
_SHOWN_AT_ONCE = 0.2, 0.4
_FAST = 0.1  # of the picture's width
_LEAST_TEXTURED = 0.4  # of a frame; a few things in plain colours have about that
# mean brightness; spread over the picture of the channel that varies most; mean change between frames
DARK, FLAT, FROZEN = 0.02, 0.01, 0.0008


def sharpness(evidence: Evidence) -> Tensor:
    """Mean absolute spatial difference of luminance per clip, ``[b]``."""
    gray = evidence.video.mean(2)
    return gray.diff(dim=-1).abs().mean((1, 2, 3)) + gray.diff(dim=-2).abs().mean((1, 2, 3))


def motion(evidence: Evidence) -> Tensor:
    """Mean length of the flow in pixels per clip, ``[b]``."""
    length: Tensor = evidence.forward_px.norm(dim=-1)
    return length.mean((1, 2, 3))


def textured_motion(evidence: Evidence) -> Tensor:
    """Mean length in pixels of the flow near texture, where motion can be told, ``[b]``: what is plain seems to rest.

    Of a frame with texture near less than two fifths of it, as if the rest of those did rest.
    """
    near = evidence.near_texture[:, :-1]
    length = evidence.forward_px.norm(dim=-1) * near
    mean: Tensor = length.mean((2, 3)) / near.float().mean((2, 3)).clamp(min=_LEAST_TEXTURED)
    return mean.mean(1)


def texture(evidence: Evidence) -> Tensor:
    """Mean entropy in bits of a frame's luminance gradients, ``[b]``: 0 where nothing varies, at most 4.

    16 bins of the absolute difference between neighbours, on a scale that doubles from 1/256. Noise has more than
    pictures have, so it is a floor only.
    """
    gray = evidence.video.mean(2)
    gradient = torch.cat([gray.diff(dim=-1).abs().flatten(2), gray.diff(dim=-2).abs().flatten(2)], dim=-1)
    level = ((gradient * 256 + 1).log2() * 2).floor().clamp(max=_BINS - 1).long()
    share = torch.nn.functional.one_hot(level, _BINS).float().mean(2)
    return -(share * share.clamp(min=1e-9).log2()).sum(-1).mean(1)


def saturation(evidence: Evidence) -> Tensor:
    """Share of channel values that are clear of black and white, ``[b]``; falls smoothly over 1/50 at either end."""
    room = torch.minimum(evidence.video, 1 - evidence.video)
    return (room / _CLIPPED).clamp(0, 1).mean((1, 2, 3, 4))


def continuity_guard(evidence: Evidence) -> TermResult:
    """Cut detector: the step with the least share of pixels found again, against .6 of the clip's usual share.

    A pixel is found again where the flow leads to its colour. A hard cut loses most pixels at once; fast motion
    loses many at every step, and what crosses the picture near the camera at several: a step is held against the
    better one of its neighbours where that has less than is usual. Steps in which the prompt's own camera turns by
    more than a tenth of the picture are not held against the usual one: there the flow may lose an honest picture.
    Where next to nothing is found at all, as in noise, the guard is 0: a tenth of the pixels or less, to within
    half of the frame's contrast and at its brightness; above .3 it does not punish. With fewer than three steps no
    share is usual, and the worst of them must itself have .4 in place of those .3, and more than .2; where the
    prompt's camera turns fast in all of them, nothing tells.
    """
    b, f, _, h, w = evidence.video.shape
    now, following = evidence.video[:, :-1].flatten(0, 1), evidence.video[:, 1:].flatten(0, 1)
    there = sample(following, pixel_grid(h, w, now) + evidence.forward_px.flatten(0, 1))
    seen = evidence.visible_flow().flatten(0, 1)
    found = _found(there, now, seen, torch.full_like(now[:, 0, 0, 0], _SAME_COLOUR)).view(b, f - 1)
    slow = ~_turns_fast(evidence)
    # noise of little contrast is of the same colour everywhere, and under a strobe nothing is
    gain = now.mean((1, 2, 3)) / following.mean((1, 2, 3)).clamp(min=1e-3)
    contrast = now.std((2, 3)).mean(1)
    shown = _found(gain[:, None, None, None] * there, now, seen, (_OF_CONTRAST * contrast).clamp(max=_SAME_COLOUR))
    shown = shown.view(b, f - 1)
    if f <= _CUT_STEPS:
        low, high = _SHOWN_AT_ONCE
        value = ((shown.where(slow, torch.inf).amin(1) - low) / (high - low)).clamp(0, 1)
        return TermResult(value, slow.any(1), TURNS)
    cut = (found / (_CUT * held_against(found)).clamp(min=1e-6)).where(slow, torch.inf).amin(1).clamp(max=1)
    shows = ((shown.median(dim=1).values - _LOST) / (_SHOWN - _LOST)).clamp(0, 1)
    return TermResult(cut * shows, torch.ones_like(slow[:, 0]), "")


def held_against(found: Tensor) -> Tensor:
    """The share of pixels that a step with ``found`` ``[b, steps]`` should have found again, of the same shape."""
    beside = torch.nn.functional.pad(found, (1, 1))
    return torch.minimum(found.median(dim=1, keepdim=True).values, torch.maximum(beside[:, :-2], beside[:, 2:]))


def _found(there: Tensor, now: Tensor, seen: Tensor, tolerance: Tensor) -> Tensor:
    """Share ``[n]`` of the pixels that are ``seen`` ``[n, h, w]`` and of the colour ``now`` ``[n, 3, h, w]`` to within
    ``tolerance`` ``[n]`` of mean RGB."""
    same = (there - now).abs().mean(1) <= tolerance[:, None, None]
    return (same & seen).float().mean((-1, -2))


def _turns_fast(evidence: Evidence) -> Tensor:
    """Steps ``[b, f-1]`` in which the prompt's camera, by turning, moves the picture by more than `_FAST` of it."""
    b, f, _, _, w = evidence.video.shape
    fast = torch.zeros(b, f - 1, dtype=torch.bool, device=evidence.video.device)
    for i, prompt in enumerate(evidence.prompts):
        if prompt is not None and prompt.camera is not None and len(prompt.camera.c2w) == f:
            R = prompt.camera.c2w[:, :3, :3].to(evidence.video)
            turn = rotation_angle_deg(R[:-1].mT @ R[1:]) * (math.pi / 180)
            fast[i] = turn * evidence.K[i, 0, 0] > _FAST * w
    return fast


def picture_guard(evidence: Evidence) -> TermResult:
    """Share of frames that are neither black nor uniform, times twice the share of steps that change, at most 1.

    Half of the steps may rest: under a fixed camera nothing moves while a mover is hidden.
    """
    small = torch.nn.functional.adaptive_avg_pool2d(evidence.video.flatten(0, 1), 16).unflatten(
        0, evidence.video.shape[:2]
    )
    shows = (small.mean((2, 3, 4)) > DARK) & (small.std((3, 4)).amax(2) > FLAT)
    changes = small.diff(dim=1).abs().mean((2, 3, 4)) > FROZEN
    value = shows.float().mean(1) * (2 * changes.float().mean(1)).clamp(max=1)
    return TermResult(value, torch.ones_like(shows[:, 0]), "")


@dataclass(frozen=True)
class Floor:
    """The level below which a guard punishes, by what the prompt asks for: a fixed camera moves less than an orbit."""

    fact: str = ""  # key into `Prompt.facts`, whose value picks the level
    levels: Mapping[str, float] = field(default_factory=dict)
    default: float = 0.0

    def of(self, prompt: Prompt | None) -> float:
        value = "" if prompt is None else str(prompt.facts.get(self.fact, ""))
        return self.levels.get(value, self.default)


def floor_from(values: Tensor, prompts: Sequence[Prompt], fact: str, share: float = 1.0) -> Floor:
    """A floor at ``share`` of the mean of ``values`` ``[n]``, for each value of a prompt fact and overall."""
    values, groups = share * values, dict[str, list[float]]()
    for value, prompt in zip(values.tolist(), prompts, strict=True):
        groups.setdefault(str(prompt.facts.get(fact, "")), []).append(value)
    return Floor(fact, {k: sum(v) / len(v) for k, v in groups.items()}, float(values.mean()))


def against_floor(values: Tensor, prompts: Sequence[Prompt | None], floor: Floor) -> Tensor:
    """min(1, value / floor) for each clip: ``[n]``; 1 where there is no floor."""
    levels = torch.tensor([floor.of(p) for p in prompts], device=values.device)
    return (values / levels.clamp(min=1e-9)).clamp(0, 1)


def floor_guard(measure: Callable[[Evidence], Tensor], floor: Floor) -> Term:
    """A term that is min(1, measure / floor); does not apply where the prompt's floor is 0."""

    def guard(evidence: Evidence) -> TermResult:
        value = measure(evidence)
        demanded = torch.tensor([floor.of(p) > 0 for p in evidence.prompts], device=value.device)
        return TermResult(against_floor(value, evidence.prompts, floor), demanded, NO_FLOOR)

    return guard
