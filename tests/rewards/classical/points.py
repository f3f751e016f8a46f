"""Two views of a cloud of points as the pair measurements get them, with exact matches and no picture to search."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldr1.estimators.matching import Features
from worldr1.rewards.classical.pairs import View

SHAPE = (240, 320)
FOCAL = 260.0
_RNG = np.random.default_rng(0)
POINTS_M = np.column_stack([_RNG.uniform(-2, 2, 500), _RNG.uniform(-1.5, 1.5, 500), _RNG.uniform(3, 7, 500)])
_DESCRIPTORS = np.abs(_RNG.normal(size=(500, 128)))
DESCRIPTORS = (_DESCRIPTORS / np.linalg.norm(_DESCRIPTORS, axis=1, keepdims=True)).astype(np.float32)


def rotation(axis: int, degrees: float) -> npt.NDArray[np.float64]:
    a, b = [i for i in range(3) if i != axis]
    turn = np.eye(3)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
    return turn


def seen(
    index: int = 0,
    place: tuple[float, float, float] = (0, 0, 0),
    turn: npt.NDArray[np.float64] | None = None,
    zoom: float = 1.0,
    wobble: npt.NDArray[np.float64] | None = None,
    grey: float = 0.5,
    noise: float = 0.1,
) -> View:
    """The view from ``place``; ``wobble`` [500, 2] shifts the pixels, ``noise`` pixels are the detector's."""
    camera = (POINTS_M - np.array(place)) @ (np.eye(3) if turn is None else turn)
    pixels = camera[:, :2] / camera[:, 2:] * FOCAL * zoom + np.array(SHAPE[::-1]) / 2
    pixels = pixels + (0 if wobble is None else wobble)
    pixels = pixels + np.random.default_rng(index).normal(0, noise, pixels.shape)
    inside = ((pixels > 0) & (pixels < np.array(SHAPE[::-1]))).all(1)
    low = np.full((*SHAPE, 3), grey, np.float32)
    return View(index, Features(pixels[inside].astype(np.float32), DESCRIPTORS[inside]), SHAPE, low)
