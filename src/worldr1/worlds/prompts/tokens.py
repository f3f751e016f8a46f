"""Text to tokens: lower case, amounts as `Amount`, punctuation kept, hyphens opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Amount(NamedTuple):
    value: float
    unit: str  # "m", "deg", "x", "s" or "mm"


Token = str | Amount
FOCAL_CHANGE = {"longer-lens": "zoom in", "shorter-lens": "zoom out"}  # tokens that no text has

_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_NUMBERS |= {"nine": 9, "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_NUMBERS |= {"sixty": 60, "ninety": 90}
# Short unit signs follow digits only: "as" is no second.
_UNITS = {
    "mm": (r"mm|millimet(?:re|er)s?", "mm", 1.0),
    "cm": (r"cm|centimet(?:re|er)s?", "m", 0.01),
    "m": (r"met(?:re|er)s?", "m", 1.0),
    "deg": (r"degrees?", "deg", 1.0),
    "s": (r"secs?|seconds?", "s", 1.0),
    "x": (r"times", "x", 1.0),
}
_NUMBER = r"(\d+(?:\.\d+)?|" + "|".join(_NUMBERS) + ")"
_TURNS = {"quarter": 90.0, "half": 180.0, "three quarter": 270.0, "full": 360.0, "complete": 360.0, "whole": 360.0}
_TURN = "|".join(sorted(_TURNS, key=len, reverse=True))
_Replacement = str | Callable[[re.Match[str]], str]


def _tag(value: float, unit: str) -> str:
    return f" <{unit}={value}> "


def _value(word: str) -> float:
    return float(_NUMBERS.get(word, word))


def _measure(unit: str, scale: float) -> Callable[[re.Match[str]], str]:
    return lambda m: _tag(round(_value(m[1] or m[2]) * scale, 6), unit)


# In this order: what comes later would misread the words of what comes first.
_PATTERNS: list[tuple[str, _Replacement]] = [
    (r"[<>]", " "),
    (r"n['’]t\b|(?<=can)not\b", " not"),
    (r"\b(push|pull|zoom|dolly)-(in|out|back)s?\b", r"\1 \2 shot"),  # hyphenated, it is a noun of cinema
    (r"°", " deg"),
    (r"\b(counter|anti)-clock", r"\1clock"),
    (r"(?<=\w)[-–](?=\w)", " "),
    (rf"\bby a factor of {_NUMBER}\b", lambda m: _tag(_value(m[1]), "x")),
    (r"\b(?:to )?(?:twice|double|half) the focal length\b", _tag(2, "x")),
    (r"\btwice\b", _tag(2, "x")),
    (rf"\b({_TURN}) (?:circle|turn|revolution)\b", lambda m: _tag(_TURNS[m[1]], "deg")),
    (rf"\b{_NUMBER} and a half ", lambda m: f"{_value(m[1]) + 0.5} "),
    (r"\bhalf an? ", "0.5 "),
    *(
        (rf"\b(?:(\d+(?:\.\d+)?) ?(?:{sign}|{name})|{_NUMBER} (?:{name}))\b", _measure(unit, scale))
        for sign, (name, unit, scale) in _UNITS.items()
    ),
]
_RULES = [(re.compile(pattern), replacement) for pattern, replacement in _PATTERNS]
_WORD = re.compile(r"<[^>]*>|[a-zà-ÿ']+|[.,;:()!?]|\d+(?:\.\d+)?")


def tokenise(text: str) -> list[Token]:
    """Words, punctuation and amounts of ``text``: "pans 30° left." gives "pans", Amount(30, "deg"), "left", "."."""
    text = text.lower()
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    tokens: list[Token] = []
    for word in _WORD.findall(text):
        if word.startswith("<"):
            unit, value = word[1:-1].split("=")
            tokens.append(Amount(float(value), unit))
        else:
            tokens.append(word)
    return _focal_changes(tokens)


def _focal_changes(tokens: list[Token]) -> list[Token]:
    """A longer lens "from 35 mm to 70 mm", by a ratio of 2."""
    for i in range(len(tokens) - 3):
        start, a, to, b = tokens[i : i + 4]
        if (start, to) != ("from", "to") or not isinstance(a, Amount) or not isinstance(b, Amount):
            continue
        if a.unit == b.unit == "mm" and 0 < a.value != b.value > 0:
            word = "longer-lens" if b.value > a.value else "shorter-lens"
            ratio = Amount(round(max(a.value, b.value) / min(a.value, b.value), 6), "x")
            return [*tokens[:i], word, ratio, *_focal_changes(tokens[i + 4 :])]
    return tokens
