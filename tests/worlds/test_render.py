"""Pictures and truth of the Warp renderer against geometry that it does not use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from worldr1.worlds.kernel.letters import picture_of
from worldr1.worlds.meshes import MESHES, get_mesh, load_mesh, volume_m3
from worldr1.worlds.render import WarpRenderer, render_clips
from worldr1.worlds.rendered import Rendered
from worldr1.worlds.scene import (
    Body,
    CameraTrack,
    Environment,
    Light,
    Material,
    ObjectInfo,
    Part,
    Scene,
    Shape,
    Texture,
)

FRAMES, H, W = 5, 48, 64
RENDER = WarpRenderer()
SHAPES: tuple[Shape, ...] = ("box", "sphere", "cylinder", "capsule", "cone", "mesh")
TEXTURES: tuple[Texture, ...] = ("plain", "bands", "checker", "stripes", "noise", "bricks", "wood", "tiles", "asphalt")


def facing(eye: np.ndarray, target: tuple[float, float, float], roll_deg: float = 0.0) -> np.ndarray:
    forward = np.asarray(target) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    c2w = np.eye(4)
    c2w[:3] = np.stack([right, np.cross(forward, right), forward, eye], -1)
    c2w[:3, :3] = c2w[:3, :3] @ Rotation.from_euler("z", roll_deg, degrees=True).as_matrix()
    return c2w


def moving_camera() -> CameraTrack:
    """Travels, rolls and zooms at once."""
    eyes = np.linspace([4.5, -2.0, 1.6], [3.6, 2.0, 2.4], FRAMES)
    c2w = np.stack([facing(e, (0, 0, 0.5), 4.0 * i) for i, e in enumerate(eyes)])
    return CameraTrack(c2w, np.linspace(28.0, 44.0, FRAMES))


def crowd(seed: int = 0, count: int = 10, **changes: Any) -> Scene:
    """Objects of every shape and texture; every second one slides, tumbles and is stretched."""
    rng = np.random.default_rng(seed)
    bodies, position, rotation, scale = [], [], [], []
    for i in range(count):
        half = tuple(rng.uniform(0.25, 0.5, 3))
        shape = SHAPES[i % len(SHAPES)]
        material = Material(
            TEXTURES[i % len(TEXTURES)], tuple(rng.uniform(0.1, 0.9, 3)), tuple(rng.uniform(0.1, 0.9, 3)), gloss=0.3
        )
        turn = tuple(Rotation.random(random_state=seed + i).as_quat())
        part = Part(shape, half, material, (0.1, 0.0, 0.05), turn, mesh="vase" if shape == "mesh" else "")
        bodies.append(Body((part, Part("sphere", (0.2, 0.2, 0.2), material, (0.0, 0.0, 0.4))), i))
        t = np.linspace(0, 1, FRAMES) * (i % 2)
        angle, radius = 2 * np.pi * i / count, rng.uniform(0.8, 2.2)
        place = [radius * np.cos(angle), radius * np.sin(angle), 0.5]
        position.append(np.array(place) + t[:, None] * rng.uniform(-0.6, 0.6, 3))
        rotation.append(Rotation.from_rotvec(t[:, None] * rng.uniform(-1, 1, 3)).as_quat())
        scale.append(1 + t[:, None] * rng.uniform(-0.2, 0.4, 3))
    info = ObjectInfo("thing", "red", (1.0, 1.0, 1.0), 1.0)
    scene = Scene(
        "crowd",
        seed,
        tuple(bodies),
        (info,) * count,
        np.stack(position, 1),
        np.stack(rotation, 1),
        moving_camera(),
        scale=np.stack(scale, 1),
    )
    return replace(scene, **changes)


def rays(scene: Scene, frame: int, height: int = H, width: int = W) -> tuple[np.ndarray, np.ndarray]:
    """Camera centre ``[3]`` and directions ``[h * w, 3]`` in the world, one metre along the optical axis."""
    K = scene.camera.intrinsics(height, width)[frame]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    seen = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1).reshape(-1, 3)
    c2w = scene.camera.c2w[frame]
    return c2w[:3, 3], seen @ c2w[:3, :3].T


def project(scene: Scene, frame: int, world: np.ndarray) -> np.ndarray:
    c2w, K = scene.camera.c2w[frame], scene.camera.intrinsics(H, W)[frame]
    seen = (world - c2w[:3, 3]) @ c2w[:3, :3]
    return np.stack([K[0, 0] * seen[:, 0] / seen[:, 2] + K[0, 2], K[1, 1] * seen[:, 1] / seen[:, 2] + K[1, 2]], -1)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return crowd()


@pytest.fixture(scope="module")
def rendered(scene: Scene) -> Rendered:
    return RENDER([scene], H, W)


@pytest.mark.parametrize("step", [1, -1])
def test_flow_follows_every_surface(scene: Scene, rendered: Rendered, step: int) -> None:
    """Static and moving surfaces and the sky, forward and backward, under travel, roll and zoom."""
    flow = rendered.flow_px if step == 1 else rendered.backward_flow_px
    assert (flow[0, FRAMES - 1 if step == 1 else 0] == 0).all()
    x, y = np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5)
    centres = np.stack([x, y], -1).reshape(-1, 2)
    seen_bodies, fastest = set(), 0.0
    for f in range(FRAMES):
        g = f + step
        if not 0 <= g < FRAMES:
            continue
        eye, d = rays(scene, f)
        ids, depth = rendered.instance_ids[0, f].ravel(), rendered.depth_m[0, f].ravel()
        for who in np.unique(ids):
            mask = ids == who
            at_infinity = scene.camera.c2w[g][:3, 3] + d[mask]  # only the rotation counts
            world = at_infinity if who == 0 else eye + depth[mask, None] * d[mask]
            if who >= 2:
                assert scene.scale is not None
                b = int(who) - 2
                before, after = (Rotation.from_quat(scene.rotation[k, b]) for k in (f, g))
                own = before.inv().apply(world - scene.position_m[f, b]) / scene.scale[f, b]
                world = after.apply(own * scene.scale[g, b]) + scene.position_m[g, b]
            error = np.abs(project(scene, g, world) - centres[mask] - flow[0, f].reshape(-1, 2)[mask])
            assert error.max() <= 0.01, who
            fastest = max(fastest, float(np.abs(flow[0, f]).max()))
            seen_bodies.add(int(who))
    assert {0, 1} <= seen_bodies
    assert len(seen_bodies) >= 9
    assert fastest > 3


def crossings(mesh: trimesh.Trimesh, origins: np.ndarray, directions: np.ndarray) -> list[np.ndarray]:
    """Sorted ray parameters at which each ray crosses the mesh (Möller and Trumbore, 1997), by brute force."""
    corner, a, b = (mesh.triangles[:, 0], *(mesh.triangles[:, k] - mesh.triangles[:, 0] for k in (1, 2)))
    out = []
    for origin, direction in zip(origins, directions, strict=True):
        across = np.cross(direction, b)
        determinant = np.einsum("ij,ij->i", a, across)
        determinant[np.abs(determinant) < 1e-12] = np.nan
        offset = origin - corner
        u = np.einsum("ij,ij->i", offset, across) / determinant
        normal = np.cross(offset, a)
        v = normal @ direction / determinant
        t = np.einsum("ij,ij->i", b, normal) / determinant
        out.append(np.sort(t[(u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)]))
    return out


def outline(shape: Shape, half: tuple[float, float, float]) -> trimesh.Trimesh:
    """The primitive as a fine mesh made by trimesh."""
    if shape == "mesh":
        mesh = get_mesh("torus").copy()
    elif shape == "box":
        mesh = trimesh.creation.box((2, 2, 2))
    elif shape == "sphere":
        mesh = trimesh.creation.icosphere(subdivisions=4)
    elif shape == "cylinder":
        mesh = trimesh.creation.cylinder(1.0, 2.0, sections=128)
    elif shape == "cone":
        mesh = trimesh.creation.cone(1.0, 2.0, sections=128)
        mesh.apply_translation([0, 0, -1])
    else:
        a, _, c = half
        mesh = trimesh.creation.capsule(2 * (c - a), a, count=[64, 64])
        mesh.vertices[:, 2] -= mesh.bounds.mean(0)[2]
        return mesh
    mesh.vertices = mesh.vertices * half
    return mesh


@pytest.mark.parametrize("shape", SHAPES)
def test_a_primitive_is_where_brute_force_finds_its_mesh(shape: Shape) -> None:
    half = (0.4, 0.4, 0.9) if shape == "capsule" else (0.9, 0.5, 0.7)
    turn, place = Rotation.from_euler("xyz", [0.5, 0.3, 1.0]), np.array([0.3, -0.2, 1.2])
    part = Part(shape, half, offset_m=(0.2, 0.1, -0.1), rotation=tuple(turn.as_quat()), mesh="torus")
    whole = Rotation.from_euler("z", 0.7)
    stretch = np.array([1.2, 0.8, 1.0])
    one = crowd(
        count=1,
        bodies=(Body((part,), 0),),
        position_m=np.tile(place, (FRAMES, 1, 1)),
        rotation=np.tile(whole.as_quat(), (FRAMES, 1, 1)),
        scale=np.tile(stretch, (FRAMES, 1, 1)),
        environment=Environment(ground=None),
    )
    out = RENDER([one], 24, 32)
    mesh = outline(shape, half)
    vertices = turn.apply(mesh.vertices) + part.offset_m
    mesh.vertices = whole.apply(vertices * stretch) + place
    eye, d = rays(one, 2, 24, 32)
    depth = np.array([min(t, default=np.inf) for t in crossings(mesh, np.tile(eye, (len(d), 1)), d)])
    ours = out.depth_m[0, 2].ravel()
    both = np.isfinite(depth) & np.isfinite(ours)
    assert both.sum() > 60
    assert (np.isfinite(depth) != np.isfinite(ours)).sum() <= 2  # rays that graze the facets
    wrong = np.abs(depth[both] - ours[both])
    assert np.quantile(wrong, 0.95) < 2e-3
    assert wrong.max() < 0.05
    bits = out.amodal_bits[0, 2].ravel()
    assert ((bits == 1) == np.isfinite(ours)).all()


def test_what_is_seen_is_also_in_the_amodal_bits_whatever_is_in_front(scene: Scene, rendered: Rendered) -> None:
    wall = Part("box", (0.02, 3.0, 3.0))
    screened = replace(
        scene,
        bodies=(*scene.bodies, Body((wall,))),
        position_m=np.concatenate([scene.position_m, np.tile([3.0, 0, 1], (FRAMES, 1, 1))], 1),
        rotation=np.concatenate([scene.rotation, np.tile([0, 0, 0, 1.0], (FRAMES, 1, 1))], 1),
        scale=None,
    )
    hidden = RENDER([screened], H, W)
    without = RENDER([replace(scene, scale=None)], H, W)
    np.testing.assert_array_equal(hidden.amodal_bits, without.amodal_bits)
    assert (hidden.instance_ids[0, 2] == 1).mean() > 0.9  # scenery in front of everything
    for i in range(len(scene.objects)):
        assert (rendered.amodal_bits[rendered.instance_ids == 2 + i] >> i & 1).all()


def test_the_canvas_counts_what_a_picture_of_twice_the_size_shows(scene: Scene) -> None:
    # the sensor of the larger picture is twice as wide at the same focal length: the same scale of pixels
    wide = replace(scene, camera=replace(scene.camera, sensor_mm=2 * scene.camera.sensor_mm))
    out = RENDER([wide], 2 * H, 2 * W)
    expected = [[int((f >> i & 1).sum()) for i in range(len(scene.objects))] for f in out.amodal_bits[0]]
    np.testing.assert_array_equal(RENDER.canvas_px([scene], H, W)[0], expected)
    assert np.array(expected).min() > 0


def test_a_body_that_is_not_present_leaves_no_trace_and_its_flow_follows_its_track(scene: Scene) -> None:
    present = np.ones((FRAMES, len(scene.bodies)), bool)
    present[3:, 1] = False
    out, all_there = RENDER([replace(scene, present=present)], H, W), RENDER([scene], H, W)
    assert (all_there.amodal_bits[0, 3] >> 1 & 1).any()
    assert not (out.amodal_bits[0, 3:] >> 1 & 1).any()
    np.testing.assert_array_equal(out.flow_px[0, :3], all_there.flow_px[0, :3])
    np.testing.assert_array_equal(out.rgb[0, :3], all_there.rgb[0, :3])


def test_a_clip_alone_is_the_clip_in_a_batch() -> None:
    soft = Environment(lights=(Light((0.4, 0.3, 0.85), softness_deg=4.0), Light((-0.6, 0.2, 0.77), (0.2, 0.2, 0.1))))
    scenes = [crowd(1), crowd(2, count=3, environment=soft), crowd(3, count=7)]
    batch, alone = RENDER(scenes, H, W), RENDER(scenes[1:2], H, W)
    for name in vars(alone):
        np.testing.assert_array_equal(getattr(alone, name)[0], getattr(batch, name)[1])
    assert RENDER.canvas_px(scenes, H, W).shape == (3, FRAMES, 10)


def test_anti_aliasing_where_there_is_contrast_is_nearly_anti_aliasing_everywhere() -> None:
    scenes = [crowd(i) for i in range(3)]
    full, ours, none = (WarpRenderer(threshold=t)(scenes, H, W).rgb.astype(int) for t in (0, 12, 256))
    assert np.abs(ours - full).mean() < 0.4
    assert np.abs(none - full).mean() > 5 * np.abs(ours - full).mean()


def sign_seen_from(side: int, text: str) -> np.ndarray:
    """The sign's red channel, rectified to its face, as a camera on one side of it sees it."""
    part = Part("box", (1.0, 0.05, 0.4), Material("sign", (0.1, 0.1, 0.1), (0.9, 0.1, 0.1), text=text))
    c2w = np.tile(facing(np.array([0.0, side * 4.0, 1.5]), (0, 0, 1.5)), (FRAMES, 1, 1))
    sign = crowd(
        count=1,
        bodies=(Body((part,), 0),),
        position_m=np.tile([0, 0, 1.5], (FRAMES, 1, 1)),
        rotation=np.tile([0, 0, 0, 1.0], (FRAMES, 1, 1)),
        scale=None,
        camera=CameraTrack(c2w, np.full(FRAMES, 60.0)),
    )
    out = RENDER([sign], 64, 96)
    y, x = np.nonzero(out.instance_ids[0, 0] == 2)
    return cv2.resize(out.rgb[0, 0, y.min() : y.max() + 1, x.min() : x.max() + 1, 0], (120, 48)).astype(float)


