# mypy: ignore-errors
"""Rays against unit primitives: the parameter of the entering hit, and the outward normal there."""

import warp as wp

from worldr1.worlds.kernel.layout import BOX, CAPSULE, CONE, CYLINDER, MAX_CLOSE_M, MESH, SPHERE

FAR = wp.constant(1.0e9)
CLOSE_M = wp.constant(MAX_CLOSE_M)
FLAT = wp.constant(1.0e-3)  # how far from an end cap a point still counts as on it


@wp.func
def lesser(a: float, b: float) -> float:
    """`wp.min` without its care for NaN: one instruction on a CPU, not five."""
    return wp.where(a < b, a, b)


@wp.func
def greater(a: float, b: float) -> float:
    return wp.where(a > b, a, b)


@wp.func
def hit_box(o: wp.vec3, d: wp.vec3) -> float:
    enter = wp.float32(-FAR)
    leave = wp.float32(FAR)
    for axis in range(3):
        slope = d[axis]
        if wp.abs(slope) < 1.0e-9:
            slope = 1.0e-9
        pace = 1.0 / slope
        middle = -o[axis] * pace
        enter = greater(enter, middle - wp.abs(pace))
        leave = lesser(leave, middle + wp.abs(pace))
    if enter < leave:
        return enter
    return FAR


@wp.func
def hit_sphere(o: wp.vec3, d: wp.vec3) -> float:
    a = wp.dot(d, d)
    b = wp.dot(o, d)
    disc = b * b - a * (wp.dot(o, o) - 1.0)
    if disc > 0.0:
        return (-b - wp.sqrt(disc)) / a
    return FAR


@wp.func
def hit_tube(o: wp.vec3, d: wp.vec3, half_length: float) -> float:
    """The mantle of an upright cylinder of radius 1."""
    a = d[0] * d[0] + d[1] * d[1]
    b = o[0] * d[0] + o[1] * d[1]
    disc = b * b - a * (o[0] * o[0] + o[1] * o[1] - 1.0)
    if disc > 0.0 and a > 1.0e-12:
        t = (-b - wp.sqrt(disc)) / a
        if wp.abs(o[2] + t * d[2]) <= half_length:
            return t
    return FAR


@wp.func
def hit_disc(o: wp.vec3, d: wp.vec3, z: float) -> float:
    """The unit disc at height ``z``, met from its outer side (above for z > 0)."""
    if d[2] * z < 0.0:
        t = (z - o[2]) / d[2]
        x = o[0] + t * d[0]
        y = o[1] + t * d[1]
        if x * x + y * y <= 1.0:
            return t
    return FAR


@wp.func
def hit_cone(o: wp.vec3, d: wp.vec3) -> float:
    """x² + y² = k² with k = (1 - z) / 2, the radius at height z."""
    k = 0.5 * (1.0 - o[2])
    slope = -0.5 * d[2]
    a = d[0] * d[0] + d[1] * d[1] - slope * slope
    b = o[0] * d[0] + o[1] * d[1] - k * slope
    c = o[0] * o[0] + o[1] * o[1] - k * k
    disc = b * b - a * c
    if disc > 0.0:
        root = wp.sqrt(disc)
        t = wp.float32(FAR)  # where x² + y² - k² falls through 0; the two forms avoid cancellation
        if b <= 0.0:
            t = c / (root - b)
        elif wp.abs(a) > 1.0e-12:
            t = (-b - root) / a
        if wp.abs(o[2] + t * d[2]) <= 1.0:
            return t
    return hit_disc(o, d, -1.0)


@wp.func
def hit(shape: int, straight: float, mesh: wp.uint64, eye: wp.vec3, d: wp.vec3, start: float):
    """Ray parameter of the first hit beyond ``start`` (FAR: none) and the mesh's face (else -1).

    A ray that starts inside an analytic primitive does not see it; a mesh is seen from both sides.
    """
    face = wp.int32(-1)
    t = wp.float32(FAR)
    # solved from the point of the ray nearest to the primitive: far away, squares of float32 cancel
    shift = -wp.dot(eye, d) / wp.dot(d, d)
    o = eye + shift * d
    if shape == BOX:
        t = shift + hit_box(o, d)
    elif wp.dot(o, o) < 3.0:
        if shape == SPHERE:
            t = shift + hit_sphere(o, d)
        elif shape == CYLINDER:
            t = shift + lesser(hit_tube(o, d, 1.0), lesser(hit_disc(o, d, 1.0), hit_disc(o, d, -1.0)))
        elif shape == CONE:
            t = shift + hit_cone(o, d)
        elif shape == MESH:
            found = wp.mesh_query_ray(mesh, eye + start * d, d, FAR)
            if found.result:
                t = start + found.t
                face = found.face
    if shape == CAPSULE:  # radius 1, so its unit form is as long as it needs to be
        up = wp.vec3(0.0, 0.0, straight)
        ends = lesser(hit_sphere(o - up, d), hit_sphere(o + up, d))
        t = shift + lesser(hit_tube(o, d, straight), ends)
    if t <= start or t > 0.5 * FAR:
        t = FAR
    return t, face


@wp.func
def normal_at(shape: int, straight: float, mesh: wp.uint64, face: int, p: wp.vec3) -> wp.vec3:
    """Outward normal (not normalised) at a surface point in unit axes."""
    if shape == SPHERE:
        return p
    if shape == CYLINDER:
        if wp.abs(p[2]) > 1.0 - FLAT:
            return wp.vec3(0.0, 0.0, wp.sign(p[2]))
        return wp.vec3(p[0], p[1], 0.0)
    if shape == CAPSULE:
        return wp.vec3(p[0], p[1], p[2] - wp.clamp(p[2], -straight, straight))
    if shape == CONE:
        if p[2] < FLAT - 1.0:
            return wp.vec3(0.0, 0.0, -1.0)
        return wp.vec3(p[0], p[1], 0.25 * (1.0 - p[2]))
    if shape == MESH:
        return wp.mesh_eval_face_normal(mesh, face)
    ax = wp.abs(p[0])
    ay = wp.abs(p[1])
    az = wp.abs(p[2])
    if ax > ay and ax > az:
        return wp.vec3(wp.sign(p[0]), 0.0, 0.0)
    if ay > az:
        return wp.vec3(0.0, wp.sign(p[1]), 0.0)
    return wp.vec3(0.0, 0.0, wp.sign(p[2]))
