"""One clause to camera primitives: its verb and directions, or a bare direction that leans on what went before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from worldr1.worlds.camera import OPPOSITE
from worldr1.worlds.prompts.lexicon import (
    DETERMINERS,
    DIRECTIONS,
    FAMILIES,
    HELPERS,
    MOTION_ADJECTIVES,
    NEGATIONS,
    NOUN_OPENERS,
    STATIC,
    VERB_FORMS,
    Verb,
)
from worldr1.worlds.prompts.tokens import Amount, Token

Context = Literal["camera", "open", "other"]  # whom a clause without a subject is about; "open": nobody yet
Tokens = tuple[Token, ...]

_FIXED = Verb("stay", "hold", "still")
# After "right" these make it "exactly"; after "in" these make it a preposition.
_EXACTLY = {"beside", "next", "behind", "at", "above", "below", "under", "before", "by", "on", "there", "here", "now"}
_NOT_INTO = DETERMINERS - {"it", "him"} | {"front", "order", "silence", "place", "real", "search"}
_SHOT = {"shot", "move", "movement", "motion"}
_BACKWARDS = {"returns", "return", "returning", "reverses", "reversing"}
_ACROSS = {"across", "along", "over", "past", "through"}
_FILL = {"to", "the", "a", "by", "again", "way", "same", "sharply", "straight", "further", "only", "just"}


@dataclass(frozen=True)
class Found:
    """What a clause says; no ``kinds`` where its verb names no direction ("moves")."""

    verb: Verb
    kinds: tuple[str, ...]
    side_named: bool


def find_move(tokens: Tokens, context: Context) -> Found | None:
    """The primitives of a clause (its subject left out), or None where it says nothing of a camera."""
    place = _verb_index(tokens, HELPERS if context == "camera" else NOUN_OPENERS)
    if place is None:
        return None
    if tokens[place] in STATIC:
        return Found(_FIXED, ("fixed",), True) if context == "camera" else None
    verb = VERB_FORMS[str(tokens[place])]
    if context != "camera" and not _is_cinema(tokens, place, verb, context):
        return None
    after = tokens[place + 1 : place + 2]
    if verb.base == "dolly" and after == ("zoom",):
        return Found(verb, ("dolly in", "zoom out"), True)
    said = directions(tokens)
    family = verb.family
    if "around" in said and family in ("travel", "swing", "turn") and _goes_around(tokens, family):
        family = "orbit"
    if verb.strict:
        said = [verb.default or ""]
    elif family == "travel" and verb.default is None and _follows_path(tokens):
        said = ["in"]
    accepted = [FAMILIES[family][d] for d in said if d in FAMILIES[family]]
    if accepted:
        return Found(verb, (accepted[0],), True)
    default = "right" if family == "orbit" else verb.default
    if tokens[place] in ("rolls", "rolling") and not any(isinstance(t, Amount) for t in tokens):  # it is recording
        default = None
    return Found(verb, (FAMILIES[family][default],) if default else (), False)


def _verb_index(tokens: Tokens, skippable: set[str]) -> int | None:
    skippable = skippable | MOTION_ADJECTIVES | NEGATIONS
    for i, token in enumerate(tokens):
        if token == "back" and tokens[i - 1 : i] == ("to",):
            return i
        if isinstance(token, Amount) or token in DIRECTIONS.keys() - VERB_FORMS.keys() or token == "back":
            continue
        if token in MOTION_ADJECTIVES and tokens[i + 1 : i + 2] and tokens[i + 1] in VERB_FORMS:
            continue  # "a whip pan"
        if token in VERB_FORMS or token in STATIC:
            return i
        if token not in skippable and not token.endswith("ly"):
            return None
    return None


def _is_cinema(tokens: Tokens, place: int, verb: Verb, context: Context) -> bool:
    """Whether a clause without a camera as its subject still speaks of one: "pan left", "a slow push in"."""
    before, rest = tokens[:place], [t for t in tokens[place + 1 :] if not _is_manner(t)]
    if not verb.term:
        is_noun_of_motion = tokens[place] == "move" and any(t in MOTION_ADJECTIVES or t in DIRECTIONS for t in before)
        return is_noun_of_motion and bool(directions(tokens))
    if _SHOT & set(rest[:2]) or rest[:1] == ["zoom"]:
        return True
    qualified = any(_is_manner(t) or t in MOTION_ADJECTIVES | {"camera", "movement"} or t in DIRECTIONS for t in before)
    article = any(t in ("a", "an", "one", "another") for t in before)
    adjacent = _starts_with_direction(tuple(rest), verb)
    plain = verb.family in ("tilt", "zoom", "orbit")  # nouns of little other use
    if qualified:
        loose = plain or verb.family == "pan"
        on_its_own = (loose and (not rest or rest[0] in _ACROSS | {"on", "around"})) or any(
            t in DIRECTIONS for t in before
        )
        return adjacent or on_its_own or "camera" in before
    if article:
        return adjacent and plain
    is_order = tokens[place] == verb.base
    if context == "other":
        return False
    if is_order and verb.family == "orbit":
        return adjacent or rest[:1] == ["the"]
    return (adjacent or (is_order and plain and not rest)) and (is_order or verb.base != "roll")


def _is_manner(token: Token) -> bool:
    return isinstance(token, Amount) or token in MOTION_ADJECTIVES or token.endswith("ly")


def _starts_with_direction(rest: Tokens, verb: Verb) -> bool:
    if rest[:2] in (("to", "the"), ("to", "its")):
        return bool(directions(rest[:3]))
    if not directions(rest[:2]) or rest[0] not in DIRECTIONS:
        return False
    if verb.family == "pan" and rest[1:2] == ("on",):
        return False  # the kind one cooks with
    has_object = rest[0] not in ("toward", "towards") and rest[1:2] and rest[1] in DETERMINERS
    return not (has_object and verb.base in ("push", "pull", "roll", "truck", "track"))


def directions(tokens: Tokens) -> list[str]:
    """Directions a clause names, in order; places of things ("to the left of the sofa", "on the right") left out."""
    said = []
    for i, token in enumerate(tokens):
        direction = DIRECTIONS.get(token) if isinstance(token, str) else None
        before, after = tokens[max(i - 2, 0) : i], tokens[i + 1 : i + 2]
        if direction is None:
            continue
        if direction in ("left", "right"):
            to_the = before in (("to", "the"), ("to", "its"), ("toward", "the"), ("towards", "the"))
            is_place = after == ("of",) or before[-1:] == ("from",) or (before[-1:] == ("the",) and not to_the)
            is_exactly = token == "right" and not to_the and after and after[0] in _EXACTLY
            by_amount = after == ("by",) and isinstance(tokens[min(i + 2, len(tokens) - 1)], Amount)
            if is_place or (is_exactly and not by_amount):
                continue
        if token == "in" and after and (after[0] in _NOT_INTO or isinstance(after[0], Amount)):
            continue
        if token in ("toward", "towards") and tokens[i + 2 : i + 3] and tokens[i + 2] in ("left", "right"):
            continue
        said.append(direction)
    return said


def _goes_around(tokens: Tokens, family: str) -> bool:
    """ "Around the statue", and "swings around to the right"; not "turns around", "about its own axis"."""
    i = next(i for i, t in enumerate(tokens) if t in ("around", "round"))
    following = tokens[i + 1 : i + 2]
    if following and following[0] in DETERMINERS - {"its"}:
        return True
    return family != "turn" and bool(following) and following[0] != "its"


def _follows_path(tokens: Tokens) -> bool:
    """ "Moves down the street", "glides up the stairs": forward along it."""
    return any(t in ("up", "down") and tokens[i + 1 : i + 2] == ("the",) for i, t in enumerate(tokens))


def direction_only(tokens: Tokens, last: str) -> tuple[str | None, bool]:
    """The primitive that "then right" or "and back again" makes of ``last``, and whether it undoes all of it."""
    head: list[Token] = []
    for token in tokens:
        if token in ("from", *_ACROSS):
            break
        known = isinstance(token, Amount) or token in DIRECTIONS or token in _FILL | _BACKWARDS
        if not known and not _is_manner(token):
            return None, False
        head.append(token)
    if last == "fixed":
        return None, False
    family = {"dolly": "travel", "truck": "travel", "pedestal": "travel", "tilt": "pan"}.get(
        last.split()[0], last.split()[0]
    )
    said = directions(tuple(head))
    named = [FAMILIES[family][d] for d in said if d in FAMILIES[family]]
    plain_back = "back" in head and not any(d in ("left", "right", "up", "down") for d in said) and "away" not in head
    if plain_back or any(t in _BACKWARDS for t in head):
        return OPPOSITE[last], True
    return (named[0] if named else None), False
