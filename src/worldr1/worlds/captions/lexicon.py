"""Phrases that claim something, with their synonyms and inflections: verbs, relations, directions, weather."""

from __future__ import annotations

from functools import cache

# kind and value of a phrase; `claims._Reader` says what each kind does
Entry = tuple[str, str]
Lexicon = dict[str, list[tuple[tuple[str, ...], Entry]]]  # by first word, longest phrase first

_THIRD = {"go": "goes"}
_PAST = {
    "go": "went", "come": "came", "hide": "hid", "leave": "", "begin": "began", "strike": "struck", "swing": "swung",
    "rise": "rose", "sink": "sank", "run": "ran", "drive": "drove", "hit": "hit", "set": "set", "become": "became",
    "slide": "slid", "creep": "crept", "stop": "stopped", "pan": "panned",
}  # fmt: skip
_DOUBLED = ("stop", "pan", "hit", "set", "begin", "run")


def _forms(verb: str) -> set[str]:
    """Inflections of a verb phrase's first word. "left" is no past tense here but a direction."""
    first, _, rest = verb.partition(" ")
    consonant_y = first.endswith("y") and first[-2] not in "aeiou"
    third = (
        first[:-1] + "ies" if consonant_y else first + "es" if first.endswith(("s", "x", "ch", "sh")) else first + "s"
    )
    stem = first + first[-1] if first in _DOUBLED else first[:-1] if first.endswith("e") else first
    past = _PAST.get(first, first[:-1] + "ied" if consonant_y else stem + "ed")
    return {f"{w} {rest}".strip() for w in (first, _THIRD.get(first, third), stem + "ing", past) if w}


