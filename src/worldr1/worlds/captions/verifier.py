"""Does a text say only what the record holds, and all that its level asks for?

The text is read on its own terms (`claims.read`), with no knowledge of the realiser's templates, and each claim is
looked for among the facts. What is named but not understood (a number that belongs to nothing, a direction without a
move, a thing that is not there) counts against the text: a rewriter loses by it no more than one more attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from worldr1.worlds.captions.claims import CAMERA, Claim, read
from worldr1.worlds.captions.facts import Fact, Facts, Level, facts_of, required
from worldr1.worlds.record import Record

_INVERSE = {"left of": "right of", "right of": "left of", "in front of": "behind", "behind": "in front of",
            "near": "near", "below": "above"}  # fmt: skip
_INTERVALS = ("move", "occlusion", "relation", "motion", "distance")


@dataclass(frozen=True)
class Verdict:
    """``precision``: share of claims that hold; ``recall``: share of the level's facts that are stated."""

    ok: bool
    errors: tuple[str, ...]
    precision: float
    recall: float


def verify(
    text: str,
    record: Record | Facts,
    claims: Sequence[Mapping[str, str]] | None = None,
    level: Level = "dense",
) -> Verdict:
    """Hold ``text`` against ``record``.

    ``claims`` are a rewriter's own ``{"fact": id, "span": words}``: each id must be one of the facts and each span a
    part of the text. ``ok`` needs every claim to hold and every fact of ``level`` (`facts.required`) to be stated.
    """
    facts = record if isinstance(record, Facts) else facts_of(record)
    reading = read(text, facts)
    errors, chosen, covered = list(reading.errors), {}, set[str]()
    must, wrong = required(facts, level), 0
    wanted = {f.id for f in must}
    for claim in reading.claims:
        found = _supported(claim, facts)
        if isinstance(found, str):
            errors.append(f"{text[slice(*claim.span)]!r}: {found}")
            wrong += 1
        elif found:
            if claim.kind not in ("object", "count"):  # said once, it covers one: what is asked for and not yet told
                found = [min(found, key=lambda f: (f.id in covered, f.id not in wanted))]
            chosen[id(claim)] = found[0]
            covered.update(f.id for f in found)
    for word, a, b in reading.orders:
        first, second = chosen.get(id(a)), chosen.get(id(b))
        if first and second and _misordered(word, first, second):
            errors.append(f"{text[slice(*a.span)]!r} and {text[slice(*b.span)]!r} are not in this order ({word})")
            wrong += 1
    missing = [f for f in must if f.id not in covered]
    errors += [f"missing: {describe(f, facts)}" for f in missing]
    bad_claims = list(_bad_claims(text, facts, claims or ()))
    stated = len(reading.claims) + len(reading.errors) + len(bad_claims)
    precision = 1 - min((wrong + len(reading.errors) + len(bad_claims)) / stated, 1.0) if stated else 0.0
    recall = 1 - len(missing) / len(must) if must else 1.0
    errors += bad_claims
    return Verdict(not errors, tuple(errors), precision, recall)


def describe(fact: Fact, facts: Facts) -> str:
    """One line for a rewriter: who, what, when, how much."""

    def name(i: int) -> str:
        return facts.objects[i].expression if i in facts.objects else "the scenery"

    subject = name(fact.subject) if fact.subject is not None else "camera" if fact.kind in ("move", "shake") else ""
    words = [subject, fact.kind, fact.word, ", ".join(name(i) for i in fact.objects), " ".join(sorted(fact.flags))]
    numbers = ", ".join(f"{k} {q.text} {q.unit}" for k, q in fact.quantities.items())
    return " ".join(w for w in words if w) + (f" ({numbers})" if numbers else "")


def _bad_claims(text: str, facts: Facts, claims: Sequence[Mapping[str, str]]) -> Iterable[str]:
    known = {f.id for f in facts.all}
    for claim in claims:
        if claim.get("fact") not in known:
            yield f"claimed fact {claim.get('fact')!r} does not exist"
        elif claim.get("span", "") not in text:
            yield f"claimed span {claim.get('span')!r} is not in the caption"


