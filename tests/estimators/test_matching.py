"""SIFT matches against a known shift, and the matching rule against a search by hand."""

from __future__ import annotations

import cv2
import numpy as np

from worldr1.estimators.matching import Features, SIFTMatcher


def texture(height: int = 120, width: int = 160) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4), np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))


def test_finds_a_shift_to_a_fraction_of_a_pixel() -> None:
    image = texture()
    matcher = SIFTMatcher()
    a, b = matcher.detect(image[:-8, :-12]), matcher.detect(image[8:, 12:])
    pairs = matcher.match(a, b)
    assert len(pairs) > 50
    shift = b.points[pairs[:, 1]] - a.points[pairs[:, 0]]
    assert np.abs(np.median(shift, axis=0) - [-12, -8]).max() < 0.05
    assert (np.linalg.norm(shift - [-12, -8], axis=1) < 0.5).mean() > 0.95


def test_centres_are_counted_from_the_corner() -> None:
    image = np.zeros((101, 101), np.uint8)
    cv2.circle(image, (50, 50), 6, 255, -1, cv2.LINE_AA)  # the centre of pixel 50 lies at 50.5
    points = SIFTMatcher().detect(image).points
    assert np.abs(points - 50.5).max(1).min() < 0.1


def test_matches_as_a_search_by_hand() -> None:
    rng = np.random.default_rng(1)

    def features(descriptors: np.ndarray) -> Features:
        length = np.linalg.norm(descriptors, axis=1, keepdims=True)
        return Features(np.zeros((len(descriptors), 2), np.float32), (descriptors / length).astype(np.float32))

    a = features(np.abs(rng.normal(size=(60, 128))))
    b = features(a.descriptors[rng.permutation(60)[:50]] + 0.12 * rng.random((50, 1)) ** 2 * rng.random((50, 128)) * 6)
    ratio = 0.85
    distance = np.linalg.norm(a.descriptors[:, None] - b.descriptors[None], axis=2)
    expected = set()
    for i in range(60):
        j = int(distance[i].argmin())
        row, column = np.sort(distance[i]), np.sort(distance[:, j])
        if distance[:, j].argmin() == i and row[0] < ratio * row[1] and column[0] < ratio * column[1]:
            expected.add((i, j))
    found = {(int(i), int(j)) for i, j in SIFTMatcher(ratio=ratio).match(a, b)}
    assert found == expected
    assert 20 < len(found) < 50


def test_a_flat_picture_has_no_features() -> None:
    matcher = SIFTMatcher()
    none = matcher.detect(np.full((64, 64), 128, np.uint8))
    assert none.points.shape == (0, 2)
    assert matcher.match(none, matcher.detect(texture())).shape == (0, 2)
