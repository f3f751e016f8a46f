"""Depth networks: tiny random ones of the real classes, against the library's own pipeline where it has one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DepthProConfig,
    DepthProForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
    GLPNConfig,
    PreTrainedModel,
    ZoeDepthConfig,
    ZoeDepthForDepthEstimation,
)

from worldr1.estimators.depth import MAX_DEPTH_M, TransformersDepth, family_of
from worldr1.estimators.registry import make_depth
from worldr1.rewards.evidence import gather_evidence


def depth_anything(kind: str = "relative") -> PreTrainedModel:
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=8, depth_estimation_type=kind, max_depth=20 if kind == "metric" else 1,
    )  # fmt: skip
    return alive(DepthAnythingForDepthEstimation(config))


def dpt() -> PreTrainedModel:
    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    return alive(DPTForDepthEstimation(config))


def zoedepth() -> PreTrainedModel:
    from transformers import BeitConfig

    backbone = BeitConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False,
        use_relative_position_bias=True,
    )  # fmt: skip
    config = ZoeDepthConfig(
        backbone_config=backbone, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, bottleneck_features=8,
        num_relative_features=8, bin_embedding_dim=8, num_attractors=[4, 2, 2, 1],
        bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}],
    )  # fmt: skip
    return alive(ZoeDepthForDepthEstimation(config))


def depth_pro() -> PreTrainedModel:
    vit = {"model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
           "image_size": 16, "patch_size": 8}  # fmt: skip
    config = DepthProConfig(
        fusion_hidden_size=8, patch_size=16, intermediate_hook_ids=[1, 0], intermediate_feature_dims=[8, 8],
        scaled_images_feature_dims=[8, 8, 8], image_model_config=vit, patch_model_config=vit, fov_model_config=vit,
        use_fov_model=True, num_fov_head_layers=1,
    )  # fmt: skip
    return alive(DepthProForDepthEstimation(config))


def alive(model: PreTrainedModel) -> PreTrainedModel:
    """Random weights large enough for the answer to depend on the picture and not vanish in a rectifier."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            fan_in = parameter[0].numel()
            parameter.data.normal_(0, (2.0 / fan_in) ** 0.5, generator=generator)
    heads = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.out_channels == 1]
    for head in heads:
        assert head.bias is not None
        head.bias.data.fill_(1.0)
        head.weight.data.abs_()
    return model.eval()


BUILDERS: dict[str, Callable[[], PreTrainedModel]] = {
    "depth_anything": depth_anything,
    "dpt": dpt,
    "zoedepth": zoedepth,
    "depth_pro": depth_pro,
}


