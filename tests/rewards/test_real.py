"""Reward stacks of published models: the table, and tiny random networks of the same classes in its places."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, Dinov2Model

from estimators.sam2 import save_sam2
from vision_language import save_llava
from worldr1.estimators.perceptual import FeatureDistance
from worldr1.estimators.segments_sam2 import Sam2Segments
from worldr1.real_presets import weights_of
from worldr1.rewards.downscaled import Downscaled
from worldr1.rewards.general import GENERAL
from worldr1.rewards.published import STACKS, Part, RewardStack, describe_stack, get_stack
from worldr1.rewards.real import MEASURES, Level, level_of, load_networks, make_real_reward, term_names
from worldr1.types import Clip, Prompt, Rollout, Score

PROMPTS = [Prompt("a red box on grass"), Prompt("sand")]
LEVEL = Level(dict.fromkeys(MEASURES, 1e-3), {"sand": 0.2, "a red box on grass": 0.4})


def own(folder: Path) -> Part:
    return Part(str(folder), "none", False)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> RewardStack:
    """The default stack with small networks of its own classes, and a judge."""
    root = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    vision = {"hidden_size": 16, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    backbone = Dinov2Config(
        num_hidden_layers=4, out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False,
        apply_layernorm=True, **vision,
    )  # fmt: skip
    depth = DepthAnythingForDepthEstimation(
        DepthAnythingConfig(
            backbone_config=backbone, patch_size=14, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8],
            fusion_hidden_size=8, head_hidden_size=8,
        )
    )  # fmt: skip
    with torch.no_grad():
        depth.head.conv3.bias.fill_(1.0)  # a random head may answer nothing but zeros
    depth.save_pretrained(root / "depth")
    Dinov2Model(Dinov2Config(num_hidden_layers=1, **vision)).save_pretrained(root / "features")
    save_llava(root / "judge", ["user", "assistant", ":", *"0123456789"], initializer_range=0.5)
    named = get_stack("default", depth=str(root / "depth"), judge=str(root / "judge"))
    return replace(named, features=own(root / "features"), short_side=48)


def clip(seed: int, height: int = 64, width: int = 96) -> Clip:
    """A picture that drifts to the left."""
    picture = torch.rand(1, 3, height // 8, width // 4, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(picture, (height, 2 * width), mode="bicubic").clamp(0, 1)[0]
    return Clip(torch.stack([large[:, :, 2 * t : 2 * t + width] for t in range(6)]))


def test_every_part_has_an_address_and_a_licence() -> None:
    assert STACKS["default"].commercial
    assert STACKS["packaged"].commercial
    assert not STACKS["research"].commercial
    for stack in STACKS.values():
        for part in stack.parts().values():
            assert part.licence
            assert part.model.count("/") == 1 or part.source
        lines = describe_stack(stack)
        assert len(lines) == len(stack.parts())
        assert any("research only" in line for line in lines) == (not stack.commercial)
    assert any("Depth-Anything-V2-Small-hf, licence apache-2.0" in line for line in describe_stack(STACKS["default"]))


def test_stacks_are_chosen_by_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'research'"):
        get_stack("reserch")
    with pytest.raises(ValueError, match="packaged stack has no judge"):
        get_stack("packaged", judge="some/judge")
    chosen = get_stack("default", depth="me/depth", judge="Qwen/Qwen2.5-VL-7B-Instruct")
    assert chosen.depth.model == "me/depth"
    assert chosen.judge is not None
    assert chosen.judge.licence == "apache-2.0"
    assert not chosen.commercial  # nobody has said so of the depth network


def test_all_parts_of_a_stack_take_part_in_the_score(stack: RewardStack) -> None:
    reward = make_real_reward(stack, LEVEL)
    samples = [Rollout(p, clip(i), ()) for i, p in enumerate(PROMPTS)]
    scores = reward(samples)
    assert [list(s.parts) for s in scores] == [term_names(stack)] * 2
    assert set(term_names(stack)) == {*GENERAL, "semantic", *MEASURES}
    assert all(s.parts["semantic"] is not None for s in scores)
    assert all(0 <= v <= 1 for s in scores for v in s.parts.values() if v is not None)
    higher = make_real_reward(stack, replace(LEVEL, floors={**LEVEL.floors, "sharpness": 10.0}))
    assert higher(samples)[0].parts["sharpness"] < 0.1  # type: ignore[operator]
    harder = make_real_reward(stack, replace(LEVEL, answers={"sand": 0.9}))
    assert harder(samples)[1].parts["semantic"] < scores[1].parts["semantic"]  # type: ignore[operator]


def test_structure_from_motion_is_a_part_with_a_term_and_a_licence(stack: RewardStack) -> None:
    named = get_stack("default", camera="pycolmap")
    assert named.commercial
    assert any(line.startswith("camera: pycolmap (structure") for line in describe_stack(named))
    assert "sfm" in term_names(named)
    score = make_real_reward(replace(stack, camera=named.camera), LEVEL)([Rollout(PROMPTS[0], clip(0), ())])[0]
    assert score.parts["sfm"] is None  # a flat picture of a few pixels
    assert "too few features" in score.notes["sfm"]


def test_a_learned_camera_is_a_second_opinion_and_no_term() -> None:
    named = get_stack("default", camera="vggt")
    assert not named.commercial
    assert any(line.startswith("camera: vggt (facebook/VGGT-1B)") for line in describe_stack(named))
    assert "sfm" not in term_names(named)
    assert "sfm" in term_names(get_stack("default", camera="pycolmap"))
    with pytest.raises(ValueError, match="pycolmap, vggt, depth-anything-3"):
        get_stack("default", camera="colmap")


def test_objects_are_a_part_with_a_term_and_a_licence(stack: RewardStack, tmp_path: Path) -> None:
    named = get_stack("default", segments="facebook/sam2.1-hiera-tiny")
    assert named.commercial
    assert "segments: facebook/sam2.1-hiera-tiny, licence apache-2.0" in describe_stack(named)
    assert "volume" not in term_names(stack)
    save_sam2(tmp_path)
    chosen = replace(stack, segments=own(tmp_path), judge=None, features=None)
    reward = make_real_reward(chosen, LEVEL)
    networks = load_networks(chosen)
    assert isinstance(networks.segments, Sam2Segments)
    networks.segments.points, networks.segments.looks = 2, 1  # for speed
    score = reward([Rollout(PROMPTS[0], clip(0), ())])[0]
    assert list(score.parts) == term_names(chosen)
    assert "volume" in weights_of(chosen)
    plain, seen = reward.reward.terms["reappearance"], make_real_reward(replace(chosen, features=stack.features), LEVEL)
    assert plain is GENERAL["reappearance"]
    assert seen.reward.terms["reappearance"] is not plain  # what objects look like is compared by the features too
    assert score.notes["volume"] == "no whole object is seen from different sides"  # there are segments, all empty


def test_the_level_is_the_mean_of_the_clips_and_the_judges_answers(stack: RewardStack) -> None:
    clips = [clip(0), clip(1)]
    level = level_of(stack, PROMPTS, clips)
    alone = [level_of(stack, [p], [c]) for p, c in zip(PROMPTS, clips, strict=True)]
    for name in MEASURES:
        assert level.floors[name] == pytest.approx(sum(a.floors[name] for a in alone) / 2)
        assert level.floors[name] > 0
    assert level.answers.keys() == {p.text for p in PROMPTS}
    assert level.answer(PROMPTS[0]) == level.answers[PROMPTS[0].text]
    assert level.answer(Prompt("never seen")) == pytest.approx(sum(level.answers.values()) / 2)


def test_the_distance_of_features_is_zero_for_the_same_picture_only(stack: RewardStack) -> None:
    distance = load_networks(stack).perceptual
    assert isinstance(distance, FeatureDistance)
    a, b = clip(0).video, clip(1).video
    torch.testing.assert_close(distance(a, a), torch.zeros(6), atol=1e-6, rtol=0)
    assert (distance(a, b) > 1e-3).all()


class Differs(torch.nn.Module):
    """Stands in for lpips.LPIPS: pictures in [-1, 1], or in [0, 1] with ``normalize``; an answer ``[n, 1, 1, 1]``."""

    def __init__(self, net: str, verbose: bool) -> None:
        super().__init__()
        assert (net, verbose) == ("alex", False)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, a: Tensor, b: Tensor, normalize: bool = False) -> Tensor:
        a, b = (2 * a - 1, 2 * b - 1) if normalize else (a, b)
        return self.weight * (a - b).abs().mean((1, 2, 3), keepdim=True)


def test_lpips_takes_part_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("lpips")
    fake.LPIPS = Differs  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lpips", fake)
    packaged = get_stack("packaged")
    with_lpips = replace(packaged, features=Part("lpips", "bsd-2-clause", True))
    distance = load_networks(with_lpips).perceptual
    assert distance is not None
    a = torch.zeros(2, 3, 8, 8)
    torch.testing.assert_close(distance(a, a + torch.tensor([0.0, 0.25]).view(2, 1, 1, 1)), torch.tensor([0.0, 0.5]))


def test_clips_are_shown_small_and_one_by_one() -> None:
    seen: list[torch.Size] = []

    class Looks:
        differentiable = False

        def __call__(self, samples: list[Rollout | Clip]) -> list[Score]:
            seen.extend(s.video.shape for s in samples if isinstance(s, Clip))
            assert len(samples) == 1
            return [Score(float(samples[0].video.mean()))]  # type: ignore[union-attr]

    clips = [clip(0), clip(1), clip(2, 32, 48)]
    scores = Downscaled(Looks(), 32)(clips)
    assert seen == [(6, 3, 32, 48)] * 3
    assert [s.value for s in scores] == [pytest.approx(float(c.video.mean()), abs=1e-3) for c in clips]


def test_a_part_that_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"cannot load its depth, .*packaged needs nothing from elsewhere"):
        load_networks(get_stack("default", depth=str(tmp_path)))
    packaged = replace(get_stack("packaged"), judge=own(tmp_path))
    with pytest.raises(ValueError, match=r"cannot load its judge, .*; leave --judge out$"):
        load_networks(packaged)
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("worldr1.estimators.structure.find_spec", lambda _name: None)
    with_camera = replace(get_stack("default", camera="pycolmap"), depth=STACKS["packaged"].depth, features=None)
    with pytest.raises(ValueError, match=r"cannot load its camera, pycolmap.*worldr1\[colmap\]"):
        load_networks(with_camera)
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ValueError, match=r"cannot load its features, lpips.*worldr1\[lpips\]"):
        load_networks(replace(get_stack("packaged"), name="no lpips", features=Part("lpips", "bsd-2-clause", True)))
    raft = replace(get_stack("packaged"), flow=STACKS["research"].flow)
    with pytest.raises(ValueError, match=r"cannot load its flow, raft_large.*worldr1\[raft\]"):
        load_networks(raft)
