"""Each term on general scenes with exact evidence: its violation below its clean twin, hard positives unpunished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from rewards.general import (
    FRAMES,
    evidence_of,
    moved,
    orbit,
    pan_away_and_return,
    push,
    recoloured,
    scaled,
    scene,
    still,
)
from worldr1.estimators.flow import DISFlow
from worldr1.estimators.registry import make_flow
from worldr1.rewards.edges import textured
from worldr1.rewards.epipolar import epipolar_term
from worldr1.rewards.evidence import Evidence, gather_evidence
from worldr1.rewards.flow import unexplained
from worldr1.rewards.guards import (
    continuity_guard,
    held_against,
    motion,
    picture_guard,
    saturation,
    texture,
    textured_motion,
)
from worldr1.rewards.held_out_view import held_out_view, held_out_view_term
from worldr1.rewards.missing import missing_objects
from worldr1.rewards.parallax import parallax_seen_term, parallax_term
from worldr1.rewards.photometric import photometric_term
from worldr1.rewards.pose_divergence import pose_divergence_term
from worldr1.rewards.reappearance import reappearance, reappearance_term
from worldr1.rewards.spec import evaluate
from worldr1.rewards.term import Term
from worldr1.rewards.volume import covered, volume_term
from worldr1.types import CameraPath, Prompt
from worldr1.worlds.scene import Scene

HALF = FRAMES // 2
STEP = np.where(np.arange(FRAMES) < HALF, 1.0, 1.5)
PUMP = 1 + 0.3 * np.sin(np.arange(FRAMES))


def hidden_mover(seed: int) -> Scene:
    return scene(still(), seed, mover=True, occluder=True)


def return_trip(seed: int) -> Scene:
    return scene(pan_away_and_return(), seed)


SCENES: dict[str, Callable[[int], Scene]] = {
    "orbit": lambda s: scene(orbit(), s),
    "push": lambda s: scene(push(), s),
    "mover": lambda s: scene(push(1.0), s, mover=True),
    "pump": lambda s: scaled(scene(orbit(), s), s, PUMP),
    "grown": lambda s: scaled(scene(orbit(), s), s, STEP),
    "return": return_trip,
    "return, recoloured": lambda s: recoloured(return_trip(s), 1, HALF),
    "return, moved": lambda s: moved(return_trip(s), 1, HALF, (0.0, 0.9, 0.0)),
    "hidden": hidden_mover,
    "hidden, recoloured": lambda s: recoloured(hidden_mover(s), 0, HALF),
    "hidden, grown": lambda s: scaled(hidden_mover(s), 0, STEP),
    "there and back": lambda s: scene(orbit(there_and_back=True), s),
    "zoom": lambda s: scene(still(), s, focal_mm=np.linspace(24, 40, FRAMES)),
    "pan": lambda s: scene(pan_away_and_return(0.0), s),
    "still": lambda s: scene(still(), s),
}


@cache
def clips(name: str) -> Evidence:
    return evidence_of([SCENES[name](s) for s in range(2)])


def values(term: Term, evidence: Evidence) -> list[float | None]:
    result = term(evidence)
    pairs = zip(result.values.tolist(), result.applicable.tolist(), strict=True)
    return [v if ok else None for v, ok in pairs]


def numbers(term: Term, evidence: Evidence) -> list[float]:
    found = [v for v in values(term, evidence) if v is not None]
    assert len(found) == len(evidence.video), "abstained"
    return found


# Measured: orbit .91 to 1, push 1, pump .14 to .21, grown .18 to .26
@pytest.mark.parametrize("violated", ["pump", "grown"])
def test_volume_sees_objects_that_change_size(violated: str) -> None:
    assert max(numbers(volume_term, clips(violated))) < 0.4
    assert min(numbers(volume_term, clips("orbit"))) > 0.8


def test_volume_does_not_punish_a_push_and_abstains_without_a_new_view_or_segments() -> None:
    assert min(numbers(volume_term, clips("push"))) > 0.8
    assert values(volume_term, clips("still")) == [None, None]
    result = volume_term(replace(clips("orbit"), segments=None))
    assert not result.applicable.any()
    assert "segment" in result.reason_of(0)


# Measured: return .55 to .62, its twins .07 to .18; hidden .87 to .94, its twins .15 to .40
@pytest.mark.parametrize("clean", ["return", "hidden"])
def test_reappearance_sees_what_came_back_otherwise(clean: str) -> None:
    twins = [n for n in SCENES if n.startswith(f"{clean},")]
    assert len(twins) == 2
    worst = min(numbers(reappearance_term, clips(clean)))
    assert worst > 0.45
    for twin in twins:
        assert max(numbers(reappearance_term, clips(twin))) < 0.45, twin


def while_turned_away(seed: int = 0) -> Evidence:
    """A clip that ends before the camera has turned back to an object, of a prompt that lets nothing move."""
    whole = evidence_of([return_trip(seed)], prompts=[Prompt("a scene", None, "", 0, {"movers": []})])
    assert whole.segments is not None
    last = int(torch.nonzero((whole.segments[0] == 2).sum((1, 2)) == 0).amax())
    parts = {n: getattr(whole, n)[:, : last + 1] for n in ("video", "depth_m", "c2w", "dynamic", "segments")}
    return replace(
        whole,
        **parts,
        **{n: getattr(whole, n)[:, :last] for n in ("forward_px", "backward_px", "ego_px", "ego_back_px")},
    )


def test_an_object_that_does_not_come_back_though_its_place_does_is_missing() -> None:
    there = scene(pan_away_and_return(), 0)
    present = np.ones(there.position_m.shape[:2], bool)
    present[HALF:, 1] = False
    scenes = [there, replace(there, present=present)]
    at_rest, free = (Prompt("a scene", None, "", 0, {"movers": m}) for m in ([], ["an object"]))
    evidence = evidence_of(scenes, prompts=[at_rest, at_rest])
    assert [missing_objects(evidence, i) for i in range(2)] == [0, 1]
    found = numbers(reappearance_term, evidence)
    assert found[0] > 0.45
    assert found[1] == 0.0
    # hidden at the end, or out of the picture, it may still be there
    covered_up = evidence.depth_m.clone()
    covered_up[:, HALF:] = 0.5
    assert missing_objects(replace(evidence, depth_m=covered_up), 1) == 0
    assert missing_objects(while_turned_away(), 0) == 0
    # with a camera that is wrong, what surrounds it is not in its place either
    turned = evidence.c2w.clone()
    turned[:, HALF:, :3, 3] += 0.6
    assert missing_objects(replace(evidence, c2w=turned), 1) == 0
    # what may move by itself may have left
    assert missing_objects(replace(evidence, prompts=[free, free]), 1) == 0
    assert missing_objects(replace(evidence, segments=None), 1) == 0


@pytest.mark.parametrize("name", ["there and back", "push", "still", "zoom", "pan"])
def test_reappearance_abstains_where_nothing_comes_back_to_a_viewpoint_of_its_own(name: str) -> None:
    assert values(reappearance_term, clips(name)) == [None, None]


def test_a_loop_that_plays_to_and_fro_earns_no_reappearance() -> None:
    half = clips("return")
    order = [*range(7), *range(5, -1, -1)]
    forward = torch.cat([half.forward_px[:, :6], half.backward_px[:, :6].flip(1)], 1)
    backward = torch.cat([half.backward_px[:, :6], half.forward_px[:, :6].flip(1)], 1)
    flows = {"forward_px": forward, "backward_px": backward}
    parts = {n: getattr(half, n)[:, order] for n in ("video", "depth_m", "c2w", "dynamic", "segments")}
    assert values(reappearance_term, replace(half, **parts, **flows)) == [None, None]


def test_deep_features_join_in_reappearance() -> None:
    def same(pictures: Tensor) -> Tensor:
        return torch.nn.functional.normalize(torch.ones(len(pictures), 4), dim=-1)

    def other(pictures: Tensor) -> Tensor:
        return torch.eye(4)[: len(pictures)]

    plain = numbers(reappearance_term, clips("hidden"))
    assert numbers(reappearance(same), clips("hidden")) == pytest.approx(plain, rel=1e-4)
    assert max(numbers(reappearance(other), clips("hidden"))) < 0.2 * min(plain)


def bent(video: Tensor, depth_m: Tensor, amplitude_px: float) -> tuple[Tensor, Tensor]:
    """Every frame and its depth on a rubber sheet that breathes."""
    y, x = np.mgrid[0 : video.shape[-2], 0 : video.shape[-1]].astype(np.float32)
    pictures, depth = video.numpy().copy(), depth_m.numpy().copy()
    for i in range(len(video)):
        for t in range(video.shape[1]):
            phase = 2 * np.pi * t / 5
            column = (x + amplitude_px * np.sin(2 * np.pi * 1.5 * y / 64 + phase)).astype(np.float32)
            row = (y + amplitude_px * np.sin(2 * np.pi * 1.5 * x / 64 + 1.7 * phase)).astype(np.float32)
            frame = np.ascontiguousarray(pictures[i, t].transpose(1, 2, 0))
            frame = cv2.remap(frame, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            pictures[i, t] = frame.transpose(2, 0, 1)
            depth[i, t] = cv2.remap(depth[i, t], column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return torch.from_numpy(pictures), torch.from_numpy(depth)


def estimated(evidence: Evidence, video: Tensor, depth_m: Tensor) -> Evidence:
    """What estimators would see: DIS flow, and depth that follows the picture but for 2 % of its own."""
    coarse = torch.randn(depth_m.flatten(0, 1).shape[0], 1, 8, 8, generator=torch.Generator().manual_seed(0))
    noise = torch.nn.functional.interpolate(coarse, depth_m.shape[-2:], mode="bicubic").view_as(depth_m)
    depth = (depth_m * torch.exp(0.02 * noise)).flatten(0, 1)
    return gather_evidence(video, evidence.K, evidence.prompts, lambda _: depth, make_flow("world"), refine_camera=True)


@cache
def by_estimators(name: str, amplitude_px: float = 0.0) -> Evidence:
    clean = clips(name)
    video, depth = (clean.video, clean.depth_m) if not amplitude_px else bent(clean.video, clean.depth_m, amplitude_px)
    return estimated(clean, video, depth)


@pytest.mark.parametrize("term", [epipolar_term, held_out_view_term, pose_divergence_term])
@pytest.mark.parametrize("name", ["orbit", "push"])
def test_rubber_scenes_are_seen_with_estimated_flow(term: Term, name: str) -> None:
    clean = numbers(term, by_estimators(name))
    rubber = numbers(term, by_estimators(name, 2.0))
    assert max(rubber) < 0.75 * min(clean), (clean, rubber)


@pytest.mark.parametrize("name", ["orbit", "push", "mover"])
def test_exact_evidence_of_honest_clips_scores_high(name: str) -> None:
    assert min(numbers(epipolar_term, clips(name))) > 0.95
    assert min(numbers(held_out_view_term, clips(name))) > 0.75
    assert min(numbers(pose_divergence_term, clips(name))) > 0.9
    assert min(numbers(photometric_term, clips(name))) > 0.65
    assert min(numbers(parallax_seen_term, clips(name))) > 0.5
    assert min(numbers(continuity_guard, clips(name))) > 0.9
    assert min(numbers(picture_guard, clips(name))) == 1


@pytest.mark.parametrize("term", [parallax_seen_term, parallax_term])
def test_a_prompt_without_travel_owes_no_parallax(term: Term) -> None:
    """The text may say so without naming a path of the camera."""
    pan = clips("pan")
    for travels, told in ((False, False), (True, True)):
        asked = replace(pan, prompts=tuple(Prompt("a pan", facts={"travels": travels}) for _ in pan.prompts))
        assert evaluate("parallax", term, asked).applicable.tolist() == [told] * len(pan.prompts)


@pytest.mark.parametrize("name", ["zoom", "pan", "still"])
def test_the_gate_closes_without_parallax(name: str) -> None:
    assert max(v or 0.0 for v in values(parallax_seen_term, clips(name))) < 0.05


# against the nearest homography pans had 1 here, zooms .03 and .40
def test_the_gate_tells_travel_from_pans_and_zooms_with_estimated_flow() -> None:
    for name in ("pan", "zoom"):
        assert max(v or 0.0 for v in values(parallax_seen_term, by_estimators(name))) < 0.05, name
    assert min(numbers(parallax_seen_term, by_estimators("push"))) > 0.8


@pytest.mark.parametrize("name", ["pan", "zoom"])
def test_flow_that_lags_where_there_is_no_texture_proves_no_travel(name: str) -> None:
    evidence = clips(name)
    ahead, back = (
        flow * torch.where(textured(video)[..., None], 1.0, 0.5)
        for flow, video in (
            (evidence.forward_px, evidence.video[:, :-1]),
            (evidence.backward_px, evidence.video[:, 1:]),
        )
    )
    lagging = replace(evidence, forward_px=ahead, backward_px=back, c2w=torch.eye(4).expand_as(evidence.c2w))
    assert max(v or 0.0 for v in values(parallax_seen_term, lagging)) < 0.05  # against a homography: 1


def test_a_picture_gone_within_a_third_of_the_clip_tells_no_parallax() -> None:
    evidence = clips("orbit")
    pan = torch.zeros_like(evidence.forward_px)
    pan[..., 0] = evidence.video.shape[-1] / 3
    fast = replace(evidence, forward_px=pan, backward_px=-pan)
    assert parallax_seen_term(evidence).applicable.all()
    assert numbers(parallax_seen_term, fast) == [0.0, 0.0]  # single steps can be followed, and show none
    gone = replace(evidence, forward_px=3 * pan, backward_px=-3 * pan)
    assert not parallax_seen_term(gone).applicable.any()


def test_parallax_is_seen_in_single_steps_where_no_third_of_the_clip_can_be_followed() -> None:
    evidence = clips("orbit")
    lost, video = evidence.forward_px.clone(), evidence.video.clone()
    lost[:, (0, 3, 6), ..., 0] += 2.0  # steps that do not lead back, one at least in every third but the last
    video[:, FRAMES - 1 - FRAMES // 3 :] = 0.5  # which has nothing to tell parallax by
    unmoved = torch.eye(4).expand_as(evidence.c2w)  # depth and camera prove nothing
    steps = replace(evidence, forward_px=lost, video=video, c2w=unmoved)
    assert min(numbers(parallax_seen_term, steps)) > 0.25
    flat = replace(steps, video=torch.full_like(video, 0.5))
    assert max(numbers(parallax_seen_term, flat)) == 0.0


# measured: 1 with the correction; without it .13 and 0 at .6
@pytest.mark.parametrize("end", [0.6, 1.4])
def test_parallax_is_told_by_colours_also_while_the_exposure_drifts(end: float) -> None:
    def gates(name: str, last: float) -> list[float | None]:
        evidence = clips(name)
        gain = torch.linspace(1, last, FRAMES).view(-1, 1, 1, 1)
        video = (0.7 * evidence.video * gain).clamp(0, 1)
        unmoved = torch.eye(4).expand_as(evidence.c2w)  # depth and camera prove nothing
        return values(parallax_seen_term, replace(evidence, video=video, c2w=unmoved))

    assert min(v or 0.0 for v in gates("push", end)) > 0.9
    assert max(v or 0.0 for v in gates("pan", end) + gates("zoom", end)) < 0.05


def test_a_zoom_is_no_rigid_motion() -> None:
    assert max(numbers(pose_divergence_term, clips("zoom"))) < 0.5
    assert max(numbers(held_out_view_term, clips("zoom"))) < 0.7


def test_a_view_that_is_not_new_is_no_test() -> None:
    assert values(held_out_view_term, clips("still")) == [None, None]
    assert values(epipolar_term, clips("still")) == [None, None]
    assert values(pose_divergence_term, clips("still")) == [None, None]


def test_a_perceptual_distance_joins_in_the_held_out_view() -> None:
    far = numbers(held_out_view(lambda a, _b: torch.ones(len(a))), clips("orbit"))
    assert max(far) < 0.8 * min(numbers(held_out_view_term, clips("orbit")))


@pytest.mark.parametrize("name", ["orbit", "push"])
def test_flicker_is_seen_and_a_slow_drift_is_not_punished(name: str) -> None:
    clean = clips(name)
    sign = torch.tensor([(-1.0) ** t for t in range(FRAMES)]).view(1, -1, 1, 1, 1)
    drift = torch.linspace(1, 0.7, FRAMES).view(1, -1, 1, 1, 1)
    level = numbers(photometric_term, clean)
    assert max(numbers(photometric_term, replace(clean, video=clean.video * (0.9 + 0.1 * sign)))) < 0.1
    assert numbers(photometric_term, replace(clean, video=clean.video * drift)) == pytest.approx(level, abs=0.08)


def test_a_patch_that_flickers_is_seen() -> None:
    clean = clips("orbit")
    video = clean.video.clone()
    video[:, ::2, :, 20:50, 10:40] *= 0.6
    assert max(numbers(photometric_term, replace(clean, video=video))) < 0.75 * min(numbers(photometric_term, clean))


def test_a_cut_is_seen() -> None:
    video, other = clips("orbit").video.clone(), clips("return").video
    video[:, HALF:] = other[:, HALF:]
    flow = DISFlow()
    now, following = video[:, :-1].flatten(0, 1), video[:, 1:].flatten(0, 1)
    shape = clips("orbit").forward_px.shape
    cut = replace(
        clips("orbit"),
        video=video,
        forward_px=flow(now, following).view(shape),
        backward_px=flow(following, now).view(shape),
    )
    assert max(numbers(continuity_guard, cut)) < 0.75
    # in the step in which the prompt's camera turns fast it proves nothing, in another one it does
    for fast, seen in ((HALF - 1, False), (HALF + 2, True)):
        turn = torch.tensor([0.2 * (t > fast) for t in range(FRAMES)])  # radians
        c2w = torch.eye(4).repeat(FRAMES, 1, 1)
        c2w[:, 0, 0], c2w[:, 0, 2], c2w[:, 2, 0], c2w[:, 2, 2] = turn.cos(), turn.sin(), -turn.sin(), turn.cos()
        path = CameraPath(c2w, cut.K[:1].expand(FRAMES, 3, 3))
        asked = replace(cut, prompts=(Prompt("a scene", path, "", 0, {}),) * len(video))
        rise = [x - y for x, y in zip(numbers(continuity_guard, asked), numbers(continuity_guard, cut), strict=True)]
        assert (max(rise) == 0.0) if seen else (min(rise) > 0.1)


# measured: orbit 1, cut 0 to .10
@pytest.mark.parametrize("frames", [2, 3])
def test_a_cut_is_seen_where_no_step_is_usual(frames: int) -> None:
    def guard(video: Tensor) -> list[float]:
        return numbers(continuity_guard, estimated(clean, video, clean.depth_m))

    whole = clips("orbit")
    clean = replace(whole, depth_m=whole.depth_m[:, :frames], prompts=(None, None))
    video = whole.video[:, :frames]
    assert min(guard(video)) > 0.9
    assert max(guard(torch.cat([video[:, :-1], clips("return").video[:, HALF, None].flip(0)], 1))) < 0.3


@pytest.mark.parametrize("deviation", [0.05, 0.1, 0.25])
def test_noise_of_any_contrast_is_no_continuous_picture(deviation: float) -> None:
    clean = clips("orbit")
    noise = 0.5 + deviation * torch.randn(clean.video.shape, generator=torch.Generator().manual_seed(0))
    assert max(numbers(continuity_guard, estimated(clean, noise.clamp(0, 1), clean.depth_m))) < 0.1


def test_grain_and_a_strobe_are_continuous() -> None:
    clean = clips("orbit")
    grain = 0.03 * torch.randn(clean.video.shape, generator=torch.Generator().manual_seed(0))
    strobe = torch.tensor([1.0, 0.6] * FRAMES)[:FRAMES, None, None, None]
    for video in ((clean.video + grain).clamp(0, 1), clean.video * strobe):
        assert min(numbers(continuity_guard, estimated(clean, video, clean.depth_m))) > 0.8


def test_a_cut_falls_off_from_one_step_to_the_next_and_a_board_that_crosses_does_not() -> None:
    steps = {
        "board": [0.8, 0.8, 0.6, 0.4, 0.3, 0.45, 0.7, 0.8, 0.8],
        "cut": [0.8, 0.8, 0.8, 0.8, 0.1, 0.8, 0.8, 0.8, 0.8],
        "first step": [0.1, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8],
        "there and back": [0.8, 0.8, 0.8, 0.1, 0.1, 0.8, 0.8, 0.8, 0.8],
        "thrice": [0.8, 0.8, 0.1, 0.1, 0.1, 0.8, 0.8, 0.8, 0.8],
    }
    found = torch.tensor(list(steps.values()))
    kept = dict(zip(steps, (found / held_against(found)).amin(1).tolist(), strict=True))
    assert kept.pop("board") > 0.6
    assert max(kept.values()) < 0.13


def test_black_uniform_and_frozen_frames_are_seen() -> None:
    clean = clips("orbit")
    black = clean.video.clone()
    black[:, :6] = 0
    assert max(numbers(picture_guard, replace(clean, video=black))) < 0.6
    uniform = clean.video.clone()
    uniform[:, :6] = 0.5
    assert max(numbers(picture_guard, replace(clean, video=uniform))) < 0.6
    red = torch.tensor([0.8, 0.0, 0.2])[:, None, None] * torch.linspace(1, 0.7, FRAMES)[:, None, None, None]
    assert max(numbers(picture_guard, replace(clean, video=red.expand_as(clean.video)))) == 0  # of one colour each
    assert max(numbers(picture_guard, replace(clean, video=clean.video[:, :1].expand_as(clean.video)))) == 0


def test_what_is_plain_does_not_take_from_the_motion_of_what_is_not() -> None:
    """Flow finds no motion where a picture is plain, though the camera moves all of it."""
    clean = clips("orbit")
    whole = textured_motion(clean)
    assert torch.allclose(whole, motion(clean), rtol=0.3)
    for columns, share in ((32, 1.0), (6, 0.4)):  # of 64
        plain, still_ = clean.video.clone(), clean.forward_px.clone()
        plain[..., columns:] = plain[..., columns:].mean((-2, -1), keepdim=True)
        still_[..., columns:, :] = 0
        half = replace(clean, video=plain, forward_px=still_)
        assert (textured_motion(half) > 0.6 * share * whole).all()
        assert (motion(half) < 0.6 * share * whole).all()
    assert (textured_motion(replace(clean, video=torch.full_like(clean.video, 0.4))) == 0).all()


def test_texture_and_saturation_fall_where_pictures_do() -> None:
    clean = clips("orbit")
    smooth = torch.nn.functional.avg_pool2d(clean.video.flatten(0, 1), 9, 1, 4).view_as(clean.video)
    flat = replace(clean, video=torch.full_like(clean.video, 0.4))
    assert (texture(replace(clean, video=smooth)) < texture(clean)).all()
    assert (texture(flat) == 0).all()
    blown = replace(clean, video=(clean.video * 8 - 3.5).clamp(0, 1))
    assert (saturation(clean) > 0.95).all()
    assert (saturation(blown) < 0.6).all()


def test_refining_the_camera_helps_where_depth_is_noisy() -> None:
    clean = clips("orbit")
    true = torch.linalg.inv(torch.from_numpy(orbit()).float())[:1] @ torch.from_numpy(orbit()).float()
    coarse = torch.randn(2 * FRAMES, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    noise = torch.nn.functional.interpolate(coarse, (64, 64), mode="bicubic")[:, 0]
    depth = clean.depth_m.flatten(0, 1) * torch.exp(0.03 * noise)
    both = torch.cat([clean.forward_px.flatten(0, 1), clean.backward_px.flatten(0, 1)])
    errors = []
    for refined in (False, True):
        found = gather_evidence(
            clean.video, clean.K, clean.prompts, lambda _: depth, lambda _a, _b: both, refine_camera=refined
        )
        errors.append(float((found.c2w[:, :, :3, 3] - true[:, :3, 3]).norm(dim=-1).mean()))
    assert errors[1] < 0.7 * errors[0], errors


def test_what_a_touching_object_hides_is_no_change_of_volume() -> None:
    evidence = clips("orbit")
    assert evidence.segments is not None
    ids, depth_m = evidence.segments.clone(), evidence.depth_m.clone()
    for clip in range(len(ids)):
        for t in range(HALF, FRAMES):
            mine = evidence.segments[clip, t] == 1
            rows = torch.nonzero(mine.any(1)).flatten()
            cut = int(rows[len(rows) // 2])
            lower = mine.clone()
            lower[:cut] = False
            near = 0.935 * depth_m[clip, t][mine].quantile(0.1)
            ids[clip, t][lower], depth_m[clip, t][lower] = 0, 3 * near
            column = int(torch.nonzero(mine[cut - 1]).flatten()[0])
            ids[clip, t, cut, column : column + 2], depth_m[clip, t, cut, column : column + 2] = 99, near
    assert min(numbers(volume_term, replace(evidence, segments=ids, depth_m=depth_m))) > 0.8


def test_a_nearer_object_that_touches_another_may_hide_any_part_of_it() -> None:
    ids, depth_m = torch.zeros(12, 12, dtype=torch.int64), torch.full((12, 12), 4.0)
    ids[3:9, 5:7], depth_m[3:9, 5:7] = 1, 2.0  # a stand

    def beside(depth: float, pixels: int, instance: int = 2) -> bool:
        crossed, seen = ids.clone(), depth_m.clone()
        crossed[6 : 6 + pixels, 7:9], seen[6 : 6 + pixels, 7:9] = instance, depth
        return covered(seen, crossed, 1)

    assert beside(1.8, 2)
    assert not beside(1.8, 1)  # a mixed pixel
    assert not beside(1.92, 3)  # the table that it stands on
    assert not beside(3.0, 3)  # it hides that
    assert not beside(1.8, 3, instance=0)  # `in_full` sees to the scenery


def test_the_camera_explains_steps_back_as_well_as_steps_ahead() -> None:
    evidence = evidence_of([scene(orbit(60, frames=5))])
    nothing = torch.zeros_like(evidence.forward_px)
    ahead, back = unexplained(replace(evidence, forward_px=nothing, backward_px=nothing)).mean(2)[0].tolist()
    assert ahead < 0.02  # by the camera alone
    assert back < 1.5 * ahead
