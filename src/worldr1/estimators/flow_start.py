"""Where a search for optical flow may start: how the whole picture moves between two frames."""

from __future__ import annotations

import cv2
import numpy as np
from cv2.typing import MatLike

from worldr1.estimators.matching import Features, SIFTMatcher

_SIDE = 64  # shorter side at which the shift is looked for
_KEYPOINTS, _CONTRAST = 400, 0.01  # of small pictures, in which little stands out
_LEAST_MATCHES = 8
_ERROR_PX = 2.0
_LEAST_SCALE = 0.2  # of the homogeneous coordinate, 1 at the picture's corner
_MATCHER = SIFTMatcher()


def keypoints(image: MatLike) -> Features:
    """What `start` is told of a uint8 luminance image ``[h, w]``."""
    return SIFTMatcher(_KEYPOINTS, contrast=_CONTRAST).detect(np.asarray(image, np.uint8))


def start(first: MatLike, second: MatLike, first_keypoints: Features, second_keypoints: Features) -> MatLike:
    """Flow ``[h, w, 2]`` in pixels between uint8 luminance images, of the picture as a whole.

    Its shift, or a homography through matched keypoints where that brings the images closer to each other: when a
    camera turns fast, the border moves by other lengths than the middle, and a shift is a poor guess.
    """
    shift = _shift(first, second)
    plane = _homography(first.shape, first_keypoints, second_keypoints)
    if plane is None or _difference(first, second, shift) <= _difference(first, second, plane):
        return shift
    return plane


def brought(second: MatLike, flow: MatLike, outside: MatLike) -> MatLike:
    """``second`` brought back along ``flow``, a uint8 image; where that leads out of it, as ``outside``."""
    x, y, shown = _landing(second.shape, flow)
    back = cv2.remap(second, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.where(shown, back, outside)


def composed(flow: MatLike, rest: MatLike) -> MatLike:
    """Flow of ``rest`` and then of ``flow`` where that leads."""
    x, y, _ = _landing(flow.shape, rest)
    there: MatLike = rest + cv2.remap(flow, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return there


def _shift(first: MatLike, second: MatLike) -> MatLike:
    """By phase correlation, at a shorter side of 64 pixels."""
    height, width = first.shape[:2]
    factor = _SIDE / min(height, width)
    size = (round(factor * width), round(factor * height))
    a, b = (cv2.resize(x, size, interpolation=cv2.INTER_AREA).astype(np.float32) for x in (first, second))
    (dx, dy), _ = cv2.phaseCorrelate(a, b, cv2.createHanningWindow(size, cv2.CV_32F))
    return np.tile(np.array([dx / factor, dy / factor], np.float32), (height, width, 1))


def _homography(shape: tuple[int, ...], first: Features, second: Features) -> MatLike | None:
    """By MAGSAC++ (Barath et al. 2020); ``None`` where too few keypoints match."""
    matches = _MATCHER.match(first, second)
    if len(matches) < _LEAST_MATCHES:
        return None
    p, q = first.points[matches[:, 0]], second.points[matches[:, 1]]
    H, _ = cv2.findHomography(p, q, cv2.USAC_MAGSAC, _ERROR_PX)
    if H is None:
        return None
    height, width = shape[:2]
    grid = _grid(height, width) + 0.5  # keypoints count from the first pixel's border
    if (grid @ H[2, :2] + H[2, 2]).min() < _LEAST_SCALE:  # the plane's horizon is in the picture, or near it
        return None
    flow: MatLike = cv2.perspectiveTransform(grid.reshape(1, -1, 2), H).reshape(grid.shape) - grid
    return flow


def _difference(first: MatLike, second: MatLike, flow: MatLike) -> float:
    """Mean absolute difference of ``first`` to ``second`` brought to it, where that shows it; infinite where it shows
    less than a fifth of it."""
    x, y, shown = _landing(first.shape, flow)
    if shown.mean() < 0.2:
        return float("inf")
    back = cv2.remap(second.astype(np.float32), x, y, cv2.INTER_LINEAR)
    return float(np.abs(back - first)[shown].mean())


def _landing(shape: tuple[int, ...], flow: MatLike) -> tuple[MatLike, MatLike, MatLike]:
    """Where ``flow`` leads, x and y, and whether that is in the picture."""
    height, width = shape[:2]
    x, y = np.moveaxis(_grid(height, width) + flow, -1, 0)
    return x, y, (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _grid(height: int, width: int) -> MatLike:
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
