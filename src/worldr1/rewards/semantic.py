"""Semantic term: what the prompt says is seen, and well made, by a judge, relative to the base model's own sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term, TermResult
from worldr1.types import Prompt

WIDTH = 0.1  # of the judge's scale: one step of ten above the base's own sample is logistic(1) = .73
QUESTION = 'Does this picture show "{prompt}", and how well is it made? Answer with one digit from 0 (not at all) to 9.'
_REASON = "there is no sample of the base model for this prompt"


class Judge(Protocol):
    """Answers a question with a digit about each picture, as an expectation in [0, 1]."""

    def __call__(self, frames: Tensor, questions: list[str]) -> Tensor: ...


def fixed_frames(num_frames: int, count: int = 4) -> list[int]:
    """The middles of ``count`` equal stretches, in short clips also the ends: never chosen by how they look."""
    return sorted({round((i + 0.5) * num_frames / count - 0.5) for i in range(count)})


def judged(judge: Judge, video: Tensor, prompt: Prompt, count: int = 4) -> Tensor:
    """Mean over `fixed_frames` of the judge's answer about a clip ``[f, 3, h, w]``; 0-d."""
    frames = video[fixed_frames(len(video), count)]
    return judge(frames, [QUESTION.format(prompt=prompt.text)] * len(frames)).mean()


def calibrate(judge: Judge, samples: Mapping[str, Tensor]) -> dict[str, float]:
    """The judge's answers about the base model's own clips ``[f, 3, h, w]``, by prompt text."""
    return {text: float(judged(judge, video, Prompt(text))) for text, video in samples.items()}


def semantic(judge: Judge, base: Mapping[str, float] | Callable[[Prompt], float | None]) -> Term:
    """logistic((s − s_base)/.1): the judge's answer against its answer about the base model's sample.

    ``base`` comes from `calibrate`, or is a function of the prompt. Abstains where it has nothing for the prompt, so
    that a prompt is never rewarded for being easy.
    """
    known = base if callable(base) else lambda prompt: base.get(prompt.text)

    def term(evidence: Evidence) -> TermResult:
        values, told = [], []
        for video, prompt in zip(evidence.video, evidence.prompts, strict=True):
            level = None if prompt is None else known(prompt)
            told.append(level is not None)
            if prompt is None or level is None:
                values.append(video.new_zeros(()))
            else:
                values.append(torch.sigmoid((judged(judge, video, prompt).to(video) - level) / WIDTH))
        mask = torch.tensor(told, device=evidence.video.device)
        return TermResult(torch.stack(values), mask, _REASON)

    return term
