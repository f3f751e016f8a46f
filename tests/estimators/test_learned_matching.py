"""Learned matchers: LightGlue as a tiny random model of the class, against the library; XFeat by what it documents."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import (
    EfficientLoFTRConfig,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    LightGlueImageProcessorPil,
    SuperPointConfig,
)

from worldr1.estimators.lightglue import LightGlueMatcher
from worldr1.estimators.matching import SIFTMatcher
from worldr1.estimators.registry import make_matcher
from worldr1.rewards.classical.stream import measure_stream

SIDE = 96


def picture(shift: int = 0) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    large = np.asarray(cv2.resize(noise, (160, 160), interpolation=cv2.INTER_CUBIC))
    return np.ascontiguousarray(large[8 : 8 + SIDE, shift : shift + SIDE])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, large enough for features to be told apart and some to be matched."""
    torch.manual_seed(0)
    detector = SuperPointConfig(
        encoder_hidden_sizes=[8, 8, 8, 8], decoder_hidden_size=16, descriptor_decoder_dim=16, keypoint_threshold=0.022,
        
    )  # fmt: skip
    config = LightGlueConfig(
        keypoint_detector_config=detector, descriptor_dim=16, num_hidden_layers=2, num_attention_heads=2,
        filter_threshold=0.0,
    )  # fmt: skip
    model = LightGlueForKeypointMatching(config)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            # layers that leave features apart, and an assignment that tells them apart
            gain = 0.5 if "transformer" in name else 3.0 if "final_projection" in name else 1.0
            parameter.data.normal_(0, gain * (2.0 / parameter[0].numel()) ** 0.5)
    path = tmp_path_factory.mktemp("lightglue")
    model.save_pretrained(path)
    return path


def test_lightglue_gives_the_matches_of_the_librarys_own_model(folder: Path) -> None:
    matcher = make_matcher(str(folder))
    assert isinstance(matcher, LightGlueMatcher)
    first, second = picture(), picture(7)
    a, b = matcher.detect(first), matcher.detect(second)
    pairs = matcher.match(a, b)
    assert len(a.points) != len(b.points)  # one is padded
    assert 5 < len(pairs) < min(len(a.points), len(b.points))
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)

    processor = LightGlueImageProcessorPil(size={"height": SIDE, "width": SIDE})
    colour = [np.repeat(p[..., None], 3, 2) for p in (first, second)]
    model = LightGlueForKeypointMatching.from_pretrained(folder).eval()
    with torch.inference_mode():
        output = model(**processor(colour, return_tensors="pt"))
    partner = output.matches[0, 0]
    i = torch.nonzero(partner >= 0)[:, 0]
    assert pairs.tolist() == torch.stack([i, partner[i]], 1).tolist()
    for k, found in enumerate((a, b)):
        theirs = output.keypoints[0, k][output.mask[0, k] > 0] * SIDE  # from the first pixel's centre
        np.testing.assert_allclose(found.points - 0.5, theirs, atol=1e-3)
    (answer,) = processor.post_process_keypoint_matching(output, [((SIDE, SIDE), (SIDE, SIDE))])
    whole = answer["keypoints1"].numpy()  # the library cuts off fractions, also of a pixel less a rounding error
    assert np.abs(b.points[pairs[:, 1]] - 0.5 - whole).max() <= 1.001


def test_features_are_found_once_and_can_be_matched_again(folder: Path) -> None:
    matcher = LightGlueMatcher(folder, device="cpu")
    a, b, c = (matcher.detect(picture(s)) for s in (0, 5, 11))
    again = matcher.match(a, b)
    matcher.match(b, c)
    np.testing.assert_array_equal(matcher.match(a, b), again)


def test_nothing_to_match_and_frames_of_two_sizes(folder: Path) -> None:
    matcher = LightGlueMatcher(folder)
    a = matcher.detect(picture())
    none = type(a)(a.points[:0], a.descriptors[:0], a.size)
    assert matcher.match(a, none).shape == (0, 2)
    with pytest.raises(ValueError, match="one size"):
        matcher.match(a, matcher.detect(picture()[:80]))


def test_other_models_and_names_are_refused(tmp_path: Path) -> None:
    EfficientLoFTRConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"efficientloftr.*LightGlue"):
        make_matcher(str(tmp_path))
    with pytest.raises(ValueError, match="'sift'"):
        make_matcher("shift")
    with pytest.raises(OSError, match="nobody"):
        LightGlueMatcher("/nobody/here")


def test_the_classical_measurements_take_a_matcher(folder: Path) -> None:
    frames = [np.repeat(picture(2 * t)[..., None], 3, 2) for t in range(4)]
    usual = measure_stream(iter(frames))
    named = measure_stream(iter(frames), make_matcher("sift"))
    for a, b in zip(usual.pairs, named.pairs, strict=True):
        assert {**vars(a), "broken": a.broken.tolist()} == {**vars(b), "broken": b.broken.tolist()}
    learned = measure_stream(iter(frames), make_matcher(str(folder)))
    assert learned.num_frames == usual.num_frames
    assert [p.matched for p in learned.pairs] != [p.matched for p in usual.pairs]


class XFeat:
    """Answers as the published class documents: SIFT's keypoints, moved to where XFeat counts from."""

    def detectAndCompute(self, x: Tensor, top_k: int) -> list[dict[str, Tensor]]:
        assert x.shape[:2] == (1, 1)
        assert 0 <= float(x.min()) <= float(x.max()) <= 1
        gray = (x[0, 0] * 255).round().byte().numpy()
        found = SIFTMatcher(top_k).detect(gray)
        scale = [side / (side // 32 * 32) for side in gray.shape[::-1]]
        points = torch.from_numpy(found.points) / torch.tensor(scale) - 0.5
        return [{"keypoints": points * torch.tensor(scale), "scores": torch.ones(len(points)),
                 "descriptors": torch.from_numpy(found.descriptors)}]  # fmt: skip

    def match(self, a: Tensor, b: Tensor, min_cossim: float = 0.82) -> tuple[Tensor, Tensor]:
        cosine = a @ b.T
        best, back = cosine.argmax(1), cosine.argmax(0)
        i = torch.arange(len(a))
        good = (back[best] == i) & (cosine.amax(1) > min_cossim)
        return i[good], best[good]


def test_xfeat_is_found_on_the_path_and_its_pixels_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = types.ModuleType("modules.xfeat")
    fake.XFeat = XFeat
    monkeypatch.setitem(sys.modules, "modules", types.ModuleType("modules"))
    monkeypatch.setitem(sys.modules, "modules.xfeat", fake)
    matcher = make_matcher("xfeat")
    gray = picture()[:90]  # no multiple of 32
    found = matcher.detect(gray)
    np.testing.assert_allclose(found.points, SIFTMatcher(1200).detect(gray).points, atol=1e-3)
    pairs = matcher.match(found, matcher.detect(picture(6)[:90]))
    assert len(pairs) > 20
    assert matcher.detect(gray[:20]).points.shape == (0, 2)


def test_xfeat_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modules", None)
    with pytest.raises(ImportError, match=r"git clone .*PYTHONPATH"):
        make_matcher("xfeat")
