"""Matches from LightGlue (Lindenberger et al. 2023) on SuperPoint's keypoints (DeTone et al. 2018), of `transformers`.

SuperPoint's published weights are for research only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, AutoModelForKeypointMatching

from worldr1.estimators.matching import Features, Pairs


class LightGlueMatcher:
    """`matching.Matcher` of a folder or hub id, for example ``ETH-CVG/lightglue_superpoint``.

    Frames are shown in their own size. A frame's keypoints are found once, however many frames it is matched with.
    """

    def __init__(self, model: str | Path, device: str | None = None) -> None:
        """Raises ``OSError`` when the model cannot be loaded, ``ValueError`` when it is of another kind."""
        kind = AutoConfig.from_pretrained(str(model)).model_type
        if kind != "lightglue":
            raise ValueError(f"no matches from a {kind!r} model; use a LightGlue, like ETH-CVG/lightglue_superpoint")
        network = AutoModelForKeypointMatching.from_pretrained(str(model), dtype=torch.float32).eval()
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._model = network.to(self._device)
        self._detector, self._found = self._model.keypoint_detector, _Found()
        self._model.keypoint_detector = self._found  # its part is done in `detect`

    @torch.inference_mode()
    def detect(self, gray: npt.NDArray[np.uint8]) -> Features:
        """Features of a luminance image ``[h, w]``; none where nothing stands out."""
        height, width = gray.shape
        pixels = torch.from_numpy(gray).to(self._device).float().div(255).expand(1, 3, -1, -1)
        found = self._detector(pixels)
        # relative to the size, counted from the first pixel's centre
        points = found.keypoints[0] * found.keypoints.new_tensor([width, height]) + 0.5
        return Features(points.cpu().numpy(), found.descriptors[0].cpu().numpy(), (height, width))

    @torch.inference_mode()
    def match(self, first: Features, second: Features) -> Pairs:
        """Index pairs ``[m, 2]`` that the network assigns to each other; `ValueError` for frames of two sizes."""
        if first.size != second.size:
            raise ValueError(f"LightGlue matches frames of one size, not {first.size} and {second.size}")
        if len(first.points) < 2 or len(second.points) < 2:
            return np.zeros((0, 2), np.int64)
        self._found.show(first, second, self._device)
        told = self._model(pixel_values=torch.empty(1, 2, 1, *first.size, device=self._device))  # only the size is read
        partner = told.matches[0, 0, : len(first.points)].cpu().numpy()
        i = np.flatnonzero(partner >= 0)
        return np.stack([i, partner[i]], axis=1).astype(np.int64)


class _Found(nn.Module):
    """Stands where the network has its detector, and answers with features that were found before."""

    def __init__(self) -> None:
        super().__init__()
        self._answer: tuple[Any, ...] = ()

    def show(self, first: Features, second: Features, device: torch.device) -> None:
        """Answer with these next, laid out as the detector would: padded to as many, with a mask."""
        both = (first, second)
        size = torch.tensor(first.size[::-1], dtype=torch.float32)
        points = pad_sequence([(torch.from_numpy(f.points) - 0.5) / size for f in both], batch_first=True)
        descriptors = pad_sequence([torch.from_numpy(f.descriptors) for f in both], batch_first=True)
        mask = pad_sequence([torch.ones(len(f.points), dtype=torch.int) for f in both], batch_first=True)
        self._answer = points.to(device), None, descriptors.to(device), mask.to(device)

    def forward(self, _pixels: Tensor) -> tuple[Any, ...]:
        return self._answer
