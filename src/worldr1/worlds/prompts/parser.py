"""Camera moves that a text asks for, by rules: clauses about a camera, then verb, direction and amount in each.

Only what is said of a camera counts: of the subject of a clause ("the camera", "we", "the shot"), or of a term of
cinema that opens one ("pan left", "a slow 30 degree tilt up"). What the scene does is no camera move.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from worldr1.worlds.camera import KINDS, OPPOSITE
from worldr1.worlds.prompts.clauses import Clause, split_clauses
from worldr1.worlds.prompts.lexicon import (
    DEFAULT_MAGNITUDE,
    DIRECTIONS,
    HANDHELD,
    NEGATIONS,
    PREPOSITIONS,
    SMOOTH,
    SPEED,
    STATIC,
    VERB_FORMS,
)
from worldr1.worlds.prompts.phrase import Context, direction_only, find_move
from worldr1.worlds.prompts.tokens import FOCAL_CHANGE, Amount, Token
from worldr1.worlds.scene import Move

SHAKE_DEG = 0.6  # RMS of what "handheld" asks for


@dataclass
class _Said:
    """A move as the text has it, with the tokens that scale it."""

    kind: str
    tokens: tuple[Token, ...]
    side_named: bool = True
    together: bool = False  # with the one before

    def amount(self, unit: str) -> float | None:
        return next((t.value for t in self.tokens if isinstance(t, Amount) and t.unit == unit), None)

    def move(self, start: float, end: float) -> Move:
        words = {t for t in self.tokens if isinstance(t, str)}
        magnitude = self.amount(KINDS[self.kind])
        if magnitude is None:
            speed = [SPEED[w] for w in sorted(words & SPEED.keys())]
            magnitude = default_magnitude(self.kind, speed[0] if speed else 1.0)
        return Move(self.kind, start, end, magnitude, "smooth" if words & SMOOTH else "linear")


def default_magnitude(kind: str, speed: float = 1.0) -> float:
    """What ``kind`` amounts to where no number is given, at ``speed`` times the usual pace."""
    usual = DEFAULT_MAGNITUDE[kind.split()[0]]
    return round(1 + (usual - 1) * speed if kind.startswith("zoom") else usual * speed, 6)


def parse_camera(text: str) -> list[Move]:
    """The moves of ``text`` in the order they are filmed; empty where it asks for none.

    Moves one after another share the clip equally, or by the seconds the text gives; moves at once share a span.
    Amounts are the text's, else `lexicon.DEFAULT_MAGNITUDE` times the adverb of speed. "Fixed" is in the list where
    the text says that the camera rests. A text may ask for more moves than `camera.camera_track` composes.
    """
    groups: list[list[_Said]] = []
    for said in _moves_said(text):
        if said.together and groups:
            groups[-1].append(said)
        else:
            groups.append([said])
    seconds = [g[0].amount("s") for g in groups]
    known = [s for s in seconds if s]
    usual = sum(known) / len(known) if known else 1.0
    clock = [0.0]
    for s in seconds:
        clock.append(clock[-1] + (s or usual))
    spans = [(round(a / clock[-1], 4), round(b / clock[-1], 4)) for a, b in itertools.pairwise(clock)]
    return [said.move(*span) for group, span in zip(groups, spans, strict=True) for said in group]


def parse_shake_deg(text: str) -> float:
    """RMS rotation in degrees that "handheld" and its like ask for; 0 where nothing does."""
    for clause in split_clauses(text):
        near = set(clause.camera) | set(clause.tokens[:2] if clause.camera or len(clause.tokens) < 3 else ())
        if near & HANDHELD and not near & NEGATIONS:
            return SHAKE_DEG
    return 0.0


def _moves_said(text: str) -> list[_Said]:
    said: list[_Said] = []
    context: Context = "open"
    negated = joins_next = False
    fresh = 0  # how many of `said` are of earlier sentences
    for clause in split_clauses(text):
        tokens = clause.tokens
        if clause.opens:
            fresh = len(said)
            if clause.link != "then" and tokens[:1] != ("it",):
                context = "open"
            joins_next = clause.link == "while"
        context = "camera" if clause.camera else context
        # "neither pans nor tilts", "without panning or tilting": a negation reaches over "or" and "nor"
        negated = _is_negated(clause) or (negated and clause.link == "or")
        new = _read(clause, context, negated, said[-1] if said else None)
        if new is None:
            if not clause.camera and _has_another_subject(tokens):
                context = "other"
            continue
        for index, one in enumerate(new):
            context = "camera"
            _place(said, one, clause, fresh, index > 0 or (joins_next and len(said) > fresh))
    return said


def _read(clause: Clause, context: Context, negated: bool, last: _Said | None) -> list[_Said] | None:
    """Moves of a clause; [] where it negates or only adds to ``last`` (changed in place), None where it is silent."""
    tokens = clause.tokens
    for word, kind in FOCAL_CHANGE.items():
        if word in tokens:
            return [_Said(kind, tokens)]
    if negated and ({"movement", "motion"} & set(tokens)) and not {"zoom", "pan"} & set(tokens):
        return [_Said("fixed", tokens)]
    found = find_move(tokens, context)
    if negated:
        at_rest = found is not None and not found.kinds and found.verb.base == "move" and clause.camera
        return [_Said("fixed", tokens)] if at_rest else []
    leans_on = last if context == "camera" and not clause.camera else None
    if leans_on and (not found or found.verb.base == "move"):
        extra, undoes = direction_only(tokens[1:] if found else tokens, leans_on.kind)
        if extra and not leans_on.side_named and clause.link == "comma":
            leans_on.kind, leans_on.side_named = extra, True  # "an orbiting shot, moving right"
            extra, found = None, None
        if extra and not found:
            return [_Said(extra, tokens + (leans_on.tokens if undoes else ()))]
        if not found and all(_is_manner(t) for t in tokens):
            leans_on.tokens += tokens  # ", slowly, half a metre"
            return []
    if found:
        return [_Said(kind, clause.camera + tokens, found.side_named) for kind in found.kinds]
    return [_Said("fixed", tokens)] if set(clause.camera) & STATIC else None


def _place(said: list[_Said], new: _Said, clause: Clause, fresh: int, at_once: bool) -> None:
    """Put ``new`` where it is filmed: after the last move, together with it, or before it; or drop a repetition."""
    last = said[-1] if len(said) > fresh else None
    if last is None:
        if not (said and said[-1].kind == new.kind == "fixed"):
            said.append(new)
        return
    gerund = any(isinstance(t, str) and t.endswith("ing") and t in VERB_FORMS for t in clause.tokens[:2])
    at_once = at_once or clause.link in ("while", "and", "or") or (clause.link == "comma" and gerund)
    at_once = at_once and OPPOSITE.get(last.kind) != new.kind
    if last.kind == new.kind and clause.link != "then":
        last.tokens += new.tokens  # "with a slow push in, we approach"; "no movement" of "a tripod shot"
    elif clause.link == "after" and not clause.opens:
        said.insert(len(said) - 1, new)
    elif at_once and "fixed" in (last.kind, new.kind):
        said[-1] = new if last.kind == "fixed" else last
    else:
        new.together = at_once
        said.append(new)


def _is_negated(clause: Clause) -> bool:
    words = [t for t in clause.camera + clause.tokens if isinstance(t, str)]
    cut = next((i for i, w in enumerate(words) if w in VERB_FORMS), len(words))
    return bool(NEGATIONS & set(words[: cut + 2])) and not {"stops", "stop", "stopping"} & set(words[:cut])


def _has_another_subject(tokens: tuple[Token, ...]) -> bool:
    first = tokens[0]
    return isinstance(first, str) and first not in VERB_FORMS and first not in PREPOSITIONS | DIRECTIONS.keys()


def _is_manner(token: Token) -> bool:
    fill = SPEED.keys() | SMOOTH | DIRECTIONS.keys() | {"a", "by", "about", "in", "to", "the", "moving", "going"}
    return isinstance(token, Amount) or token in fill
