# mypy: ignore-errors
"""Procedural textures: the share of a material's second colour at a surface point."""

import warp as wp

from worldr1.worlds.kernel.layout import BOX, MESH, TEXTURES, Surface

PLAIN, BANDS, CHECKER, STRIPES, NOISE, BRICKS, WOOD, TILES, GRASS, SAND, ASPHALT, SIGN = (
    wp.constant(TEXTURES.index(name))
    for name in (
        "plain bands checker stripes noise bricks wood tiles grass sand asphalt sign".split()  # noqa: SIM905
    )
)
TAU = wp.constant(6.2831853)
# lengths in metres at which the ground patterns repeat as their formulas stand; `scale_m` stretches them
REPEAT_M = {"grass": 2.0, "sand": 1.5, "tiles": 2.5}
GRASS_M, SAND_M, TILES_M = (wp.constant(REPEAT_M[name]) for name in ("grass", "sand", "tiles"))


@wp.func
def hashed(x: int, y: int, z: int) -> float:
    """A number in [0, 1) that belongs to a lattice point."""
    h = wp.uint32(x) * wp.uint32(73856093) ^ wp.uint32(y) * wp.uint32(19349663) ^ wp.uint32(z) * wp.uint32(83492791)
    h = (h ^ (h >> wp.uint32(15))) * wp.uint32(0x7FEB352D)
    h = (h ^ (h >> wp.uint32(13))) * wp.uint32(0x2C1B3C6D)
    return float((h ^ (h >> wp.uint32(16))) & wp.uint32(0xFFFFFF)) / 16777216.0


@wp.func
def value_noise(p: wp.vec3) -> float:
    """Smooth noise in [0, 1]: lattice values, interpolated with Hermite weights."""
    x = int(wp.floor(p[0]))
    y = int(wp.floor(p[1]))
    z = int(wp.floor(p[2]))
    u = p[0] - float(x)
    v = p[1] - float(y)
    w = p[2] - float(z)
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    w = w * w * (3.0 - 2.0 * w)
    low = wp.lerp(
        wp.lerp(hashed(x, y, z), hashed(x + 1, y, z), u), wp.lerp(hashed(x, y + 1, z), hashed(x + 1, y + 1, z), u), v
    )
    high = wp.lerp(
        wp.lerp(hashed(x, y, z + 1), hashed(x + 1, y, z + 1), u),
        wp.lerp(hashed(x, y + 1, z + 1), hashed(x + 1, y + 1, z + 1), u),
        v,
    )
    return wp.lerp(low, high, w)


@wp.func
def fractal_noise(p: wp.vec3) -> float:
    """Two octaves of value noise, contrast stretched about 1/2 to fill [0, 1]."""
    n = 0.65 * value_noise(p) + 0.35 * value_noise(2.7 * p)
    return wp.clamp(0.5 + 1.6 * (n - 0.5), 0.0, 1.0)


@wp.func
def wave(x: float) -> float:
    """sin(x) to 2e-4 for |x| < 300, at a third of the cost: a Taylor polynomial on a quarter turn."""
    turns = x * 0.15915494
    y = wp.abs(turns - wp.floor(turns + 0.25) - 0.25)  # of a turn, from the crest
    z = TAU * (0.25 - y)
    z2 = z * z
    return z * (1.0 - z2 * (0.16666667 - z2 * (0.00833333 - z2 * 0.00019841)))


@wp.func
def odd(x: float) -> float:
    return float(int(wp.floor(x)) & 1)


@wp.func
def unrolled(shape: int, p: wp.vec3, n: wp.vec3, half_m: wp.vec3, scale_m: float) -> wp.vec2:
    """Surface coordinates in repeats: on flat faces and meshes the two axes across the normal, round bodies
    unrolled so that a whole number of repeats goes once around. ``p`` is in metres, ``n`` in the same axes."""
    if wp.abs(n[2]) > wp.max(wp.abs(n[0]), wp.abs(n[1])):
        return wp.vec2(p[0] / scale_m, p[1] / scale_m)
    if shape != BOX and shape != MESH:
        around = wp.max(wp.round(TAU * half_m[0] / scale_m), 1.0)
        return wp.vec2(wp.atan2(p[1] / half_m[1], p[0] / half_m[0]) / TAU * around, p[2] / scale_m)
    if wp.abs(n[0]) > wp.abs(n[1]):
        return wp.vec2(p[1] / scale_m, p[2] / scale_m)
    return wp.vec2(p[0] / scale_m, p[2] / scale_m)


@wp.func
def texel(atlas: wp.array(dtype=wp.uint8), text: wp.vec3i, x: int, y: int) -> float:
    column = wp.clamp(x, 0, text[1] - 1)
    row = wp.clamp(y, 0, text[2] - 1)
    return float(atlas[text[0] + row * text[1] + column]) / 255.0


