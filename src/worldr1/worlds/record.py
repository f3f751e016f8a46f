"""The record of a clip: everything known about it, as versioned JSON.

Metres, seconds, degrees; world z-up; OpenCV camera; quaternions (x, y, z, w); pixels from the top-left corner. Lists
over time have one entry per frame; ``None`` in them is "not in the picture".
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

VERSION: Final = 1
RelationKind = Literal["left of", "right of", "in front of", "behind", "above", "on", "near", "between", "supported by"]
EventKind = Literal["occlusion", "enter", "exit", "contact", "collision", "start", "stop", "turn"]
Vec3 = tuple[float, float, float]
Vec4 = tuple[float, float, float, float]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClipInfo(_Model):
    key: str  # unique in its dataset
    family: str
    seed: int
    index: int
    generator: str  # "worldr1 0.1.0"
    renderer: str
    fps: float
    frames: int
    height: int
    width: int
    split: Literal["train", "held_out"]
    difficulty: str
    planned: list[str]
    scene_hash: str  # of the scene's content, hex
    violation: str = ""
    violation_frame: int = -1


class MoveInfo(_Model):
    kind: str
    start_s: float
    end_s: float
    magnitude: float
    unit: Literal["m", "deg", "x", ""]
    ease: str


class CameraInfo(_Model):
    focal_mm: list[float]
    sensor_mm: float
    intrinsics: list[Vec4]  # fx, fy, cx, cy per frame, pixels
    c2w: list[list[Vec4]]  # [frames][3][4], the upper rows
    height_m: float  # above the ground in the first frame
    pitch_deg: float  # of the first frame; negative looks down
    moves: list[MoveInfo]
    shake_deg: float


class ObjectRecord(_Model):
    id: int  # index into the amodal bits; the instance image holds 2 + id
    expression: str  # names this object and no other one of the clip: "the red car", "the left one of the two cones"
    category: str
    colour: str
    texture: str
    size_m: Vec3
    volume_m3: float
    dynamic: bool
    landmark: bool
    position_m: list[Vec3]
    rotation: list[Vec4]
    velocity_m_s: list[Vec3]  # difference to the next frame's position; the last frame repeats the one before
    box_2d: list[Vec4 | None]  # x0, y0, x1, y1 of the visible pixels
    visible_px: list[int]
    amodal_px: list[int]  # in the frame
    canvas_px: list[int]  # on a canvas twice the frame's size, in pixels of the frame's scale
    depth_m: list[float | None]  # median over the visible pixels


class Relation(_Model):
    """``subject`` is ``kind`` ``object`` from frame ``start`` to ``end`` inclusive, sides as the camera sees them.

    "on" is direct; "supported by" is resting on something that rests on the object.
    """

    subject: int
    kind: RelationKind
    object: int
    other: int | None = None  # second reference of "between"
    start: int
    end: int
    margin: float  # how clearly it holds at its weakest frame, metres


class Passing(_Model):
    landmark: int
    side: Literal["in front of", "behind"]  # seen from the camera
    frame: int


class Trajectory(_Model):
    """How a moving object travels."""

    object: int
    polyline_m: list[Vec3]  # simplified path
    length_m: float
    heading_deg: list[float | None]  # per frame, in the ground plane from +x towards +y; None while at rest
    direction: str  # in the camera's view, one of `trajectories.direction`'s; empty when it hardly moves
    nearest_landmark: int | None
    distance_m: list[float]  # between centres in the ground plane, per frame; empty without a landmark
    passings: list[Passing]


class Event(_Model):
    """Something that happens between frames ``start`` and ``end`` inclusive."""

    kind: EventKind
    object: int
    others: list[int] = []  # occluders by share, or the partner of a contact or collision; -1 is scenery
    start: int
    end: int
    full: bool = False  # an occlusion during which nothing was visible
    reappears: int | None = None  # first frame visible again after a full occlusion
    onset_seen: bool = True  # False when it was already under way in frame 0
    end_seen: bool = True  # False when it still lasts in the last frame, or the object left the frame meanwhile
    peak: float = 0.0  # largest hidden share of an occlusion; jump in speed (m/s) of a collision; turn (deg, + left)


class Lighting(_Model):
    weather: str
    time_of_day: str
    sun_azimuth_deg: float
    sun_elevation_deg: float
    num_lights: int
    shadows: Literal["none", "hard", "soft"]
    visibility_m: float


class Caption(_Model):
    """A caption and where it comes from."""

    level: Literal["short", "camera", "dense", "schematic"]
    text: str
    source: str = "realiser"  # or "rewriter"
    model: str = ""
    prompt_hash: str = ""
    precision: float = 1.0  # share of its claims that the record supports
    recall: float = 1.0  # share of the level's facts that it states


class Record(_Model):
    version: Literal[1] = VERSION
    clip: ClipInfo
    camera: CameraInfo
    objects: list[ObjectRecord]
    relations: list[Relation]
    trajectories: list[Trajectory]
    events: list[Event]
    lighting: Lighting
    captions: list[Caption] = []
