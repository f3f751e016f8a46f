# mypy: ignore-errors
"""Where rays arrive: candidate lists, the nearest surface, the truth of a pixel, shadows."""

import warp as wp

from worldr1.worlds.kernel.layout import BOX, CAPSULE, CELLS, MESH, SPHERE, TILE, Shadow, World
from worldr1.worlds.kernel.primitives import CLOSE_M, FAR, hit

SIDE = wp.constant(TILE)
GRID = wp.constant(CELLS)
SKY = wp.constant(-1)  # in place of the index of a part


@wp.kernel(enable_backward=False, module="unique")
def list_candidates(
    world: World,
    left: float,
    top: float,
    objects_only: int,
    counts: wp.array3d(dtype=int),
    candidates: wp.array4d(dtype=int),
):
    """One thread a tile: the parts whose projection meets it. ``left``, ``top``: the picture's corner, pixels."""
    picture, row, column = wp.tid()
    clip = picture // world.num_frames
    frame = picture % world.num_frames
    x0 = left + float(column * SIDE)
    y0 = top + float(row * SIDE)
    count = wp.int32(0)
    for k in range(world.settings[clip].first_part + 1, world.settings[clip].last_part):
        part = world.by_depth[frame, k]
        if objects_only == 0 or world.parts[part].instance >= 0:
            rect = world.part_frames[frame, part].rect
            if rect[0] < x0 + float(SIDE) and rect[2] > x0 and rect[1] < y0 + float(SIDE) and rect[3] > y0:
                candidates[picture, row, column, count] = part
                count += 1
    counts[picture, row, column] = count


@wp.func
def ray_through(focal: wp.vec4, px: float, py: float) -> wp.vec3:
    return wp.vec3((px - focal[2]) / focal[0], (py - focal[3]) / focal[1], 1.0)


@wp.func
def covers(rect: wp.vec4, x: float, y: float, pad: float) -> bool:
    return x > rect[0] - pad and x < rect[2] + pad and y > rect[1] - pad and y < rect[3] + pad


@wp.func
def nearest(
    world: World,
    picture: int,
    row: int,
    column: int,
    clip: int,
    frame: int,
    px: float,
    py: float,
    ray: wp.vec3,
    d: wp.vec3,
    amodal: int,
):
    """Depth, part (or SKY), mesh face and, if ``amodal``, the bits of all objects on a ray through (px, py):
    ``ray`` in camera axes, ``d`` the same in the world's."""
    best = wp.float32(FAR)
    who = wp.int32(SKY)
    face = wp.int32(-1)
    bits = wp.uint32(0)
    for k in range(world.counts[picture, row, column]):
        i = world.candidates[picture, row, column, k]
        if covers(world.part_frames[frame, i].rect, px, py, 0.0):
            instance = world.parts[i].instance
            bit = wp.uint32(0)
            if instance >= 0 and amodal == 1:
                bit = wp.uint32(1) << wp.uint32(instance)
            if world.part_frames[frame, i].near < best or (bits & bit) != bit:
                t, f = hit(
                    world.parts[i].shape,
                    world.parts[i].straight,
                    world.parts[i].mesh,
                    world.part_frames[frame, i].eye,
                    world.part_frames[frame, i].from_camera * ray,
                    CLOSE_M,
                )
                if t < FAR:
                    bits = bits | bit
                    if t < best:
                        best = t
                        who = i
                        face = f
    if world.settings[clip].has_ground == 1 and d[2] < -1.0e-6:
        t = -world.views[frame, clip].position[2] / d[2]
        if t > CLOSE_M and t < best and t < world.settings[clip].ground_far_m:
            best = t
            who = world.settings[clip].first_part
            face = -1
    return best, who, face, bits


@wp.func
def extent(shape: int, straight: float, g: wp.vec3) -> float:
    """Greatest ``dot(g, p)`` of the points ``p`` of a unit primitive; of its hull for a cone."""
    if shape == SPHERE:
        return wp.length(g)
    if shape == CAPSULE:
        return wp.length(g) + straight * wp.abs(g[2])
    if shape != BOX and shape != MESH:
        return wp.sqrt(g[0] * g[0] + g[1] * g[1]) + wp.abs(g[2])
    return wp.abs(g[0]) + wp.abs(g[1]) + wp.abs(g[2])


@wp.func
def cell_of(x: float, corner: float, per_metre: float) -> int:
    return wp.clamp(int(wp.floor((x - corner) * per_metre)), 0, GRID - 1)