@pytest.mark.parametrize("side", [1, -1])
def test_a_sign_can_be_read_from_both_sides(side: int) -> None:
    seen = sign_seen_from(side, "EXIT 27").ravel()
    drawn = {text: cv2.resize(picture_of(text, 2.5), (120, 48)) for text in ("EXIT 27", "STOP", "EAST 21")}
    scores = {text: np.corrcoef(seen, picture.ravel())[0, 1] for text, picture in drawn.items()}
    mirrored = np.corrcoef(seen, drawn["EXIT 27"][:, ::-1].ravel())[0, 1]
    assert scores["EXIT 27"] > 0.85
    assert max(scores["STOP"], scores["EAST 21"], mirrored) < 0.7


def test_lights_shadows_and_haze_do_what_they_say() -> None:
    def mean(**changes: Any) -> float:
        world = Environment(**{"ground": Material("plain", (0.5, 0.5, 0.5)), "visibility_m": 1e6, **changes})
        return float(RENDER([crowd(4, environment=world)], H, W).rgb[0, 0, -16:].mean())

    sun = Light((0.6, 0.0, 0.8))
    plain = mean(lights=(sun,))
    assert mean(lights=()) < plain < mean(lights=(sun, Light((-0.6, 0.0, 0.8), (0.2, 0.2, 0.2))))
    assert abs(mean(lights=(replace(sun, softness_deg=5.0),)) - plain) < 4  # penumbrae move light, they make none
    assert mean(lights=(sun,), visibility_m=2.0, horizon=(1, 1, 1), zenith=(1, 1, 1)) > plain + 20


