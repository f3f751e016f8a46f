"""The fundamental matrix of many correspondences, of which a good part may be wrong."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_ROUNDS = 5  # of reweighting; after three it hardly changes


def sampson_px(F: Array, p: Array, q: Array) -> Array:
    """First-order distance ``[n]`` in pixels of correspondences ``[n, 2]`` to the geometry ``F`` ``[3, 3]`` (Sampson
    1982)."""
    a, b = _homogeneous(p), _homogeneous(q)
    in_second, in_first = a @ F.T, b @ F
    slope = np.hypot(np.hypot(in_second[:, 0], in_second[:, 1]), np.hypot(in_first[:, 0], in_first[:, 1]))
    distance: Array = np.abs((b * in_second).sum(1)) / np.maximum(slope, 1e-12)
    return distance


def fit_fundamental(p: Array, q: Array, error_px: float) -> Array | None:
    """``F`` ``[3, 3]`` of correspondences ``[n, 2]`` whose places are wrong by ``error_px``, so that q F p is 0.

    ``None`` where no sample of them yields a geometry.

    MAGSAC++ (Barath et al. 2020) finds which agree. What it answers hangs on the few that it drew, so all of them are
    fitted again, each with the weight that its distance leaves it (Geman & McClure 1985).
    """
    cv2.setRNGSeed(0)
    try:
        F, _ = cv2.findFundamentalMat(p, q, cv2.USAC_MAGSAC, error_px, 0.999, 1000)
    except cv2.error:  # OpenCV's answer when no sample yields a geometry
        return None
    if F is None or not np.isfinite(F).all():
        return None
    best: Array = F[:3]
    good = agreement(best, p, q, error_px)
    most, weight = good.mean(), good**2
    for _ in range(_ROUNDS):
        fitted = _eight_point(p, q, weight)
        good = agreement(fitted, p, q, error_px)
        weight = good**2
        if good.mean() > most:  # a camera that goes ahead slowly leaves so little that fitting may lead away
            best, most = fitted, good.mean()
    return best


def agreement(F: Array, p: Array, q: Array, error_px: float) -> Array:
    """1/(1 + (r/e)²) of every correspondence: ``[n]``, r its `sampson_px` and e the ``error_px`` it may be wrong by."""
    share: Array = 1 / (1 + (sampson_px(F, p, q) / error_px) ** 2)
    return share


def _homogeneous(p: Array) -> Array:
    return np.concatenate([p, np.ones((len(p), 1))], 1)


def _eight_point(p: Array, q: Array, weight: Array) -> Array:
    """Weighted least squares on normalised points (Hartley 1997), of rank two."""
    first, second = _normalising(p), _normalising(q)
    a, b = _homogeneous(p) @ first.T, _homogeneous(q) @ second.T
    rows = (b[:, :, None] * a[:, None]).reshape(len(p), 9)
    _, vectors = np.linalg.eigh((weight[:, None] * rows).T @ rows)
    U, s, Vt = np.linalg.svd(vectors[:, 0].reshape(3, 3))
    F = second.T @ (U[:, :2] * s[:2] @ Vt[:2]) @ first
    unit: Array = F / np.linalg.norm(F)
    return unit


def _normalising(p: Array) -> Array:
    """Moves points to their mean, at a mean distance of √2."""
    middle = p.mean(0)
    scale = np.sqrt(2) / max(float(np.linalg.norm(p - middle, axis=1).mean()), 1e-9)
    return np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])
