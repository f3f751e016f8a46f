"""The composite reward: evidence of a clip, and of its mirror image; every term on it; one `Score` per clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from worldr1.estimators.structure import CameraEstimator
from worldr1.rewards.evidence import DepthEstimator, Evidence, FlowEstimator, SegmentEstimator, gather_evidence
from worldr1.rewards.mirror import NOT_FINITE, Told, merged, mirrored, mirrored_structure
from worldr1.rewards.spec import evaluate, spec_of
from worldr1.rewards.term import Term, TermResult
from worldr1.types import Clip, Prompt, Rollout, Score
from worldr1.worlds.tiny.families import FOV_DEG
from worldr1.worlds.tiny.scene import intrinsics


def default_intrinsics(height: int, width: int) -> Tensor:
    """Pinhole matrix for a video of unknown camera: the tiny worlds' field of view."""
    return torch.from_numpy(intrinsics(FOV_DEG, height, width))


def aggregate(parts: Mapping[str, float | None], typical: Mapping[str, float] | None = None) -> float | None:
    """gate · guards · weighted geometric mean of the applicable terms; ``None`` when no term applies.

    A term that abstains counts as ``typical``, what consistent clips usually have of it, and where that is not known
    not at all. Left out, a hard term would raise the score by its silence alone. It still pays to hide what is worse
    than usual. A gate or guard that abstains counts as 0, whatever is typical: it must be shown to hold.
    What does not apply to the prompt must not be among ``parts``: `counted` leaves it out.
    Kinds and weights are those of `rewards.spec.SPECS`.
    """
    terms = {k: v for k, v in parts.items() if spec_of(k).kind == "term"}
    if all(v is None for v in terms.values()):
        return None
    usual = {k: (typical or {}).get(k) if v is None else v for k, v in terms.items()}
    told = [(spec_of(k).weight, v) for k, v in usual.items() if v is not None]
    mean = math.exp(sum(w * math.log(max(v, 1e-6)) for w, v in told) / sum(w for w, _ in told))
    return mean * math.prod(v or 0.0 for k, v in parts.items() if k not in terms)


def counted(parts: Mapping[str, float | None], notes: Mapping[str, str]) -> dict[str, float | None]:
    """Parts without what does not apply to the prompt (its note is `TermSpec.reason`) and the terms that failed:
    neither is an abstention that `aggregate` may replace. Nothing where a gate or guard failed: no score stands
    without it."""
    if any(notes.get(k) == NOT_FINITE and spec_of(k).kind != "term" for k in parts):
        return {}
    return {k: v for k, v in parts.items() if v is not None or notes.get(k) not in (NOT_FINITE, spec_of(k).reason)}


def scored(
    parts: Mapping[str, float | None], notes: Mapping[str, str], typical: Mapping[str, float] | None = None
) -> Score:
    """The score of a clip's ``parts``; ``notes`` say of each that is ``None`` why, and here also what that costs."""
    valid = counted(parts, notes)
    silent = {k: notes[k] for k, v in valid.items() if v is None and spec_of(k).kind != "term"}
    told = {k: f"{note}; a {spec_of(k).kind} without evidence counts as 0" for k, note in silent.items()}
    return Score(aggregate(valid, typical), dict(parts), {**notes, **told})


class WorldReward:
    """Scores clips by how well one rigid world, its movers and one camera explain them."""

    differentiable = False

    def __init__(
        self,
        terms: Mapping[str, Term],
        depth: DepthEstimator,
        flow: FlowEstimator,
        segments: SegmentEstimator | None = None,
        *,
        refine_camera: bool = False,
        camera: CameraEstimator | None = None,
        both_hands: bool = False,
        typical: Mapping[str, float] | None = None,
    ) -> None:
        """The estimators and ``refine_camera`` are `gather_evidence`'s; terms about objects abstain without segments,
        and the sfm term without ``camera``.

        ``both_hands`` measures every clip and its mirror image, and takes each term's geometric mean: estimators err
        differently about the two, and what is wrong in one is wrong in the other. It takes twice the time. ``typical``
        is `aggregate`'s.
        """
        if not terms:
            raise ValueError("a reward needs at least one term")
        self.terms, self.depth, self.flow, self.segments = dict(terms), depth, flow, segments
        self.refine_camera, self.camera, self.both_hands = refine_camera, camera, both_hands
        self.typical = dict(typical or {})

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        """Scores in the order of ``samples``.

        Raises ``ValueError`` where these do not share their shape, or a prompt asks for a zoom: every clip is measured
        with one focal length, so that a zoom looks like a dolly, and standing still would be the better answer.
        """
        evidence = self.evidence(samples)
        told, structures = self._told(evidence, self.terms), evidence.structures
        if not self.both_hands:
            return [scored(*parts, self.typical) for parts in told]
        del evidence  # a clip's is large
        image = self._measured([mirrored(s) for s in samples], None)
        if structures is not None:
            image = replace(image, structures=tuple(mirrored_structure(s) for s in structures))
        terms = {name: term for name, term in self.terms.items() if spec_of(name).mirrors}
        both = zip(told, self._told(image, terms), strict=True)
        return [scored(*merged(own, other), self.typical) for own, other in both]

    def _told(self, evidence: Evidence, terms: Mapping[str, Term]) -> list[Told]:
        with torch.no_grad():
            results = {name: evaluate(name, term, evidence) for name, term in terms.items()}
        return [self._of_clip(results, i) for i in range(len(evidence.video))]

    def _of_clip(self, results: Mapping[str, TermResult], index: int) -> Told:
        parts: dict[str, float | None] = {}
        notes: dict[str, str] = {}
        for name, result in results.items():
            value = float(result.values[index])
            if not bool(result.applicable[index]):
                parts[name], notes[name] = None, result.reason_of(index)
            elif not math.isfinite(value):
                parts[name], notes[name] = None, NOT_FINITE
            else:
                parts[name] = value
        return parts, notes

    def evidence(self, samples: Sequence[Rollout | Clip]) -> Evidence:
        """What the terms are shown of the clips themselves; raises as `__call__` does."""
        return self._measured(samples, self.camera)

    def _measured(self, samples: Sequence[Rollout | Clip], camera: CameraEstimator | None) -> Evidence:
        clips = [s.clip if isinstance(s, Rollout) else s for s in samples]
        prompts: list[Prompt | None] = [s.prompt if isinstance(s, Rollout) else None for s in samples]
        for p in prompts:
            if p is not None and p.camera is not None and p.camera.zooms():
                raise ValueError(f"rewards know one focal length a clip; leave out prompts with a zoom ({p.text!r})")
        if len({c.video.shape for c in clips}) != 1:
            raise ValueError("clips scored together must have the same number of frames and size")
        video = torch.stack([c.video for c in clips])
        known = [p.camera.K[0] if p is not None and p.camera is not None else None for p in prompts]
        K = torch.stack([k if k is not None else default_intrinsics(*video.shape[-2:]) for k in known])
        with torch.no_grad():
            return gather_evidence(
                video,
                K.to(video),
                prompts,
                self.depth,
                self.flow,
                self.segments,
                refine_camera=self.refine_camera,
                camera=camera,
            )
