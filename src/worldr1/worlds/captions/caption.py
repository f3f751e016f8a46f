"""Captions of a clip: the realiser's, or a rewriter's where the verifier finds nothing wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError

from worldr1.worlds.captions.facts import LEVELS, Facts, Level, facts_of, required
from worldr1.worlds.captions.realiser import realise
from worldr1.worlds.captions.rewriter import Frames, Messages, Rewriter, RewriterError, pick_frames
from worldr1.worlds.captions.verifier import Verdict, describe, verify
from worldr1.worlds.record import Caption, Record

_SYSTEM = (
    "You rewrite captions of video clips into fluent English. Every statement must follow from the listed facts: keep "
    "each number with its unit, each direction, each time, who hides whom, and the names of objects as they are given. "
    "State every listed fact. Add no object, event or number. Words about material and appearance are welcome "
    'where pictures are attached. Answer with one JSON object: {"caption": text, "claims": [{"fact": id, "span": words '
    "copied from your caption}, ...]}."
)
_MAX_ERRORS = 12  # shown to the rewriter


class _Stated(BaseModel):
    fact: str
    span: str


class _Answer(BaseModel):
    caption: str
    claims: list[_Stated] = []


@dataclass
class Captioner:
    """Captions records; ``tally`` counts what came of the rewriter's answers, ``notes`` says why some were refused."""

    levels: Sequence[Level] = LEVELS
    rewriter: Rewriter | None = None
    tally: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def __call__(self, record: Record, frames: Frames | None = None, seed: int | str | None = None) -> list[Caption]:
        """One caption per level. ``frames``: the clip ``[frames, height, width, 3]``, for a rewriter that sees.

        A rewriter that fails or lies twice costs its caption, never the run; one that is set up wrongly raises
        ``ValueError``.
        """
        facts = facts_of(record)
        return [self._caption(record, facts, level, frames, seed) for level in self.levels]

    def _caption(
        self, record: Record, facts: Facts, level: Level, frames: Frames | None, seed: int | str | None
    ) -> Caption:
        draft = realise(record, level, seed, facts)
        if self.rewriter is None:
            self.tally["realiser"] += 1
            return draft
        shown = (
            pick_frames(frames, self.rewriter.max_frames) if frames is not None and self.rewriter.max_frames else None
        )
        messages = conversation(facts, level, draft.text)
        prompt_hash = hashlib.sha256(json.dumps([self.rewriter.name, messages]).encode()).hexdigest()[:16]
        problem = ""
        for attempt in ("first", "revised"):
            try:
                text = self.rewriter.ask(messages, shown)
            except RewriterError as error:
                problem = f"failed: {error}"
                break
            answer, verdict = judge(text, facts, level)
            if answer and verdict.ok:
                self.tally[f"rewriter, {attempt}"] += 1
                return Caption(level=level, text=answer, source="rewriter", model=self.rewriter.name,
                               prompt_hash=prompt_hash, precision=verdict.precision, recall=verdict.recall)  # fmt: skip
            problem = "refused: " + "; ".join(verdict.errors[:3])
            complaint = "This is not right yet:\n" + "\n".join(f"- {e}" for e in verdict.errors[:_MAX_ERRORS])
            messages = [*messages, {"role": "assistant", "content": text},
                        {"role": "user", "content": complaint + "\nAnswer again with one JSON object."}]  # fmt: skip
        self.tally[f"realiser, rewriter {problem.split(':')[0]}"] += 1
        self.notes.append(f"{record.clip.key} {level}: {problem}")
        return draft


def conversation(facts: Facts, level: Level, draft: str) -> Messages:
    """What a rewriter is told: the facts to state, with their ids, and the deterministic caption."""
    listed = "\n".join(f"{f.id}: {describe(f, facts)}" for f in required(facts, level))
    return [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": f"Facts:\n{listed}\n\nCaption to rewrite:\n{draft}"},
    ]


def judge(text: str, facts: Facts, level: Level) -> tuple[str, Verdict]:
    """The caption in a rewriter's answer and what the verifier says; an empty caption where there is none."""
    begin = text.find("{")  # models like to wrap JSON in a fence
    try:
        value, _ = json.JSONDecoder().raw_decode(text, max(begin, 0))
        answer = _Answer.model_validate(value)
    except (json.JSONDecodeError, ValidationError) as error:
        return "", Verdict(False, (f"the answer is not the JSON object asked for ({type(error).__name__})",), 0.0, 0.0)
    return answer.caption, verify(answer.caption, facts, [c.model_dump() for c in answer.claims], level)
