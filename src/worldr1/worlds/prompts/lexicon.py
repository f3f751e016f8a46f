"""What words say about a camera: verbs by family, directions, amounts. Data only; `phrase` and `parser` read it.

Conventions where everyday language leaves a choice:
- A turn around something is clockwise as seen from above, so "circle the statue clockwise" travels to the camera's
  left; "rolls clockwise", and any other turn with nothing to go around, is as seen from behind the camera.
- "Pan up" is a tilt. "Tilt" or "roll" to the left is a counterclockwise roll.
- A pan or an orbit that names no side goes right, the way text is read. A travel that names none is no move.
- "And", "while", "as" mean at once; "then", "before", a comma or a new sentence mean afterwards.
- "Follows the dog" names no direction and is no move; a camera that merely "rolls" is recording.
"""

from __future__ import annotations

from typing import NamedTuple

# What an unqualified move amounts to, and how an adverb of speed scales it (clips last equally long).
DEFAULT_MAGNITUDE = {"dolly": 1.5, "truck": 1.5, "pedestal": 1.0, "pan": 30.0, "tilt": 15.0, "roll": 20.0}
DEFAULT_MAGNITUDE |= {"orbit": 45.0, "zoom": 1.5, "fixed": 0.0}
SPEED: dict[str, float] = {
    **dict.fromkeys(("slow", "slowly", "leisurely", "unhurriedly", "unhurried", "steadily", "patiently"), 0.7),
    **dict.fromkeys(("slightly", "slight", "subtle", "subtly", "barely", "little", "bit"), 0.4),
    **dict.fromkeys(("quick", "quickly", "fast", "rapid", "rapidly", "swift", "swiftly", "briskly", "whip"), 1.6),
}
SMOOTH = {"smooth", "smoothly", "gentle", "gently", "gradual", "gradually", "softly", "eases", "easing"}

# Direction each family understands -> the primitive.
_LATERAL_TURN = {"left": "pan left", "right": "pan right", "up": "tilt up", "down": "tilt down"}
_ROLL = {"clockwise": "roll clockwise", "counterclockwise": "roll counterclockwise"}
_LEAN = {**_ROLL, "left": "roll counterclockwise", "right": "roll clockwise"}
FAMILIES: dict[str, dict[str, str]] = {
    "pan": _LATERAL_TURN,
    "turn": {**_LATERAL_TURN, **_ROLL},
    "swing": {**_LATERAL_TURN, **_ROLL},  # like a turn, but "swings around" goes around something
    "tilt": {**_LEAN, "up": "tilt up", "down": "tilt down"},
    "roll": _LEAN,
    "travel": {
        "in": "dolly in",
        "out": "dolly out",
        "left": "truck left",
        "right": "truck right",
        "up": "pedestal up",
        "down": "pedestal down",
    },
    "crane": {"up": "pedestal up", "down": "pedestal down"},
    "orbit": {
        "left": "orbit left",
        "right": "orbit right",
        "clockwise": "orbit left",
        "counterclockwise": "orbit right",
    },
    "zoom": {"in": "zoom in", "out": "zoom out"},
    "hold": {"still": "fixed"},
}


class Verb(NamedTuple):
    base: str
    family: str
    default: str | None  # direction where none is named; None: then it is no move
    strict: bool = False  # the verb itself says the direction, whatever follows ("retreats down the corridor")
    term: bool = False  # a camera term, which needs no subject ("pan left")


