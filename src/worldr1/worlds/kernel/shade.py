# mypy: ignore-errors
"""The colour of rays, and the two passes that make a picture of them."""

import warp as wp

from worldr1.worlds.kernel.layout import World
from worldr1.worlds.kernel.primitives import normal_at
from worldr1.worlds.kernel.textures import TAU, colour_of, hashed
from worldr1.worlds.kernel.trace import SIDE, SKY, nearest, ray_through, shadowed, write_truth

SOFT_RAYS = wp.constant(4)  # shadow rays to a light with an extent
SHININESS = wp.constant(24.0)  # exponent of the highlight


@wp.func
def visible_share(world: World, frame: int, p: wp.vec3, light: int, who: int, px: float, py: float) -> float:
    """Share of a light that reaches ``p``. Soft lights are sampled on a spiral, turned by the pixel's hash."""
    softness = world.lights[light].softness
    towards = world.lights[light].direction
    rays = wp.int32(1)
    turn = wp.float32(0.0)
    if softness > 0.0:
        rays = SOFT_RAYS
        turn = TAU * hashed(int(px * 16.0), int(py * 16.0), frame)
    reaching = wp.float32(0.0)
    for s in range(rays):
        if softness > 0.0:
            radius = softness * wp.sqrt((float(s) + 0.5) / float(SOFT_RAYS))
            angle = turn + 2.3999632 * float(s)  # the golden angle
            off = world.lights[light].across * wp.cos(angle) + world.lights[light].along * wp.sin(angle)
            towards = wp.normalize(world.lights[light].direction + radius * off)
        if not shadowed(world, light, frame, p, towards, who):
            reaching += 1.0
    return reaching / float(rays)


@wp.func
def radiance(
    world: World, clip: int, frame: int, d: wp.vec3, t: float, who: int, face: int, px: float, py: float
) -> wp.vec3:
    """Colour of a ray ``d`` (world axes) that arrives at ``who`` after ``t``: texture x light, highlight, haze."""
    length = wp.length(d)
    sky = wp.lerp(world.settings[clip].horizon, world.settings[clip].zenith, wp.max(d[2] / length, 0.0))
    if who == SKY:
        return sky
    p = world.views[frame, clip].position + t * d
    part = world.parts[who]
    m = world.part_frames[frame, who].from_world
    u = m * p + world.part_frames[frame, who].origin
    local = wp.vec3(0.0, 0.0, 1.0)
    if who != world.settings[clip].first_part:
        local = normal_at(part.shape, part.straight, part.mesh, face, u)
    n = wp.normalize(wp.transpose(m) * local)
    half = part.half_size_m
    metres = wp.cw_mul(u, half)
    if part.straight > 0.0:  # the unit form of a capsule is longer than 1
        metres = wp.vec3(metres[0], metres[1], metres[2] / (part.straight + 1.0))
    base = colour_of(part.surface, world.atlas, part.shape, metres, wp.cw_div(local, half), half)
    gloss = part.surface.gloss
    shade = wp.cw_mul(base, world.settings[clip].ambient)
    for k in range(world.settings[clip].first_light, world.settings[clip].last_light):
        direction = world.lights[k].direction
        facing = wp.dot(n, direction)
        if facing > 0.0:
            reaching = visible_share(world, frame, p, k, who, px, py)
            if reaching > 0.0:
                light = world.lights[k].colour * reaching
                shade += wp.cw_mul(base, light) * facing
                if gloss > 0.0:  # Blinn's half vector
                    between = wp.normalize(direction - d / length)
                    shade += light * gloss * wp.pow(wp.max(wp.dot(n, between), 0.0), SHININESS)
    haze = wp.exp(-t * length / world.settings[clip].visibility_m)
    return shade * haze + sky * (1.0 - haze)


@wp.func
def byte(v: float) -> wp.uint8:
    return wp.uint8(wp.clamp(v, 0.0, 1.0) * 255.0 + 0.5)


