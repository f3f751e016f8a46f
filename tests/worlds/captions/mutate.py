"""Edits that make a caption false. Each looks at the record, not at the verifier, to be sure that it does."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from worldr1.worlds.captions.facts import EVENTS, SCENERY, Fact, Facts

Sentences = list[tuple[str, list[Fact]]]
MOVE_WORDS = {
    "dolly in": "pushes in", "dolly out": "pulls back", "truck left": "trucks left", "truck right": "trucks right",
    "pedestal up": "rises", "pedestal down": "sinks", "pan left": "pans left", "pan right": "pans right",
    "tilt up": "tilts up", "tilt down": "tilts down", "roll clockwise": "rolls clockwise",
    "roll counterclockwise": "rolls counterclockwise", "orbit left": "orbits to the left",
    "orbit right": "orbits to the right", "zoom in": "zooms in", "zoom out": "zooms out",
}  # fmt: skip
VERB = (
    r"(?:dolly|dollies|pushes|pulls|moves|trucks?|slides|rises|sinks|pedestals?|cranes|pans?|swivels|tilts?|rolls?|"
    r"orbits?|circles|arcs|zooms?)(?: sideways)?(?: (?:to the )?(?:in|out|back|forward|backwards|left|right|up|down|"
    r"upwards|downwards|clockwise|counterclockwise))?"
)
OPPOSITES = {
    "in": "out", "out": "in", "forward": "backwards", "backwards": "forward", "up": "down", "down": "up",
    "upwards": "downwards", "downwards": "upwards", "clockwise": "counterclockwise", "counterclockwise": "clockwise",
    "rises": "sinks", "sinks": "rises", "pushes in": "pushes out", "pulls back": "pulls in",
}  # fmt: skip
REVERSED = {"left of": "right of", "right of": "left of", "in front of": "behind", "behind": "in front of"}
COUNTS = ["two", "three", "four", "five", "six", "seven"]
COLOURS = ["red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "white", "grey", "black"]
CATEGORIES = [
    "car",
    "van",
    "truck",
    "bus",
    "pedestrian",
    "ball",
    "crate",
    "barrel",
    "tree",
    "chair",
    "building",
    "lamp",
    "statue",
]
ABSENT = ["bicycle", "dog", "horse", "umbrella", "suitcase", "fountain", "tram", "bench", "helicopter", "bottle"]
WEATHER = {"clear": "under a clear sky", "overcast": "under an overcast sky", "fog": "in fog"}
TIMES = {"dawn": "at dawn", "noon": "at noon", "dusk": "at dusk", "night": "at night"}


def name(facts: Facts, i: int) -> str:
    return "the scenery" if i == SCENERY else facts.objects[i].expression


def pick(rng: random.Random, told: Sentences, *kinds: str) -> tuple[int, str, list[Fact]] | None:
    """A sentence that states facts of these kinds."""
    found = [(i, text, fs) for i, (text, fs) in enumerate(told) if any(f.kind in kinds for f in fs)]
    return rng.choice(found) if found else None


def put(told: Sentences, i: int, text: str) -> str | None:
    """The caption with sentence ``i`` replaced; None where that changes nothing."""
    return " ".join(text if j == i else t for j, (t, _) in enumerate(told)).strip() if text != told[i][0] else None


def masked(text: str, facts: Facts) -> tuple[str, Callable[[str], str]]:
    """Hide the objects' names, so that an edit of words does not rename them."""
    names = sorted((o.expression.removeprefix("the ") for o in facts.objects.values()), key=len, reverse=True)
    for k, n in enumerate(names):
        text = text.replace(n, f"@{k}@")

    def unmask(t: str) -> str:
        for k, n in enumerate(names):
            t = t.replace(f"@{k}@", n)
        return t

    return text, unmask


def related(facts: Facts, a: int, word: str, b: int) -> bool:
    """Whether the record holds ``a word b`` at any time, said either way round."""
    return any(
        (f.subject, f.word, f.objects[0]) in ((a, word, b), (b, REVERSED.get(word, word), a))
        for f in facts.of("relation")
    )


