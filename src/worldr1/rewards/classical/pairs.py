"""What two frames say about one rigid world: inliers of an epipolar geometry, parallax, colour along matches.

Everything a term needs from a pair is a small number or a small grid, so that a video of any length is measured with
the memory of a few frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from worldr1.estimators.matching import Features, Matcher

Array = npt.NDArray[Any]
GRID = 8  # cells per side in which inliers are counted
LEAST_KEYPOINTS = 24  # of a frame; fewer say nothing
_LEAST_MATCHES = 10
_INLIER_SHARE_OF_DIAGONAL = 0.0015  # Sampson distance that still counts as an inlier: 0.8 px at 480 x 270
_NOISE_FACTOR = 2.0
_SOLID_CELL = 0.5  # share of inliers among a cell's matches above which the cell is rigid


@dataclass(frozen=True)
class View:
    """One frame as the pair measurements need it."""

    index: int
    features: Features
    shape: tuple[int, int]  # (h, w) of the working image
    low: Array  # [h, w, 3] float32 blurred colours in [0, 1]


@dataclass(frozen=True)
class Pair:
    """Measurements between two frames."""

    first: int
    second: int
    matched: float  # share of the keypoints that found a partner, of the frame with fewer
    inliers: float  # share of the matches on one epipolar geometry
    coverage: float  # share of the textured cells in which they are the majority
    parallax: float  # upper quartile of the inliers' distance to their best homography, less noise, of the diagonal
    motion: tuple[float, float, float, float]  # shift (x, y), growth, roll of the picture, of the diagonal
    spread: float  # mean length of the matches' shift, of the diagonal
    gain: float  # median log ratio of brightness along the matches
    residual: float  # mean absolute colour change along the matches, the gain taken out
    broken: Array  # [GRID, GRID] bool: textured cells that follow no rigid motion
    seconds: float | None = None  # from the first to the second, where the frames' times are known


def view(index: int, rgb: npt.NDArray[np.uint8], matcher: Matcher) -> View:
    """Features and low-pass colours of a frame ``[h, w, 3]``."""
    sigma = max(1.0, 0.008 * float(np.hypot(*rgb.shape[:2])))
    low = cv2.GaussianBlur(rgb.astype(np.float32) / 255, (0, 0), sigma)
    return View(index, matcher.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)), (rgb.shape[0], rgb.shape[1]), low)


def measure_pair(a: View, b: View, matcher: Matcher) -> Pair | None:
    """A pair's measurements; ``None`` where a frame has too little texture to tell."""
    fewer = min(len(a.features.points), len(b.features.points))
    if fewer < LEAST_KEYPOINTS:
        return None
    pairs = matcher.match(a.features, b.features)
    diagonal = float(np.hypot(*a.shape))
    keypoints = _histogram(a.features.points, a.shape)
    textured = keypoints >= 2
    p, q = a.features.points[pairs[:, 0]], b.features.points[pairs[:, 1]]
    inlier, distance = epipolar_inliers(p, q, threshold_px(a.shape))
    good, all_matches = _histogram(p[inlier], a.shape), _histogram(p, a.shape)
    solid = (good > 0) & (good >= _SOLID_CELL * all_matches)
    # near the border keypoints leave the picture honestly
    inner = np.zeros_like(textured)
    inner[1:-1, 1:-1] = True
    judged = textured & inner
    shift = (q - p)[inlier] if inlier.any() else np.zeros((1, 2), np.float32)
    gain, residual = _colour_change(a.low, b.low, p[inlier], q[inlier])
    return Pair(
        a.index,
        b.index,
        matched=len(pairs) / fewer,
        inliers=float(inlier.mean()) if len(pairs) else 0.0,
        coverage=float((solid & judged).sum() / max(1, judged.sum())),
        parallax=_parallax(p[inlier], q[inlier], distance) / diagonal,
        motion=_picture_motion(p[inlier], q[inlier], diagonal),
        spread=float(np.linalg.norm(shift, axis=1).mean() / diagonal),
        gain=gain,
        residual=residual,
        broken=judged & ~solid,
    )


