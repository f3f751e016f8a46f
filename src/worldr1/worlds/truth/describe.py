"""A referring expression for every object: words that name it and no other one that the clip shows.

Tried in this order, after Dale and Reiter's incremental algorithm (Cognitive Science 19, 1995, section 4), with
colour and category always said: alone ("the red car"), with its texture ("the striped red car"), with its size where
it is clearly the largest or smallest of its kind ("the large red car"), else counted: by place in the first frame that
shows all of its kind ("the left one of the two red cars", "the second red car from the left"), or, when no frame shows
them all, by who is seen first ("the second red car to appear"; at the same time: from the left).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from worldr1.worlds.record import Vec4
from worldr1.worlds.scene import ObjectInfo
from worldr1.worlds.truth.visibility import Bools

SIZE_RATIO = 1.5  # in volume: less is not told apart
PLAIN = "plain"  # said of an object without texture beside textured ones
_IRREGULAR = {"person": "people", "man": "men", "woman": "women", "child": "children"}
# fmt: off
_ONES = [
    "", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
]
# fmt: on


def plural(noun: str) -> str:
    """Plural of an English noun: "bench" → "benches", "traffic cone" → "traffic cones"."""
    head, _, last = noun.rpartition(" ")
    if last in _IRREGULAR:
        many = _IRREGULAR[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        many = last + "es"
    elif last.endswith("shelf"):
        many = last[:-1] + "ves"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        many = last[:-1] + "ies"
    else:
        many = last + "s"
    return f"{head} {many}".strip()


def ordinal(n: int) -> str:
    """Ordinal of 1 to 39 in words."""
    if n < 20:
        return _ONES[n]
    tens = ("twent", "thirt")[n // 10 - 2]
    return f"{tens}ieth" if n % 10 == 0 else f"{tens}y-{_ONES[n % 10]}"


def _noun(*words: str) -> str:
    return " ".join(w for w in words if w)


def _largest_and_smallest(members: list[int], objects: Sequence[ObjectInfo]) -> dict[int, str]:
    """Members of a kind that their size tells apart."""
    ordered = sorted(members, key=lambda i: objects[i].volume_m3)
    volume = [objects[i].volume_m3 for i in ordered]
    out = {}
    if volume[1] >= SIZE_RATIO * volume[0]:
        out[ordered[0]] = "small"
    if volume[-1] >= SIZE_RATIO * volume[-2]:
        out[ordered[-1]] = "large"
    return out


def _counted(members: list[int], noun: str, seen: Bools, boxes: Sequence[Sequence[Vec4 | None]]) -> dict[int, str]:
    """Members of a kind by place or by when they appear."""

    def x(i: int, frame: int) -> float:
        box = boxes[i][frame]
        assert box is not None, "seen, so it has a box"
        return box[0] + box[2]

    together = np.flatnonzero(seen[:, members].all(1))
    if len(together):
        frame = int(together[0])
        ordered = sorted(members, key=lambda i: (x(i, frame), i))
        if len(members) == 2:
            return {
                i: f"the {side} one of the two {plural(noun)}"
                for i, side in zip(ordered, ("left", "right"), strict=True)
            }
        return {i: f"the {ordinal(n)} {noun} from the left" for n, i in enumerate(ordered, 1)}
    first = {i: int(seen[:, i].argmax()) for i in members}
    ordered = sorted(members, key=lambda i: (first[i], x(i, first[i]), i))
    return {i: f"the {ordinal(n)} {noun} to appear" for n, i in enumerate(ordered, 1)}


def referring_expressions(
    objects: Sequence[ObjectInfo], seen: Bools, boxes: Sequence[Sequence[Vec4 | None]]
) -> list[str]:
    """One expression per object; those that the clip never shows are "unseen" and count for nobody else.

    Args:
        seen: ``[frames, objects]``.
        boxes: of each object, per frame, around its visible pixels.

    Raises ``ValueError`` when words of colour and category run together into one expression for two objects.
    """
    shown = [bool(seen[:, i].any()) for i in range(len(objects))]
    kinds: dict[tuple[bool, str, str], list[int]] = defaultdict(list)
    for i, info in enumerate(objects):
        kinds[shown[i], info.colour, info.category].append(i)
    out: dict[int, str] = {}
    for (visible, colour, category), same in kinds.items():
        textures: dict[str, list[int]] = defaultdict(list)
        for i in same:
            textures[objects[i].texture].append(i)
        for texture, members in textures.items():
            adjective = "" if len(textures) == 1 else texture or PLAIN
            noun = _noun(adjective, colour, category)
            if not visible:
                noun = _noun("unseen", noun)
            if len(members) == 1:
                out[members[0]] = f"the {noun}"
            elif not visible:
                out |= {i: f"the {ordinal(n)} {noun}" for n, i in enumerate(members, 1)}
            else:
                sizes = _largest_and_smallest(members, objects)
                out |= _counted(members, noun, seen, boxes)
                out |= {i: f"the {_noun(size, noun)}" for i, size in sizes.items()}
    if len(set(out.values())) < len(objects):
        raise ValueError(f"expressions {sorted(out.values())} are not unique; name colours and categories apart")
    return [out[i] for i in range(len(objects))]
