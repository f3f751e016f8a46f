"""Facts to prose, the same words for the same record and seed. Every number is a fact's, printed with its unit."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from worldr1.worlds.captions import phrases as ph
from worldr1.worlds.captions.facts import EVENTS, LEVELS, SCENERY, Fact, Facts, Level, Quantity, facts_of, required
from worldr1.worlds.captions.words import COUNTS, plural
from worldr1.worlds.record import Caption, Record

_SPOKEN = {"mm": "mm", "m": "m", "deg": "degrees", "s": "s", "x": "times", "%": "%"}


def number(q: Quantity) -> str:
    """A quantity with its unit: "1.25 m", "15 degrees"."""
    return f"{q.text} {'degree' if q.unit == 'deg' and q.value == 1 else _SPOKEN[q.unit]}"


def realise(record: Record, level: Level, seed: int | str | None = None, facts: Facts | None = None) -> Caption:
    """The deterministic caption of a record. ``seed`` chooses among wordings; None: the clip's key.

    ``facts`` may be passed when they are already there. Raises ``ValueError`` for an unknown level.
    """
    return Caption(level=level, text=" ".join(s for s, _ in sentences(record, level, seed, facts)))


def realise_all(record: Record, seed: int | str | None = None) -> list[Caption]:
    """One caption per level."""
    facts = facts_of(record)
    return [realise(record, level, seed, facts) for level in LEVELS]


def sentences(
    record: Record, level: Level, seed: int | str | None = None, facts: Facts | None = None
) -> list[tuple[str, list[Fact]]]:
    """The caption sentence by sentence, each with the facts it states."""
    if level not in LEVELS:
        raise ValueError(f"unknown caption level {level!r}; use one of {', '.join(LEVELS)}")
    facts = facts or facts_of(record)
    rng = random.Random(f"{record.clip.key if seed is None else seed}:{level}")
    return _Writer(facts, required(facts, level), rng).write(level)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def listed(words: list[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _are(objects: list[Fact]) -> str:
    return "is" if len(objects) == 1 else "are"


@dataclass
class _Writer:
    facts: Facts
    told: list[Fact]
    rng: random.Random
    out: list[tuple[str, list[Fact]]] = field(default_factory=list)

    def write(self, level: Level) -> list[tuple[str, list[Fact]]]:
        if level == "short":
            self._short()
        elif level == "camera":
            self._optics()
            self._moves()
            self._scene("")
        elif level == "dense":
            self._optics()
            self._moves()
            self._scene(self._light())
            self._each("relation")
            self._each("motion")
            self._each(*EVENTS)
        else:
            self._schematic()
        return self.out

    def _of(self, *kinds: str) -> list[Fact]:
        return [f for f in self.told if f.kind in kinds]

    def _say(self, text: str, facts: Iterable[Fact]) -> None:
        self.out.append((sentence(text), list(facts)))

    def _name(self, i: int) -> str:
        if i == SCENERY:
            return "the scenery"
        expression = self.facts.objects[i].expression
        return expression if expression.startswith("the ") else f"the {expression}"

    def _objects(self, told: list[Fact]) -> str:
        """Objects as they come into the text: alike ones counted, unless only some of them are told."""
        groups: dict[tuple[str, str], list[int]] = {}
        for i, o in self.facts.objects.items():
            groups.setdefault((o.colour, o.category), []).append(i)
        ids, words, done = {f.subject for f in told}, [], set()
        for fact in told:
            if fact.subject is None or fact.subject in done:
                continue
            o = self.facts.objects[fact.subject]
            alike = groups[o.colour, o.category]
            if len(alike) == 1:
                noun = " ".join(w for w in (o.colour, o.texture, o.category) if w)
                words.append(f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}")
            elif ids.issuperset(alike) and len(alike) < len(COUNTS):
                words.append(f"{COUNTS[len(alike)]} {o.colour} {plural(o.category)}")
                done.update(alike)
            else:
                words.append(self._name(fact.subject))
        return listed(words)

    def _short(self) -> None:
        moves, objects = self._of("move"), self._of("object")
        text = self._move_list(moves, numbers=False)
        if objects:
            things = self._objects(objects)
            text = self.rng.choice(ph.SHORT).format(objects=things, Objects=things, moves=text, are=_are(objects))
            self._say(text, [*moves, *objects])
        else:
            self._say(f"the camera {text}", moves)
        for fact in self.told:
            if fact.kind not in ("move", "object"):
                write = self._occlusion if fact.kind == "occlusion" else self._event
                self._say(write(fact, timed=False), [fact])

    def _optics(self) -> None:
        lens, height = self._of("lens")[0], self._of("height")[0]
        opening = self.rng.choice(ph.OPENING).format(lens=self._lens(lens))
        text = self.rng.choice(ph.HEIGHT).format(n=number(height.quantities["height"]))
        facts = [lens, height]
        text = f"{opening}, {text}"
        for pitch in self._of("pitch"):
            text += f", {self._pitch(pitch)}"
            facts.append(pitch)
        self._say(text, facts)

    def _lens(self, lens: Fact) -> str:
        first, last = lens.quantities["start"], lens.quantities.get("end")
        if last:
            return ph.ZOOM.format(n=number(first), m=number(last))
        an = "an" if first.text.startswith("8") or first.text.split(".")[0] in ("11", "18") else "a"
        return self.rng.choice(ph.LENS).format(n=number(first), an=an)

    def _pitch(self, pitch: Fact) -> str:
        q = pitch.quantities["pitch"]
        return f"looking {pitch.word} by {number(q)}" if q.value else f"with a pitch of {number(q)}"

    def _move_list(self, moves: list[Fact], *, numbers: bool, spoken: bool = True) -> str:
        """Moves in order of time: "dollies in by 1.2 m, then pans left"."""
        text, before = "", None
        for fact in sorted(moves, key=lambda f: (f.frames, f.id)):
            words, base = ph.MOVES[fact.word]
            phrase = self.rng.choice(words) if spoken else base
            if numbers and "magnitude" in fact.quantities:
                q = fact.quantities["magnitude"]
                phrase += f" by a factor of {q.text}" if q.unit == "x" else f" by {number(q)}"
            if numbers and "start" in fact.quantities and not ("whole" in fact.flags and spoken):
                phrase += f" from {number(fact.quantities['start'])} to {number(fact.quantities['end'])}"
            if before is None:
                text = phrase
            elif fact.frames[0] >= before.frames[1] and fact.frames[0] > before.frames[0]:
                text += f", then {phrase}"
            else:
                text += f", and {phrase}" if not numbers or not spoken else f", and it {phrase}"
            before = fact
        return text

    def _moves(self) -> None:
        moves = self._of("move")
        self._say(f"the camera {self._move_list(moves, numbers=True)}", moves)
        for fact in self._of("shake"):
            self._say(self.rng.choice(ph.SHAKE), [fact])

    def _light(self) -> str:
        words = [ph.WEATHER[f.word] for f in self._of("weather")]
        words += [ph.TIME_OF_DAY[f.word] for f in self._of("time of day")]
        words += [ph.SHADOWS[f.word] for f in self._of("shadows")]
        return " ".join(words)

    def _scene(self, light: str) -> None:
        objects, lit = self._of("object"), self._of("weather", "time of day")
        if objects:
            text = self.rng.choice(ph.INTRO).format(objects=self._objects(objects), are=_are(objects))
            self._say(f"{text}{', ' if light else ''}{light}", [*objects, *(lit if light else [])])
        elif light:
            self._say(f"the scene is {light}", lit)

    def _each(self, *kinds: str) -> None:
        """One sentence per fact; "it" where the subject is that of the sentence before."""
        before = None
        for fact in self._of(*kinds):
            text = getattr(self, f"_{fact.kind}", self._event)(fact)
            name = self._name(fact.subject or 0)
            leads = text.startswith(name + " ")
            person = leads and self.facts.objects[fact.subject or 0].category == "pedestrian"
            self._say("it" + text.removeprefix(name) if leads and name == before and not person else text, [fact])
            before = name if leads else None

    def _relation(self, fact: Fact) -> str:
        b, c = fact.objects[0], fact.objects[-1]
        template = self.rng.choice(ph.RELATIONS[fact.word])
        text = template.format(a=self._name(fact.subject or 0), b=self._name(b), c=self._name(c))
        if "whole" in fact.flags:
            return f"{text} throughout"
        q = fact.quantities
        return f"from {number(q['start'])} to {number(q['end'])}, {text}"

    def _motion(self, fact: Fact) -> str:
        mover = self.facts.objects[fact.subject or 0]
        verb = self.rng.choice(ph.TRAVELS.get(mover.category, ph.TRAVEL))
        length = f" {number(fact.quantities['length'])}" if fact.quantities else ""
        return f"{self._name(mover.id)} {verb}{length} {ph.DIRECTIONS.get(fact.word, fact.word)}"

    def _distance(self, fact: Fact) -> str:
        q = fact.quantities
        return ph.DISTANCE.format(a=self._name(fact.subject or 0), b=self._name(fact.objects[0]),
                                     n=number(q["first"]), m=number(q["last"]))  # fmt: skip

    def _size(self, fact: Fact) -> str:
        l, w, h = (number(q) for q in fact.quantities.values())  # noqa: E741
        return ph.SIZE.format(a=self._name(fact.subject or 0), l=l, w=w, h=h)

    def _event(self, fact: Fact, *, timed: bool = True) -> str:
        a, b = self._name(fact.subject or 0), self._name(fact.objects[0]) if fact.objects else ""
        if fact.kind in ("contact", "collision") and fact.objects[0] == SCENERY:
            b = "a fixed surface"
        angle = fact.quantities.get("angle")
        text = self.rng.choice(ph.EVENTS[fact.kind] if b or fact.kind != "reappearance" else ("{a} reappears",))
        text = text.format(a=a, b=b, side=fact.word, n=number(angle) if angle else "")
        if not timed:
            return text
        time = f"at {number(fact.quantities['start'])}"
        return f"{text} {time}" if self.rng.random() < 0.6 else f"{time}, {text}"

    def _occlusion(self, fact: Fact, *, timed: bool = True) -> str:
        a, b = self._name(fact.subject or 0), self._name(fact.objects[0]) if fact.objects else ""
        q = fact.quantities
        partly = "partial" in fact.flags
        if "onset unseen" in fact.flags:
            template = ph.ALREADY if b else ph.ALREADY_ALONE
        else:
            template = ph.ALONE if not b else self.rng.choice(ph.OCCLUSION_PARTLY if partly else ph.OCCLUSION)
        text = template.format(a=a, b=b)
        if timed and "start" in q and fact.frames[0] == fact.frames[1]:
            text += f" at {number(q['start'])}"
        elif timed and "start" in q and "end" in q:
            text += f" from {number(q['start'])} to {number(q['end'])}"
        elif timed and "start" in q:
            text += f" from {number(q['start'])} until the end"
        elif timed and "end" in q:
            text += f", until {number(q['end'])}"
        elif timed:
            text += ", until the end"
        if timed and "peak" in q:
            text += f", up to {number(q['peak'])} at the peak"
        elif timed and "full" in fact.flags and "onset unseen" not in fact.flags:
            text += ", completely at the peak"
        return text

    def _schematic(self) -> None:
        clip, sensor, lens = self._of("clip")[0], self._of("sensor")[0], self._of("lens")[0]
        self._say(f"clip: duration {number(clip.quantities['duration'])}", [clip])
        self._say(f"optics: {self._lens(lens)}, {number(sensor.quantities['width'])} sensor", [lens, sensor])
        height, pitch = self._of("height")[0], self._of("pitch")[0]
        self._say(f"camera: {number(height.quantities['height'])} above the ground at the start, {self._pitch(pitch)}",
                  [height, pitch])  # fmt: skip
        moves = self._of("move")
        self._say(f"camera path: {self._move_list(moves, numbers=True, spoken=False)}", moves)
        for fact in self._of("shake"):
            self._say("camera path: handheld", [fact])
        if objects := self._of("object"):
            self._say(f"objects: {self._objects(objects)}", objects)
        sections = {"Sizes": ["size"], "Layout": ["relation"], "Motion": ["motion", "distance"], "Events": [*EVENTS]}
        for label, kinds in sections.items():
            first = len(self.out)
            self._each(*kinds)
            for i in range(first, len(self.out)):  # one labelled sentence, its clauses apart
                text, facts = self.out[i]
                text = f"{text[0].lower()}{text[1:-1]}{'.' if i == len(self.out) - 1 else ';'}"
                self.out[i] = (f"{label}: {text}" if i == first else text, facts)
        self._say(f"light: {self._light()}", self._of("weather", "time of day", "shadows"))
