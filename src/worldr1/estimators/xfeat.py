"""Matches from XFeat (Potje et al. 2024), as its authors publish it: a repository, no package of an index."""

from __future__ import annotations

import importlib

import numpy as np
import numpy.typing as npt
import torch

from worldr1.estimators.matching import Features, Pairs

_MULTIPLE = 32  # XFeat shrinks pictures to multiples of this
_REPOSITORY = "https://github.com/verlab/accelerated_features"


class XFeatMatcher:
    """`matching.Matcher` on the module ``modules.xfeat`` of XFeat's repository."""

    def __init__(self, max_keypoints: int = 1200) -> None:
        """Raises ``ImportError`` that says how to get it."""
        try:
            published = importlib.import_module("modules.xfeat")
        except ImportError as error:
            raise ImportError(
                f"xfeat needs its authors' code: git clone {_REPOSITORY}, and put the folder into PYTHONPATH"
            ) from error
        self._model, self._max_keypoints = published.XFeat(), max_keypoints

    def detect(self, gray: npt.NDArray[np.uint8]) -> Features:
        """Features of a luminance image ``[h, w]``; none in one that is smaller than 32 pixels."""
        if min(gray.shape) < _MULTIPLE:
            return Features(np.zeros((0, 2), np.float32), np.zeros((0, 64), np.float32))
        pixels = torch.from_numpy(gray).float().div(255)[None, None]
        found = self._model.detectAndCompute(pixels, top_k=self._max_keypoints)[0]
        points = found["keypoints"].float().cpu().numpy()
        # counted from the first pixel's centre of the shrunk picture, then enlarged about the corner
        shrunk = [side // _MULTIPLE * _MULTIPLE / side for side in gray.shape[::-1]]
        return Features(points + 0.5 / np.array(shrunk, np.float32), found["descriptors"].float().cpu().numpy())

    def match(self, first: Features, second: Features) -> Pairs:
        """Index pairs ``[m, 2]`` that choose each other, as alike as XFeat asks for."""
        if len(first.points) < 2 or len(second.points) < 2:
            return np.zeros((0, 2), np.int64)
        chosen = self._model.match(torch.from_numpy(first.descriptors), torch.from_numpy(second.descriptors))
        return np.stack([side.cpu().numpy() for side in chosen], axis=1).astype(np.int64)