@wp.func
def lettering(atlas: wp.array(dtype=wp.uint8), text: wp.vec3i, p: wp.vec3, n: wp.vec3, half_m: wp.vec3) -> float:
    """The sign's picture, upright and readable from outside, on the wider pair of its upright faces."""
    u = wp.float32(-1.0)
    if wp.abs(n[0]) > wp.max(wp.abs(n[1]), wp.abs(n[2])) and half_m[1] >= half_m[0]:
        u = 0.5 + 0.5 * wp.sign(n[0]) * p[1] / half_m[1]
    elif wp.abs(n[1]) > wp.max(wp.abs(n[0]), wp.abs(n[2])) and half_m[0] >= half_m[1]:
        u = 0.5 - 0.5 * wp.sign(n[1]) * p[0] / half_m[0]
    if u < 0.0 or text[1] == 0:
        return 0.0
    x = u * float(text[1]) - 0.5
    y = (0.5 - 0.5 * p[2] / half_m[2]) * float(text[2]) - 0.5
    column = int(wp.floor(x))
    row = int(wp.floor(y))
    a = x - float(column)
    b = y - float(row)
    above = wp.lerp(texel(atlas, text, column, row), texel(atlas, text, column + 1, row), a)
    below = wp.lerp(texel(atlas, text, column, row + 1), texel(atlas, text, column + 1, row + 1), a)
    return wp.lerp(above, below, b)


@wp.func
def planar(texture: int, scale_m: float, x: float, y: float) -> float:
    """The patterns of natural grounds at a point of a plane, metres."""
    if texture == TILES:
        r = TILES_M / scale_m
        return float((int(wp.floor(0.8 * r * x)) + int(wp.floor(0.8 * r * y))) & 1)
    if texture == SAND:
        r = SAND_M / scale_m
        return 0.5 + 0.5 * wave(4.2 * r * x + 0.9 * wave(2.1 * r * y))
    r = GRASS_M / scale_m
    return 0.5 + 0.5 * wave(3.1 * r * x + 1.7 * wave(1.3 * r * y)) * wave(2.9 * r * y + 1.1 * wave(1.9 * r * x))


@wp.func
def second_share(
    s: Surface, atlas: wp.array(dtype=wp.uint8), shape: int, p: wp.vec3, n: wp.vec3, half_m: wp.vec3
) -> float:
    """Share of the second colour at ``p`` (metres, the part's axes) where the outward normal is ``n``."""
    if s.texture == PLAIN:
        return 0.0
    if s.texture == BANDS:
        return odd(2.0 * (p[2] + half_m[2]) / s.scale_m)
    if s.texture == SIGN:
        return lettering(atlas, s.text, p, n, half_m)
    if s.texture == NOISE:
        return fractal_noise(p / s.scale_m)
    if s.texture == ASPHALT:  # grit, and faint stains that are sixteen times larger
        return wp.clamp(
            0.7 * value_noise(4.0 * p / s.scale_m) + 0.6 * value_noise(p / (4.0 * s.scale_m)) - 0.15, 0.0, 1.0
        )
    if s.texture == WOOD:  # growth rings about an axis below the board, wavering along the grain
        q = p / s.scale_m
        waver = value_noise(wp.vec3(0.5 * q[0], 2.0 * q[1], 2.0 * q[2]))
        return 0.5 + 0.5 * wave(TAU * (wp.length(wp.vec2(q[1], q[2] + 0.4)) + 0.6 * waver))
    uv = unrolled(shape, p, n, half_m, s.scale_m)
    if s.texture == STRIPES:
        return odd(2.0 * uv[0])
    if s.texture == CHECKER:
        return wp.abs(odd(2.0 * uv[0]) - odd(2.0 * uv[1]))
    if s.texture == BRICKS:  # one brick per repeat, two courses high, each course half a brick along
        course = wp.floor(2.0 * uv[1])
        x = uv[0] + 0.5 * odd(2.0 * uv[1])
        along = x - wp.floor(x)
        up = 2.0 * uv[1] - course
        if along < 0.07 or up < 0.14:
            return 1.0
        return 0.25 * hashed(int(wp.floor(x)), int(course), 7)  # no two bricks burn alike
    return planar(s.texture, s.scale_m, uv[0] * s.scale_m, uv[1] * s.scale_m)


@wp.func
def colour_of(
    s: Surface, atlas: wp.array(dtype=wp.uint8), shape: int, p: wp.vec3, n: wp.vec3, half_m: wp.vec3
) -> wp.vec3:
    v = second_share(s, atlas, shape, p, n, half_m)
    return s.colour * (1.0 - v) + s.second * v