# Each kernel is a module of its own: functions that are called from one place only are inlined, which saves copying
# ``world`` for every call. A thread does a run of pixels of a row for the same reason; on CUDA a run is one pixel.


@wp.kernel(enable_backward=False, module="unique")
def trace_centres(
    world: World,
    width: int,
    run: int,
    coloured: int,
    depth: wp.array3d(dtype=float),
    instance: wp.array3d(dtype=int),
    amodal: wp.array3d(dtype=wp.uint32),
    forward: wp.array3d(dtype=wp.vec2),
    backward: wp.array3d(dtype=wp.vec2),
    rough: wp.array4d(dtype=wp.uint8),
):
    """The truth of the rays through the centres of pixels and, if ``coloured``, their colours."""
    picture, y, start = wp.tid()
    clip = picture // world.num_frames
    frame = picture % world.num_frames
    focal = world.views[frame, clip].focal
    rotation = world.views[frame, clip].rotation
    py = float(y) + 0.5
    for x in range(start * run, wp.min(start * run + run, width)):
        px = float(x) + 0.5
        ray = ray_through(focal, px, py)
        d = rotation * ray
        t, who, face, bits = nearest(world, picture, y // SIDE, x // SIDE, clip, frame, ray, d)
        amodal[picture, y, x] = bits
        write_truth(world, clip, frame, picture, y, x, ray, t, who, depth, instance, forward, backward)
        if coloured == 1:
            colour = radiance(world, clip, frame, d, t, who, face, px, py)
            for c in range(3):
                rough[picture, y, x, c] = byte(colour[c])


@wp.func
def contrast(rough: wp.array4d(dtype=wp.uint8), picture: int, y: int, x: int, height: int, width: int) -> int:
    """Largest difference of a channel between a pixel and its four neighbours, of 255."""
    most = wp.int32(0)
    for c in range(3):
        here = int(rough[picture, y, x, c])
        most = wp.max(most, wp.abs(int(rough[picture, wp.max(y - 1, 0), x, c]) - here))
        most = wp.max(most, wp.abs(int(rough[picture, wp.min(y + 1, height - 1), x, c]) - here))
        most = wp.max(most, wp.abs(int(rough[picture, y, wp.max(x - 1, 0), c]) - here))
        most = wp.max(most, wp.abs(int(rough[picture, y, wp.min(x + 1, width - 1), c]) - here))
    return most


@wp.kernel(enable_backward=False, module="unique")
def smooth(
    world: World,
    height: int,
    width: int,
    run: int,
    samples: int,
    threshold: int,
    rough: wp.array4d(dtype=wp.uint8),
    rgb: wp.array4d(dtype=wp.uint8),
):
    """Pixels as the mean of ``samples``² rays where ``rough`` has contrast, else as their centre rays' colours."""
    picture, y, start = wp.tid()
    clip = picture // world.num_frames
    frame = picture % world.num_frames
    focal = world.views[frame, clip].focal
    rotation = world.views[frame, clip].rotation
    for x in range(start * run, wp.min(start * run + run, width)):
        if contrast(rough, picture, y, x, height, width) < threshold:
            for c in range(3):
                rgb[picture, y, x, c] = rough[picture, y, x, c]
        else:
            total = wp.vec3(0.0, 0.0, 0.0)
            for s in range(samples * samples):
                px = float(x) + (float(s % samples) + 0.5) / float(samples)
                py = float(y) + (float(s // samples) + 0.5) / float(samples)
                ray = ray_through(focal, px, py)
                d = rotation * ray
                t, who, face, _bits = nearest(world, picture, y // SIDE, x // SIDE, clip, frame, ray, d)
                total += radiance(world, clip, frame, d, t, who, face, px, py)
            total = total / float(samples * samples)
            for c in range(3):
                rgb[picture, y, x, c] = byte(total[c])
