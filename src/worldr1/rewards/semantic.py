"""Semantic term: what the prompt says is seen, and well made, by a judge, relative to the base model's own sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from worldr1.estimators.judge import Judge
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term, TermResult
from worldr1.types import Prompt

WIDTH = 0.1  # of the judge's scale: one step of ten above the base's own sample is logistic(1) = .73
QUESTION = 'Does this picture show "{prompt}", and how well is it made? Answer with one digit from 0 (not at all) to 9.'
_REASON = "there is no sample of the base model for this prompt"


def fixed_frames(num_frames: int, count: int = 4) -> list[int]:
    """The middles of ``count`` equal stretches, in short clips also the ends: never chosen by how they look."""
    return sorted({round((i + 0.5) * num_frames / count - 0.5) for i in range(count)})


def judged(judge: Judge, videos: Sequence[Tensor], prompts: Sequence[Prompt], count: int = 4) -> Tensor:
    """Mean over `fixed_frames` of the judge's answers about clips ``[f, 3, h, w]`` of one size: ``[b]``.

    All frames are asked about in one call. What the judge raises is passed on: an error is no score.
    """
    chosen = [video[fixed_frames(len(video), count)] for video in videos]
    questions = [QUESTION.format(prompt=p.text) for p, frames in zip(prompts, chosen, strict=True) for _ in frames]
    answers = judge(torch.cat(chosen), questions)
    return torch.stack([part.mean() for part in answers.split([len(frames) for frames in chosen])])


def calibrate(judge: Judge, samples: Mapping[str, Tensor]) -> dict[str, float]:
    """The judge's answers about the base model's own clips ``[f, 3, h, w]``, by prompt text."""
    return {text: float(judged(judge, [video], [Prompt(text)])) for text, video in samples.items()}


def semantic(judge: Judge, base: Mapping[str, float] | Callable[[Prompt], float | None]) -> Term:
    """logistic((s − s_base)/.1): the judge's answer against its answer about the base model's sample.

    ``base`` comes from `calibrate`, or is a function of the prompt. Abstains where it has nothing for the prompt, so
    that a prompt is never rewarded for being easy.
    """
    known = base if callable(base) else lambda prompt: base.get(prompt.text)

    def term(evidence: Evidence) -> TermResult:
        levels = [None if prompt is None else known(prompt) for prompt in evidence.prompts]
        told = [i for i, level in enumerate(levels) if level is not None]
        values, mask = evidence.video.new_zeros(len(levels)), torch.zeros(len(levels), dtype=torch.bool)
        if told:
            prompts = [p for i in told if (p := evidence.prompts[i]) is not None]
            answers = judged(judge, [evidence.video[i] for i in told], prompts).to(values)
            base_level = values.new_tensor([levels[i] for i in told])
            values[told], mask[told] = torch.sigmoid((answers - base_level) / WIDTH), True
        return TermResult(values, mask.to(values.device), _REASON)

    return term
