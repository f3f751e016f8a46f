"""The camera by structure from motion (COLMAP, Schönberger & Frahm 2016) on SIFT: knows neither depth nor flow."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldr1.estimators.matching import Features, SIFTMatcher

MAX_FRAMES = 24  # evenly spaced ones of longer clips; every pair is matched
_LEAST_MATCHES = 15  # of a pair
_LEAST_FOLLOWED = 30  # matches of neighbouring frames; below, there is nothing to judge
_TOLERANCE_PX, _TOLERANCE_OF_DIAGONAL = 1.0, 0.0042  # the larger one; COLMAP's own 4 px are for photographs
_ENOUGH_POINTS, _ENOUGH_VIEWS = 100, 4.0
TOO_FEW, NO_PARALLAX = "too few features can be followed", "no two frames show parallax"

Found = dict[str, npt.NDArray[np.float64]]  # what structure_process writes


@dataclass(frozen=True)
class Structure:
    """What structure from motion, or a network that finds cameras, makes of one clip of ``f`` frames."""

    c2w: Tensor  # [f, 4, 4] relative to the first registered frame, in a unit of its own; NaN where not registered
    registered: Tensor  # [f] bool
    shown: int  # frames that were looked at
    points: int = 0  # triangulated ones
    views: float = 0.0  # frames that see a point, on average
    error_px: float = 0.0  # mean of the reprojection
    tolerance_px: float = _TOLERANCE_PX
    silent: str = ""  # why nothing follows about whether there is one rigid world; empty where something does

    def reliability(self) -> float:
        """Registered share × saturating number of points × saturating track length × exp(−error / tolerance).

        In [0, 1]. The error alone is 0.007 px of a clip of which 3 of 16 frames are registered.
        """
        share = float(self.registered.sum()) / self.shown
        wide = min(1.0, self.points / _ENOUGH_POINTS)
        long = min(1.0, self.views / min(_ENOUGH_VIEWS, self.shown))
        return share * wide * long * math.exp(-self.error_px / self.tolerance_px)


# (video [f, 3, h, w] in [0, 1], intrinsics [3, 3] in pixels) of one clip
CameraEstimator = Callable[[Tensor, Tensor], Structure]


class PycolmapCamera:
    """COLMAP's incremental mapping of one clip, with known intrinsics, deterministic, on one CPU core.

    It runs in a process of its own: OpenCV and pycolmap in one process may abort. Costs 1 to 5 s of CPU a clip of 17
    frames of 256 pixels (docs/results.md). Needs the extra ``colmap``; raises ``ImportError`` without it.
    """

    def __init__(self, timeout_s: float = 300.0) -> None:
        """A clip that takes longer than ``timeout_s`` counts as one that nothing can be said about."""
        if find_spec("pycolmap") is None:
            raise ImportError("structure from motion needs pycolmap: pip install 'worldr1[colmap]'")
        self.timeout_s = timeout_s
        self._matcher = SIFTMatcher(contrast=0.01)

    def __call__(self, video: Tensor, K: Tensor) -> Structure:
        """The camera of a clip ``[f, 3, h, w]`` in [0, 1] with intrinsics ``[3, 3]``; never fails on content."""
        frames, _, height, width = video.shape
        looked = torch.linspace(0, frames - 1, min(frames, MAX_FRAMES)).round().long()
        pictures = (video[looked].clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        features = [self._matcher.detect(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)) for p in pictures]
        pairs = self._pairs(features)
        none = Structure(torch.full((frames, 4, 4), torch.nan), torch.zeros(frames, dtype=torch.bool), len(looked))
        followed = [len(pairs.get((t, t + 1), ())) for t in range(len(looked) - 1)]
        if not followed or np.median(followed) < _LEAST_FOLLOWED:
            return _without(none, TOO_FEW)
        tolerance = max(_TOLERANCE_PX, _TOLERANCE_OF_DIAGONAL * math.hypot(height, width))
        given: dict[str, npt.NDArray[np.generic]] = {
            "size": np.array([height, width]),
            "K": K.double().cpu().numpy(),
            "tolerance_px": np.array(tolerance),
            **{f"points_{i}": f.points for i, f in enumerate(features)},
            **{f"pair_{i}_{j}": m.astype(np.uint32) for (i, j), m in pairs.items()},
        }
        with TemporaryDirectory(prefix="worldr1-") as name:
            folder = Path(name)
            np.savez(folder / "given.npz", **given)  # type: ignore[arg-type]
            command = [sys.executable, "-m", "worldr1.estimators.structure_process", name]
            try:
                ended = subprocess.run(command, capture_output=True, text=True, timeout=self.timeout_s, check=False)
            except subprocess.TimeoutExpired:
                return _without(none, f"structure from motion took more than {self.timeout_s:g} s")
            if ended.returncode:
                last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
                return _without(none, f"structure from motion ended with status {ended.returncode}: {last}")
            with np.load(folder / "found.npz") as found:
                return _placed(none, looked, tolerance, {key: found[key] for key in found.files})

    def _pairs(self, features: list[Features]) -> dict[tuple[int, int], npt.NDArray[np.int64]]:
        """Matches ``[m, 2]`` of the pairs of frames that have enough."""
        wanted = combinations(range(len(features)), 2)
        found = {(i, j): self._matcher.match(features[i], features[j]) for i, j in wanted}
        return {pair: matches for pair, matches in found.items() if len(matches) >= _LEAST_MATCHES}


def _without(none: Structure, why: str) -> Structure:
    return Structure(none.c2w, none.registered, none.shown, silent=why)


def _placed(none: Structure, looked: Tensor, tolerance: float, found: dict[str, npt.NDArray[np.float64]]) -> Structure:
    """What the process found, on the clip's own frames."""
    poses = torch.from_numpy(found["c2w"])  # [n, 4, 4], NaN where not registered
    there = ~poses.isnan().any(-1).any(-1)
    if not bool(there.any()):
        silent = "" if int(found["with_parallax"]) else NO_PARALLAX
        return Structure(none.c2w, none.registered, none.shown, tolerance_px=tolerance, silent=silent)
    poses = torch.linalg.inv(poses[there][:1]) @ poses
    c2w, registered = none.c2w.clone(), none.registered.clone()
    c2w[looked], registered[looked] = poses.float(), there
    points, views, error = int(found["points"]), float(found["views"]), float(found["error_px"])
    return Structure(c2w, registered, none.shown, points, views, error, tolerance)