def frames(count: int = 3, height: int = 48, width: int = 64, seed: int = 0) -> Tensor:
    coarse = torch.rand(count, 3, 6, 8, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return (smooth * 255).round() / 255


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_class_answers_frames_of_any_size(kind: str, tmp_path: Path) -> None:
    BUILDERS[kind]().save_pretrained(tmp_path)
    short = {"depth_anything": 42, "dpt": 64, "zoedepth": 64, "depth_pro": None}[kind]
    estimator = TransformersDepth(tmp_path, short_side=short)
    for height, width in ((48, 64), (33, 50)):
        depth = estimator(frames(3, height, width))
        assert depth.shape == (3, height, width)
        assert depth.min() >= 0.05
        assert depth.max() <= MAX_DEPTH_M
        assert depth.std() > 1e-4  # it looks at the picture
    assert estimator.clipwise is (kind in ("depth_anything", "dpt"))
    assert estimator.metric is (kind in ("zoedepth", "depth_pro"))


def pictures(video: Tensor) -> list[Image.Image]:
    return [Image.fromarray((f * 255).round().byte().permute(1, 2, 0).numpy()) for f in video]


@pytest.mark.parametrize("kind", ["depth_anything", "dpt"])
def test_the_numbers_are_those_of_the_librarys_pipeline(kind: str) -> None:
    from transformers import DPTImageProcessor, pipeline

    model, video = BUILDERS[kind](), frames()
    side = {"depth_anything": 42, "dpt": 64}[kind]
    estimator = TransformersDepth(model, short_side=side)
    processor = DPTImageProcessor(
        size={"height": side, "width": side}, keep_aspect_ratio=kind == "depth_anything", resample=3,
        ensure_multiple_of=14 if kind == "depth_anything" else 1,
        image_mean=list(estimator.family.mean), image_std=list(estimator.family.std),
    )  # fmt: skip
    answers = pipeline("depth-estimation", model=model, image_processor=processor)(pictures(video))
    expected = torch.stack([a["predicted_depth"] for a in answers])
    with torch.inference_mode():
        raw = estimator.answer(estimator.normalise(video))
    found = torch.nn.functional.interpolate(raw[:, None], expected.shape[-2:], mode="bicubic")[:, 0]
    # the library rounds the resized picture to bytes
    assert (found - expected).abs().mean() < 0.03 * expected.std()


def test_zoedepths_input_is_the_librarys() -> None:
    from transformers import ZoeDepthImageProcessor

    video = frames(2, 96, 144)  # larger than the input: enlarged, the library rounds otherwise
    estimator = TransformersDepth(zoedepth(), short_side=64)
    processor = ZoeDepthImageProcessor(
        do_pad=False, size={"height": 64, "width": 64}, ensure_multiple_of=32, keep_aspect_ratio=True
    )
    expected = processor(pictures(video), return_tensors="pt")["pixel_values"]
    found = estimator.normalise(video)
    assert found.shape[-2:] == (64, 96)
    assert expected.shape[-2:] == (64, 96)
    assert (found - expected).abs().mean() < 0.05


@pytest.mark.parametrize(("height", "width"), [(96, 144), (96, 64)], ids=["shrunk", "own size"])
def test_zoedepths_metres_are_the_librarys(height: int, width: int) -> None:
    from transformers import ZoeDepthImageProcessorPil

    model, video = zoedepth(), frames(2, height, width)
    estimator = TransformersDepth(model, short_side=64)
    processor = ZoeDepthImageProcessorPil(
        do_pad=False, size={"height": 64, "width": 64}, ensure_multiple_of=32, keep_aspect_ratio=True
    )
    with torch.inference_mode():
        # the library's own pipeline enlarges this with torchvision
        expected = model(**processor(pictures(video), return_tensors="pt")).predicted_depth
        found = estimator.answer(estimator.normalise(video))
    tolerance = 0.0 if width == 64 else 0.1  # of what the depth varies by; measured .037: the library rounds to bytes
    assert found.shape == expected.shape
    assert (found - expected).abs().mean() <= tolerance * expected.std()
    depth = torch.nn.functional.interpolate(expected[:, None], (height, width), mode="bilinear")[:, 0]
    # a call computes in bfloat16
    torch.testing.assert_close(estimator(video), depth.clamp(0.05, MAX_DEPTH_M), atol=0.1, rtol=0.1)


def test_depth_pro_becomes_metres_by_its_own_field_of_view() -> None:
    model, video = depth_pro(), frames(2, 64, 64)
    estimator = TransformersDepth(model)
    with torch.inference_mode():
        output = model(pixel_values=estimator.normalise(video))
        answer = estimator.answer(estimator.normalise(video))
    focal = 0.5 * 64 / np.tan(np.radians(output.field_of_view.numpy()) / 2)
    expected = output.predicted_depth * torch.from_numpy(64 / focal).float().view(-1, 1, 1)
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-5)
    canonical = torch.tensor([0.5, 2.0]).view(1, 1, 2)
    torch.testing.assert_close(estimator.to_metres(canonical), torch.tensor([2.0, 0.5]).view(1, 1, 2))


def test_relative_depth_depends_on_its_clip_alone() -> None:
    estimator = TransformersDepth(depth_anything(), short_side=28)
    clips = torch.stack([frames(3, 28, 28, seed) * level for seed, level in enumerate((1.0, 0.3, 0.1))])
    K = torch.tensor([[28.0, 0, 14], [0, 28, 14], [0, 0, 1]]).expand(3, 3, 3)

    def no_flow(first: Tensor, _second: Tensor) -> Tensor:
        return torch.zeros(len(first), 28, 28, 2)

    together = gather_evidence(clips, K, [None] * 3, estimator, no_flow)
    assert not together.metric
    for i in range(3):
        alone = gather_evidence(clips[i : i + 1], K[:1], [None], estimator, no_flow)
        torch.testing.assert_close(together.depth_m[i], alone.depth_m[0])
        assert together.depth_m[i].median() == pytest.approx(3.0, rel=0.02)


def test_metric_depth_is_left_as_it_is() -> None:
    model = depth_anything("metric")
    estimator = TransformersDepth(model, short_side=28)
    assert estimator.metric
    raw = torch.tensor([0.001, 2.0, 50.0])
    torch.testing.assert_close(estimator.to_metres(raw), torch.tensor([0.05, 2.0, MAX_DEPTH_M]))


def test_the_packaged_network_sees_frames_in_their_own_size() -> None:
    packaged = TransformersDepth()
    assert packaged.metric
    patch = packaged.family.multiple
    assert packaged.input_size(32, 32) == [round(32 / patch) * patch] * 2
    assert packaged.input_size(128, 224) == [round(s / patch) * patch for s in (128, 224)]


def test_the_network_for_general_worlds_sees_frames_as_large_as_it_was_trained_on() -> None:
    world = make_depth("world")
    assert isinstance(world, TransformersDepth)
    assert world.metric
    assert world.input_size(48, 48) == [128, 128]
    assert world.input_size(256, 448) == [128, 224]
    assert world(frames(2, 48, 80)).shape == (2, 48, 80)
    assert 0.3e6 < sum(p.numel() for p in world.model.parameters()) < 2.5e6


def test_other_models_are_refused() -> None:
    with pytest.raises(ValueError, match="glpn"):
        family_of(GLPNConfig())


def test_inverse_depth_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="not positive"):
        TransformersDepth(depth_anything()).to_metres(torch.full((1, 4, 4), -1.0))