@wp.kernel(enable_backward=False, module="unique")
def list_blockers(
    world: World,
    grids: wp.array2d(dtype=wp.vec4),
    shadows: wp.array3d(dtype=Shadow),
    counts: wp.array3d(dtype=int),
    blockers: wp.array4d(dtype=int),
):
    """One thread a light and frame: what every part shades, and the parts that may shade the cells of a grid."""
    frame, light = wp.tid()
    clip = world.lights[light].clip
    first = world.settings[clip].first_part
    across = world.lights[light].across
    along = world.lights[light].along
    direction = world.lights[light].direction
    softness = world.lights[light].softness
    slack = 1.0e-3  # float32
    low = wp.vec2(1.0e9, 1.0e9)
    high = wp.vec2(-1.0e9, -1.0e9)
    for i in range(first + 1, world.settings[clip].last_part):
        shape = world.parts[i].shape
        straight = world.parts[i].straight
        c = world.part_frames[frame, i].centre
        m = wp.transpose(world.part_frames[frame, i].to_world)
        x = wp.dot(c, across)
        y = wp.dot(c, along)
        a = extent(shape, straight, m * across) + slack
        b = extent(shape, straight, m * along) + slack
        shadow = Shadow()
        shadow.rect = wp.vec4(x - a, y - b, x + a, y + b)
        shadow.top = wp.dot(c, direction) + extent(shape, straight, m * direction)
        reach = wp.vec3(slack, slack, slack)
        for axis in range(3):
            g = wp.vec3(0.0, 0.0, 0.0)
            g[axis] = 1.0
            reach[axis] = reach[axis] + extent(shape, straight, m * g)
        shadow.low = c - reach
        shadow.high = c + reach
        shadows[frame, light, i - first] = shadow
        if world.part_frames[frame, i].present == 1:
            low = wp.min(low, wp.vec2(x - a, y - b))
            high = wp.max(high, wp.vec2(x + a, y + b))
    # beyond the rectangle of all shadows there are only rims of soft ones: cells at the border list what reaches out
    size = high - low
    grid = wp.vec4(low[0], low[1], float(GRID) / size[0], float(GRID) / size[1])
    grids[frame, light] = grid
    for cell in range(GRID * GRID):
        counts[frame, light, cell] = 0
    for i in range(first + 1, world.settings[clip].last_part):
        if world.part_frames[frame, i].present == 1:
            # a rim is as wide as the light's radius times the way to the ground
            height = shadows[frame, light, i - first].high[2]
            rim = softness * wp.max(height, 0.0) / wp.max(direction[2] - softness, 0.05)
            rect = shadows[frame, light, i - first].rect
            for row in range(cell_of(rect[1] - rim, grid[1], grid[3]), cell_of(rect[3] + rim, grid[1], grid[3]) + 1):
                for column in range(
                    cell_of(rect[0] - rim, grid[0], grid[2]), cell_of(rect[2] + rim, grid[0], grid[2]) + 1
                ):
                    cell = row * GRID + column
                    blockers[frame, light, cell, counts[frame, light, cell]] = i - first
                    counts[frame, light, cell] = counts[frame, light, cell] + 1


@wp.func
def displacement(rotation: wp.mat33, shift: wp.vec3, focal: wp.vec4, p: wp.vec3, far: bool, px: float, py: float):
    """Where a point in camera axes shows in a neighbouring frame, minus where it shows now. NaN behind the camera."""
    seen = rotation * p
    if not far:
        seen = seen + shift
    if seen[2] < 1.0e-6:
        return wp.vec2(wp.nan, wp.nan)
    return wp.vec2(focal[0] * seen[0] / seen[2] + focal[2] - px, focal[1] * seen[1] / seen[2] + focal[3] - py)


@wp.func
def write_truth(
    world: World,
    clip: int,
    frame: int,
    picture: int,
    y: int,
    x: int,
    ray: wp.vec3,
    t: float,
    who: int,
    depth: wp.array3d(dtype=float),
    instance: wp.array3d(dtype=int),
    forward: wp.array3d(dtype=wp.vec2),
    backward: wp.array3d(dtype=wp.vec2),
):
    """Depth, instance and both flows of the pixel whose centre ``ray`` arrives at ``who``."""
    body = world.settings[clip].first_body
    far = who == SKY
    p = ray
    if far:
        depth[picture, y, x] = wp.inf
        instance[picture, y, x] = 0
    else:
        p = ray * t
        depth[picture, y, x] = t
        instance[picture, y, x] = 1
        body = world.parts[who].body
        if world.parts[who].instance >= 0:
            instance[picture, y, x] = 2 + world.parts[who].instance
    px = float(x) + 0.5
    py = float(y) + 0.5
    zero = wp.vec2(0.0, 0.0)
    if frame + 1 < world.num_frames:
        focal = world.views[frame + 1, clip].focal
        rotation = world.body_frames[frame, body].next_rotation
        forward[picture, y, x] = displacement(
            rotation, world.body_frames[frame, body].next_shift, focal, p, far, px, py
        )
    else:
        forward[picture, y, x] = zero
    if frame > 0:
        focal = world.views[frame - 1, clip].focal
        rotation = world.body_frames[frame, body].previous_rotation
        backward[picture, y, x] = displacement(
            rotation, world.body_frames[frame, body].previous_shift, focal, p, far, px, py
        )
    else:
        backward[picture, y, x] = zero


@wp.kernel(enable_backward=False, module="unique")
def count_on_canvas(world: World, left: float, top: float, height: int, width: int, pixels: wp.array2d(dtype=int)):
    """One thread a tile of the canvas: adds its pixels to ``pixels[picture, object]``."""
    picture, row, column = wp.tid()
    count = world.counts[picture, row, column]
    if count == 0:
        return
    clip = picture // world.num_frames
    frame = picture % world.num_frames
    focal = world.views[frame, clip].focal
    for y in range(row * SIDE, wp.min(row * SIDE + SIDE, height)):
        for x in range(column * SIDE, wp.min(column * SIDE + SIDE, width)):
            px = left + float(x) + 0.5
            py = top + float(y) + 0.5
            ray = ray_through(focal, px, py)
            bits = wp.uint32(0)
            for k in range(count):
                i = world.candidates[picture, row, column, k]
                bit = wp.uint32(1) << wp.uint32(world.parts[i].instance)
                if (bits & bit) == wp.uint32(0):  # noqa: SIM102 - Warp's `and` computes both
                    if covers(world.part_frames[frame, i].rect, px, py, 0.0):
                        t, _face = hit(
                            world.parts[i].shape,
                            world.parts[i].straight,
                            world.parts[i].mesh,
                            world.part_frames[frame, i].eye,
                            world.part_frames[frame, i].from_camera * ray,
                            CLOSE_M,
                        )
                        if t < FAR:
                            bits = bits | bit
                            wp.atomic_add(pixels, picture, world.parts[i].instance, 1)
