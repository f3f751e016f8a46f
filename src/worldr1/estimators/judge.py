"""A judge: any vision-language model that `transformers` loads, read off as an expectation over digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from worldr1.vision_language import load_vision_language

DIGITS = "0123456789"
Picture = npt.NDArray[np.uint8]  # [h, w, 3] RGB


def check_questions(frames: Tensor, questions: list[str]) -> None:
    """Raise ``ValueError`` when there are not as many questions as frames."""
    if len(frames) != len(questions):
        raise ValueError(f"{len(frames)} frames need as many questions, not {len(questions)}")


def to_bytes(frames: Tensor) -> list[Picture]:
    """Frames ``[n, 3, h, w]`` in [0, 1] as a judge is shown them."""
    return list((frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())


class Judge(Protocol):
    """Answers a question with a digit about each picture, as an expectation in [0, 1]; raises without an answer."""

    def __call__(self, frames: Tensor, questions: list[str]) -> Tensor: ...


def digit_tokens(tokenizer: Any) -> list[int]:
    """The token of each digit as an answer would start with it; ``ValueError`` where one has no token of its own."""
    unknown, found = tokenizer.unk_token_id, []
    for digit in DIGITS:
        ids = tokenizer.encode(digit, add_special_tokens=False)
        # some tokenizers put a word-start marker in front: the digit is then the last of two
        if not ids or ids[-1] == unknown or digit not in tokenizer.decode(ids[-1:]):
            raise ValueError(f"the judge's tokenizer has no token for the digit {digit}; use another model")
        found.append(int(ids[-1]))
    if len(set(found)) != len(DIGITS):
        raise ValueError("the judge's tokenizer does not tell digits apart; use another model")
    return found


class TransformersJudge:
    """Answers questions about pictures with the expected digit, as a share of 9.

    The expectation over the digits' probabilities is finer than the likeliest digit and needs one forward pass.
    ``model`` is a folder or a hub id. Raises ``ValueError`` where there is no such model, or it cannot chat.
    """

    def __init__(self, model: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self._processor, self._model = load_vision_language(model, device, dtype)
        self._digits = digit_tokens(self._processor.tokenizer)
        self.name = str(model)

    @torch.inference_mode()
    def __call__(self, frames: Tensor, questions: list[str], batch: int = 8) -> Tensor:
        """Expected digit / 9, ``[n]``, of ``frames`` ``[n, 3, h, w]`` in [0, 1], each with its question.

        Frames that share their question are shown together, ``batch`` at once. Raises ``ValueError`` when there are
        not as many questions as frames.
        """
        check_questions(frames, questions)
        pictures = to_bytes(frames)
        values = torch.empty(len(frames), dtype=torch.float32)
        # pictures of one size with one question become as many tokens: padding would shift the answer
        for question in dict.fromkeys(questions):
            same = [i for i, q in enumerate(questions) if q == question]
            for start in range(0, len(same), batch):
                rows = same[start : start + batch]
                values[rows] = self._expected([pictures[i] for i in rows], question)
        return values.to(frames.device)

    def _expected(self, pictures: list[Picture], question: str) -> Tensor:
        chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
        text = self._processor.apply_chat_template(chat, add_generation_prompt=True)
        images = [[Image.fromarray(picture)] for picture in pictures]  # a list for each text
        inputs = self._processor(text=[text] * len(images), images=images, return_tensors="pt")
        logits = self._model(**inputs.to(self._model.device)).logits[:, -1, self._digits].float()
        levels = torch.arange(len(DIGITS), device=logits.device, dtype=logits.dtype)
        expected: Tensor = logits.softmax(-1) @ levels / levels[-1]
        return expected.cpu()
