"""Terms on what a stream gave, each in [0, 1], each abstaining where there is no evidence."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from worldr1.rewards.classical.pairs import Pair
from worldr1.rewards.classical.stream import GAPS, Measured
from worldr1.rewards.composite import scored
from worldr1.rewards.spec import spec_of
from worldr1.types import Score

_PARALLAX_SATURATION = 4e-4  # of the diagonal: .2 px at 480 x 270
# Inliers times coverage of a pair below which its residuals are wobble, and above which they are parallax. Measured
# at gap 1: real footage .80 to 1, the same wobbling all over .17 to .21, wobbling in the middle .60 to .78.
_WOBBLE, _RIGID = 0.3, 0.7
_USUAL_JERK, _JERK_SCALE = 0.35, 0.35  # hand-held footage has up to .25
_UNEVEN = 1.25  # longest over shortest step; below, times are rounded to a file's clock
_FLICKER_SCALE = 0.04  # of log brightness; real footage has up to .008
_CUT = 0.6  # of the usual share of matches
# of too few steps to tell: 15 honest ones had .40 to .64, cuts to another scene .05 at most
_USUALLY_MATCHED = 0.4
_LEAST_STEPS = 3
_NO_TEXTURE = "too few keypoints to match"
_FEW_STEPS = "too few steps between frames could be matched"

Answer = tuple[float | None, str]  # a value, or None and why


def consecutive(steps: Sequence[Pair]) -> list[tuple[Pair, Pair]]:
    """Steps with the one that follows at once: not across a window's end or a frame without texture."""
    return [(a, b) for a, b in itertools.pairwise(steps) if a.second == b.first]


def epipolar(measured: Measured) -> Answer:
    """Mean over pairs of the share of inliers times the share of textured cells that they hold."""
    if not measured.pairs:
        return None, _NO_TEXTURE
    by_gap = [[p.inliers * p.coverage for p in measured.at_gap(g)] for g in GAPS]
    return float(np.mean([np.mean(values) for values in by_gap if values])), ""


def parallax(measured: Measured) -> Answer:
    """Median parallax of the gap that shows most of it, saturating: nothing to climb beyond proof.

    A pair counts by how rigid it is: what wobbles is no parallax.
    """
    found = [values for gap in GAPS if (values := [p.parallax * _trust(p) for p in measured.at_gap(gap)])]
    if not found:
        return None, _NO_TEXTURE
    # a gap's only pair says little beside others; in a clip of two frames it says all that there is
    several = [values for values in found if len(values) > 1]
    return min(1.0, max(float(np.median(v)) for v in several or found) / _PARALLAX_SATURATION), ""


def _trust(pair: Pair) -> float:
    return min(1.0, max(0.0, (pair.inliers * pair.coverage - _WOBBLE) / (_RIGID - _WOBBLE)))


def smoothness(measured: Measured) -> Answer:
    """exp(−(j − .35)⁺/.35), j the median change of the picture's motion between steps relative to its length.

    A camera has mass: frames in the wrong order make it jump to and fro, although every pair is rigid. Where frames
    are shown for unequal times, motion is what it would be in the usual one.
    """
    steps = _at_even_times(measured.at_gap(1))
    jumps = [math.dist(a.motion, b.motion) for a, b in consecutive(steps)]
    if len(jumps) < _LEAST_STEPS - 1:
        return None, _FEW_STEPS
    jerk = float(np.median(jumps)) / (float(np.mean([p.spread for p in steps])) + 5e-4)
    return math.exp(-max(0.0, jerk - _USUAL_JERK) / _JERK_SCALE), ""


def _at_even_times(steps: Sequence[Pair]) -> Sequence[Pair]:
    """Steps with the motion of the median step's duration; unchanged where all last about as long or times are unknown.

    Their mean spread stays that of the whole way in the whole time: one short step must not make all seem long.
    """
    seconds = [p.seconds for p in steps if p.seconds is not None and p.seconds > 0]
    if len(seconds) < max(1, len(steps)) or max(seconds) <= _UNEVEN * min(seconds):
        return steps
    usual = float(np.median(seconds))
    spread = sum(p.spread for p in steps) / sum(seconds) * usual
    even = []
    for p, s in zip(steps, seconds, strict=True):
        x, y, growth, roll = (m * usual / s for m in p.motion)
        even.append(replace(p, motion=(x, y, growth, roll), spread=spread))
    return even


def photometric(measured: Measured) -> Answer:
    """exp(−g/.04), g the median change between steps of the log gain along matches: flicker, but not a slow drift."""
    changes = [abs(b.gain - a.gain) for a, b in consecutive(measured.at_gap(1))]
    if len(changes) < _LEAST_STEPS - 1:
        return None, _FEW_STEPS
    return math.exp(-float(np.median(changes)) / _FLICKER_SCALE), ""


def continuity(measured: Measured) -> Answer:
    """Guard: the step that loses most of its matches, against the usual share; a hard cut loses nearly all.

    Of fewer than three steps none is usual: they are held against that of other footage.
    """
    matched = [p.matched for p in measured.at_gap(1)]
    if not matched:
        return None, _NO_TEXTURE
    usual = float(np.median(matched)) if len(matched) >= _LEAST_STEPS else _USUALLY_MATCHED
    return (min(1.0, min(matched) / (_CUT * usual)) if usual > 0 else 0.0), ""


def picture(measured: Measured) -> Answer:
    """Guard: the share of frames that show something, and of steps in which something changes."""
    return (1 - measured.dark) * (1 - measured.frozen), ""


TERMS: dict[str, Callable[[Measured], Answer]] = {
    "epipolar": epipolar,
    "smoothness": smoothness,
    "photometric": photometric,
    "parallax": parallax,
    "continuity": continuity,
    "picture": picture,
}


def score_measured(measured: Measured, *, fixed_camera: bool = False) -> Score:
    """A `Score`; with a fixed camera asked for, nothing need show parallax."""
    parts: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    for name, term in TERMS.items():
        value, reason = term(measured)
        if name == "parallax" and fixed_camera:
            value, reason = None, spec_of(name).reason
        parts[name] = value
        if value is None:
            notes[name] = reason
    if measured.untextured:
        notes["texture"] = f"{measured.untextured} frame pairs had too little texture to tell"
    return scored(parts, notes)
