"""The ray caster: one Warp kernel writes colour and truth in one pass, on CPU or CUDA from the same source.

Objects are analytic (box, sphere, upright cylinder) and stand in a cube of half side ``half``; rays are not
normalised (z = 1 in the camera), so the ray parameter *is* the z-depth.
"""

import warp as wp

FAR = wp.constant(1.0e9)
GROUND_FAR_M = wp.constant(60.0)
EPSILON_M = wp.constant(1.0e-3)  # nearer hits are the surface that the ray starts on
BOX, SPHERE, CYLINDER = wp.constant(0), wp.constant(1), wp.constant(2)
CYLINDER_RADIUS = wp.constant(0.75)  # of the half side


@wp.func
def to_local(v: wp.vec3, yaw: float) -> wp.vec3:
    c = wp.cos(yaw)
    s = wp.sin(yaw)
    return wp.vec3(c * v[0] + s * v[1], c * v[1] - s * v[0], v[2])


@wp.func
def to_world(v: wp.vec3, yaw: float) -> wp.vec3:
    return to_local(v, -yaw)


@wp.func
def hit_sphere(radius: float, o: wp.vec3, d: wp.vec3) -> float:
    a = wp.dot(d, d)
    b = wp.dot(o, d)
    disc = b * b - a * (wp.dot(o, o) - radius * radius)
    if disc > 0.0:
        t = (-b - wp.sqrt(disc)) / a
        if t > EPSILON_M:
            return t
    return FAR


@wp.func
def hit_box(half: float, o: wp.vec3, d: wp.vec3) -> float:
    enter = float(-FAR)
    leave = float(FAR)
    for axis in range(3):
        slope = d[axis]
        if wp.abs(slope) < 1.0e-9:
            slope = 1.0e-9
        t0 = (-half - o[axis]) / slope
        t1 = (half - o[axis]) / slope
        enter = wp.max(enter, wp.min(t0, t1))
        leave = wp.min(leave, wp.max(t0, t1))
    if enter < leave and enter > EPSILON_M:
        return enter
    return FAR


@wp.func
def hit_cylinder(half: float, o: wp.vec3, d: wp.vec3) -> float:
    radius = half * CYLINDER_RADIUS
    best = float(FAR)
    a = d[0] * d[0] + d[1] * d[1]
    b = o[0] * d[0] + o[1] * d[1]
    disc = b * b - a * (o[0] * o[0] + o[1] * o[1] - radius * radius)
    if disc > 0.0 and a > 1.0e-12:
        t = (-b - wp.sqrt(disc)) / a
        if t > EPSILON_M and wp.abs(o[2] + t * d[2]) <= half:
            best = t
    if wp.abs(d[2]) > 1.0e-9:
        t = (-wp.sign(d[2]) * half - o[2]) / d[2]
        x = o[0] + t * d[0]
        y = o[1] + t * d[1]
        if t > EPSILON_M and t < best and x * x + y * y <= radius * radius:
            best = t
    return best


@wp.func
def hit(shape: int, half: float, o: wp.vec3, d: wp.vec3) -> float:
    """Ray parameter of the first hit in the object's own axes, or FAR."""
    if shape == BOX:
        return hit_box(half, o, d)
    if shape == SPHERE:
        return hit_sphere(half, o, d)
    if shape == CYLINDER:
        return hit_cylinder(half, o, d)
    return FAR


@wp.func
def normal_at(shape: int, half: float, p: wp.vec3) -> wp.vec3:
    """Outward normal at a local surface point."""
    if shape == SPHERE:
        return wp.normalize(p)
    if shape == CYLINDER:
        if p[2] > half * 0.999:
            return wp.vec3(0.0, 0.0, 1.0)
        return wp.normalize(wp.vec3(p[0], p[1], 0.0))
    ax = wp.abs(p[0])
    ay = wp.abs(p[1])
    az = wp.abs(p[2])
    if ax > ay and ax > az:
        return wp.vec3(wp.sign(p[0]), 0.0, 0.0)
    if ay > az:
        return wp.vec3(0.0, wp.sign(p[1]), 0.0)
    return wp.vec3(0.0, 0.0, wp.sign(p[2]))


@wp.func
def ground_texture(kind: int, x: float, y: float) -> float:
    """Blend weight of the second ground colour: 0 grass (blotches), 1 sand (ripples), 2 tiles (checks)."""
    if kind == 2:
        return float((int(wp.floor(0.8 * x)) + int(wp.floor(0.8 * y))) & 1)
    if kind == 1:
        return 0.5 + 0.5 * wp.sin(4.2 * x + 0.9 * wp.sin(2.1 * y))
    return 0.5 + 0.5 * wp.sin(3.1 * x + 1.7 * wp.sin(1.3 * y)) * wp.sin(2.9 * y + 1.1 * wp.sin(1.9 * x))


@wp.func
def object_texture(p: wp.vec3, half: float) -> float:
    """Shade of an object's own texture: two darker bands, so that its surface can be followed."""
    return 1.0 - 0.22 * float(int(wp.floor(2.0 * (p[2] / half + 1.0))) & 1)


