"""The in-process vision-language model: a tiny random LLaVA of the real classes, built here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vision_language import save_llava
from worldr1.worlds.captions.caption import Captioner
from worldr1.worlds.captions.realiser import realise
from worldr1.worlds.captions.vlm import TransformersRewriter
from worlds.captions.records import hand_record


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that knows the words of one caption and says random ones."""
    path = tmp_path_factory.mktemp("vlm")
    words = set(realise(hand_record(), "short").text.split()) | {"user", "assistant", "system", ":", "Facts"}
    save_llava(path, sorted(words))
    return path


def test_a_random_model_talks_and_is_refused(folder: Path) -> None:
    record = hand_record()
    frames = np.random.default_rng(0).integers(0, 255, (17, 24, 24, 3), dtype=np.uint8)
    rewriter = TransformersRewriter(folder, max_frames=4, max_new_tokens=12)
    captioner = Captioner(("short",), rewriter)
    (caption,) = captioner(record, frames)
    assert caption == realise(record, "short")
    assert captioner.tally == {"realiser, rewriter refused": 1}
    assert "not the JSON" in captioner.notes[0]


def test_it_answers_from_the_pictures_it_is_shown(folder: Path) -> None:
    """The frames reach the model: two pictures are two runs of image tokens, and other pixels are other logits."""
    rewriter = TransformersRewriter(folder, max_new_tokens=1)
    seen: list[torch.Tensor] = []
    rewriter._model.register_forward_hook(lambda _m, _i, out: seen.append(out.logits[0, -1]))
    ask = [{"role": "user", "content": "Facts"}]
    dark, light = np.zeros((2, 24, 24, 3), np.uint8), np.full((2, 24, 24, 3), 255, np.uint8)
    for frames in (dark, light, dark, None):
        assert isinstance(rewriter.ask(ask, frames), str)
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[3])


def test_no_such_model_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no vision-language model"):
        TransformersRewriter(tmp_path)
