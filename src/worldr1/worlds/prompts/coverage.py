"""What a set of prompts covers, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from worldr1.types import Prompt
from worldr1.worlds.camera import KINDS
from worldr1.worlds.prompts.settings import SCALES, SETTINGS


def coverage(prompts: Sequence[Prompt]) -> dict[str, dict[str, int]]:
    """Prompts of `writer.write_prompts` counted by primitive, number of moves, group, setting and further traits.

    A prompt with two moves counts once for each primitive; what nothing covers is listed with 0.
    """
    primitives, groups, settings = Counter[str](), Counter[str](), Counter[str]()
    numbers: dict[str, int] = {"fixed": 0, "1": 0, "2": 0, "3": 0}
    traits = {"amount in the text": 0, "focal length in mm": 0, "at once": 0, "smooth": 0, "something moves": 0}
    for prompt in prompts:
        moves = prompt.facts["moves"]
        kinds = [m["kind"] for m in moves]
        primitives.update(set(kinds))
        groups[prompt.facts["group"]] += 1
        settings[prompt.facts["setting"]] += 1
        numbers["fixed" if kinds == ["fixed"] else str(len(kinds))] += 1
        traits["focal length in mm"] += prompt.facts["focal_mm"] is not None
        traits["at once"] += len(moves) > 1 and len({m["start"] for m in moves}) < len(moves)
        traits["smooth"] += any(m["ease"] == "smooth" for m in moves)
        traits["something moves"] += bool(prompt.facts["movers"])
        traits["amount in the text"] += any(c.isdigit() for c in _camera_sentence(prompt))
    return {
        "camera move": {k: primitives[k] for k in KINDS},
        "moves in a prompt": numbers,
        "group": {k: groups[k] for k in SCALES},
        "setting": {s.name: settings[s.name] for s in SETTINGS},
        "trait": traits,
    }


def _camera_sentence(prompt: Prompt) -> str:
    sentences = prompt.text.rstrip(".").split(". ")
    return sentences[-2] if prompt.facts["focal_mm"] is not None else sentences[-1]


def coverage_table(prompts: Sequence[Prompt]) -> str:
    """`coverage` as text, with lengths; settings in one line as their least and greatest count."""
    counts = coverage(prompts)
    lengths = [len(p.text) for p in prompts]
    lines = [
        f"{len(prompts)} prompts, {min(lengths)}-{max(lengths)} characters, mean {sum(lengths) / len(lengths):.0f}"
    ]
    for title, row in counts.items():
        if title == "setting":
            lines.append(f"{len(row)} settings, each {min(row.values())}-{max(row.values())} times")
            continue
        lines.append(f"{title}:")
        lines += [f"  {name:<22}{n:>6}  {100 * n / len(prompts):5.1f} %" for name, n in row.items()]
    return "\n".join(lines)
