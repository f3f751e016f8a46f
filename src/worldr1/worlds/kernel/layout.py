# mypy: ignore-errors
"""What the kernels read: structs whose arrays `pack` fills.

Rays are not normalised (z = 1 in the camera), so the ray parameter *is* the z-depth. Every primitive is its unit
form, inscribed in [-1, 1]³, under an affine map: turning, stretching and shearing are all in ``from_camera`` and
``from_world``, and the ray parameter is the same on both sides. Per-frame arrays are ``[frames, ...]`` with the
bodies and parts of all clips of the batch side by side.
"""

from typing import get_args

import warp as wp

from worldr1.worlds.scene import Shape, Texture

SHAPES = get_args(Shape)
TEXTURES = get_args(Texture)
BOX, SPHERE, CYLINDER, CAPSULE, CONE, MESH = (wp.constant(SHAPES.index(s)) for s in get_args(Shape))
TILE = 8  # side, in pixels, of the squares that share a list of candidate parts
CELLS = 16  # per axis of the grid, seen along a light, whose cells list the parts that may cast a shadow there
MAX_CLOSE_M = 1.0e-3  # nearer hits are the surface that the ray starts on


@wp.struct
class Surface:
    """A `scene.Material`."""

    texture: int  # index into TEXTURES
    colour: wp.vec3
    second: wp.vec3
    scale_m: float
    gloss: float
    text: wp.vec3i  # a sign's picture in the atlas: first byte, width, height


@wp.struct
class Part:
    """What is true of a primitive in every frame."""

    shape: int
    body: int
    instance: int  # object, or -1
    straight: float  # of a capsule: half length between the caps, in radii
    half_size_m: wp.vec3
    mesh: wp.uint64
    surface: Surface


@wp.struct
class PartFrame:
    """Where a primitive is at a frame."""

    from_camera: wp.mat33  # unit axes from the camera's
    eye: wp.vec3  # the camera in unit axes
    from_world: wp.mat33
    origin: wp.vec3  # the world's origin in unit axes
    to_world: wp.mat33
    centre: wp.vec3  # in the world
    rect: wp.vec4  # x0, y0, x1, y1 of its projection, pixels; empty when it is not there
    near: float  # no point of it has a smaller depth
    present: int


@wp.struct
class BodyFrame:
    """Where a rigid body goes from a frame, as seen from the camera."""

    next_rotation: wp.mat33  # camera axes of the next frame from this one's, riding on the body
    next_shift: wp.vec3
    previous_rotation: wp.mat33
    previous_shift: wp.vec3


@wp.struct
class View:
    """The camera of a frame."""

    rotation: wp.mat33  # camera to world
    position: wp.vec3
    focal: wp.vec4  # fx, fy, cx, cy


@wp.struct
class Sun:
    """A `scene.Light`."""

    clip: int
    direction: wp.vec3
    across: wp.vec3  # two unit vectors that span the plane the light shines through
    along: wp.vec3
    colour: wp.vec3
    softness: float  # tangent of its angular radius


@wp.struct
class Setting:
    """A clip: its environment and its share of the bodies and parts. The first body is the world at rest, its only
    part the ground: a box to its texture, an endless plane to rays."""

    first_body: int
    first_part: int
    last_part: int
    first_light: int
    last_light: int
    has_ground: int
    ground_far_m: float
    ambient: wp.vec3
    horizon: wp.vec3
    zenith: wp.vec3
    visibility_m: float


@wp.struct
class Shadow:
    """What a part hides from a light: points in ``rect`` that are lower than ``top``."""

    rect: wp.vec4  # least and greatest coordinates along the light's ``across`` and ``along``
    top: float  # coordinate along its direction
    low: wp.vec3  # of the part's bounding box in the world
    high: wp.vec3


@wp.struct
class Shading:
    """The light on the surface at a pixel's centre: the colour there is ``gain`` times the surface's, plus ``glow``."""

    who: int  # part, or SKY
    normal: wp.vec3  # unit axes, not normalised
    gain: wp.vec3
    glow: wp.vec3


@wp.struct
class World:
    """A batch of clips. ``candidates`` lists, for every tile of every picture, the parts that may show there, nearest
    first; ``blockers``, for every cell of every light's grid, the parts, counted from the clip's first one, that may
    shade a point there."""

    num_frames: int
    settings: wp.array(dtype=Setting)  # [clips]
    lights: wp.array(dtype=Sun)
    parts: wp.array(dtype=Part)
    views: wp.array2d(dtype=View)  # [frames, clips]
    part_frames: wp.array2d(dtype=PartFrame)
    body_frames: wp.array2d(dtype=BodyFrame)
    by_depth: wp.array2d(dtype=int)  # [frames, parts] the parts of each clip, nearest first, behind its ground
    atlas: wp.array(dtype=wp.uint8)
    counts: wp.array3d(dtype=int)  # [pictures, tile rows, tile columns]
    candidates: wp.array4d(dtype=int)
    grids: wp.array2d(dtype=wp.vec4)  # [frames, lights] corner and cells per metre, along ``across`` and ``along``
    shadows: wp.array3d(dtype=Shadow)  # [frames, lights, parts of a clip]
    blocker_counts: wp.array3d(dtype=int)  # [frames, lights, cells]
    blockers: wp.array4d(dtype=int)