_VERBS = [
    Verb(base, *rest)
    for bases, *rest in (
        ("move glide slide drift travel float shift go head walk fly ride come", "travel", None),
        ("creep inch edge ease nose", "travel", "in"),
        ("track truck crab", "travel", None, False, True),
        ("dolly push", "travel", "in", False, True),
        ("pull", "travel", "out", False, True),
        ("advance approach", "travel", "in", True),
        ("retreat withdraw recede back", "travel", "out", True),
        ("rise ascend climb lift", "travel", "up", True),
        ("descend lower sink drop", "travel", "down", True),
        ("crane boom pedestal jib", "crane", "up", False, True),
        ("pan", "pan", "right", False, True),
        ("turn rotate swivel look spin", "turn", None),
        ("swing sweep whip", "swing", None),
        ("tilt", "tilt", "up", False, True),
        ("angle", "tilt", None),
        ("roll", "roll", "clockwise", False, True),
        ("orbit arc circle", "orbit", "right", False, True),
        ("revolve wrap", "orbit", "right"),
        ("zoom", "zoom", "in", False, True),
        ("tighten", "zoom", "in", True),
        ("widen", "zoom", "out", True),
        ("hold pause linger rest", "hold", "still", True),
    )
    for base in bases.split()
]
_IRREGULAR = {"crept": "creep", "rose": "rise", "rising": "rise", "swung": "swing", "dollies": "dolly"}


def _forms(base: str) -> set[str]:
    stem = base.removesuffix("e")
    forms = {base, base + "s", base + "es", base + "ing", stem + "ing", base + "ed", stem + "ed"}
    if base[-1] in "npgbt" and base[-2] in "aeiou":
        forms |= {base + base[-1] + "ing", base + base[-1] + "ed"}
    return forms


VERB_FORMS: dict[str, Verb] = {form: verb for verb in _VERBS for form in _forms(verb.base)}
VERB_FORMS |= {form: VERB_FORMS[base] for form, base in _IRREGULAR.items()}
del VERB_FORMS["backed"]  # "backed by": hardly ever said of a camera

DIRECTIONS: dict[str, str] = {
    **dict.fromkeys(("left", "leftward", "leftwards"), "left"),
    **dict.fromkeys(("right", "rightward", "rightwards"), "right"),
    **dict.fromkeys(("up", "upward", "upwards", "skyward", "rising", "ascending"), "up"),
    **dict.fromkeys(("down", "downward", "downwards", "descending", "lowering"), "down"),
    **dict.fromkeys(("in", "inward", "inwards", "forward", "forwards", "closer", "nearer", "ahead"), "in"),
    **dict.fromkeys(("toward", "towards"), "in"),
    **dict.fromkeys(("out", "outward", "outwards", "back", "backward", "backwards", "away"), "out"),
    **dict.fromkeys(("clockwise",), "clockwise"),
    **dict.fromkeys(("counterclockwise", "anticlockwise"), "counterclockwise"),
    **dict.fromkeys(("around", "round"), "around"),
}

# Subjects and the adjectives that leave them a camera; "security camera" and "picture frame" are things in the scene.
CAMERAS = {"camera", "viewpoint", "view", "shot", "frame", "lens", "perspective", "pov", "we", "zoom"}
STATIC = {"static", "still", "fixed", "stationary", "motionless", "locked", "immobile", "unmoving", "tripod"}
HANDHELD = {"handheld", "shaky", "shaking", "shakes"}
CAMERA_ADJECTIVES = STATIC | HANDHELD | {"moving", "steady", "wide", "close", "whole", "single", "long", "low", "high"}
ARTICLES = {"the", "a", "an", "our", "this", "its", "one", "another"}
DETERMINERS = ARTICLES | {"his", "her", "their", "my", "that", "each", "every", "some", "two", "three", "him", "it"}
NEGATIONS = {"not", "never", "no", "without", "neither", "nor", "refuses", "avoids", "rather", "instead", "nothing"}


def _words(text: str) -> set[str]:
    return set(text.split())


# Words that may stand between a camera and its verb, or before a noun of motion.
MOTION_ADJECTIVES = SPEED.keys() | SMOOTH | {"steady", "lateral", "sideways", "full", "complete", "dutch", "short"}
NOUN_OPENERS = _words("a an one another with starting by only just camera movement motion")
HELPERS = NOUN_OPENERS | _words(
    """is are be been being begins begin starts start started continues continue keeps keep stays stay remains remain
    seems performs makes executes does do will can gets takes stop stops stopping to in of off at it also again
    straight about sharp perfectly completely entirely all shot"""
)
PREPOSITIONS = _words("with by in on at from for over across past through along into toward towards without under")
