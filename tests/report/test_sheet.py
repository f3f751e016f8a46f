"""Contact sheets show the right pixels in the right place."""

from pathlib import Path

import cv2
import pytest
import torch

from worldr1.report.sheet import write_sheet


def test_pixels_land_where_they_belong(tmp_path: Path) -> None:
    left, right = torch.zeros(2, 3, 3, 8, 8), torch.zeros(2, 3, 3, 8, 8)
    left[1, 2, 0] = 1  # second clip, third frame: red
    right[0, 0, 2] = 1  # first clip, first frame: blue
    write_sheet([left, right], tmp_path / "sheet.png", every=1, scale=1)
    image = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    assert image.shape == (16, 24 + 4 + 24, 3)
    assert image[12, 20].tolist() == [255, 0, 0]
    assert image[4, 28 + 4].tolist() == [0, 0, 255]
    assert image[4, 4].tolist() == [0, 0, 0]
    assert not list(tmp_path.glob("*.tmp"))


def test_columns_of_different_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="same shape"):
        write_sheet([torch.zeros(1, 3, 3, 8, 8), torch.zeros(1, 3, 3, 4, 4)], tmp_path / "sheet.png")
