"""A contact sheet of a dataset: per clip its frames with boxes, depth, flow, instances, and the caption below."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from worldr1.files import write_atomically
from worldr1.worlds.dataset.index import read_index
from worldr1.worlds.dataset.sample import Sample
from worldr1.worlds.dataset.shard import read_shard
from worldr1.worlds.rendered import FIRST_OBJECT

Image = npt.NDArray[np.uint8]

_TILE = 160  # pixels, the least side of a frame on the sheet
_FRAMES = 6  # shown of a clip
_MARGIN = 68  # pixels on the left, for the rows' names
_LINE = 18  # pixels of a line of text
_CLIP_GAP = 14
_FONT_SCALE = 0.4
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def show_dataset(dataset: Path, path: Path, clips: int = 4) -> None:
    """Write a PNG of some clips, evenly spread over a dataset. Raises ``ValueError`` for what is no dataset."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: the contact sheet is a PNG; use {path.with_suffix('.png')}")
    if clips < 1:
        raise ValueError(f"--clips must be at least 1, not {clips}")
    table = read_index(dataset)
    at = sorted({round(i) for i in np.linspace(0, len(table) - 1, clips)})
    picked = table.take(at)
    keys = set(picked["key"].to_pylist())
    shards = picked["shard"].unique().to_pylist()
    samples = [s for name in shards for s in read_shard(dataset / name) if s.key in keys]
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(draw_sheet(samples)[..., ::-1]))
    write_atomically(encoded.tobytes(), path)


def draw_sheet(samples: Sequence[Sample]) -> Image:
    """RGB picture of samples, one below the other."""
    blocks = [draw_sample(s) for s in samples]
    width = max(b.shape[1] for b in blocks)
    return np.concatenate(
        [np.pad(b, ((0, _CLIP_GAP), (0, width - b.shape[1]), (0, 0)), constant_values=255) for b in blocks]
    )


def draw_sample(sample: Sample) -> Image:
    """RGB picture of a clip: a row each of frames with 2D boxes and ids, depth, flow, instances; then the caption."""
    frames, height, width = sample.video.shape[:3]
    scale = max(1, -(-_TILE // min(height, width)))
    at = np.unique(np.linspace(0, frames - 1, _FRAMES).round().astype(int))
    rows = {
        "frames": [_boxes(_enlarge(sample.video[f], scale), sample, int(f), scale) for f in at],
        "depth": [_enlarge(p, scale) for p in depth_colours(sample.truth["depth_m"][at])],
        "flow": [_enlarge(p, scale) for p in flow_colours(sample.flow_px()[at])],
        "instances": [_enlarge(p, scale) for p in instance_colours(sample.truth["instance_ids"][at])],
    }
    strips = []
    for name, pictures in rows.items():
        strip = np.concatenate([_pad(p, 2, 2) for p in pictures], axis=1)
        label = np.full((len(strip), _MARGIN, 3), 255, np.uint8)
        _write(label, name, (2, len(strip) // 2))
        strips.append(np.concatenate([label, strip], axis=1))
    return np.concatenate([*strips, _caption(sample, strips[0].shape[1])])


def depth_colours(depth_m: npt.NDArray[np.float16]) -> Image:
    """Near is yellow, far is blue (by 1 / depth, one scale for the clip), the sky black: ``[frames, h, w, 3]``."""
    sky = ~np.isfinite(depth_m)
    inverse = np.where(sky, 0, 1 / np.maximum(depth_m.astype(np.float32), 1e-3))
    near = np.quantile(inverse, 0.99)
    grey = (np.clip(inverse / max(float(near), 1e-6), 0, 1) * 255).astype(np.uint8)
    bgr = cv2.applyColorMap(grey.reshape(-1, 1), cv2.COLORMAP_CIVIDIS).reshape(*grey.shape, 3)
    return np.where(sky[..., None], np.uint8(0), bgr[..., ::-1])


def flow_colours(flow_px: npt.NDArray[np.float32]) -> Image:
    """Direction as hue (right red, down green-yellow), length as saturation: ``[frames, h, w, 3]``."""
    flow = np.nan_to_num(flow_px.astype(np.float32), posinf=0, neginf=0)
    length, angle = cv2.cartToPolar(flow[..., 0].reshape(-1, 1), flow[..., 1].reshape(-1, 1), angleInDegrees=True)
    full = max(float(np.quantile(length, 0.99)), 0.5)  # below half a pixel it is all but still
    hsv = np.full((len(length), 1, 3), 255, np.uint8)
    hsv[..., 0] = angle / 2 % 180
    hsv[..., 1] = np.clip(length / full, 0, 1) * 255
    return _from_hsv(hsv).reshape(*flow.shape[:-1], 3)


def instance_colours(ids: npt.NDArray[np.uint8]) -> Image:
    """Sky white, scenery grey, objects in the colours of their boxes: ``[frames, h, w, 3]``."""
    return _palette()[ids]


def _palette() -> Image:
    hues = (np.arange(256 - FIRST_OBJECT) * 0.618034 * 180 % 180).astype(np.uint8)  # golden ratio: neighbours differ
    hsv = np.stack([hues, np.full_like(hues, 190), np.full_like(hues, 235)], axis=-1)[None]
    stuff = np.array([[245] * 3, [150] * 3], np.uint8)
    return np.concatenate([stuff, _from_hsv(hsv)[0]])


def _from_hsv(hsv: Image) -> Image:
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def _pad(picture: Image, below: int, right: int) -> Image:
    return np.pad(picture, ((0, below), (0, right), (0, 0)), constant_values=255)


def _enlarge(picture: Image, scale: int) -> Image:
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def _boxes(picture: Image, sample: Sample, frame: int, scale: int) -> Image:
    picture = np.ascontiguousarray(picture)
    for thing in sample.record.objects:
        box = thing.box_2d[frame]
        if box is not None:
            x0, y0, x1, y1 = (round(v * scale) for v in box)
            colour = tuple(int(c) for c in _palette()[FIRST_OBJECT + thing.id])
            cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
            _write(picture, str(thing.id), (x0 + 2, max(y0 - 3, 10)), colour)
    _write(picture, str(frame), (2, len(picture) - 4), (255, 255, 255))
    return picture


def _caption(sample: Sample, width: int) -> Image:
    text = f"{sample.key}: {sample.caption}"
    text_width = cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0]
    lines = textwrap.wrap(text, max(20, int(0.95 * width * len(text) / text_width)))
    picture = np.full((_LINE * len(lines) + 6, width, 3), 255, np.uint8)
    for i, line in enumerate(lines):
        _write(picture, line, (4, _LINE * i + 14))
    return picture


def _write(picture: Image, text: str, at: tuple[int, int], colour: tuple[int, ...] = (20, 20, 20)) -> None:
    cv2.putText(picture, text, at, _FONT, _FONT_SCALE, colour, 1, cv2.LINE_AA)
