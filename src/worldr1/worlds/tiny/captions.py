"""Deterministic captions: camera, objects and their relation, in a closed vocabulary."""

from __future__ import annotations

from worldr1.worlds.tiny.motion import FIXED
from worldr1.worlds.tiny.scene import COLOURS, GROUNDS, SHAPES, TinyScene

CAMERA_WORDS = {
    "orbit left": "the camera orbits left",
    "orbit right": "the camera orbits right",
    "push in": "the camera pushes in",
    "pull out": "the camera pulls out",
    "truck left": "the camera trucks left",
    "truck right": "the camera trucks right",
    FIXED: "the camera is fixed",
}


def relation(scene: TinyScene, frame: int = 0) -> str:
    """Where object 0 stands as seen from the camera: left of, right of, in front of or behind object 1."""
    a, b = scene.in_camera(frame, 0), scene.in_camera(frame, 1)
    if abs(a[0] - b[0]) >= 0.5 * abs(a[2] - b[2]):
        return "left of" if a[0] < b[0] else "right of"
    return "in front of" if a[2] < b[2] else "behind"


def with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def caption(scene: TinyScene) -> str:
    """The caption of a scene as it is in its first frame; a violation is never mentioned."""
    camera, ground = CAMERA_WORDS[scene.camera_move], list(GROUNDS)[scene.ground]
    names = [with_article(scene.object_name(i)) for i in range(scene.num_objects)]
    if scene.family == "occluder":
        body = f"{names[0]} moves {scene.facts['direction']} behind {names[1]}"
    elif scene.num_objects == 1:
        body = names[0]
    else:
        body = f"{names[0]} {relation(scene)} {names[1]}"
    return f"{camera} . {body} on {ground}"


def facts(scene: TinyScene) -> dict[str, object]:
    """What the caption claims, for measuring prompt agreement."""
    return {
        "camera": scene.camera_move,
        "objects": [scene.object_name(i) for i in range(scene.num_objects)],
        "ground": list(GROUNDS)[scene.ground],
        "direction": scene.facts.get("direction", ""),
    }


def vocabulary() -> list[str]:
    """Every word a caption can contain, sorted."""
    words = {w for text in CAMERA_WORDS.values() for w in text.split()}
    words |= {*SHAPES, *COLOURS, *GROUNDS}
    words |= {"a", "an", ".", "on", "moves", "left", "right", "behind", "in", "front", "of"}
    return sorted(words)


# every object name and ground a caption can claim, in a fixed order: the classes of the taggers
TAGS = tuple(f"{c} {s}" for c in COLOURS for s in SHAPES) + tuple(GROUNDS)


def tags_of(claims: dict[str, object]) -> list[int]:
    """Indices into `TAGS` of what `facts` claims."""
    return [i for i, t in enumerate(TAGS) if t in (*claims["objects"], claims["ground"])]  # type: ignore[misc]