def test_a_shadow_falls_where_the_light_is_blocked() -> None:
    """Straight below a floating sphere under a vertical light; a soft light blurs its rim only."""
    ball = Part("sphere", (0.5, 0.5, 0.5))
    c2w = np.tile(facing(np.array([0.01, -0.01, 6.0]), (0, 0, 0)), (FRAMES, 1, 1))
    pictures = []
    for softness in (0.0, 8.0):
        lights = (Light((0.0, 0.0, 1.0), softness_deg=softness),)
        world = Environment(Material("plain", (0.4, 0.4, 0.4)), lights, visibility_m=1e6)
        scene = crowd(
            count=1,
            bodies=(Body((ball,)),),
            position_m=np.tile([0.9, 0.0, 1.5], (FRAMES, 1, 1)),
            rotation=np.tile([0, 0, 0, 1.0], (FRAMES, 1, 1)),
            scale=None,
            camera=CameraTrack(c2w, np.full(FRAMES, 36.0)),
            environment=world,
        )
        out = WarpRenderer(threshold=256)([scene], 64, 64)
        eye, d = rays(scene, 0, 64, 64)
        ground = eye + out.depth_m[0, 0].reshape(-1, 1) * d
        floor = np.abs(ground[:, 2]) < 1e-3
        away = np.hypot(ground[:, 0] - 0.9, ground[:, 1])[floor]
        pictures.append((away, out.rgb[0, 0].reshape(-1, 3)[floor, 0].astype(int)))
    (away, hard), (_, soft) = pictures
    lit, dark = hard.max(), hard.min()
    assert dark < 0.7 * lit
    assert (hard[away < 0.49] == dark).all()
    assert (hard[away > 0.51] == lit).all()
    assert (soft[away < 0.2] == dark).all()
    assert (soft[away > 0.8] == lit).all()
    rim = soft[(away > 0.3) & (away < 0.7)]
    assert ((rim > dark) & (rim < lit)).any()


