"""Which words take what: directions of an axis, units of a claim, objects of a verb."""

from __future__ import annotations

# kinds of items that open a claim, and those that end a clause
MAKERS = {"cam", "verb", "pred", "rel", "move", "still", "attr"}
BOUNDARIES = {"comma", "semi", "stop", "order"}
SIZES = {"length", "width", "tall"}
TRANSITIVE = {"occlude", "occluded", "pass in front of", "pass behind", "reappear", "contact", "collision"}
AXES = {
    "dolly": ("in", "out"), "truck": ("left", "right"), "pedestal": ("up", "down"), "pan": ("left", "right"),
    "tilt": ("up", "down"), "roll": ("clockwise", "counterclockwise"), "orbit": ("left", "right"),
    "zoom": ("in", "out"), "move": ("in", "out", "left", "right", "up", "down"), "turn": ("left", "right"),
    "motion": ("left", "right", "up", "down", "towards the camera", "away from the camera", "with the camera"),
}  # fmt: skip
CAMERA_MOVES = {
    "in": "dolly in", "out": "dolly out", "left": "truck left", "right": "truck right",
    "up": "pedestal up", "down": "pedestal down",
}  # fmt: skip
PREPOSITIONS = ("in", "out", "up")  # more often no direction at all
UNITS_OF = {
    "move": ("m", "deg", "x"), "motion": ("m",), "occlusion": ("%",), "turn": ("deg",), "lens": ("mm",),
    "sensor": ("mm",), "height": ("m",), "pitch": ("deg",), "distance": ("m",), "size": ("m",), "clip": ("s",),
}  # fmt: skip
MEASURED = {"lens", "sensor", "height", "distance", "size", "clip", "pitch"}
ATTRIBUTES = {
    "focal": "lens", "sensor": "sensor", "height": "height", "pitch": "pitch", "distance": "distance",
    "distance of": "distance", "clip": "clip", "length": "size", "width": "size", "tall": "size",
}  # fmt: skip