def _misordered(word: str, first: Fact, second: Fact) -> bool:
    if word == "while":
        return first.frames[1] < second.frames[0] or second.frames[1] < first.frames[0]
    return first.frames[0] > second.frames[0]


def _supported(claim: Claim, facts: Facts) -> list[Fact] | str:
    """The facts that bear a claim out, or why there is none. A negated claim needs its opposite to be unsupported."""
    found = _search(claim, facts)
    if not claim.negated:
        return found
    if claim.kind == "move" and claim.word in ("move", "fixed"):  # "does not move"; "is not fixed"
        return _search(Claim("move", "fixed", claim.span), facts) if claim.word == "move" else (
            "the camera is fixed" if not isinstance(found, str) else [])  # fmt: skip
    return [] if isinstance(found, str) else "this is denied but true"


def _search(claim: Claim, facts: Facts) -> list[Fact] | str:
    if claim.numbers and claim.kind in ("relation", "still"):
        return f"{claim.numbers[0][0]:g} {claim.numbers[0][1]} does not belong here"
    if claim.kind == "object":
        return [f for f in facts.of("object") if f.subject in (claim.subject or ())] or "not in the clip"
    if claim.kind == "count":
        found = [f for f in facts.of("object") if f.subject in (claim.subject or ())]
        return found if len(found) == claim.count else f"there are {len(found)}"
    if claim.kind == "colour":
        fits = [f for f in facts.of("object") if f.subject in (claim.subject or ())]
        fits = [f for f in fits if claim.word in facts.objects[f.subject or 0].colour.split()]
        return fits or "it has another colour"
    if claim.kind == "still":
        still = [f for f in facts.of("object") if f.subject in (claim.subject or ()) and "static" in f.flags]
        return still or "it moves"
    if claim.kind in ("weather", "time of day", "shadows"):
        found = [f for f in facts.of(claim.kind) if claim.word == f.word or (claim.word == "any" and f.word != "none")]
        true = facts.of(claim.kind)
        return found or f"the {claim.kind} is {true[0].word if true else 'not seen'}"
    if claim.kind == "relation":
        return _relation(claim, facts)
    candidates, reason = facts.of(claim.kind), f"no such {claim.kind}"
    if claim.kind == "passing" and not any(_match(claim, f, facts) for f in candidates):
        return _passing_as_occlusion(claim, facts)
    return [f for f in candidates if _match(claim, f, facts)] or reason


def _passing_as_occlusion(claim: Claim, facts: Facts) -> list[Fact] | str:
    """To pass behind something is also to be hidden by it for a while."""
    hidden = Claim("occlusion", "passive", claim.span, claim.subject, claim.objects, times=claim.times)
    if claim.word == "in front of":
        hidden.subject, hidden.objects = (claim.objects or [()])[0], [claim.subject or ()]
    return [f for f in facts.of("occlusion") if _match(hidden, f, facts)] or "it does not pass there"


def _relation(claim: Claim, facts: Facts) -> list[Fact] | str:
    word, subject, objects = claim.word, claim.subject or (), claim.objects
    if subject == CAMERA or CAMERA in objects:
        return "no place relative to the camera is known"
    if not objects or (word == "between" and len(objects) < 2):
        return "relative to what?"
    found = []
    for fact in facts.of("relation"):
        direct = fact.word == word or {fact.word, word} == {"on", "supported by"}
        direct = direct and fact.subject in subject
        if word == "between":
            pair = set(fact.objects)
            fits = direct and all(pair & set(o) for o in objects) and len(pair) == 2
        else:
            fits = direct and fact.objects[0] in objects[0]
            inverse = _INVERSE.get(word) == fact.word
            fits = fits or (inverse and fact.subject in objects[0] and fact.objects[0] in subject)
        if fits and _times_fit(claim, fact, facts):
            found.append(fact)
    return found or "this does not hold" + (" at that time" if claim.times else "")


