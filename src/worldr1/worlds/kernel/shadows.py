# mypy: ignore-errors
"""How much of a light reaches a point."""

import warp as wp

from worldr1.worlds.kernel.layout import World
from worldr1.worlds.kernel.primitives import CLOSE_M, FAR, greater, hit, lesser
from worldr1.worlds.kernel.textures import TAU, hashed, wave
from worldr1.worlds.kernel.trace import GRID, cell_of, covers

SOFT_RAYS = wp.constant(4)  # shadow rays to a light with an extent
GOLDEN_COS = wp.constant(-0.7373688)  # of the golden angle, 137.5 degrees
GOLDEN_SIN = wp.constant(0.6754903)


@wp.func
def may_cross(low: float, high: float, start: float, slope: float, spread: float, way: float) -> bool:
    """Whether rays that leave ``start`` with a slope of up to ``spread`` about ``slope`` may be between ``low`` and
    ``high`` within ``way``."""
    return start + way * greater(slope + spread, 0.0) > low and start + way * lesser(slope - spread, 0.0) < high


@wp.func
def visible_share(
    world: World, clip: int, frame: int, p: wp.vec3, light: int, who: int, px: float, py: float, only: int
) -> float:
    """Share of a light that reaches ``p`` on part ``who``; convex parts do not shadow themselves. Soft lights are
    sampled on a spiral, turned by the pixel's hash: all of it, or ray ``only`` when that is not negative."""
    across = world.lights[light].across
    along = world.lights[light].along
    direction = world.lights[light].direction
    softness = world.lights[light].softness
    x = wp.dot(p, across)
    y = wp.dot(p, along)
    height = wp.dot(p, direction)
    rise = direction[2] - softness
    grid = world.grids[frame, light]
    cell = cell_of(y, grid[1], grid[3]) * GRID + cell_of(x, grid[0], grid[2])
    begin = wp.int32(0)
    end = wp.int32(1)
    if softness > 0.0:
        end = SOFT_RAYS
        if only >= 0:
            begin = only
            end = only + 1
    full = (wp.int32(1) << end) - (wp.int32(1) << begin)
    blocked = wp.int32(0)
    turn = wp.float32(-1.0)
    turned = wp.vec2(0.0, 0.0)
    for k in range(world.blocker_counts[frame, light, cell]):
        shadow = world.shadows[frame, light, world.blockers[frame, light, cell, k]]
        above = shadow.top - height
        way = wp.float32(FAR)  # until the rays are higher than the part
        if rise > 0.0:
            way = (shadow.high[2] - p[2]) / rise
        if (
            blocked != full
            and above > 0.0
            and way > 0.0
            and covers(shadow.rect, x, y, softness * above)
            and may_cross(shadow.low[0], shadow.high[0], p[0], direction[0], softness, way)
            and may_cross(shadow.low[1], shadow.high[1], p[1], direction[1], softness, way)
        ):
            i = world.settings[clip].first_part + world.blockers[frame, light, cell, k]
            if i != who or world.parts[i].mesh != wp.uint64(0):
                if softness > 0.0 and turn < 0.0:
                    turn = TAU * hashed(int(px), int(py), frame) + 2.3999632 * float(begin)  # the golden angle
                    turned = wp.vec2(wave(turn + 0.25 * TAU), wave(turn))
                m = world.part_frames[frame, i].from_world
                o = m * p + world.part_frames[frame, i].origin
                spoke = turned
                for s in range(begin, end):
                    radius = softness * wp.sqrt((float(s) + 0.5) / float(SOFT_RAYS))
                    towards = direction + radius * (across * spoke[0] + along * spoke[1])
                    spoke = wp.vec2(
                        GOLDEN_COS * spoke[0] - GOLDEN_SIN * spoke[1], GOLDEN_SIN * spoke[0] + GOLDEN_COS * spoke[1]
                    )
                    bit = wp.int32(1) << s
                    if (blocked & bit) == 0:
                        t, _face = hit(
                            world.parts[i].shape,
                            world.parts[i].straight,
                            world.parts[i].mesh,
                            o,
                            m * towards,
                            CLOSE_M,
                        )
                        if t < FAR:
                            blocked = blocked | bit
    reaching = wp.float32(0.0)
    for s in range(begin, end):
        if (blocked & (wp.int32(1) << s)) == 0:
            reaching += 1.0
    return reaching / float(end - begin)
