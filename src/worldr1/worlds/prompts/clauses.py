"""Cut a text into clauses, each with how it follows the one before and what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from worldr1.worlds.prompts.lexicon import (
    ARTICLES,
    CAMERA_ADJECTIVES,
    CAMERAS,
    HELPERS,
    MOTION_ADJECTIVES,
    PREPOSITIONS,
    VERB_FORMS,
)
from worldr1.worlds.prompts.tokens import Token, tokenise

Link = Literal["sentence", "comma", "and", "or", "then", "while", "after", "but"]

# Longest first: "and at the same time" is a "while", not an "and".
_CONNECTORS: list[tuple[tuple[str, ...], Link]] = [
    (("and", "at", "the", "same", "time"), "while"),
    (("at", "the", "same", "time"), "while"),
    (("and", "simultaneously"), "while"),
    (("and", "then"), "then"),
    (("and", "finally"), "then"),
    (("after", "which"), "then"),
    (("followed", "by"), "then"),
    (("combined", "with"), "while"),
    (("simultaneously",), "while"),
    (("while",), "while"),
    (("as",), "while"),
    (("then",), "then"),
    (("next",), "then"),
    (("finally",), "then"),
    (("before",), "then"),
    (("after",), "after"),
    (("but",), "but"),
    (("and",), "and"),
    (("or",), "or"),
    (("nor",), "or"),
]
_BY_FIRST_WORD: dict[Token, list[tuple[tuple[str, ...], Link]]] = {}
for _words, _link in _CONNECTORS:
    _BY_FIRST_WORD.setdefault(_words[0], []).append((_words, _link))
_OPENERS = MOTION_ADJECTIVES | {"first", "again", "also", "now", "here"}
_STRENGTH: dict[Link, int] = {"sentence": 0, "then": 4, "while": 4, "after": 4, "but": 3, "or": 2, "and": 2, "comma": 1}


@dataclass(frozen=True)
class Clause:
    """``link`` says how it follows the clause before."""

    link: Link
    opens: bool  # a sentence
    camera: tuple[Token, ...]  # the subject where it is the camera ("a", "static", "shot"), else empty
    tokens: tuple[Token, ...]  # what follows that subject


def split_clauses(text: str) -> list[Clause]:
    """Clauses of ``text`` in its order."""
    clauses: list[Clause] = []
    link: Link = "sentence"
    opens = True
    current: list[Token] = []
    tokens = tokenise(text)
    i = 0
    while i < len(tokens):
        length, found = _connector(tokens, i)
        is_list = (
            tokens[i] == "," and {*tokens[i - 1 : i], *tokens[i + 1 : i + 2]} <= MOTION_ADJECTIVES
        )  # "slow, smooth"
        if is_list:
            i += 1
            continue
        if found is None:
            current.append(tokens[i])
            i += 1
            continue
        if current:
            clauses.append(_with_subject(link, opens, current))
            current, link, opens = [], found, found == "sentence"
        else:
            opens = opens or found == "sentence"
            link = max(link, found, key=_STRENGTH.__getitem__)
        i += length
    if current:
        clauses.append(_with_subject(link, opens, current))
    return clauses


def _connector(tokens: list[Token], i: int) -> tuple[int, Link | None]:
    if tokens[i] in (".", ";", "!", "?"):
        return 1, "sentence"
    if tokens[i] in (",", "(", ")", ":"):
        return 1, "comma"
    if tokens[i] == "next" and tokens[i + 1 : i + 2] == ["to"]:
        return 0, None
    for words, link in _BY_FIRST_WORD.get(tokens[i], ()):
        if tuple(tokens[i : i + len(words)]) == words:
            return len(words), link
    return 0, None


def _with_subject(link: Link, opens: bool, tokens: list[Token]) -> Clause:
    """A camera is a subject only at the head of its clause, with no noun or unknown adjective before it."""
    order = next((k for k, t in enumerate(tokens) if t not in _OPENERS | {"do", "not", "please"}), 0)
    verb = tokens[order]
    if tokens[order + 1 : order + 3] == ["the", "camera"] and (verb == "keep" or _is_base_form(verb)):
        said = (*tokens[: order + 1], *tokens[order + 3 :])
        return Clause(link, opens, ("the", "camera"), said)  # "pan the camera left"
    start = 0
    while start < len(tokens) and tokens[start] in _OPENERS:
        start += 1
    i = start
    while i < len(tokens) and (tokens[i] in ARTICLES or tokens[i] in CAMERA_ADJECTIVES or tokens[i] == "off"):
        i += 1
    if i == start:
        i = _after_opening_phrase(tokens) or i
    is_camera = i < len(tokens) and tokens[i] in CAMERAS
    if is_camera and tokens[i] == "zoom":  # a subject in "the zoom tightens"; not in "a steady zoom in", "a zoom lens"
        is_camera = i > start and tokens[i - 1] == "the" and tokens[i + 1 : i + 2] != ["lens"]
    # "the lens of a magnifying glass" is no camera either
    if not is_camera or (tokens[i + 1 : i + 2] == ["of"] and tokens[i] != "shot"):
        return Clause(link, opens, (), tuple(tokens))
    while i + 1 < len(tokens) and tokens[i + 1] in CAMERAS:  # "handheld camera shot"
        i += 1
    return Clause(link, opens, tuple(tokens[start : i + 1]), tuple(tokens[i + 1 :]))


def _after_opening_phrase(tokens: list[Token]) -> int | None:
    """Where the camera is in "in this scene the camera pans"; not in "at the back of the camera a knob turns"."""
    if not tokens or tokens[0] not in PREPOSITIONS:
        return None
    for i in range(3, len(tokens) - 1):
        if tokens[i - 1 : i + 1] == ["the", "camera"] and tokens[i - 2] not in PREPOSITIONS | {"of"}:
            after = tokens[i + 1]
            return i if after in VERB_FORMS.keys() | HELPERS or str(after).endswith("ly") else None
    return None


def _is_base_form(token: Token) -> bool:
    return token in VERB_FORMS and VERB_FORMS[str(token)].base == token
