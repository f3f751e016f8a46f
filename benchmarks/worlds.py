"""How fast pictures are made: our renderer against PyBullet's TinyRenderer and MuJoCo's OpenGL, one scene, one run.

    python benchmarks/worlds.py

Ten objects on a plane under a light that throws shadows, 64 x 64 pixels. Ours writes anti-aliased colour, depth,
instances, amodal masks and both flows; PyBullet colour without anti-aliasing, depth and instances; MuJoCo colour alone,
anti-aliased. Ours without anti-aliasing is measured too, and decides nothing. Seconds are CPU time of the process,
all threads, so the figures are per core, and the three take turns, so that they share the machine's moods. The exit
status is 1 when ours is less than 3 times PyBullet's or 10 times MuJoCo's speed. Needs `pip install pybullet mujoco`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco
import numpy as np
import pybullet
from scipy.spatial.transform import Rotation

from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.scene import Body, CameraTrack, Environment, Light, Material, ObjectInfo, Part, Scene, Shape

FRAMES, SIZE, OBJECTS, CLIPS, ROUNDS = 16, 64, 10, 16, 5
SUN = (0.4224, 0.3168, 0.8492)
SHAPES: tuple[Shape, ...] = ("box", "sphere", "cylinder", "capsule")
TARGETS = {"pybullet": 3.0, "mujoco": 10.0}
Draw = Callable[[int], np.ndarray]  # a frame of the scene as colours [h, w, 3]


def scene_of(seed: int) -> Scene:
    """Ten resting objects in a ring, seen from an orbit."""
    rng = np.random.default_rng(seed)
    bodies, position = [], []
    for i in range(OBJECTS):
        shape = SHAPES[i % len(SHAPES)]
        r = rng.uniform(0.25, 0.45)
        half = (r, r, 2 * r) if shape == "capsule" else (r, r, r)
        bodies.append(Body((Part(shape, half, Material("plain", tuple(rng.uniform(0.1, 0.9, 3)))),), i))
        angle, distance = 2 * np.pi * i / OBJECTS, rng.uniform(1.2, 3.0)
        position.append([distance * np.cos(angle), distance * np.sin(angle), half[2]])
    azimuth = rng.uniform(0, 2 * np.pi) + np.linspace(0, 0.8, FRAMES)
    c2w = np.tile(np.eye(4), (FRAMES, 1, 1))
    for f, a in enumerate(azimuth):
        eye = np.array([6 * np.cos(a), 6 * np.sin(a), 2.2])
        forward = (np.array([0, 0, 0.5]) - eye) / np.linalg.norm(np.array([0, 0, 0.5]) - eye)
        right = np.cross(forward, [0, 0, 1]) / np.linalg.norm(np.cross(forward, [0, 0, 1]))
        c2w[f, :3] = np.stack([right, np.cross(forward, right), forward, eye], -1)
    info = ObjectInfo("thing", "red", (1.0, 1.0, 1.0), 1.0)
    return Scene(
        "benchmark",
        seed,
        tuple(bodies),
        (info,) * OBJECTS,
        np.tile(position, (FRAMES, 1, 1)),
        np.tile([0.0, 0.0, 0.0, 1.0], (FRAMES, OBJECTS, 1)),
        CameraTrack(c2w, np.full(FRAMES, 32.0)),
        Environment(Material("checker", (0.3, 0.4, 0.3), (0.5, 0.6, 0.5), 2.0), (Light(SUN),)),
    )


def fov_y_deg(scene: Scene) -> float:
    return float(np.degrees(2 * np.arctan(scene.camera.sensor_mm / scene.camera.focal_mm[0] / 2)))


def in_pybullet(scene: Scene) -> tuple[Draw, Callable[[], float]]:
    """A function that draws a frame, and one that tells which share of frame 0 the objects cover."""
    pybullet.connect(pybullet.DIRECT)

    def add(colour: tuple[float, ...], at: list[float], **shape: Any) -> None:
        visual = pybullet.createVisualShape(rgbaColor=[*colour, 1], **shape)
        pybullet.createMultiBody(0, -1, visual, at)

    add((0.4, 0.5, 0.4), [0, 0, -0.05], shapeType=pybullet.GEOM_BOX, halfExtents=[30, 30, 0.05])
    for body, at in zip(scene.bodies, scene.position_m[0].tolist(), strict=True):
        (part,) = body.parts
        r, _, h = part.half_size_m
        forms: dict[str, dict[str, Any]] = {
            "box": {"shapeType": pybullet.GEOM_BOX, "halfExtents": part.half_size_m},
            "sphere": {"shapeType": pybullet.GEOM_SPHERE, "radius": r},
            "cylinder": {"shapeType": pybullet.GEOM_CYLINDER, "radius": r, "length": 2 * h},
            "capsule": {"shapeType": pybullet.GEOM_CAPSULE, "radius": r, "length": 2 * (h - r)},
        }
        add(part.material.colour, at, **forms[part.shape])
    projection = pybullet.computeProjectionMatrixFOV(fov_y_deg(scene), 1.0, 0.1, 60.0)

    def picture(frame: int) -> Any:
        m = scene.camera.c2w[frame]
        view = pybullet.computeViewMatrix(m[:3, 3], m[:3, 3] + m[:3, 2], -m[:3, 1])
        return pybullet.getCameraImage(SIZE, SIZE, view, projection, SUN, shadow=1, renderer=pybullet.ER_TINY_RENDERER)

    def share() -> float:
        return float((np.reshape(picture(0)[4], (SIZE, SIZE)) >= 1).mean())

    return lambda frame: np.reshape(picture(frame)[2], (SIZE, SIZE, 4))[..., :3], share


def in_mujoco(scene: Scene) -> tuple[Draw, Callable[[], float]]:
    """As `in_pybullet`."""
    geoms = []
    for body, at in zip(scene.bodies, scene.position_m[0], strict=True):
        (part,) = body.parts
        r, _, h = part.half_size_m
        size = {"box": (r, r, h), "sphere": (r,), "cylinder": (r, h), "capsule": (r, h - r)}[part.shape]
        where, extent, rgb = (" ".join(map(str, v)) for v in (at, size, part.material.colour))
        geoms.append(f'<geom type="{part.shape}" size="{extent}" pos="{where}" rgba="{rgb} 1"/>')
    down = " ".join(str(-v) for v in SUN)
    model = mujoco.MjModel.from_xml_string(
        f"""<mujoco><visual><map znear="0.01"/><quality shadowsize="1024"/></visual><worldbody>
        <light directional="true" castshadow="true" pos="0 0 8" dir="{down}"/>
        <geom type="plane" size="30 30 1" rgba=".4 .5 .4 1"/>{"".join(geoms)}
        <body name="eye" mocap="true"><camera name="eye" fovy="{fov_y_deg(scene)}"/></body></worldbody></mujoco>"""
    )
    data = mujoco.MjData(model)
    renderer = mujoco.Renderer(model, SIZE, SIZE)
    flip = np.diag([1.0, -1.0, -1.0])  # MuJoCo's cameras look along -z

    def picture(frame: int) -> np.ndarray:
        m = scene.camera.c2w[frame]
        data.mocap_pos[0] = m[:3, 3]
        data.mocap_quat[0] = Rotation.from_matrix(m[:3, :3] @ flip).as_quat()[[3, 0, 1, 2]]
        mujoco.mj_forward(model, data)
        renderer.update_scene(data, "eye")
        return np.asarray(renderer.render())

    def share() -> float:
        renderer.enable_segmentation_rendering()
        seen = picture(0)[..., 0]
        renderer.disable_segmentation_rendering()
        return float((seen >= 1).mean())  # geom 0 is the plane

    return picture, share


def cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def render_many(seconds: float) -> tuple[int, float, float]:
    """Clips rendered in about ``seconds``, and the wall and CPU time it took: the work of one process."""
    scenes = [scene_of(i) for i in range(CLIPS)]
    renderer = WarpRenderer()
    renderer(scenes, SIZE, SIZE)
    count, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        renderer(scenes, SIZE, SIZE)
        count += CLIPS
    return count, time.perf_counter() - wall, time.process_time() - cpu


def main() -> int:
    scene, renderer = scene_of(0), WarpRenderer()
    ours = renderer([scene], SIZE, SIZE)
    share = float((ours.instance_ids[0, 0] >= 2).mean())
    others: dict[str, Draw] = {}
    for name, build in (("pybullet", in_pybullet), ("mujoco", in_mujoco)):
        draw, share_of = build(scene)
        if abs(share_of() - share) > 0.02:
            raise ValueError(f"{name} shows objects on {share_of():.3f} of the picture, ours on {share:.3f}")
        draw(0)
        others[name] = draw
    scenes = [scene_of(i) for i in range(CLIPS)]
    aliased = WarpRenderer(threshold=256)  # no neighbours differ as much
    renderer(scenes, SIZE, SIZE)
    rates: dict[str, list[float]] = {"ours": [], "aliased": [], **{name: [] for name in others}}
    for _ in range(ROUNDS):
        rates["ours"].append(CLIPS * FRAMES / cpu_s(lambda: renderer(scenes, SIZE, SIZE)))
        rates["aliased"].append(CLIPS * FRAMES / cpu_s(lambda: aliased(scenes, SIZE, SIZE)))
        for name, draw in others.items():
            rates[name].append(FRAMES / cpu_s(lambda draw=draw: [draw(f) for f in range(FRAMES)]))  # type: ignore[misc]
    print(
        f"{SIZE} x {SIZE}, {OBJECTS} objects on {share:.0%} of the picture; frames per second of CPU, of {ROUNDS} runs"
    )
    held = True
    for name, values in rates.items():
        line = f"{name:9s} {median(values):8.1f}"
        if name in TARGETS:
            ratios = [a / b for a, b in zip(rates["ours"], values, strict=True)]
            unsmoothed = median(a / b for a, b in zip(rates["aliased"], values, strict=True))
            held &= median(ratios) >= TARGETS[name]
            line += f"   ours is {median(ratios):.1f}x ({min(ratios):.1f} to {max(ratios):.1f}; target "
            line += f"{TARGETS[name]:.0f}x), without anti-aliasing {unsmoothed:.1f}x"
        print(line)
    for workers in (1, 2):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            done = list(pool.map(render_many, [5.0] * workers))
        wall, cpu = sum(n / w for n, w, _ in done), sum(n for n, _, _ in done) / sum(c for _, _, c in done)
        print(
            f"{workers} process{'es' if workers > 1 else '  '}: {wall:.0f} clips of {FRAMES}x{SIZE}x{SIZE} per second "
            f"({cpu:.0f} per second of CPU), render only"
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