VERBS: dict[Entry, str] = {
    # camera; "verb" entries mean something for the camera and for an object
    ("cam", "dolly"): "dolly",
    ("cam", "dolly in"): "push in|push forward|move in|move closer|glide forward|creep in|advance",
    ("cam", "dolly out"): "pull out|pull back|back away|retreat|move out",
    ("cam", "truck"): "track|crab",
    ("cam", "pedestal"): "pedestal|crane|boom",
    ("cam", "pedestal up"): "rise|ascend",
    ("cam", "pedestal down"): "sink|descend|lower",
    ("cam", "pan"): "pan|swivel",
    ("cam", "tilt"): "tilt",
    ("cam", "orbit"): "orbit|circle|arc",
    ("cam", "zoom"): "zoom",
    ("verb", "roll"): "roll",
    ("verb", "slide"): "slide|glide",
    ("verb", "move"): "move|travel|go|head|drive|walk|drift|run|proceed|advance|cross",
    ("verb", "turn"): "turn|rotate|swing",
    ("pred", "occlude"): "hide|occlude|cover|block|conceal|obscure|screen|mask",
    ("pred", "occluded"): "disappear behind|vanish behind|slip behind|disappear|vanish",
    ("pred", "pass in front of"): "pass in front of|cross in front of|go in front of|move in front of",
    ("pred", "pass behind"): "pass behind|cross behind|go behind|move behind",
    ("pred", "reappear"): "reappear|emerge|come out|come back into view|come back out|become visible again|"
    "come back into sight|show again|return to view",
    ("pred", "enter"): "enter|come into view|come into frame|come into the frame|come into the picture|appear|"
    "move into view|move into frame",
    (
        "pred",
        "exit",
    ): "exit|leave|go out of view|go out of frame|move out of view|move out of frame|move out of the frame",
    ("pred", "contact"): "touch|contact|come into contact with|make contact with|come to touch",
    ("pred", "collision"): "collide with|hit|strike|bump into|crash into|collide|run into",
    ("pred", "start"): "start moving|begin to move|begin moving|set off|start to move|set out",
    ("pred", "stop"): "stop|come to rest|come to a stop|halt|stop moving|come to a halt|come to a standstill",
}
PHRASES: dict[Entry, str] = {
    (
        "move",
        "fixed",
    ): "is fixed|is locked off|locked off|stays fixed|remains fixed|holds still|stays put|static camera|"
    "fixed camera|camera static|camera fixed|stays where it is",
    ("still", ""): "static|stationary|motionless|at rest|stands still|stay still|stays still|remains still|is still|"
    "remains in place|stays in place|does not budge",
    ("pred", "shake"): "handheld|hand-held|shakes|shakes slightly|shaking|shaky|shake",
    (
        "pred",
        "occluded",
    ): "hidden|occluded|blocked|concealed|obscured|screened|covered|out of sight|disappears from view",
    ("pred", "reappear"): "visible again|reappearance|back in view|in view again",
    ("pred", "occlude"): "occlusion of",
    ("pred", "exit"): "left the frame|left the view|left the picture|leaves the frame|leaves the view",
    ("rel", "left of"): "to the left of|left of|on the left of|on the left side of|on the left-hand side of",
    ("rel", "right of"): "to the right of|right of|on the right of|on the right side of|on the right-hand side of",
    ("rel", "in front of"): "in front of|closer to the camera than|nearer to the camera than|nearer than|closer than",
    ("rel", "behind"): "behind|in back of|farther away than|further away than|farther than|further than|beyond",
    ("rel", "above"): "above|higher than",
    ("rel", "below"): "below|under|underneath|beneath|lower than",
    ("rel", "on"): "on top of|resting on|rests on|sits on|lies on|stands on|atop",
    ("rel", "supported by"): "supported by|held up by|carried by",
    ("rel", "near"): "near|close to|beside|next to|by the side of|alongside",
    ("rel", "between"): "between",
    ("dir", "left"): "left|to the left|to its left|leftward|leftwards|from right to left|to the left-hand side",
    ("dir", "right"): "right|to the right|to its right|rightward|rightwards|from left to right",
    ("dir", "up"): "up|upward|upwards",
    ("dir", "down"): "down|downward|downwards",
    ("dir", "in"): "in|inward|inwards|forward|forwards|closer",
    ("dir", "out"): "out|outward|outwards|back|backward|backwards",
    ("dir", "clockwise"): "clockwise",
    ("dir", "counterclockwise"): "counterclockwise|counter-clockwise|anticlockwise|anti-clockwise",
    ("dir", "towards the camera"): "towards the camera|toward the camera|closer to the camera|towards the viewer|"
    "toward the viewer|approaches the camera|approaching the camera|nearer to the camera",
    ("dir", "with the camera"): "along with the camera|in step with the camera",
    ("dir", "away from the camera"): "away from the camera|away from the viewer|further from the camera|"
    "farther from the camera",
    ("order", "then"): "then|and then|after which|followed by|next|afterwards|later|subsequently|finally",
    ("order", "before"): "before",
    ("order", "after"): "after|once",
    ("order", "while"): "while|at the same time|meanwhile",
    ("when", "start"): "at the start|in the first frame|initially|at first|at the beginning|from the start|"
    "when the clip starts|when the clip begins|as the clip begins|at the outset|from the beginning|to begin with",
    ("when", "end"): "at the end|in the last frame|until the end|to the end|when the clip ends|as the clip ends|"
    "by the end|up to the end|in the end",
    ("when", "whole"): "throughout|the whole time|all the time|the whole clip|for the whole clip|the entire clip|"
    "at all times|all along|always",
    ("mod", "full"): "fully|completely|entirely|totally|wholly",
    ("mod", "partial"): "partly|partially|in part",
    ("neg", ""): "not|never|no|without|n't|doesn't|isn't|don't|aren't|nothing|none|nobody|cannot|neither|nor",
    ("attr", "focal"): "lens|focal length|focal",
    ("attr", "sensor"): "sensor",
    ("attr", "height"): "above the ground|above the floor|above ground|camera height|eye height|off the ground",
    ("attr", "pitch"): "pitch|pitched|looks|looking|angled",
    ("attr", "distance"): "distance to|distance between it and|away from",
    ("attr", "distance of"): "distance from|distance between",
    ("attr", "peak"): "at most|at its peak|at the peak|peak",
    ("attr", "length"): "long|in length",
    ("attr", "width"): "wide|in width",
    ("attr", "tall"): "high|tall|in height",
    ("attr", "clip"): "clip|clip length|duration|shot|video",
    ("weather", "clear"): "clear sky|clear skies|clear day|clear weather|clear|sunny|cloudless",
    ("weather", "overcast"): "overcast|cloudy|grey sky",
    ("weather", "fog"): "fog|foggy|mist|misty",
    ("weather", "rain"): "rain|rainy|raining",
    ("weather", "snow"): "snow|snowy|snowing",
    ("time of day", "dawn"): "dawn|sunrise|early morning",
    ("time of day", "morning"): "morning",
    ("time of day", "noon"): "noon|midday",
    ("time of day", "afternoon"): "afternoon",
    ("time of day", "dusk"): "dusk|sunset|twilight",
    ("time of day", "evening"): "evening",
    ("time of day", "night"): "night|nighttime|midnight",
    ("shadows", "hard"): "hard shadows|hard shadow|sharp shadows|crisp shadows",
    ("shadows", "soft"): "soft shadows|soft shadow|diffuse shadows",
    ("shadows", "none"): "no shadows|without shadows|no shadow|shadowless",
    ("shadows", "any"): "shadows",
    ("scenery", ""): "scenery|fixed surface|wall|ground|floor",
    ("camera", ""): "camera|the camera",
    ("on", ""): "on",
}


@cache
def lexicon() -> Lexicon:
    """All phrases with their inflections, longest first under each first word."""
    phrases: dict[str, Entry] = {}
    for entry, verbs in VERBS.items():
        for verb in verbs.split("|"):
            phrases.update(dict.fromkeys(_forms(verb), entry))
    for entry, listed in PHRASES.items():
        phrases.update(dict.fromkeys(listed.split("|"), entry))
    table: Lexicon = {}
    for phrase, entry in phrases.items():
        words = tuple(phrase.split())
        table.setdefault(words[0], []).append((words, entry))
    for entries in table.values():
        entries.sort(key=lambda e: -len(e[0]))
    return table
