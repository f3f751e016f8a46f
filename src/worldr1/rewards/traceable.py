"""Which clips show enough texture for the terms that rest on flow: elsewhere flow is a guess, and so is the camera."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.term import Term, TermResult

# of the scene, near texture: below the first it is plain, above the second it is not, and between it is where less than
# the third is near even faint texture, which grain is too. Near that kind rendered scenes in plain colours have .41 to
# .72, others .84 or more
LEAST_SHARE, ENOUGH, LEAST_FAINT = 0.45, 0.66, 0.78
_REASON = "the picture has too little texture for its motion to be followed"


def traceable(evidence: Evidence) -> Tensor:
    """Clips ``[b]`` that begin with texture near enough of the scene."""
    strong, faint = evidence.textured_shares
    return (strong >= ENOUGH) | (strong >= LEAST_SHARE) & (faint >= LEAST_FAINT)


def where_traceable(term: Term) -> Term:
    """The term, abstaining where a clip is not `traceable`."""

    def held(evidence: Evidence) -> TermResult:
        result, found = term(evidence), traceable(evidence)
        if bool(found.all()):
            return result
        reasons = tuple(result.reason_of(i) if ok else _REASON for i, ok in enumerate(found.tolist()))
        return replace(result, applicable=result.applicable & found, reason=reasons)

    return held
