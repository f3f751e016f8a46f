"""Which clips show enough texture for the terms that rest on flow: elsewhere flow is a guess, and so is the camera."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor
from torch.nn.functional import max_pool2d

from worldr1.rewards.evidence import Evidence
from worldr1.rewards.parallax import textured
from worldr1.rewards.term import Term, TermResult
from worldr1.rewards.tracks import FAR_M

LEAST_SHARE = 0.3  # of the scene that must be near texture; rendered scenes in plain colours have .2 to .67
_REACH = 32  # near is a 32nd of the picture's shorter side
_REASON = "the picture has too little texture for its motion to be followed"


def traceable(evidence: Evidence) -> Tensor:
    """Clips ``[b]`` that begin with texture near most of what is closer than 15 m.

    Only the first quarter is looked at: a clip must not escape by losing its texture on the way.
    """
    early = max(1, evidence.video.shape[1] // 4)
    reach = max(1, min(evidence.video.shape[-2:]) // _REACH)
    near_texture = max_pool2d(textured(evidence.video[:, :early]).float(), 2 * reach + 1, 1, reach)
    scene = (evidence.depth_m[:, :early] < FAR_M).float()
    share: Tensor = (near_texture * scene).sum((1, 2, 3)) / scene.sum((1, 2, 3)).clamp(min=1)
    return share >= LEAST_SHARE


def where_traceable(term: Term) -> Term:
    """The term, abstaining where a clip is not `traceable`."""

    def held(evidence: Evidence) -> TermResult:
        result, found = term(evidence), traceable(evidence)
        if bool(found.all()):
            return result
        reasons = tuple(result.reason_of(i) if ok else _REASON for i, ok in enumerate(found.tolist()))
        return replace(result, applicable=result.applicable & found, reason=reasons)

    return held
