"""Which clips show enough texture for the terms that rest on flow: elsewhere flow is a guess, and so is the camera."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term, TermResult

LEAST_SHARE = 0.5  # of the scene that must be near texture; rendered scenes in plain colours have .2 to .67
_REASON = "the picture has too little texture for its motion to be followed"


def traceable(evidence: Evidence) -> Tensor:
    """Clips ``[b]`` that begin with texture near enough of the scene."""
    return evidence.textured_share >= LEAST_SHARE


def where_traceable(term: Term) -> Term:
    """The term, abstaining where a clip is not `traceable`."""

    def held(evidence: Evidence) -> TermResult:
        result, found = term(evidence), traceable(evidence)
        if bool(found.all()):
            return result
        reasons = tuple(result.reason_of(i) if ok else _REASON for i, ok in enumerate(found.tolist()))
        return replace(result, applicable=result.applicable & found, reason=reasons)

    return held
