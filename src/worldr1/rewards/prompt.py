"""Prompt term: are the objects and the ground of the prompt in the picture?"""

from __future__ import annotations

import torch

from worldr1.estimators.tagger import Tagger, tag
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term, TermResult
from worldr1.worlds.tiny.captions import TAGS


def prompt_term(tagger: Tagger) -> Term:
    """Mean probability, by a frame tagger, of what the prompt claims; abstains where it claims nothing known."""

    def term(evidence: Evidence) -> TermResult:
        probabilities = tag(tagger, evidence.video)
        values, applicable = [], []
        for p, prompt in zip(probabilities, evidence.prompts, strict=True):
            claims = [] if prompt is None else [*prompt.facts.get("objects", []), prompt.facts.get("ground")]
            known = [TAGS.index(c) for c in claims if c in TAGS]
            applicable.append(bool(known))
            values.append(p[known].mean() if known else p.new_zeros(()))
        mask = torch.tensor(applicable, device=probabilities.device)
        return TermResult(torch.stack(values), mask, "the prompt claims nothing that the tagger knows")

    return term
