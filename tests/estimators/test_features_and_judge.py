"""DINOv2 features and a vision-language judge: tiny random models of the real classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import (
    Dinov2Config,
    Dinov2Model,
)

from vision_language import save_llava, tokenizer_of
from worldr1.estimators.features import TransformersFeatures
from worldr1.estimators.judge import TransformersJudge, digit_tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vlm")
    # digits out of order: nothing may rest on their ids
    save_llava(path, ["user", "assistant", ":", "good?", *"7301952684"], initializer_range=0.5)
    return path


def noise(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 20, 24, generator=torch.Generator().manual_seed(seed))


def test_the_judge_is_the_expectation_over_the_digits(folder: Path) -> None:
    judge, frames = TransformersJudge(folder), noise(3)
    found = judge(frames, ["good?"] * 3)
    assert found.shape == (3,)
    assert ((found > 0) & (found < 1)).all()
    processor, model = judge._processor, judge._model
    from PIL import Image

    picture = Image.fromarray((frames[1] * 255).round().byte().permute(1, 2, 0).numpy())
    inputs = processor(text="user : <image> good? assistant : ", images=[picture], return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits[0, -1]
    ids = [processor.tokenizer.convert_tokens_to_ids(d) for d in "0123456789"]
    p = logits[ids].softmax(-1)
    expected = sum(k * float(p[k]) for k in range(10)) / 9
    assert float(found[1]) == pytest.approx(expected, abs=1e-4)
    assert float((found[0] - found[1]).abs()) > 1e-6  # it looks at the picture


def test_pictures_are_judged_together_as_one_by_one(folder: Path) -> None:
    judge, frames = TransformersJudge(folder), noise(5)
    questions = ["good?", "user good?", "good?", "good?", "user good?"]  # of two lengths
    shown: list[int] = []
    judge._model.register_forward_pre_hook(
        lambda _m, _a, given: shown.append(len(given["input_ids"])), with_kwargs=True
    )
    together = judge(frames, questions, batch=2)
    assert shown == [2, 1, 2]
    alone = torch.cat([judge(frames[i : i + 1], questions[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert len({round(float(v), 5) for v in together}) == 5


def test_each_frame_needs_its_question(folder: Path) -> None:
    with pytest.raises(ValueError, match="as many questions"):
        TransformersJudge(folder)(noise(2), ["good?"])


def test_a_tokenizer_without_digits_and_a_missing_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="digit"):
        digit_tokens(tokenizer_of(["user", *"012345678"]))
    with pytest.raises(ValueError, match="no vision-language model"):
        TransformersJudge(tmp_path / "none")


def test_features_are_unit_class_tokens(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)
    Dinov2Model(config).save_pretrained(tmp_path)
    features = TransformersFeatures(tmp_path, side=28)
    pictures = torch.cat([noise(2), noise(1)])
    found = features(pictures, batch=2)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(found[0], found[2])
    assert float((found[0] - found[1]).norm()) > 1e-3
    same_size = noise(1).new_ones(1, 3, 28, 28) * 0.5
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    pixels = (same_size - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    with torch.inference_mode():
        token = Dinov2Model.from_pretrained(tmp_path).eval()(pixel_values=pixels).last_hidden_state[:, 0]
    torch.testing.assert_close(features(same_size), torch.nn.functional.normalize(token, dim=-1), atol=1e-4, rtol=1e-4)