@pytest.mark.parametrize("name", MESHES)
def test_meshes_are_closed_fill_their_box_and_know_their_volume(name: str) -> None:
    mesh = get_mesh(name)
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.bounds, [[-1] * 3, [1] * 3], atol=1e-6)
    rng = np.random.default_rng(0)
    count = 1000
    origins = np.column_stack([rng.uniform(-1, 1, (count, 2)), np.full(count, -2.0)])
    # each ray enters and leaves in turn; the stretches in between are inside
    found = crossings(mesh, origins, np.tile([0, 0, 1.0], (count, 1)))
    inside = sum(float((t[1::2] - t[::2]).sum()) for t in found if len(t) % 2 == 0)
    assert volume_m3(name, (0.5, 1.0, 2.0)) == pytest.approx(4 * inside / count, rel=0.1)


def test_a_users_mesh_is_read_and_an_open_one_refused(tmp_path: Any) -> None:
    whole = trimesh.creation.box((1, 2, 3))
    whole.export(tmp_path / "whole.obj")
    assert load_mesh(str(tmp_path / "whole.obj")).volume == pytest.approx(8)
    trimesh.Trimesh(whole.vertices, whole.faces[:-1]).export(tmp_path / "open.obj")
    with pytest.raises(ValueError, match="one closed surface"):
        load_mesh(str(tmp_path / "open.obj"))
    with pytest.raises(ValueError, match="no mesh file"):
        load_mesh(str(tmp_path / "missing.glb"))


def test_clips_carry_the_truth(scene: Scene, rendered: Rendered) -> None:
    (clip,) = render_clips([scene], H, W)
    assert clip.truth is not None
    assert clip.video.shape == (FRAMES, 3, H, W)
    np.testing.assert_array_equal(clip.truth.depth_m.numpy(), rendered.depth_m[0])
    np.testing.assert_array_equal(clip.truth.flow_px.numpy(), rendered.flow_px[0, :-1])
    np.testing.assert_allclose(clip.truth.camera.K.numpy(), scene.camera.intrinsics(H, W), rtol=1e-6)


def test_bad_scenes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one scene"):
        RENDER([], H, W)
    with pytest.raises(ValueError, match="half_size_m"):
        RENDER([crowd(count=1, bodies=(Body((Part("box", (0.0, 1.0, 1.0)),), 0),))], H, W)
    with pytest.raises(ValueError, match="scale_m"):
        RENDER([crowd(environment=Environment(Material("tiles", scale_m=0.0)))], H, W)
    with pytest.raises(ValueError, match="printable ASCII"):
        picture_of("naïve", 2.0)
