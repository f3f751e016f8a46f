"""The contact sheet: what is drawn where. Whether it is pleasant is for eyes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from worldr1.worlds.dataset.config import DatasetConfig
from worldr1.worlds.dataset.show import depth_colours, draw_sample, flow_colours, instance_colours, show_dataset
from worlds.dataset.fakes import fake_samples


def test_the_sheet_is_written(dataset: Path, tmp_path: Path) -> None:
    show_dataset(dataset, tmp_path / "one.png", clips=1)
    show_dataset(dataset, tmp_path / "three.png", clips=3)
    one, three = (cv2.imread(str(tmp_path / name)) for name in ("one.png", "three.png"))
    assert one is not None
    assert three is not None
    assert three.shape == (3 * one.shape[0], one.shape[1], 3)
    show_dataset(dataset, tmp_path / "all.png", clips=100)  # no more than there are
    assert cv2.imread(str(tmp_path / "all.png")).shape[0] == 7 * one.shape[0]
    with pytest.raises(ValueError, match="--clips"):
        show_dataset(dataset, tmp_path / "none.png", clips=0)
    with pytest.raises(ValueError, match=r"use .*none\.png"):
        show_dataset(dataset, tmp_path / "none.jpg")
    with pytest.raises(ValueError, match="no dataset here"):
        show_dataset(tmp_path, tmp_path / "none.png")


def test_frames_carry_boxes_of_their_object(config: DatasetConfig) -> None:
    sample = next(fake_samples(config, range(1)))
    picture, scale, margin = draw_sample(sample), 10, 68
    box = tuple(instance_colours(np.array([2], np.uint8))[0])  # object 0 has the box (2, 2, 9, 9)
    left, top = margin + 2 * scale, 2 * scale
    assert tuple(picture[top + 35, left]) == box
    assert tuple(picture[top, left + 35]) == box
    assert tuple(picture[top + 35, left + 7 * scale - 1]) == box
    last = picture.shape[1] - 16 * scale - 2  # where it is not in the picture, there is no box
    assert tuple(picture[top + 35, last + 2 * scale]) == tuple(sample.video[-1, 5, 2])
    row = 3 * (16 * scale + 2)  # instances are below frames, depth and flow
    assert tuple(picture[row + 5, margin + 5]) == tuple(instance_colours(sample.truth["instance_ids"])[0, 0, 0])


def test_near_is_brighter_than_far_and_the_sky_is_black() -> None:
    near, far, sky = depth_colours(np.array([[[1.0, 8.0, np.inf]]], np.float16))[0, 0].astype(int)
    assert near.sum() > far.sum() > sky.sum() == 0


def test_flow_directions_have_their_hues() -> None:
    flow = np.zeros((1, 1, 4, 2), np.float32)
    flow[0, 0, :3] = [[4, 0], [-4, 0], [np.nan, 0]]
    right, left, lost, still = flow_colours(flow)[0, 0].tolist()
    assert right == [255, 0, 0]
    assert left == [0, 255, 255]
    assert lost == still == [255, 255, 255]