def _match(claim: Claim, fact: Fact, facts: Facts) -> bool:
    subject, objects = claim.subject, claim.objects
    if claim.kind in ("move", "lens", "sensor", "height", "pitch", "clip", "shake"):
        subject = None
    elif claim.kind == "distance" and len(objects) == 2:  # "the distance between a and b"
        if fact.subject not in objects[0]:
            objects = objects[::-1]
        subject, objects = objects[0], objects[1:]
    elif subject is None or subject == CAMERA:
        return False
    if claim.kind == "occlusion":
        if claim.word == "active":  # the subject hides the object
            if not objects:
                return False
            subject, objects = objects[0], [claim.subject or ()]
        if "onset unseen" not in fact.flags and len({"full", "partial"} & (claim.flags | fact.flags)) > 1:
            return False
    elif claim.kind in ("move", "motion", "passing", "pitch", "turn") and not _same_word(claim, fact):
        return False
    if claim.kind in ("contact", "collision") and fact.subject not in (subject or ()) and objects:
        subject, objects = objects[0], [subject or ()]  # they touch each other
    if subject is not None and fact.subject not in subject:
        return False
    if any(not set(fact.objects) & set(o) for o in objects):
        return False
    return _times_fit(claim, fact, facts) and _numbers_fit(claim, fact)


def _same_word(claim: Claim, fact: Fact) -> bool:
    """Whether a claim's word allows the fact's: "pan" allows "pan left", "move" any camera move."""
    if claim.kind == "move" and fact.word.startswith(claim.word + " "):
        return True
    if claim.kind == "move" and claim.word == "move":
        return fact.word != "fixed"
    return claim.word in ("", fact.word)


def _numbers_fit(claim: Claim, fact: Fact) -> bool:
    """Every number of the claim is one of the fact's; two are its first and last in this order."""
    known = {k: q for k, q in fact.quantities.items() if q.unit != "s" or claim.kind == "clip"}
    if claim.kind == "size" and claim.word:
        known = {claim.word: known[claim.word]}
    values = list(known.values())
    if len(claim.numbers) > 1 and len(values) == len(claim.numbers):
        pairs = list(zip(claim.numbers, values, strict=True))
    else:
        if len(claim.numbers) > len(values):
            return False
        pairs = []
        for number in claim.numbers:
            near = next((q for q in values if q.unit == number[1] and abs(q.value - number[0]) <= q.tolerance), None)
            if near is None:
                return False
            pairs.append((number, near))
    return all(q.unit == unit and abs(q.value - abs(value)) <= q.tolerance + 1e-9 for (value, unit), q in pairs)


def _times_fit(claim: Claim, fact: Fact, facts: Facts) -> bool:
    last, q = facts.num_frames - 1, fact.quantities
    tolerance = 0.5 / facts.fps + 0.06
    start, end = fact.frames[0] / facts.fps, fact.frames[1] / facts.fps
    if fact.kind == "move" and "end" in q:  # moves begin and end between frames
        start, end = q["start"].value, q["end"].value
    long = fact.kind in _INTERVALS
    if not claim.times and fact.kind == "relation":  # said without a time: true of most of the clip
        return fact.frames[1] - fact.frames[0] + 1 >= 0.5 * facts.num_frames

    def near(a: float, b: float) -> bool:
        return abs(a - b) <= tolerance

    def fits(mode: str, v: tuple[float, ...]) -> bool:
        match mode:
            case "at":
                return near(v[0], start) or (long and start - tolerance <= v[0] <= end + tolerance)
            case "bare":
                return near(v[0], start) or near(v[0], end - start)
            case "from":
                return near(v[0], start) and "onset unseen" not in fact.flags
            case "end":
                return near(v[0], end)
            case "range":
                return long and near(v[0], start) and near(v[1], end) and "onset unseen" not in fact.flags
            case "for":
                return long and near(v[0], end - start)
            case "first":
                return fact.frames[0] == 0
            case "last":
                return fact.frames[1] == last
            case _:
                return fact.frames == (0, last)

    return all(fits(mode, values) for mode, values in claim.times)
