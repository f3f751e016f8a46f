"""Items to claims: who does what to whom, when and by how much, from the order of words alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from worldr1.worlds.captions.facts import EVENTS, SCENERY, Facts
from worldr1.worlds.captions.grammar import (
    ATTRIBUTES,
    AXES,
    BOUNDARIES,
    CAMERA_MOVES,
    MAKERS,
    MEASURED,
    PREPOSITIONS,
    SIZES,
    TRANSITIVE,
    UNITS_OF,
)
from worldr1.worlds.captions.tokens import Item, Tokeniser

CAMERA = (-2,)  # the subject of camera moves
_START = Item("stop", "", 0, 0)


@dataclass
class Claim:
    """One statement. ``times``: (mode, seconds...) with modes at, from, end, range, for, and start, end, whole."""

    kind: str
    word: str
    span: tuple[int, int]
    subject: tuple[int, ...] | None = None
    objects: list[tuple[int, ...]] = field(default_factory=list)
    numbers: list[tuple[float, str]] = field(default_factory=list)
    times: list[tuple[str, tuple[float, ...]]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    count: int | None = None
    negated: bool = False


@dataclass
class Reading:
    """What a text claims, what it says about order (earlier claim, later claim), and what cannot be read."""

    claims: list[Claim]
    orders: list[tuple[str, Claim, Claim]]
    errors: list[str]


class _Reader:
    """Walks over the items once; ``_<kind>`` handles an item of that kind, `_word` all others."""

    def __init__(self) -> None:
        self.before = _START
        self.rest: list[Item] = []
        self.claims: list[Claim] = []
        self.events: list[Claim] = []  # those that have a place in time
        self.links: list[tuple[str, int, bool]] = []  # connector, how many events came before, opens its sentence
        self.errors: list[str] = []
        self.subject: tuple[int, ...] | None = None
        self.previous: tuple[int, ...] | None = None  # the subject before this one, what "hides it" means
        self.last_entity: tuple[int, ...] | None = None
        self.claim: Claim | None = None
        self.slots = 0
        self.axis = ""  # of an open camera move that lacks its direction
        self.negated = False
        self.flags: set[str] = set()
        self.numbers: list[tuple[float, str]] = []
        self.times: list[tuple[str, tuple[float, ...]]] = []

    def read(self, items: list[Item]) -> None:
        for k, item in enumerate(items):
            self.before, self.rest = items[k - 1] if k else _START, items[k + 1 :]
            getattr(self, "_" + item.kind, self._word)(item)

    def _open(self, item: Item, kind: str, word: str, slots: int = 0, axis: str = "") -> Claim:
        self._finish()
        claim = Claim(kind, word, (item.start, item.end), self.subject, negated=self.negated)
        claim.flags, self.flags = self.flags, set()
        claim.numbers, self.numbers = self.numbers, []
        claim.times, self.times = self.times, []
        self.claim, self.slots, self.axis, self.negated = claim, slots, axis, False
        self.claims.append(claim)
        if kind == "move" or kind in EVENTS:
            self.events.append(claim)
        return claim

    def _finish(self) -> None:
        """Close the open claim; an attribute that got no number claims nothing."""
        claim = self.claim
        if claim and claim.kind == "relation" and not claim.objects:
            self.claims.remove(claim)  # "under a clear sky"
        elif claim and claim.kind in MEASURED and not claim.numbers:
            self.claims.remove(claim)
            self.times += claim.times
            if claim.negated:
                self.negated = True
        self.claim, self.slots, self.axis = None, 0, ""

    def _ent(self, item: Item) -> None:
        negated_name = self.negated and self.before.kind == "neg"
        kind = "object" if item.count is None else "count"
        mention = Claim(kind, item.value, (item.start, item.end), item.ids, count=item.count, negated=negated_name)
        self.claims.append(mention)
        self.negated = self.negated and not negated_name
        if self.slots and self.claim:
            self.claim.objects.append(item.ids)
            self.claim.span = (self.claim.span[0], item.end)
            self.slots -= 1
        else:
            self._become(item.ids)
        self.last_entity = item.ids

    def _become(self, subject: tuple[int, ...]) -> None:
        if subject != self.subject:
            self.previous, self.subject = self.subject, subject
        self._finish()

    def _scenery(self, _: Item) -> None:
        if self.slots and self.claim:
            self.claim.objects.append((SCENERY,))
            self.slots -= 1
        elif next((i.value for i in self.rest if i.kind != "mod"), "") == "occlude":
            self._become((SCENERY,))

    def _camera(self, _: Item) -> None:
        if self.slots and self.claim:
            self.claim.objects.append(CAMERA)
            self.slots -= 1
        else:
            self._become(CAMERA)

    def _pron(self, _: Item) -> None:
        if self.slots and self.claim and self.claim.kind != "reappearance":
            if self.previous:
                self.claim.objects.append(self.previous)
            self.slots -= 1

    def _which(self, _: Item) -> None:
        if self.last_entity:
            self._become(self.last_entity)

    def _cam(self, item: Item) -> None:
        if self.before.kind == "ent":
            self.errors.append(f"only the camera can {item.value}")
        self._open(item, "move", item.value, axis=item.value if item.value in AXES else "")

    def _verb(self, item: Item) -> None:
        if self.subject == CAMERA or self.subject is None:
            axis = {"turn": "pan", "slide": "truck"}.get(item.value, item.value)
            self._open(item, "move", axis, axis=axis)
        elif item.value == "turn":
            self._open(item, "turn", "", axis="turn")
        else:
            self._open(item, "motion", "", axis="motion")

    def _move(self, item: Item) -> None:
        self._open(item, "move", "fixed")

    def _still(self, item: Item) -> None:
        if self.subject == CAMERA:
            self._open(item, "move", "fixed")
        elif self.subject is not None:
            self._open(item, "still", "")

    def _pred(self, item: Item) -> None:
        kind = {"occlude": "occlusion", "occluded": "occlusion", "reappear": "reappearance",
                "pass behind": "passing", "pass in front of": "passing"}.get(item.value, item.value)  # fmt: skip
        word = {"occlude": "active", "occluded": "passive", "pass behind": "behind",
                "pass in front of": "in front of"}.get(item.value, "")  # fmt: skip
        self._open(item, kind, word, slots=int(item.value in TRANSITIVE))

    def _rel(self, item: Item) -> None:
        if item.value == "behind" and self.claim and self.slots and self.claim.word in ("passive", ""):
            return  # "hidden behind", "comes out from behind"
        if (
            item.value in ("behind", "in front of")
            and self.claim
            and self.claim.kind == "motion"
            and not self.claim.word
        ):
            self.claims.remove(self.claim)  # "goes right behind": a passing, not a direction
            self.claim = None
            self._open(item, "passing", item.value, slots=1)
            return
        self._open(item, "relation", item.value, slots=2 if item.value == "between" else 1)

    def _on(self, item: Item) -> None:
        if self.before.kind == self.rest[0].kind == "ent":
            self._open(item, "relation", "on", slots=1)

    def _dir(self, item: Item) -> None:
        claim, value = self.claim, item.value
        allowed = AXES.get(self.axis, ())
        if claim and value in allowed:
            axis, self.axis = self.axis, ""
            claim.word = (
                value if axis in ("motion", "turn") else CAMERA_MOVES[value] if axis == "move" else f"{axis} {value}"
            )
            claim.span = (claim.span[0], item.end)
        elif claim and claim.kind == "pitch" and value in ("up", "down"):
            claim.word = value
        elif value not in PREPOSITIONS and not (claim and claim.kind == "move" and claim.word.endswith(" " + value)):
            self.errors.append(f"nothing supports the direction {value!r}")

    def _num(self, item: Item) -> None:
        number, follows = (item.numbers[0], item.value), self.rest[0]
        noun = (follows.kind == "attr" and follows.value != "peak") or follows.kind in ("cam", "verb")
        if follows.kind == "pred" and follows.value in ("occluded", "turn"):
            noun = True
        if not noun and self.claim and item.value in UNITS_OF.get(self.claim.kind, ()):
            self.claim.numbers.append(number)
            self.claim.span = (self.claim.span[0], item.end)
        else:
            self.numbers.append(number)

    def _attr(self, item: Item) -> None:
        if item.value == "peak" or (item.value in SIZES and not self.numbers):
            return
        if item.value == "clip" and "time" not in (self.before.kind, self.rest[0].kind):
            return
        if item.value == "clip" and self.before.kind == "time":  # "a 2 s clip"
            times = self.times or (self.claim.times if self.claim else [])
            self.numbers.append((times.pop()[1][0], "s"))
        word = {"tall": "height"}.get(item.value, item.value) if item.value in SIZES else ""
        self._open(item, ATTRIBUTES[item.value], word, slots={"distance": 1, "distance of": 2}.get(item.value, 0))

    def _time(self, item: Item) -> None:
        if self.claim and self.claim.kind == "clip" and item.value == "bare":
            self.claim.numbers.append((item.numbers[0], "s"))
        else:
            self._when_at((item.value, item.numbers))

    def _when(self, item: Item) -> None:
        self._when_at(({"start": "first", "end": "last"}.get(item.value, "whole"), ()))

    def _when_at(self, time: tuple[str, tuple[float, ...]]) -> None:
        """Give a time to the clause it stands in: the open one, or the one it introduces."""
        forward = False
        if self.before.kind in BOUNDARIES:
            ahead = next(n for n, i in enumerate(self.rest) if i.kind in MAKERS or i.kind in BOUNDARIES)
            kind = self.rest[ahead].kind
            forward = kind in MAKERS or (ahead == 0 and time[0] in ("at", "first") and kind != "stop")
        if self.claim and not forward:
            self.claim.times.append(time)
        else:
            self.times.append(time)

    def _neg(self, _: Item) -> None:
        self.negated = True

    def _mod(self, item: Item) -> None:
        follows = self.rest[0]
        if self.claim and (follows.kind not in MAKERS or follows.value == "peak"):
            self.claim.flags.add(item.value)
        else:
            self.flags.add(item.value)

    def _order(self, item: Item) -> None:
        opens = self.before.kind == "stop"
        self.links.append((item.value, len(self.events), opens))
        self._comma(item)

    def _comma(self, _: Item) -> None:
        pair = self.claim and (self.claim.word == "between" or self.claim.kind == "distance")
        if not pair:
            self.slots = 0

    def _semi(self, _: Item) -> None:
        self._finish()
        self.negated = False

    def _stop(self, _: Item) -> None:
        self._finish()
        for value, unit in self.numbers:
            self.errors.append(f"nothing in this sentence can have {value:g} {unit}")
        if any(t[0] not in ("first", "last", "whole") for t in self.times):
            self.errors.append(f"no event for the time {self.times[0][1]} s")
        self.numbers, self.times, self.flags, self.negated = [], [], set(), False

    def _colour(self, item: Item) -> None:
        claim = Claim("colour", item.value, (item.start, item.end), self.subject, negated=self.negated)
        self.claims.append(claim)

    def _word(self, item: Item) -> None:
        """Weather, time of day and shadows stand alone."""
        self.claims.append(Claim(item.kind, item.value, (item.start, item.end), negated=self.negated))
        self.negated = False


def read(text: str, facts: Facts) -> Reading:
    """Everything ``text`` claims about the clip of ``facts``."""
    tokeniser = Tokeniser(text, facts)
    items = tokeniser.run()
    reader = _Reader()
    reader.read(items)
    events, orders = reader.events, []
    for word, at, opens in reader.links:
        if opens and word in ("after", "before"):
            first, second = at, at + 1
        else:
            first, second = at - 1, at
        if first < 0 or second >= len(events):
            continue
        a, b = events[first], events[second]
        if word == "while":
            orders.append((word, a, b))
        elif (word == "after") != (opens and word in ("after", "before")):
            orders.append(("then", b, a))
        else:
            orders.append(("then", a, b))
    return Reading(reader.claims, orders, tokeniser.errors + reader.errors)
