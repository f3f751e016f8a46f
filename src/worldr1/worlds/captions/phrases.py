"""The realiser's wording of each fact: ``{a}`` is its subject, ``{b}`` its object, ``{n}`` a number."""

from __future__ import annotations

# third person and base form of each camera move, the latter for the schematic
MOVES: dict[str, tuple[tuple[str, ...], str]] = {
    "dolly in": (("dollies in", "pushes in", "moves forward"), "dolly in"),
    "dolly out": (("dollies out", "pulls back", "moves backwards"), "dolly out"),
    "truck left": (("trucks left", "slides to the left", "moves sideways to the left"), "truck left"),
    "truck right": (("trucks right", "slides to the right", "moves sideways to the right"), "truck right"),
    "pedestal up": (("rises", "pedestals up", "cranes up"), "pedestal up"),
    "pedestal down": (("sinks", "pedestals down", "cranes down"), "pedestal down"),
    "pan left": (("pans left", "pans to the left", "swivels to the left"), "pan left"),
    "pan right": (("pans right", "pans to the right", "swivels to the right"), "pan right"),
    "tilt up": (("tilts up", "tilts upwards"), "tilt up"),
    "tilt down": (("tilts down", "tilts downwards"), "tilt down"),
    "roll clockwise": (("rolls clockwise",), "roll clockwise"),
    "roll counterclockwise": (("rolls counterclockwise",), "roll counterclockwise"),
    "orbit left": (("orbits to the left", "circles to the left", "arcs to the left"), "orbit left"),
    "orbit right": (("orbits to the right", "circles to the right", "arcs to the right"), "orbit right"),
    "zoom in": (("zooms in",), "zoom in"),
    "zoom out": (("zooms out",), "zoom out"),
    "fixed": (("is fixed", "does not move", "stays where it is"), "fixed camera"),
}
SHAKE = ("the shot is handheld", "the camera is handheld and shakes slightly")
LENS = ("{an} {n} lens", "a focal length of {n}")
ZOOM = "a focal length that changes from {n} to {m}"
OPENING = ("Filmed with {lens}", "Seen through {lens}", "Shot with {lens}")
HEIGHT = ("the camera starts {n} above the ground", "with the camera {n} above the ground at the start")
INTRO = ("the scene shows {objects}", "in view {are} {objects}", "the camera sees {objects}")
SHORT = (
    "{Objects}; the camera {moves}.",
    "The camera {moves}; in view {are} {objects}.",
    "A shot of {objects}: the camera {moves}.",
)
RELATIONS: dict[str, tuple[str, ...]] = {
    "left of": ("{a} is to the left of {b}", "{a} is on the left of {b}"),
    "right of": ("{a} is to the right of {b}", "{a} is on the right of {b}"),
    "in front of": ("{a} is in front of {b}", "{a} is nearer to the camera than {b}"),
    "behind": ("{a} is behind {b}", "{a} is farther away than {b}"),
    "above": ("{a} is above {b}", "{a} is higher than {b}"),
    "on": ("{a} rests on {b}", "{a} sits on top of {b}"),
    "near": ("{a} is near {b}", "{a} is close to {b}"),
    "between": ("{a} is between {b} and {c}",),
    "supported by": ("{a} is supported by {b}",),
}
TRAVELS = {"pedestrian": ("walks",), "car": ("drives", "travels"), "van": ("drives", "travels"),
           "truck": ("drives", "travels"), "bus": ("drives", "travels")}  # fmt: skip
TRAVEL = ("moves", "travels")
DIRECTIONS = {"left": "to the left", "right": "to the right", "up": "upwards", "down": "downwards",
              "with the camera": "along with the camera"}  # fmt: skip
DISTANCE = "the distance from {a} to {b} changes from {n} to {m}"
SIZE = "{a} is {l} long, {w} wide and {h} high"
OCCLUSION = ("{b} occludes {a}", "{b} hides {a}", "{a} is hidden by {b}", "{a} is occluded by {b}")
OCCLUSION_PARTLY = ("{b} partly hides {a}", "{a} is partly hidden by {b}", "{b} partly occludes {a}")
ALREADY = "at the start {a} is already partly hidden by {b}"
ALREADY_ALONE = "at the start {a} is already partly hidden"
ALONE = "{a} is hidden from view"  # no occluder is known
EVENTS: dict[str, tuple[str, ...]] = {
    "reappearance": ("{a} reappears from behind {b}", "{a} comes back into view from behind {b}",
                     "{a} emerges from behind {b}"),
    "enter": ("{a} enters the frame", "{a} comes into view"),
    "exit": ("{a} leaves the frame", "{a} goes out of view"),
    "contact": ("{a} touches {b}", "{a} comes into contact with {b}"),
    "collision": ("{a} collides with {b}", "{a} hits {b}"),
    "start": ("{a} starts moving", "{a} sets off"),
    "stop": ("{a} comes to rest", "{a} stops"),
    "turn": ("{a} turns {side} by {n}",),
    "passing": ("{a} passes {side} {b}",),
}  # fmt: skip
WEATHER = {"clear": "under a clear sky", "overcast": "under an overcast sky", "fog": "in fog", "rain": "in the rain",
           "snow": "in the snow"}  # fmt: skip
TIME_OF_DAY = {t: f"in the {t}" if t in ("morning", "afternoon", "evening") else f"at {t}" for t in (
    "dawn", "morning", "noon", "afternoon", "dusk", "evening", "night")}  # fmt: skip
SHADOWS = {"none": "with no shadows", "hard": "with hard shadows", "soft": "with soft shadows"}
