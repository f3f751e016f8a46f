# mypy: ignore-errors
"""Where rays arrive: candidate lists, the nearest surface, the truth of a pixel, shadows."""

import warp as wp

from worldr1.worlds.kernel.layout import CELLS, TILE, World
from worldr1.worlds.kernel.primitives import CLOSE_M, FAR, hit

SIDE = wp.constant(TILE)
GRID = wp.constant(CELLS)
SKY = wp.constant(-1)  # in place of the index of a part


@wp.kernel(enable_backward=False, module="unique")
def list_candidates(
    world: World,
    left: float,
    top: float,
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
    for part in range(world.settings[clip].first_part + 1, world.settings[clip].last_part):
        rect = world.part_frames[frame, part].rect
        if rect[0] < x0 + float(SIDE) and rect[2] > x0 and rect[1] < y0 + float(SIDE) and rect[3] > y0:
            candidates[picture, row, column, count] = part
            count += 1
    counts[picture, row, column] = count


@wp.func
def ray_through(focal: wp.vec4, px: float, py: float) -> wp.vec3:
    return wp.vec3((px - focal[2]) / focal[0], (py - focal[3]) / focal[1], 1.0)


@wp.func
def nearest(world: World, picture: int, row: int, column: int, clip: int, frame: int, ray: wp.vec3, d: wp.vec3):
    """Depth, part (or SKY), mesh face and amodal bits of a ray: ``ray`` in camera axes, ``d`` the same
    in the world's."""
    best = wp.float32(FAR)
    who = wp.int32(SKY)
    face = wp.int32(-1)
    bits = wp.uint32(0)
    for k in range(world.counts[picture, row, column]):
        i = world.candidates[picture, row, column, k]
        t, f = hit(
            world.parts[i].shape,
            world.parts[i].straight,
            world.parts[i].mesh,
            world.part_frames[frame, i].eye,
            world.part_frames[frame, i].from_camera * ray,
            CLOSE_M,
        )
        if t < FAR:
            if world.parts[i].instance >= 0:
                bits = bits | (wp.uint32(1) << wp.uint32(world.parts[i].instance))
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
def shade_reach(world: World, light: int, frame: int, body: int) -> float:
    """Radius of the disc, seen along the light, outside of which a body shades no point above the ground."""
    radius = world.body_frames[frame, body].radius
    if radius > 0.0 and world.lights[light].softness > 0.0:
        top = world.body_frames[frame, body].centre[2] + radius
        radius += world.lights[light].softness * wp.max(top, 0.0) / wp.max(world.lights[light].direction[2], 0.05)
    return radius


@wp.kernel(enable_backward=False, module="unique")
def bound_grids(world: World, grids: wp.array2d(dtype=wp.vec4)):
    """One thread a light and frame: the rectangle, seen along the light, that all shadows are in."""
    frame, light = wp.tid()
    clip = world.lights[light].clip
    low = wp.vec2(1.0e9, 1.0e9)
    high = wp.vec2(-1.0e9, -1.0e9)
    for b in range(world.settings[clip].first_body + 1, world.settings[clip].last_body):
        reach = shade_reach(world, light, frame, b)
        if reach > 0.0:
            c = world.body_frames[frame, b].centre
            at = wp.vec2(wp.dot(c, world.lights[light].across), wp.dot(c, world.lights[light].along))
            low = wp.min(low, at - wp.vec2(reach, reach))
            high = wp.max(high, at + wp.vec2(reach, reach))
    size = high - low
    grids[frame, light] = wp.vec4(low[0], low[1], float(GRID) / size[0], float(GRID) / size[1])


@wp.kernel(enable_backward=False, module="unique")
def list_blockers(
    world: World,
    grids: wp.array2d(dtype=wp.vec4),
    counts: wp.array3d(dtype=int),
    blockers: wp.array4d(dtype=int),
):
    """One thread a cell: the bodies whose shadow may reach it."""
    frame, light, cell = wp.tid()
    clip = world.lights[light].clip
    grid = grids[frame, light]
    half = wp.vec2(0.5 / grid[2], 0.5 / grid[3])
    x = grid[0] + (float(cell % GRID) + 0.5) / grid[2]
    y = grid[1] + (float(cell // GRID) + 0.5) / grid[3]
    count = wp.int32(0)
    for b in range(world.settings[clip].first_body + 1, world.settings[clip].last_body):
        reach = shade_reach(world, light, frame, b)
        if reach > 0.0:
            c = world.body_frames[frame, b].centre
            # from the disc's centre to the nearest point of the cell
            dx = wp.max(wp.abs(wp.dot(c, world.lights[light].across) - x) - half[0], 0.0)
            dy = wp.max(wp.abs(wp.dot(c, world.lights[light].along) - y) - half[1], 0.0)
            if dx * dx + dy * dy < reach * reach * 1.0001:
                blockers[frame, light, cell, count] = b
                count += 1
    counts[frame, light, cell] = count


@wp.func
def shadowed(world: World, light: int, frame: int, p: wp.vec3, towards: wp.vec3, who: int) -> bool:
    """Whether a part stands between ``p`` on part ``who`` and a light; convex parts do not shadow themselves."""
    grid = world.grids[frame, light]
    column = int(wp.floor((wp.dot(p, world.lights[light].across) - grid[0]) * grid[2]))
    row = int(wp.floor((wp.dot(p, world.lights[light].along) - grid[1]) * grid[3]))
    if column < 0 or row < 0 or column >= GRID or row >= GRID:
        return False
    cell = row * GRID + column
    for k in range(world.blocker_counts[frame, light, cell]):
        b = world.blockers[frame, light, cell, k]
        to = world.body_frames[frame, b].centre - p
        radius = world.body_frames[frame, b].radius
        ahead = wp.dot(to, towards)
        if ahead > -radius and wp.dot(to, to) - ahead * ahead < radius * radius:
            for i in range(world.body_frames[frame, b].first, world.body_frames[frame, b].last):
                if i != who or world.parts[i].mesh != wp.uint64(0):
                    m = world.part_frames[frame, i].from_world
                    t, _face = hit(
                        world.parts[i].shape,
                        world.parts[i].straight,
                        world.parts[i].mesh,
                        m * p + world.part_frames[frame, i].origin,
                        m * towards,
                        CLOSE_M,
                    )
                    if t < FAR:
                        return True
    return False


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
            ray = ray_through(focal, left + float(x) + 0.5, top + float(y) + 0.5)
            bits = wp.uint32(0)
            for k in range(count):
                i = world.candidates[picture, row, column, k]
                if world.parts[i].instance >= 0:
                    bit = wp.uint32(1) << wp.uint32(world.parts[i].instance)
                    if (bits & bit) == wp.uint32(0):
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
