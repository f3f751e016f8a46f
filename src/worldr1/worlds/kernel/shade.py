# mypy: ignore-errors
"""The colour of rays, and the two passes that make a picture of them."""

import warp as wp

from worldr1.worlds.kernel.layout import Shading, World
from worldr1.worlds.kernel.primitives import normal_at
from worldr1.worlds.kernel.shadows import SOFT_RAYS, visible_share
from worldr1.worlds.kernel.textures import colour_of
from worldr1.worlds.kernel.trace import SIDE, SKY, nearest, ray_through, write_truth


@wp.func
def sky_colour(world: World, clip: int, d: wp.vec3) -> wp.vec3:
    return wp.lerp(world.settings[clip].horizon, world.settings[clip].zenith, wp.max(d[2] / wp.length(d), 0.0))


@wp.func
def illuminate(
    world: World,
    clip: int,
    frame: int,
    d: wp.vec3,
    t: float,
    who: int,
    normal: wp.vec3,
    px: float,
    py: float,
    only: int,
):
    """Gain and glow (see `Shading`) where a ray ``d`` (world axes) arrives at ``who`` after ``t``: light, highlights,
    haze. The sky glows."""
    sky = sky_colour(world, clip, d)
    gain = wp.vec3(0.0, 0.0, 0.0)
    glow = sky
    if who != SKY:
        length = wp.length(d)
        p = world.views[frame, clip].position + t * d
        n = wp.normalize(wp.transpose(world.part_frames[frame, who].from_world) * normal)
        gloss = world.parts[who].surface.gloss
        gain = world.settings[clip].ambient
        shine = wp.vec3(0.0, 0.0, 0.0)
        for k in range(world.settings[clip].first_light, world.settings[clip].last_light):
            direction = world.lights[k].direction
            facing = wp.dot(n, direction)
            if facing > 0.0:
                light = world.lights[k].colour * visible_share(world, clip, frame, p, k, who, px, py, only)
                gain += light * facing
                if gloss > 0.0:  # Blinn's half vector, with an exponent of 24
                    cosine = wp.max(wp.dot(n, wp.normalize(direction - d / length)), 0.0)
                    power = cosine * cosine * cosine
                    power = power * power
                    power = power * power
                    shine += light * gloss * power * power
        haze = wp.exp(-t * length / world.settings[clip].visibility_m)
        gain = gain * haze
        glow = shine * haze + sky * (1.0 - haze)
    return gain, glow


@wp.func
def surface_colour(world: World, who: int, u: wp.vec3, normal: wp.vec3) -> wp.vec3:
    """Colour of the material of ``who`` at ``u`` (unit axes)."""
    half = world.parts[who].half_size_m
    metres = wp.cw_mul(u, half)
    if world.parts[who].straight > 0.0:  # the unit form of a capsule is longer than 1
        metres = wp.vec3(metres[0], metres[1], metres[2] / (world.parts[who].straight + 1.0))
    return colour_of(
        world.parts[who].surface, world.atlas, world.parts[who].shape, metres, wp.cw_div(normal, half), half
    )


