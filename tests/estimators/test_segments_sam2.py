"""SAM 2 as a segment estimator: a tiny random model of the real class, its masks against the library's own path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import Sam2Model, Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from estimators.sam2 import SIDE, save_sam2, tiny_sam2
from worldr1.estimators import segments, segments_sam2
from worldr1.estimators.registry import make_segments
from worldr1.estimators.segments_sam2 import Sam2Segments
from worldr1.rewards.evidence import gather_evidence

HEIGHT, WIDTH = 48, 72


@pytest.fixture(scope="module")
def model() -> Sam2VideoModel:
    return tiny_sam2()


@pytest.fixture
def all_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random masks are neither sure nor stable, and large."""
    monkeypatch.setattr(segments, "LEAST_QUALITY", -torch.inf)
    monkeypatch.setattr(segments, "LEAST_STABLE", 0.0)
    monkeypatch.setattr(segments, "MOST_SHARE", 1.0)


def clip(frames: int = 5, seed: int = 0) -> Tensor:
    """A picture that drifts to the left."""
    picture = torch.rand(1, 3, 6, 16, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(picture, (HEIGHT, 2 * WIDTH), mode="bicubic").clamp(0, 1)[0]
    return torch.stack([large[:, :, 2 * t : 2 * t + WIDTH] for t in range(frames)])


def test_masks_of_points_are_those_of_the_librarys_model(tmp_path: Path) -> None:
    save_sam2(tmp_path)
    theirs, ours = Sam2Model.from_pretrained(tmp_path).eval(), make_segments(str(tmp_path))
    assert isinstance(ours, Sam2Segments)
    frame = ours.normalise(clip(1))[0]
    points = torch.tensor([[10.5, 20.5], [40.5, 8.5], [50.5, 60.5]])
    logits, quality = ours.answers(frame, points)
    with torch.inference_mode():  # the library counts pixels from their corners
        expected = theirs(pixel_values=frame[None], input_points=points[None, :, None] - 0.5)
    torch.testing.assert_close(logits, expected.pred_masks[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(quality, expected.iou_scores[0], atol=1e-4, rtol=1e-4)
    assert (logits[0] - logits[1]).abs().mean() > 0.05 * logits.std()  # it looks at the point


def test_many_points_are_asked_in_parts_with_the_same_answer(
    model: Sam2VideoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = Sam2Segments(model)
    frame, points = estimator.normalise(clip(1))[0], SIDE * torch.rand(7, 2)
    whole = estimator.answers(frame, points)
    monkeypatch.setattr(segments_sam2, "_POINTS_AT_ONCE", 3)
    for part, one in zip(estimator.answers(frame, points), whole, strict=True):
        torch.testing.assert_close(part, one, atol=1e-4, rtol=1e-4)


def test_the_input_is_square_and_normalised(model: Sam2VideoModel) -> None:
    shown = Sam2Segments(model).normalise(torch.full((2, 3, HEIGHT, WIDTH), 0.5))
    assert shown.shape == (2, 3, SIDE, SIDE)
    torch.testing.assert_close(
        shown[0, :, 0, 0], (0.5 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    )


@pytest.mark.usefixtures("all_masks")
def test_proposals_are_masks_of_the_grids_points(model: Sam2VideoModel) -> None:
    estimator = Sam2Segments(model, points=4)
    frame = estimator.normalise(clip(1))[0]
    line = torch.tensor([8.0, 24.0, 40.0, 56.0])
    grid = torch.tensor([[x, y] for y in line.tolist() for x in line.tolist()])
    every = (estimator.answers(frame, grid)[0] > 0).flatten(0, 1)
    found = estimator.proposals(frame)
    assert 0 < len(found) < len(every)
    assert all(bool((every == mask).all((1, 2)).any()) for mask in found)


SMALL = torch.zeros(3, SIDE // 4, SIDE // 4, dtype=torch.bool)
SMALL[0, 4:8, 2:6], SMALL[1, 10:14, 8:14], SMALL[2, 2:6, 9:15] = True, True, True


def test_an_object_is_followed_from_its_mask(model: Sam2VideoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sam2Segments, "proposals", lambda _self, _frame: SMALL)
    ids = Sam2Segments(model, looks=1)(clip(2))
    assert ids.shape == (2, HEIGHT, WIDTH)
    assert ids.dtype == torch.int64
    for k, mask in enumerate(SMALL):
        large = torch.nn.functional.interpolate(mask[None, None].float(), (HEIGHT, WIDTH), mode="nearest")[0, 0] > 0
        shared, either = (large & (ids[0] == k + 1)).sum(), (large | (ids[0] == k + 1)).sum()
        assert shared > 0.6 * either  # masks of 16 pixels have soft edges


def test_later_looks_add_what_is_not_followed_yet_up_to_the_most(
    model: Sam2VideoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects are still where they were: a look finds them again, and the new one beside them."""
    looked = 0

    def proposals(_self: Sam2Segments, _frame: Tensor) -> Tensor:
        nonlocal looked
        looked += 1
        return SMALL[:1] if looked == 1 else SMALL

    monkeypatch.setattr(Sam2Segments, "proposals", proposals)
    monkeypatch.setattr(Sam2Segments, "_followed", still(Sam2Segments._followed))
    for most, last in ((8, 3), (2, 2), (1, 1)):
        looked = 0
        ids = Sam2Segments(model, looks=2, most=most)(clip(4))
        assert [frame.unique().tolist() for frame in ids[:2]] == [[0, 1], [0, 1]]
        assert ids[2].unique().tolist() == list(range(last + 1))
        assert looked == (1 if most == 1 else 2)


def still(follow: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The masks that objects were found with: a random network follows nothing."""

    def followed(self: Sam2Segments, session: Sam2VideoInferenceSession, frame: Tensor, t: int) -> Tensor:
        follow(self, session, frame, t)
        first = [next(iter(outputs["cond_frame_outputs"].values())) for outputs in session.output_dict_per_obj.values()]
        return torch.cat([f["pred_masks"][:, 0] for f in first] or [frame.new_zeros(0, SIDE // 4, SIDE // 4)])

    return followed


def test_without_masks_a_clip_has_no_objects(model: Sam2VideoModel) -> None:
    ids = Sam2Segments(model, points=2)(clip(3))  # random masks are not sure
    assert ids.shape == (3, HEIGHT, WIDTH)
    assert not ids.any()


def test_what_is_forgotten_changes_nothing(model: Sam2VideoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sam2Segments, "proposals", lambda _self, _frame: SMALL)
    estimator, video = Sam2Segments(model, looks=1), clip(8)
    most = 0
    forget = segments_sam2._forget

    def watched(session: Sam2VideoInferenceSession, t: int, reach: int) -> None:
        nonlocal most
        forget(session, t, reach)
        kept = [o["non_cond_frame_outputs"] for o in session.output_dict_per_obj.values()]
        most = max([most, *(len(frames) for frames in kept)])
        assert not session.processed_frames

    monkeypatch.setattr(segments_sam2, "_forget", watched)
    ids = estimator(video)
    assert most == estimator.reach
    monkeypatch.setattr(segments_sam2, "_forget", lambda *_: None)
    torch.testing.assert_close(estimator(video), ids)


def test_evidence_takes_its_ids(model: Sam2VideoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sam2Segments, "proposals", lambda _self, _frame: SMALL)
    estimator = Sam2Segments(model, looks=1)
    video = torch.stack([clip(3), clip(3, seed=1)])
    K = torch.tensor([[WIDTH, 0, WIDTH / 2], [0, WIDTH, HEIGHT / 2], [0, 0, 1.0]]).expand(2, 3, 3)
    evidence = gather_evidence(
        video, K, [None, None], lambda x: 2 + x[:, 0],
        lambda a, _: torch.zeros(len(a), HEIGHT, WIDTH, 2), estimator,
    )  # fmt: skip
    assert evidence.segments is not None
    assert evidence.segments.shape == (2, 3, HEIGHT, WIDTH)
    assert evidence.segments.any()
    torch.testing.assert_close(evidence.segments[1], estimator(video[1]))


def test_other_models_are_refused(tmp_path: Path) -> None:
    from transformers import Dinov2Config

    Dinov2Config().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"'dinov2'.*sam2\.1-hiera-tiny"):
        Sam2Segments(tmp_path)