def _histogram(points: Array, shape: tuple[int, int]) -> Array:
    """Number of points in each cell, ``[GRID, GRID]``."""
    height, width = shape
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=GRID, range=[[0, height], [0, width]])
    return counts


def _picture_motion(p: Array, q: Array, diagonal: float) -> tuple[float, float, float, float]:
    """Median shift, and the growth and roll of the least-squares similarity at the matches' usual distance.

    A dolly does not shift the picture, it makes it grow.
    """
    if len(p) < 2:
        return 0.0, 0.0, 0.0, 0.0
    shift = np.median(q - p, axis=0) / diagonal
    # as complex numbers a similarity is one factor
    before, after = ((x - x.mean(0)) @ np.array([1, 1j]) for x in (p, q))
    factor = np.vdot(before, after) / max(float(np.vdot(before, before).real), 1e-9)
    reach = float(np.abs(before).mean()) / diagonal
    growth, roll = reach * np.log(max(abs(factor), 1e-3)), reach * np.angle(factor)
    return float(shift[0]), float(shift[1]), float(growth), float(roll)


def threshold_px(shape: tuple[int, int]) -> float:
    """Distance that still counts as an inlier in images of ``shape`` (h, w)."""
    return _INLIER_SHARE_OF_DIAGONAL * float(np.hypot(*shape))


def epipolar_inliers(p: Array, q: Array, threshold: float) -> tuple[npt.NDArray[np.bool_], Array]:
    """Matches ``[m]`` on one fundamental matrix (MAGSAC++, Barath et al. 2020), and these ones' epipolar distance."""
    none = np.zeros(len(p), bool), np.zeros(0)
    if len(p) < _LEAST_MATCHES:
        return none
    cv2.setRNGSeed(0)
    try:
        F, mask = cv2.findFundamentalMat(p, q, cv2.USAC_MAGSAC, threshold, 0.999, 3000)
    except cv2.error:  # an assertion inside OpenCV's USAC: 25 of 4752 pairs of real footage, nearly all rigid
        F, mask = cv2.findFundamentalMat(p, q, cv2.FM_RANSAC, threshold, 0.999, 3000)
    if F is None or mask is None or not mask.any():
        return none
    inlier = mask.ravel() > 0
    lines = np.column_stack([p[inlier], np.ones(inlier.sum())]) @ F.T
    distance = np.abs((lines[:, :2] * q[inlier]).sum(1) + lines[:, 2]) / np.linalg.norm(lines[:, :2], axis=1)
    return inlier, distance


def _parallax(p: Array, q: Array, epipolar: Array) -> float:
    """Upper-quartile distance in pixels of matches to their best homography, beyond what noise explains.

    Distances ``epipolar`` to the lines of the same matches are noise across the line only. Where one homography
    explains everything, its residual is 1.5 to 1.65 times them (a Rayleigh against a half-normal upper quartile is
    1.45); what exceeds twice the noise is parallax. This tells a pan or a zoom at any resolution and compression.
    """
    if len(p) < _LEAST_MATCHES:
        return 0.0
    cv2.setRNGSeed(0)
    H, _ = cv2.findHomography(p, q, cv2.LMEDS)
    if H is None:
        return 0.0
    distance = np.linalg.norm(cv2.perspectiveTransform(p[None], H)[0] - q, axis=1)
    noise = _NOISE_FACTOR * np.percentile(epipolar, 75)
    return float(np.sqrt(max(0.0, np.percentile(distance, 75) ** 2 - noise**2)))


def _colour_change(low_a: Array, low_b: Array, p: Array, q: Array) -> tuple[float, float]:
    """Median log gain of brightness along matches, and the mean colour change that it leaves."""
    if len(p) < _LEAST_MATCHES:
        return 0.0, 0.0
    a, b = _look_up(low_a, p), _look_up(low_b, q)
    gain = float(np.median(np.log((b.mean(1) + 0.02) / (a.mean(1) + 0.02))))
    return gain, float(np.abs(b * np.exp(-gain) - a).mean())


def _look_up(image: Array, points: Array) -> Array:
    """Bilinear values ``[n, c]`` at pixels ``[n, 2]``."""
    maps = (points - 0.5).astype(np.float32)[None]
    found: Array = cv2.remap(image, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values: Array = found[0]
    return values
