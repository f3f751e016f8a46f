"""Pictures of the score page: heat maps over frames, matches of the worst step, tracks, depth. All are data URIs."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldr1.estimators.matching import SIFTMatcher
from worldr1.rewards.classical.pairs import GRID, Pair, epipolar_inliers, threshold_px
from worldr1.rewards.classical.stream import working_size

Image = npt.NDArray[np.uint8]  # [h, w, 3] RGB
Array = npt.NDArray[Any]

_TILE_PX = 240  # width of a frame in a strip
_SHOWN_MATCHES, _SHOWN_TRACKS = 80, 60
_GOOD, _BAD = (60, 220, 120), (255, 70, 60)  # RGB


@dataclass(frozen=True)
class Picture:
    png: str  # data URI
    caption: str


def data_uri(image: Image) -> str:
    """A JPEG of an RGB image as a data URI."""
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def heat_strip(frames: Mapping[int, Image], pairs: Sequence[Pair]) -> str:
    """Frames by number side by side; the redder a cell, the more of the pairs that start there it breaks."""
    tiles = []
    for number, frame in frames.items():
        tile = _fit(frame, _TILE_PX)
        broken = [p.broken for p in pairs if p.first == number]
        share = np.mean(broken, axis=0) if broken else np.zeros((GRID, GRID))
        heat = cv2.resize(share.astype(np.float32), tile.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
        mixed = tile * (1 - 0.6 * heat) + np.array(_BAD) * 0.6 * heat
        tiles.append(_labelled(mixed.round().astype(np.uint8), str(number)))
    return data_uri(np.concatenate(tiles, axis=1))


def side_by_side(first: Image, second: Image) -> Picture:
    """Two frames with their matches: where they went for those on one epipolar geometry, and the others in red."""
    a, b = _working(first), _working(second)
    matcher = SIFTMatcher()
    found = matcher.detect(_gray(a)), matcher.detect(_gray(b))
    pairs = matcher.match(*found)
    p, q = found[0].points[pairs[:, 0]], found[1].points[pairs[:, 1]]
    inlier, _ = epipolar_inliers(p, q, threshold_px((a.shape[0], a.shape[1])))
    images = [a.copy(), b.copy()]
    # outliers last, so that nothing hides them
    order = np.argsort(inlier[:: max(1, len(inlier) // _SHOWN_MATCHES)], kind="stable")[::-1]
    for k in order * max(1, len(inlier) // _SHOWN_MATCHES):
        colour = _GOOD if inlier[k] else _BAD
        _arrow(images[0], p[k], q[k], colour)
        cv2.circle(images[1], _pixel(q[k]), 3, colour, 1, cv2.LINE_AA)
    caption = f"{int(inlier.sum())} of {len(inlier)} matches follow one rigid motion (green), the others do not (red)"
    return Picture(data_uri(np.concatenate(images, axis=1)), caption)


def tracks(frames: Sequence[Image]) -> str:
    """The last of consecutive frames with the paths that its keypoints came along; empty without any."""
    matcher = SIFTMatcher()
    images = [_working(f) for f in frames]
    features = [matcher.detect(_gray(i)) for i in images]
    paths: list[dict[int, list[Array]]] = [{}]
    for before, after in itertools.pairwise(features):
        grown = {}
        for i, j in matcher.match(before, after):
            grown[int(j)] = [*paths[-1].get(int(i), [before.points[i]]), after.points[j]]
        paths.append(grown)
    longest = sorted(paths[-1].values(), key=len, reverse=True)[:_SHOWN_TRACKS]
    if not longest:
        return ""
    image = images[-1].copy()
    for path in longest:
        line = np.round(np.array(path)).astype(np.int32)
        cv2.polylines(image, [line[:, None]], False, (255, 210, 60), 1, cv2.LINE_AA)
        cv2.circle(image, _pixel(path[-1]), 2, (255, 255, 255), -1, cv2.LINE_AA)
    return data_uri(image)


def depth_strip(frames: Sequence[Image], depth: Callable[[Tensor], Tensor]) -> str:
    """Estimated depth of the frames side by side: near is bright, on one logarithmic scale."""
    tiles = np.stack([_fit(f, _TILE_PX) for f in frames])
    metres = depth(torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 255).float().cpu().numpy()
    log = np.log(np.maximum(metres, 1e-3))
    near, far = np.percentile(log, [2, 98])
    shade = np.clip((far - log) / max(float(far - near), 1e-6), 0, 1)
    row = (np.concatenate(list(shade), axis=1) * 255).round().astype(np.uint8)
    return data_uri(np.asarray(cv2.applyColorMap(row, cv2.COLORMAP_INFERNO), np.uint8)[..., ::-1])


def _working(frame: Image) -> Image:
    return np.asarray(cv2.resize(frame, working_size(*frame.shape[:2]), interpolation=cv2.INTER_AREA), np.uint8)


def _fit(frame: Image, width: int) -> Image:
    height = max(1, round(frame.shape[0] * width / frame.shape[1]))
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _gray(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _labelled(tile: Image, text: str) -> Image:
    for colour, width in ((0, 3), (255, 1)):
        cv2.putText(tile, text, (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (colour,) * 3, width, cv2.LINE_AA)
    return tile


def _arrow(image: Image, start: Array, end: Array, colour: tuple[int, int, int]) -> None:
    cv2.arrowedLine(image, _pixel(start), _pixel(end), colour, 1, cv2.LINE_AA, tipLength=0.25)
    cv2.circle(image, _pixel(start), 2, colour, -1, cv2.LINE_AA)


def _pixel(point: Array) -> tuple[int, int]:
    return int(point[0]), int(point[1])
