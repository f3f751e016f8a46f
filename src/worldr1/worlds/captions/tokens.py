"""Free text to items: entities, numbers with units, times, and the phrases of the lexicon."""

from __future__ import annotations

import re
from dataclasses import dataclass

from worldr1.worlds.captions import words as vocabulary
from worldr1.worlds.captions.facts import Facts
from worldr1.worlds.captions.lexicon import Entry, lexicon
from worldr1.worlds.record import ObjectRecord

_TOKEN = re.compile(r"(?:(?<![\w.])[-−])?\d+(?:\.\d+)?|[^\W\d_]+(?:['’][a-z]+)?|[.,;:!?()%°×–—→/-]")
_QUIET = {"cam", "verb", "move", "attr", "weather", "time of day", "shadows", "mod", "camera", "scenery", "pred:noun"}
_AT, _END, _FOR = {"at", "after", "around", "about"}, {"until", "till", "to", "by"}, {"over", "for", "within", "in"}
_BOUNDS = {",": "comma", "(": "comma", ")": "comma", "–": "comma", "—": "comma", "and": "comma", "but": "comma"}
_FULL_STOPS = {".": "stop", "!": "stop", "?": "stop", ";": "semi", ":": "comma"}


@dataclass(frozen=True)
class Item:
    """A piece of text that means something. ``ids``: what an entity may be. ``numbers``: value, or start and end."""

    kind: str
    value: str
    start: int
    end: int
    ids: tuple[int, ...] = ()
    numbers: tuple[float, ...] = ()
    count: int | None = None


class Names:
    """Resolves noun phrases to the visible objects of a clip."""

    def __init__(self, facts: Facts) -> None:
        self.objects = facts.objects
        self.categories = {o.category for o in facts.objects.values()}
        self.phrases: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for i, o in facts.objects.items():
            words = tuple(o.expression.lower().replace("-", " - ").removeprefix("the ").split())
            self.phrases.setdefault(words[0], []).append((words, i))
        for entries in self.phrases.values():
            entries.sort(key=lambda e: -len(e[0]))

    def noun(self, words: list[str], i: int) -> tuple[str, int] | None:
        """Category named at ``words[i]`` and how many words it takes; plural or not, in the record or not."""
        if i + 1 < len(words):
            two = f"{words[i]} {vocabulary.singular(words[i + 1])}"
            if two in self.categories or two in vocabulary.CATEGORY_SYNONYMS or two in vocabulary.TWO_WORDS:
                return vocabulary.CATEGORY_SYNONYMS.get(two, two), 2
        one = vocabulary.singular(words[i])
        if one in self.categories:
            return one, 1
        one = vocabulary.CATEGORY_SYNONYMS.get(one, one)
        return (one, 1) if one in vocabulary.NOUNS or one in vocabulary.HYPERNYMS or one in self.categories else None

    def matching(self, category: str, colours: list[str], textures: list[str]) -> tuple[int, ...]:
        """Objects that fit a noun and its adjectives; a colour of two words ("dark red") fits by its last."""

        def fits(o: ObjectRecord) -> bool:
            members = vocabulary.HYPERNYMS.get(category, (category,)) or (o.category,)
            return (
                (o.category in members or o.category.split()[-1] == category)
                and all(c in o.colour.split() for c in colours)
                and all(t == o.texture for t in textures)
            )

        return tuple(i for i, o in self.objects.items() if fits(o))


