"""Expressions are unique, and a reader who has only the words and the pictures' boxes finds the object."""

from __future__ import annotations

import re

import numpy as np
import pytest

from worldr1.worlds.scene import ObjectInfo
from worldr1.worlds.truth.describe import ordinal, plural, referring_expressions

NUMBER = {ordinal(n): n for n in range(1, 40)}
COLOURS, CATEGORIES, TEXTURES = ("red", "blue", "dark green", ""), ("crate", "traffic cone", "bus"), ("", "striped")


def info(colour: str, category: str, volume: float = 1.0, texture: str = "") -> ObjectInfo:
    return ObjectInfo(category, colour, (1.0, 1.0, 1.0), volume, texture=texture)


def resolve(text: str, objects: list[ObjectInfo], seen: np.ndarray, x: np.ndarray) -> list[int]:
    """The objects that ``text`` fits, read the way a person would; ``x [frames, objects]`` where they are."""
    text = text.removeprefix("the ")
    place, size = None, None
    unseen = False
    if m := re.fullmatch(r"(left|right) one of the two (.*)", text):
        place, text = m[1], m[2].removesuffix("s") if not m[2].endswith("buses") else m[2].removesuffix("es")
    elif m := re.fullmatch(r"(\S+) (.*?)( from the left| to appear)", text):
        place, text = (NUMBER[m[1]], m[3]), m[2]
    elif text.split()[0] in NUMBER:
        place, text = (NUMBER[text.split()[0]], "unseen"), text.split(" ", 1)[1]
    if text.startswith("unseen "):
        unseen, text = True, text.removeprefix("unseen ")
    if text.split()[0] in ("large", "small"):
        size, text = text.split()[0], text.split(" ", 1)[1]
    fits = []
    for i, o in enumerate(objects):
        names = {" ".join(w for w in (t, o.colour, o.category) if w) for t in {"", o.texture or "plain"}}
        if text in names and bool(seen[:, i].any()) != unseen:
            fits.append(i)
    if size:
        ranked = sorted(fits, key=lambda i: objects[i].volume_m3)
        small_first = ranked if size == "small" else ranked[::-1]
        a, b = objects[small_first[0]].volume_m3, objects[small_first[1]].volume_m3
        assert max(a, b) >= 1.5 * min(a, b), "a size that nobody can see"
        return small_first[:1]
    if place is None:
        return fits
    if place in ("left", "right"):
        assert len(fits) == 2
        place = (1 if place == "left" else 2, " from the left")
    number, how = place
    if how == "unseen":
        return fits[number - 1 : number]
    common = [f for f in range(len(seen)) if all(seen[f, i] for i in fits)]
    if how == " from the left":
        fits.sort(key=lambda i: x[common[0], i])
    else:
        assert not common, "they could have been counted from the left"
        first = {i: min(f for f in range(len(seen)) if seen[f, i]) for i in fits}
        fits.sort(key=lambda i: (first[i], x[first[i], i]))
    return fits[number - 1 : number]


def boxes_at(x: np.ndarray, seen: np.ndarray) -> list[list[tuple[float, float, float, float] | None]]:
    return [
        [(x[f, i] - 1, 0.0, x[f, i] + 1, 2.0) if seen[f, i] else None for f in range(len(x))] for i in range(x.shape[1])
    ]


def test_crowds_are_told_apart_and_found_again() -> None:
    rng = np.random.default_rng(0)
    forms = {"left one": 0, "from the left": 0, "to appear": 0, "large": 0, "small": 0, "plain": 0, "unseen": 0}
    for _ in range(400):
        count, frames = int(rng.integers(1, 32)), int(rng.integers(1, 10))
        variety = int(rng.integers(1, 4))
        objects = [
            info(
                COLOURS[rng.integers(variety)],
                CATEGORIES[rng.integers(variety)],
                float(rng.choice([1.0, 1.2, 2.0, 4.0])),
                TEXTURES[rng.integers(2)] if variety > 1 else "",
            )
            for _ in range(count)
        ]
        seen = rng.random((frames, count)) < rng.choice([0.2, 0.7, 1.0])
        x = rng.permuted(np.tile(np.arange(count, dtype=float), (frames, 1)), axis=1)
        texts = referring_expressions(objects, seen, boxes_at(x, seen))
        assert len(set(texts)) == count
        assert texts == referring_expressions(objects, seen, boxes_at(x, seen))
        for i, text in enumerate(texts):
            assert resolve(text, objects, seen, x) == [i], text
            for form in forms:
                forms[form] += form in text
    assert min(forms.values()) > 20, forms


def test_the_shortest_that_is_enough() -> None:
    objects = [
        info("red", "car"),
        info("blue", "car"),
        info("blue", "car", texture="striped"),
        info("white", "bus", 3.0),
        info("white", "bus", 1.0),
        info("red", "ball"),
        info("red", "ball", 1.2),
        info("", "tree"),
    ]
    seen = np.ones((1, 8), bool)
    x = np.arange(8.0)[None, ::-1]
    assert referring_expressions(objects, seen, boxes_at(x, seen)) == [
        "the red car",
        "the plain blue car",
        "the striped blue car",
        "the large white bus",
        "the small white bus",
        "the right one of the two red balls",
        "the left one of the two red balls",
        "the tree",
    ]


def test_an_object_that_nobody_sees_takes_no_name_away() -> None:
    objects = [info("red", "car"), info("red", "car"), info("red", "car")]
    seen = np.array([[True, False, False]])
    texts = referring_expressions(objects, seen, boxes_at(np.zeros((1, 3)), seen))
    assert texts == ["the red car", "the first unseen red car", "the second unseen red car"]


def test_words_that_run_together_are_refused() -> None:
    seen = np.ones((1, 2), bool)
    objects = [info("red", "fire truck"), info("red fire", "truck")]
    with pytest.raises(ValueError, match="not unique"):
        referring_expressions(objects, seen, boxes_at(np.zeros((1, 2)), seen))


def test_words() -> None:
    words = {"bench": "benches", "traffic cone": "traffic cones", "bus": "buses", "city": "cities", "toy": "toys"}
    words |= {"person": "people", "bookshelf": "bookshelves", "box": "boxes", "man": "men"}
    assert {n: plural(n) for n in words} == words
    numbers = {1: "first", 12: "twelfth", 20: "twentieth", 21: "twenty-first", 30: "thirtieth", 31: "thirty-first"}
    assert {n: ordinal(n) for n in numbers} == numbers