def swap_left_right(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    got = pick(rng, told, "move", "relation", "motion")
    if got is None:
        return None
    i, text, stated = got
    hidden, unmask = masked(text, facts)
    words = list(re.finditer(r"\b(left|right)\b", hidden))
    kinds = {f.word for f in facts.of("move")}
    for f in stated:
        if f.kind == "move" and f.word.rpartition(" ")[2] in ("left", "right"):
            if (
                f.word.translate(str.maketrans("", ""))
                .replace("left", "R")
                .replace("right", "left")
                .replace("R", "right")
                in kinds
            ):
                return None
        elif f.kind == "relation" and (
            f.word not in ("left of", "right of") or related(facts, f.subject, REVERSED[f.word], f.objects[0])
        ):
            return None
    if not words:
        return None
    m = rng.choice(words)
    other = "right" if m.group() == "left" else "left"
    return put(told, i, unmask(hidden[: m.start()] + other + hidden[m.end() :]))


def swap_in_out(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    got = pick(rng, told, "move")
    if got is None:
        return None
    i, text, _ = got
    kinds = {f.word for f in facts.of("move")}
    axes = [k.split()[0] for k in kinds if k.split()[-1] not in ("left", "right", "fixed")]
    if any(sum(k.startswith(a) for k in kinds) > 1 for a in axes):
        return None  # the opposite is true as well
    found = [m for m in re.finditer(VERB, text) if any(re.search(rf"\b{w}\b", m.group()) for w in OPPOSITES)]
    if not found:
        return None
    m = rng.choice(found)
    words = next(w for w in sorted(OPPOSITES, key=len, reverse=True) if re.search(rf"\b{w}\b", m.group()))
    return put(
        told, i, text[: m.start()] + re.sub(rf"\b{words}\b", OPPOSITES[words], m.group(), count=1) + text[m.end() :]
    )


def change_number(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    numbered = [(i, t, fs) for i, (t, fs) in enumerate(told) if re.search(r"\d", t)]
    if not numbered:
        return None
    i, text, stated = rng.choice(numbered)
    m = rng.choice(list(re.finditer(r"\d+(?:\.\d+)?", text)))
    alike = [f for f in facts.all if f.kind in {s.kind for s in stated}]
    true = [q.value for f in alike for q in f.quantities.values()]
    value = float(m.group())
    for _ in range(20):
        new = round(value * rng.choice([0.4, 0.6, 1.4, 1.8, 2.5]) + rng.choice([0, 1.5, 3]), 2)
        if all(abs(new - v) > 0.25 + 0.15 * abs(v) for v in true):
            return put(told, i, f"{text[: m.start()]}{new:g}{text[m.end() :]}")
    return None


def change_unit(rng: random.Random, told: Sentences, facts: Facts) -> str | None:  # noqa: ARG001
    units = r"(?<=\d )(mm|m|degrees|s|%)(?!\w)"
    found = [(i, t, m) for i, (t, _) in enumerate(told) for m in re.finditer(units, t)]
    found = [f for f in found if float(re.findall(r"[\d.]+(?= $)", f[1][: f[2].start()])[0]) > 0]
    if not found:
        return None
    i, text, m = rng.choice(found)
    new = rng.choice([u for u in ("mm", "m", "degrees", "s", "cm", "minutes") if u != m.group()])
    return put(told, i, text[: m.start()] + new + text[m.end() :])


def swap_roles(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    got = pick(rng, told, "occlusion", "reappearance", "relation")
    if got is None:
        return None
    i, text, (fact, *_) = got
    if not fact.objects or len(fact.objects) > 1 or fact.word == "near":
        return None
    a, b = fact.subject, fact.objects[0]
    if fact.kind == "relation":
        if related(facts, b, fact.word, a):
            return None
    elif any(f.kind in ("occlusion", "reappearance") and f.subject == b and a in f.objects for f in facts.all):
        return None
    na, nb = name(facts, a).removeprefix("the "), name(facts, b).removeprefix("the ")
    if text.count(na) != 1 or text.count(nb) != 1 or na in nb or nb in na:
        return None
    return put(told, i, text.replace(na, "@").replace(nb, na).replace("@", nb))


def drop_event(rng: random.Random, told: Sentences, facts: Facts) -> str | None:  # noqa: ARG001
    got = pick(rng, told, *EVENTS)
    return put(told, got[0], "") if got else None


def swap_colours(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    objects = list(facts.objects.values())
    if len(objects) < 2:
        return None
    a, b = rng.sample(objects, 2)
    there = {(o.colour, o.category) for o in objects}
    if a.colour == b.colour or (b.colour, a.category) in there or (a.colour, b.category) in there:
        return None
    text = " ".join(t for t, _ in told)
    if not re.search(rf"{a.colour} (\w+ )?{a.category}", text):
        return None
    swapped = re.sub(rf"\b{a.colour}\b", "@", text)
    return re.sub(rf"\b{b.colour}\b", a.colour, swapped).replace("@", b.colour)


def change_category(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    o = rng.choice(list(facts.objects.values()))
    new = rng.choice(CATEGORIES)
    if any(p.colour == o.colour and p.category == new for p in facts.objects.values()):
        return None
    found = [(i, t) for i, (t, _) in enumerate(told) if re.search(rf"{o.colour} (\w+ )?{o.category}\b", t)]
    if not found:
        return None
    i, text = rng.choice(found)
    return put(told, i, re.sub(rf"({o.colour} (?:\w+ )?){o.category}\b", rf"\g<1>{new}", text, count=1))


def swap_order(rng: random.Random, told: Sentences, facts: Facts) -> str | None:  # noqa: ARG001
    got = pick(rng, told, "move")
    if got is None or got[1].count(", then ") != 1 or ", and " in got[1]:
        return None
    i, text, stated = got
    if stated[0].frames[0] == stated[-1].frames[0] or not text.startswith("The camera "):
        return None
    if rng.random() < 0.5:
        return put(told, i, text.replace(", then ", rng.choice([" after it ", ", once it "])))
    first, rest = text.removeprefix("The camera ").rstrip(".").split(", then ")
    second, *tail = re.split(r"(?=; )", rest)
    return put(told, i, f"The camera {second}, then {first}{''.join(tail)}.")


def add_object(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    some = name(facts, rng.choice(list(facts.objects)))
    colour, category = rng.choice(COLOURS), rng.choice(CATEGORIES)
    if any(o.category == category and o.colour == colour for o in facts.objects.values()):
        return None
    thing = rng.choice(
        [f"{colour} {category}", rng.choice(ABSENT), f"{colour} {rng.choice(ABSENT)}", "glimmering sporkelator"]
    )
    a = "an" if thing[0] in "aeiou" else "a"
    added = rng.choice([
        f"{a.capitalize()} {thing} stands near {some}.", f"There is also {a} {thing} in the background.",
        f"Next to {some} is {a} {thing}.", f"In the distance, {a} {thing} can be seen.", f"Two {thing}s are in view.",
    ])  # fmt: skip
    at = rng.randint(0, len(told))
    return (
        " ".join([t for t, _ in told[:at]] + [added] + [t for t, _ in told[at:]])
        if told[at - 1][0][-1] != ";"
        else None
    )


def wrong_count(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    got = pick(rng, told, "object")
    if got is None:
        return None
    i, text, _ = got
    hidden, unmask = masked(text, facts)
    found = list(re.finditer(r"\b(two|three|four)\b(?= \w+ \w)", hidden, re.I))
    if not found:
        return None
    m = rng.choice(found)
    new = rng.choice([c for c in COUNTS if c != m.group().lower()])
    return put(told, i, unmask(hidden[: m.start()] + new + hidden[m.end() :]))


def change_move(rng: random.Random, told: Sentences, facts: Facts) -> str | None:
    got = pick(rng, told, "move")
    if got is None:
        return None
    i, text, _ = got
    kinds = {f.word for f in facts.of("move")}
    new = rng.choice([k for k in MOVE_WORDS if k not in kinds])
    still = "is fixed|does not move|stays where it is"
    found = list(re.finditer(rf"(?<=camera )(?:{still})|(?:(?<=camera )|(?<=then )|(?<=path: )){VERB}", text))
    if not found:
        return None
    m = rng.choice(found)
    return put(told, i, text[: m.start()] + MOVE_WORDS[new] + text[m.end() :])


def change_weather(rng: random.Random, told: Sentences, facts: Facts) -> str | None:  # noqa: ARG001
    got = pick(rng, told, "weather")
    if got is None:
        return None
    i, text, _ = got
    table = rng.choice([WEATHER, TIMES])
    old = next((p for p in table.values() if p in text), None)
    return put(told, i, text.replace(old, rng.choice([p for p in table.values() if p != old]))) if old else None


def negate(rng: random.Random, told: Sentences, facts: Facts) -> str | None:  # noqa: ARG001
    got = pick(rng, told, "relation", "occlusion")
    if got is None or not re.search(r"(?<!camera) is ", got[1]):
        return None
    return put(told, got[0], got[1].replace(" is ", " is not ", 1))


MUTATORS: list[Callable[[random.Random, Sentences, Facts], str | None]] = [
    swap_left_right, swap_in_out, change_number, change_unit, swap_roles, drop_event, swap_colours, change_category,
    swap_order, add_object, wrong_count, change_move, change_weather, negate,
]  # fmt: skip