@wp.func
def normal_of(world: World, clip: int, who: int, face: int, u: wp.vec3) -> wp.vec3:
    """Outward normal (unit axes, not normalised) of ``who`` at ``u``."""
    normal = wp.vec3(0.0, 0.0, 1.0)
    if who != SKY and who != world.settings[clip].first_part:
        normal = normal_at(world.parts[who].shape, world.parts[who].straight, world.parts[who].mesh, face, u)
    return normal


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
    shadings: wp.array3d(dtype=Shading),
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
        t, who, face, bits = nearest(world, picture, y // SIDE, x // SIDE, clip, frame, px, py, ray, d, 1)
        amodal[picture, y, x] = bits
        write_truth(world, clip, frame, picture, y, x, ray, t, who, depth, instance, forward, backward)
        if coloured == 1:
            shading = Shading()
            shading.who = who
            u = wp.vec3(0.0, 0.0, 0.0)
            if who != SKY:
                u = world.part_frames[frame, who].eye + t * (world.part_frames[frame, who].from_camera * ray)
            shading.normal = normal_of(world, clip, who, face, u)
            gain, glow = illuminate(world, clip, frame, d, t, who, shading.normal, px, py, -1)
            shading.gain = gain
            shading.glow = glow
            shadings[picture, y, x] = shading
            colour = glow
            if who != SKY:
                colour += wp.cw_mul(surface_colour(world, who, u, shading.normal), gain)
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


@wp.func
def alike(a: Shading, b: Shading, limit: float) -> bool:
    """Whether two centres show one part under one light, to ``limit`` of a channel, and no bend between them."""
    bend = a.normal - b.normal
    return (
        a.who == b.who
        and wp.dot(bend, bend) < 0.25
        and wp.max(wp.abs(a.gain - b.gain)) < limit
        and wp.max(wp.abs(a.glow - b.glow)) < limit
    )


@wp.kernel(enable_backward=False, module="unique")
def smooth(
    world: World,
    height: int,
    width: int,
    run: int,
    samples: int,
    threshold: int,
    rough: wp.array4d(dtype=wp.uint8),
    depth: wp.array3d(dtype=float),
    shadings: wp.array3d(dtype=Shading),
    rgb: wp.array4d(dtype=wp.uint8),
):
    """Pixels as the mean of ``samples``² rays where ``rough`` has contrast, else as their centre rays' colours.

    A ray is not traced where the three centres around it show one evenly lit part: only the texture is sampled there,
    on the plane that touches the part at the pixel's centre.
    """
    picture, y, start = wp.tid()
    clip = picture // world.num_frames
    frame = picture % world.num_frames
    focal = world.views[frame, clip].focal
    rotation = world.views[frame, clip].rotation
    limit = 0.5 * float(threshold) / 255.0
    for x in range(start * run, wp.min(start * run + run, width)):
        if threshold > 0 and contrast(rough, picture, y, x, height, width) < threshold:
            for c in range(3):
                rgb[picture, y, x, c] = rough[picture, y, x, c]
        else:
            here = shadings[picture, y, x]
            left = wp.bool(False)
            right = wp.bool(False)
            above = wp.bool(False)
            below = wp.bool(False)
            plane = wp.float32(0.0)  # the distance of the touching plane times its slope
            if threshold > 0 and here.who != SKY:
                left = alike(here, shadings[picture, y, wp.max(x - 1, 0)], limit)
                right = alike(here, shadings[picture, y, wp.min(x + 1, width - 1)], limit)
                above = alike(here, shadings[picture, wp.max(y - 1, 0), x], limit)
                below = alike(here, shadings[picture, wp.min(y + 1, height - 1), x], limit)
                centre = ray_through(focal, float(x) + 0.5, float(y) + 0.5)
                slope = wp.dot(here.normal, world.part_frames[frame, here.who].from_camera * centre)
                plane = depth[picture, y, x] * slope
            total = wp.vec3(0.0, 0.0, 0.0)
            only = wp.int32(-1)
            for s in range(samples * samples):
                px = float(x) + (float(s % samples) + 0.5) / float(samples)
                py = float(y) + (float(s // samples) + 0.5) / float(samples)
                ray = ray_through(focal, px, py)
                if samples > 1:  # the samples of the pixel share the shadow rays to a soft light
                    only = s % SOFT_RAYS
                t = wp.float32(0.0)
                who = wp.int32(SKY)
                u = wp.vec3(0.0, 0.0, 0.0)
                normal = here.normal
                gain = here.gain
                glow = here.glow
                inside = wp.bool(False)
                beside = (2 * (s % samples) < samples and left) or (2 * (s % samples) + 2 > samples and right)
                if beside and (
                    (2 * (s // samples) < samples and above) or (2 * (s // samples) + 2 > samples and below)
                ):
                    who = here.who
                    pace = world.part_frames[frame, who].from_camera * ray
                    t = plane / wp.dot(normal, pace)
                    if t > 0.5 * depth[picture, y, x] and t < 2.0 * depth[picture, y, x]:  # not along the plane
                        inside = wp.bool(True)
                        u = world.part_frames[frame, who].eye + t * pace
                if not inside:
                    d = rotation * ray
                    t, who, face, _bits = nearest(world, picture, y // SIDE, x // SIDE, clip, frame, px, py, ray, d, 0)
                    if who != SKY:
                        u = world.part_frames[frame, who].eye + t * (world.part_frames[frame, who].from_camera * ray)
                    normal = normal_of(world, clip, who, face, u)
                    gain, glow = illuminate(world, clip, frame, d, t, who, normal, px, py, only)
                total += glow
                if who != SKY:
                    total += wp.cw_mul(surface_colour(world, who, u, normal), gain)
            total = total / float(samples * samples)
            for c in range(3):
                rgb[picture, y, x, c] = byte(total[c])
