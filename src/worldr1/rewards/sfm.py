"""Sfm term: does structure from motion, which knows neither depth nor flow, find one rigid world and its camera?"""

from __future__ import annotations

from collections.abc import Sequence

from worldr1.estimators.structure import Structure
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import TermResult

_NOT_ASKED = "no structure from motion was asked for"


def sfm_term(evidence: Evidence) -> TermResult:
    """`Structure.reliability`: registered share × points × track length × exp(−reprojection error / tolerance).

    Abstains where too few features can be followed or nothing shows parallax (the gate judges that). A clip whose
    features can be followed, with parallax between them, but on no common camera has 0.
    """
    structures: Sequence[Structure | None] = evidence.structures or [None] * len(evidence.video)
    reasons = [_NOT_ASKED if s is None else s.silent for s in structures]
    values = [0.0 if s is None else s.reliability() for s in structures]
    told = [not reason for reason in reasons]
    new = evidence.video.new_tensor
    return TermResult(new(values), new(told).bool(), tuple(reasons))