class Tokeniser:
    """One pass over a text; ``errors`` collects what it names that is not there."""

    def __init__(self, text: str, facts: Facts) -> None:
        self.names, self.fps = Names(facts), facts.fps
        matches = list(_TOKEN.finditer(text.lower().replace("’", "'").replace("'s ", "   ")))
        self.words = [m.group() for m in matches]
        self.spans = [m.span() for m in matches]
        self.items: list[Item] = []
        self.errors: list[str] = []
        self.open = False  # inside a noun phrase that has not reached its noun
        self.colours: list[str] = []
        self.textures: list[str] = []
        self.unknown: list[str] = []
        self.count: int | None = None

    def run(self) -> list[Item]:
        """All items in order of the text."""
        i = 0
        while i < len(self.words):
            i += self._step(i)
        self._flush()
        self._emit("stop", ".", len(self.words) - 1, 1)
        return self.items

    def _emit(self, kind: str, value: str, i: int, n: int, **more: object) -> None:
        if self.words:
            self.items.append(Item(kind, value, self.spans[i][0], self.spans[i + n - 1][1], **more))  # type: ignore[arg-type]

    def _flush(self, *, silent: bool = False) -> None:
        """End a noun phrase without a known noun: its colours are said of the subject, unknown nouns are errors."""
        several = self.count is not None and self.count > 1
        if (self.open or several) and self.unknown and not silent:
            self.errors.append(f"nothing called {' '.join(self.unknown)!r} is in the clip")
        if not silent:
            at = self.items[-1].end if self.items else 0
            self.items.extend(Item("colour", c, at, at) for c in self.colours)
        self.open, self.count = False, None
        self.colours, self.textures, self.unknown = [], [], []

    def _step(self, i: int) -> int:
        """Read what begins at word ``i``; the number of words taken."""
        word = self.words[i]
        if word[-1].isdigit():
            return self._number(i, float(word.replace("−", "-")), 1)
        if (
            word in vocabulary.NUMBER_WORDS
            and i + 1 < len(self.words)
            and self._unit(i + 1 + (self.words[i + 1] == "-"))
        ):
            return self._number(i, float(vocabulary.NUMBER_WORDS[word]), 1)
        for phrase, obj in self.names.phrases.get(word, ()):
            if len(phrase) > 1 and self._ahead(i, phrase):
                self._entity(i, len(phrase), (obj,), None)
                return len(phrase)
        noun, entry = self.names.noun(self.words, i), self._phrase(i)
        in_phrase = self.open or self.colours or self.textures or self.count is not None
        if noun and (in_phrase or not (entry or (word.startswith("truck") and self._truck(i)))):
            return self._noun(i, *noun)
        if entry:
            words, (kind, value) = entry
            self._flush(silent=kind in _QUIET)
            self._emit(kind, value, i, len(words))
            return len(words)
        if word.startswith("truck"):  # the move; the vehicle was a noun
            self._flush(silent=True)
            self._emit("cam", "truck", i, 1)
        elif word in _FULL_STOPS or word in _BOUNDS:
            self._boundary(i, word)
        elif word in vocabulary.COLOURS:
            self.colours.append(vocabulary.COLOUR_SYNONYMS.get(word, word))
        elif word in vocabulary.TEXTURES:
            self.textures.append(word)
        elif word in vocabulary.NUMBER_WORDS:
            self.count = vocabulary.NUMBER_WORDS[word]
        elif word in vocabulary.DETERMINERS:
            self._flush()
            self.open = True
        elif word in vocabulary.PRONOUNS:
            self._flush()
            self._emit("which" if word in ("which", "who") else "pron", word, i, 1)
        elif word in vocabulary.SCENE_NOUNS:
            self._flush(silent=True)
        elif word in vocabulary.FUNCTION_WORDS:
            self._flush()
        elif word[0].isalpha() and not word.endswith("ly"):
            self.unknown.append(word)
        return 1

    def _truck(self, i: int) -> bool:
        """Whether a bare "truck" is the camera's move: a direction or a distance follows."""
        rest = self.words[i + 1 : i + 4]
        return bool(rest) and (rest[0][-1].isdigit() or "left" in rest or "right" in rest or "sideways" in rest)

    def _boundary(self, i: int, word: str) -> None:
        follows = self.words[i + 1] if i + 1 < len(self.words) else "."
        if (
            word == ","
            and self.open
            and self.unknown
            and follows.isalpha()
            and follows not in vocabulary.FUNCTION_WORDS
        ):
            return  # "a smooth, steady pan"
        self._flush()
        self._emit(_BOUNDS.get(word) or _FULL_STOPS[word], word, i, 1)

    def _ahead(self, i: int, phrase: tuple[str, ...]) -> bool:
        return tuple(self.words[i : i + len(phrase)]) == phrase

    def _phrase(self, i: int) -> tuple[tuple[str, ...], Entry] | None:
        for phrase, entry in lexicon().get(self.words[i], ()):
            if self._ahead(i, phrase) and not self._cuts_name(i, len(phrase)):
                return phrase, entry
        return None

    def _cuts_name(self, i: int, n: int) -> bool:
        """Whether a phrase would end inside an object's name: "to the right" in "to the right one of the two"."""
        return any(
            len(name) > n - k and self._ahead(i + k, name)
            for k in range(1, n)
            for name, _ in self.names.phrases.get(self.words[i + k], ())
        )

    def _noun(self, i: int, category: str, n: int) -> int:
        ids = self.names.matching(category, self.colours, self.textures)
        if not ids and not (self.items and self.items[-1].kind == "neg"):
            said = " ".join([*self.colours, *self.textures, category])
            self.errors.append(f"there is no {said} in the clip")
        is_plural = self.words[i + n - 1] != vocabulary.singular(self.words[i + n - 1])
        self._entity(i, n, ids, self.count if is_plural or self.count == 1 else None)
        return n

    def _entity(self, i: int, n: int, ids: tuple[int, ...], count: int | None) -> None:
        self._flush(silent=True)
        self._emit("ent", " ".join(self.words[i : i + n]), i, n, ids=ids, count=count)

    def _unit(self, i: int) -> tuple[str, float] | None:
        if i >= len(self.words):
            return None
        word = self.words[i]
        return vocabulary.UNITS.get(word) or vocabulary.UNITS.get(word.removesuffix("s"))

    def _number(self, i: int, value: float, n: int) -> int:
        """A number and its unit; seconds become a time together with the words around them."""
        count_of = self.words[i + 1] if i + 1 < len(self.words) else ""
        if i and self.words[i - 1] in ("frame", "frames"):
            self._flush(silent=True)
            self._emit("time", "at", i, 1, numbers=(value / self.fps,))
            return 1
        j = i + 1 + (count_of in ("-", "–") and self._unit(i + 2) is not None)
        unit = self._unit(j)
        if unit is None and self.words[max(i - 2, 0) : i] == ["factor", "of"]:
            unit, j = ("x", 1.0), i
        joined = i + 2 < len(self.words) and count_of in ("to", "and", "-", "–", "—", "→", "until")
        if unit is None and joined and self.words[i + 2][-1].isdigit():  # "from 0.5 to 1 s"
            unit, j = self._unit(i + 3), i
        if unit is None:
            self._flush()
            if value.is_integer() and value >= 0 and self.names.noun(self.words, min(i + 1, len(self.words) - 1)):
                self.count = int(value)
                return n
            self.errors.append(f"the number {self.words[i]} has no unit")
            return n
        taken = j - i + 1
        if unit[0] == "m" and self.words[j + 1 : j + 2] == ["/"]:
            self.errors.append(f"no speed is known: {self.words[i]} m/s")
            return taken + 2
        self._flush(silent=True)
        if unit[0] == "s":
            return self._time(i, value * unit[1], taken)
        self._emit("num", unit[0], i, taken, numbers=(value * unit[1],))
        return taken

    def _time(self, i: int, value: float, taken: int) -> int:
        before = self.words[i - 1] if i else ""
        last = self.items[-1] if self.items else None
        if last and last.end == self.spans[i - 1][1] and last.kind in ("order", "rel") and before in (
            "after", "before", "between"
        ):  # fmt: skip
            self.items.pop()
        k = i + taken
        to = self.words[k] if k < len(self.words) else ""
        if to in ("to", "and", "-", "–", "—", "→", "until", "till") and k + 1 < len(self.words):
            after = self.words[k + 1]
            unit = self._unit(k + 2)
            if after[-1].isdigit() and unit and unit[0] == "s" and (to != "and" or before == "between"):
                self._emit("time", "range", i, taken + 3, numbers=(value, float(after) * unit[1]))
                return taken + 3
        mode = "at" if before in _AT else "end" if before in _END else "for" if before in _FOR else "bare"
        self._emit("time", "from" if before == "from" else mode, i, taken, numbers=(value,))
        return taken
