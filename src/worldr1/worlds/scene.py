"""A scene: rigid bodies, light and a camera as per-frame state, so that motion and violations are edits of arrays.

The world is z-up, in metres, the ground at z = 0; cameras are OpenCV's (x right, y down, z forward); quaternions are
(x, y, z, w). Everything that a renderer, the truth or a caption needs is here, and nothing that one of them made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
RGB = tuple[float, float, float]  # linear in [0, 1]
Vec3 = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

Shape = Literal["box", "sphere", "cylinder", "capsule", "cone", "mesh"]
Texture = Literal[
    "plain", "bands", "checker", "stripes", "noise", "bricks", "wood", "tiles", "grass", "sand", "asphalt", "sign"
]
MAX_OBJECTS = 31  # bits of the amodal mask
STUFF = -1  # `Body.instance` of what is scenery and no object: walls, lane markings, kerbs


class NoPlaceError(ValueError):
    """What an edit needs is not to be seen in this scene, or has no room there."""


@dataclass(frozen=True)
class Material:
    """How a surface looks: a procedural texture of two colours, anchored to the part it is on."""

    texture: Texture = "plain"
    colour: RGB = (0.5, 0.5, 0.5)
    second: RGB = (0.3, 0.3, 0.3)
    scale_m: float = 0.5  # length of one repeat of the texture
    text: str = ""  # lettering of a "sign"
    gloss: float = 0.0  # strength of the highlight in [0, 1]


@dataclass(frozen=True)
class Part:
    """A primitive in its body's axes; ``half_size_m`` is half of its extent along each of its own axes.

    A cylinder, capsule (its caps included) and cone (apex up) stand along z; all are inscribed in their box of
    half sizes, and a sphere with unequal ones is an ellipsoid. A mesh (``meshes.MESHES[mesh]``) fills that box.
    """

    shape: Shape
    half_size_m: Vec3
    material: Material = field(default_factory=Material)
    offset_m: Vec3 = (0.0, 0.0, 0.0)
    rotation: Quaternion = (0.0, 0.0, 0.0, 1.0)
    mesh: str = ""


@dataclass(frozen=True)
class Body:
    """Parts that move together. Bodies may share an instance: limbs of a pedestrian, a twin that replaces it."""

    parts: tuple[Part, ...]
    instance: int = STUFF  # index into `Scene.objects`


@dataclass(frozen=True)
class ObjectInfo:
    """What a caption may say about an object. Sizes are those of its first body, upright, in metres."""

    category: str  # "crate", "car", "pedestrian"
    colour: str  # the word for its main colour
    size_m: Vec3  # length (x), width (y), height (z) in its own axes
    volume_m3: float  # analytic, of the union of its parts as built
    dynamic: bool = False  # moves in this scene
    landmark: bool = False  # static and large enough to tell others' places by
    texture: str = ""  # "striped", "brick"; empty when plain


@dataclass(frozen=True)
class Light:
    """A distant light."""

    direction: Vec3  # from the surface towards the light, unit length
    colour: RGB = (0.5, 0.5, 0.5)
    softness_deg: float = 0.0  # angular radius; 0 throws hard shadows


@dataclass(frozen=True)
class Environment:
    """Light, sky, ground and air."""

    ground: Material | None = field(default_factory=lambda: Material("grass"))  # None: no ground plane
    lights: tuple[Light, ...] = (Light((0.4224, 0.3168, 0.8492)),)
    ambient: RGB = (0.62, 0.62, 0.62)
    horizon: RGB = (0.70, 0.82, 0.95)
    zenith: RGB = (0.30, 0.47, 0.85)
    visibility_m: float = 18.0  # distance at which haze has taken 63 % of the contrast
    weather: str = "clear"  # "clear", "overcast", "fog"
    time_of_day: str = "noon"  # "dawn", "noon", "dusk", "night"


@dataclass(frozen=True)
class Move:
    """One camera primitive. ``magnitude`` is signed along the named direction, so it is positive: metres for
    dolly, truck and pedestal; degrees for pan, tilt, roll and orbit; the ratio of focal lengths (> 1) for zoom."""

    kind: str  # a key of `camera.KINDS`, "dolly in" or "pan left"; "fixed" has magnitude 0
    start: float  # share of the clip in [0, 1]
    end: float
    magnitude: float
    ease: Literal["linear", "smooth"] = "linear"


@dataclass(frozen=True)
class CameraTrack:
    """The camera over time."""

    c2w: Floats  # [frames, 4, 4]
    focal_mm: Floats  # [frames]
    sensor_mm: float = 36.0  # width of the sensor; pixels are square
    moves: tuple[Move, ...] = ()
    shake: float = 0.0  # of a hand-held camera, RMS degrees; already in c2w

    def intrinsics(self, height: int, width: int) -> Floats:
        """Pinhole matrices ``[frames, 3, 3]`` in pixels."""
        K = np.zeros((len(self.focal_mm), 3, 3))
        K[:, 0, 0] = K[:, 1, 1] = self.focal_mm / self.sensor_mm * width
        K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = width / 2, height / 2, 1
        return K


@dataclass(frozen=True)
class Scene:
    """A clip before it is rendered."""

    family: str
    seed: int
    bodies: tuple[Body, ...]
    objects: tuple[ObjectInfo, ...]
    position_m: Floats  # [frames, bodies, 3] origin of the body's axes
    rotation: Floats  # [frames, bodies, 4]
    camera: CameraTrack
    environment: Environment = field(default_factory=Environment)
    fps: float = 8.0
    present: Bools | None = None  # [frames, bodies] False where the body is not in the world; None: always there
    scale: Floats | None = None  # [frames, bodies, 3] stretch along the body's axes; None: 1
    ground_offset_m: Floats | None = None  # [frames, 2] where the ground's texture is anchored; None: the origin
    difficulty: str = "medium"
    split: Literal["train", "held_out"] = "train"
    planned: tuple[str, ...] = ()  # events this scene was built to have: "reappearance", "return view", "collision"
    violation: str = ""  # kind of a world-breaking edit; empty for a clean scene
    violation_frame: int = -1  # first frame of the edit

    def __post_init__(self) -> None:
        frames, bodies = len(self.camera.focal_mm), len(self.bodies)
        expected = {
            "position_m": (frames, bodies, 3),
            "rotation": (frames, bodies, 4),
            "present": (frames, bodies),
            "scale": (frames, bodies, 3),
            "ground_offset_m": (frames, 2),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} has shape {value.shape}; this scene needs {shape}")
        if len(self.objects) > MAX_OBJECTS:
            raise ValueError(f"{len(self.objects)} objects; a scene holds at most {MAX_OBJECTS}")

    @property
    def num_frames(self) -> int:
        return len(self.camera.focal_mm)

    def bodies_of(self, instance: int) -> list[int]:
        """Indices of an object's bodies."""
        return [i for i, b in enumerate(self.bodies) if b.instance == instance]
