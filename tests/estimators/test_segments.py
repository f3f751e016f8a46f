"""Masks to ids: what is kept, what counts as the same, who owns a pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from worldr1.estimators.segments import confident, distinct, painted, stability


def box(top: int, left: int, height: int, width: int, size: int = 40) -> Tensor:
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[top : top + height, left : left + width] = True
    return mask


def logits(mask: Tensor, level: float = 4.0) -> Tensor:
    return torch.where(mask, level, -level)


def test_a_masks_stability_is_how_little_it_depends_on_its_threshold() -> None:
    sharp, soft = logits(box(5, 5, 10, 10)), logits(box(5, 5, 10, 10))
    soft[15:20, 5:15] = 0.5  # in at -1, out at 1
    found = stability(torch.stack([sharp, soft, logits(box(0, 0, 0, 0))]))
    torch.testing.assert_close(found, torch.tensor([1.0, 100 / 150, 0.0]))


def test_unsure_unstable_tiny_and_whole_picture_masks_go() -> None:
    soft = logits(box(5, 5, 10, 10))
    soft[15:20, 5:15] = 0.5
    masks = [logits(box(5, 5, 10, 10))] * 2 + [soft, logits(box(5, 5, 1, 2)), logits(box(0, 0, 40, 30))]
    quality = torch.tensor([0.9, 0.5, 0.9, 0.9, 0.9])
    assert confident(torch.stack(masks), quality).tolist() == [True, False, False, False, False]


def test_of_the_same_object_the_best_mask_is_kept_and_the_best_come_first() -> None:
    masks = torch.stack([box(5, 5, 10, 10), box(5, 5, 10, 11), box(25, 25, 10, 10)])
    assert distinct(masks, torch.tensor([0.8, 0.9, 0.95])).tolist() == [2, 1]
    assert distinct(masks, torch.tensor([0.9, 0.8, 0.85])).tolist() == [0, 2]


def test_a_part_goes_and_an_overlapping_object_stays() -> None:
    whole, part, beside = box(5, 5, 20, 20), box(6, 6, 8, 8), box(15, 20, 20, 20)
    kept = distinct(torch.stack([whole, part, beside]), torch.tensor([0.8, 0.99, 0.9]))
    assert kept.tolist() == [2, 0]


def test_no_masks_are_no_objects() -> None:
    none = torch.zeros(0, 40, 40)
    assert distinct(none.bool(), torch.zeros(0)).tolist() == []
    assert confident(none, torch.zeros(0)).tolist() == []
    assert not painted(none).any()
    assert painted(none).shape == (40, 40)


def test_a_pixel_belongs_to_the_surest_object() -> None:
    ids = painted(torch.stack([logits(box(5, 5, 10, 10), 2.0), logits(box(10, 10, 10, 10), 3.0)]))
    assert ids.dtype == torch.int64
    assert ids[6, 6] == 1
    assert ids[12, 12] == 2
    assert ids[18, 18] == 2
    assert ids[0, 0] == 0
