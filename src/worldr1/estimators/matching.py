"""Sparse correspondences, and the ones from SIFT (Lowe 2004): no weights, any footage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Pairs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Features:
    """Keypoints of one frame."""

    points: Points  # [n, 2] pixels (x, y), the first pixel's centre at (0.5, 0.5)
    descriptors: Points  # [n, d]; RootSIFT: d = 128
    size: tuple[int, int] = (0, 0)  # (h, w) of the frame, told by matchers that use it


class Matcher(Protocol):
    """Finds keypoints in single frames, and those that two frames share."""

    def detect(self, gray: npt.NDArray[np.uint8]) -> Features:
        """Features of a luminance image ``[h, w]``; none where nothing stands out."""
        ...

    def match(self, first: Features, second: Features) -> Pairs:
        """Index pairs ``[m, 2]``, each keypoint in one at most."""
        ...


class SIFTMatcher:
    """Keypoints of frames and mutual matches between them."""

    def __init__(self, max_keypoints: int = 1200, ratio: float = 0.85, contrast: float = 0.02) -> None:
        self.ratio = ratio
        self._sift = cv2.SIFT.create(max_keypoints, contrastThreshold=contrast)  # type: ignore[call-arg]

    def detect(self, gray: npt.NDArray[np.uint8]) -> Features:
        """Features of a luminance image ``[h, w]``; none where nothing stands out."""
        keypoints, descriptors = self._sift.detectAndCompute(gray, None)
        if not keypoints:
            return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
        # OpenCV counts from the first pixel's centre, and its doubled first octave lies a quarter pixel too far
        points = np.array([k.pt for k in keypoints], np.float32) + 0.25
        descriptors = descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-9)
        # one keypoint may carry several orientations; as evidence of position they are one
        _, unique = np.unique(points.round(2), axis=0, return_index=True)
        return Features(points[np.sort(unique)], np.sqrt(descriptors[np.sort(unique)]).astype(np.float32))

    def match(self, first: Features, second: Features) -> Pairs:
        """Index pairs ``[m, 2]`` that choose each other and clearly beat the second best."""
        if len(first.points) < 2 or len(second.points) < 2:
            return np.zeros((0, 2), np.int64)
        # descriptors have length 1, so one product holds every squared distance, 2 - 2 cos, of both directions
        cosine = first.descriptors @ second.descriptors.T
        forward, forward_clear = self._best(cosine)
        back, back_clear = self._best(cosine.T)
        i = np.flatnonzero(forward_clear)
        i = i[(back[forward[i]] == i) & back_clear[forward[i]]]
        return np.stack([i, forward[i]], axis=1).astype(np.int64)

    def _best(self, cosine: Points) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Each row's nearest column, and whether the second nearest is clearly farther (Lowe's ratio)."""
        rows, best = np.arange(len(cosine)), cosine.argmax(1)
        nearest = cosine[rows, best]
        others = cosine.copy()
        others[rows, best] = -1
        return best, 1 - nearest < self.ratio**2 * (1 - others.max(1))
