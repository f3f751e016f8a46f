"""Every case of the bench by name: what it edits, where it can be seen, and on which side of the split it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from worldr1.evaluate.bench.camera_corruptions import CAMERA
from worldr1.evaluate.bench.corruptions import OBJECTS
from worldr1.evaluate.bench.edits import SceneEdit
from worldr1.evaluate.bench.hacks import CLIP_HACKS, SCENE_HACKS
from worldr1.evaluate.bench.image_corruptions import IMAGE, ClipEdit
from worldr1.evaluate.bench.positives import CLIP_POSITIVES, SCENE_POSITIVES
from worldr1.worlds.filmed import PATHS

Kind = Literal["corruption", "hack", "positive"]

AMOUNTS: Mapping[int, float] = {1: 0.5, 2: 1.0, 3: 1.6}  # of the severities
MIDDLE = 2
_IN_VIEW = tuple(p for p in PATHS if p != "look away")
_SIDEWAYS = ("orbit", "truck", "boom")
_PATHS: Mapping[str, tuple[str, ...]] = {
    "never reappears": ("look away",),
    "different room on revisit": ("look away",),
    "changed behind an occluder": _SIDEWAYS,
    "parallax sign reversal": _SIDEWAYS,
    "fast motion": _SIDEWAYS,
}
_ANYWHERE = {"texture swim", *CAMERA, *IMAGE, *SCENE_HACKS, *CLIP_HACKS, *CLIP_POSITIVES, "specular", "low texture"}
_STAGE_OF = {"changed behind an occluder": "screen", "wall bend": "wall", "depth-order flip": "overlap"}
# what a prompt for the clip says moves by itself; everything else of the bench is a world at rest
_MOVERS = {"rigid movers": ("an object",), "articulated motion": ("a pedestrian",)}
# one in three of every group, chosen before anything was measured: no threshold may be set on them
HELD_OUT = frozenset(
    {
        *("size pumping", "identity swap", "never reappears", "interpenetration", "depth-order flip"),
        *("local rubber", "Ken-Burns zoom", "growing blur", "focal breathing", "hard cut"),
    }
)


@dataclass(frozen=True)
class Case:
    """A way to edit a clean scene or its rendered clip."""

    name: str
    kind: Kind
    paths: tuple[str, ...]  # camera paths on which it can be seen
    scene_edit: SceneEdit | None = None
    clip_edit: ClipEdit | None = None
    stage: str = ""  # what is built into the clean scene as well, a key of `worlds.stages.STAGES`
    held_out: bool = False
    movers: tuple[str, ...] = ()  # that an honest clip's prompt names

    @property
    def severities(self) -> tuple[int, ...]:
        """Hacks and positives have one."""
        return tuple(AMOUNTS) if self.kind == "corruption" else (MIDDLE,)


def _cases() -> list[Case]:
    groups: list[tuple[Kind, Mapping[str, SceneEdit], Mapping[str, ClipEdit]]] = [
        ("corruption", {**OBJECTS, **CAMERA}, IMAGE),
        ("hack", SCENE_HACKS, CLIP_HACKS),
        ("positive", SCENE_POSITIVES, CLIP_POSITIVES),
    ]
    cases = []
    for kind, scene_edits, clip_edits in groups:
        for name in (*scene_edits, *clip_edits):
            paths = _PATHS.get(name, PATHS if name in _ANYWHERE else _IN_VIEW)
            cases.append(
                Case(
                    name,
                    kind,
                    paths,
                    scene_edits.get(name),
                    clip_edits.get(name),
                    _STAGE_OF.get(name, ""),
                    name in HELD_OUT,
                    _MOVERS.get(name, ()),
                )
            )
    return cases


CASES: Mapping[str, Case] = {case.name: case for case in _cases()}