@wp.kernel(enable_backward=False)
def render(
    num_frames: int,
    num_objects: int,
    samples: int,
    shape: wp.array2d(dtype=int),
    half: wp.array2d(dtype=float),
    position: wp.array2d(dtype=wp.vec3),
    yaw: wp.array2d(dtype=float),
    colour: wp.array2d(dtype=wp.vec3),
    ground: wp.array(dtype=int),
    ground_colour: wp.array2d(dtype=wp.vec3),
    ground_offset: wp.array(dtype=wp.vec2),
    rotation: wp.array(dtype=wp.mat33),
    origin: wp.array(dtype=wp.vec3),
    focal: wp.array(dtype=wp.vec4),
    rgb: wp.array4d(dtype=wp.uint8),
    depth: wp.array3d(dtype=float),
    instance: wp.array3d(dtype=int),
    amodal: wp.array3d(dtype=int),
    flow: wp.array3d(dtype=wp.vec2),
):
    """One thread a pixel. Colour averages ``samples``² rays; the truth is that of the ray through the centre."""
    g, y, x = wp.tid()
    clip = g // num_frames
    following = wp.min(g + 1, clip * num_frames + num_frames - 1)
    k = focal[g]
    o = origin[g]
    sun = wp.vec3(0.4224, 0.3168, 0.8492)
    total = wp.vec3(0.0, 0.0, 0.0)
    for s in range(samples * samples + 1):
        centre = s == samples * samples  # the last ray carries the truth and no colour
        px = float(x) + (float(s % samples) + 0.5) / float(samples)
        py = float(y) + (float(s // samples) + 0.5) / float(samples)
        if centre:
            px = float(x) + 0.5
            py = float(y) + 0.5
        d = rotation[g] * wp.vec3((px - k[2]) / k[0], (py - k[3]) / k[1], 1.0)
        best = float(FAR)
        who = int(-1)  # noqa: RUF046, UP018  Warp: a plain literal would be a constant
        bits = int(0)  # noqa: RUF046, UP018
        for i in range(num_objects):
            if shape[g, i] >= 0:
                t = hit(shape[g, i], half[g, i], to_local(o - position[g, i], yaw[g, i]), to_local(d, yaw[g, i]))
                if t < FAR:
                    bits = bits | (1 << i)
                    if t < best:
                        best = t
                        who = i
        if d[2] < -1.0e-6:
            t = -o[2] / d[2]
            if t < best and t < GROUND_FAR_M:
                best = t
                who = num_objects
        up = wp.max(d[2] / wp.length(d), 0.0)
        sky = wp.vec3(0.70 - 0.4 * up, 0.82 - 0.35 * up, 0.95 - 0.1 * up)
        if not centre:
            shade = sky
            if who >= 0:
                p = o + best * d
                n = wp.vec3(0.0, 0.0, 1.0)
                base = wp.vec3(0.0, 0.0, 0.0)
                if who == num_objects:
                    v = ground_texture(ground[clip], p[0] + ground_offset[g][0], p[1] + ground_offset[g][1])
                    base = ground_colour[clip, 0] * (1.0 - v) + ground_colour[clip, 1] * v
                else:
                    q = to_local(p - position[g, who], yaw[g, who])
                    n = to_world(normal_at(shape[g, who], half[g, who], q), yaw[g, who])
                    base = colour[g, who] * object_texture(q, half[g, who])
                light = wp.max(wp.dot(n, sun), 0.0)
                if light > 0.0:
                    for i in range(num_objects):
                        if i != who and shape[g, i] >= 0:
                            blocked = hit(
                                shape[g, i],
                                half[g, i],
                                to_local(p - position[g, i], yaw[g, i]),
                                to_local(sun, yaw[g, i]),
                            )
                            if blocked < FAR:
                                light = 0.0
                haze = wp.exp(-best * wp.length(d) / 18.0)
                shade = base * (0.62 + 0.50 * light) * haze + sky * (1.0 - haze)
            total += shade
        else:
            amodal[g, y, x] = bits
            if who < 0:
                instance[g, y, x] = 0
                depth[g, y, x] = wp.inf
                moved = d * FAR
            else:
                depth[g, y, x] = best
                p = o + best * d
                if who == num_objects:
                    instance[g, y, x] = 1
                    moved = p - origin[following]
                else:
                    instance[g, y, x] = 2 + who
                    q = to_local(p - position[g, who], yaw[g, who])
                    moved = to_world(q, yaw[following, who]) + position[following, who] - origin[following]
            seen = wp.transpose(rotation[following]) * moved
            kn = focal[following]
            flow[g, y, x] = wp.vec2(kn[0] * seen[0] / seen[2] + kn[2] - px, kn[1] * seen[1] / seen[2] + kn[3] - py)
    total = total / float(samples * samples)
    for c in range(3):
        rgb[g, y, x, c] = wp.uint8(wp.clamp(total[c], 0.0, 1.0) * 255.0 + 0.5)
