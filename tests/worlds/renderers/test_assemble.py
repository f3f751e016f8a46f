"""Sky, haze and flow from the outside, against the Warp renderer's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.rendered import FIRST_OBJECT, SCENERY, SKY
from worldr1.worlds.renderers.assemble import NOTHING, complete, through_air, to_bytes
from worldr1.worlds.renderers.pieces import GROUND
from worldr1.worlds.scene import Environment, Scene
from worlds.renderers.staged import FRAMES, H, W, stage


def one_body_per_object() -> Scene:
    """The stage with bodies that can be told by their instance: no limbs, and no scenery but the ground."""
    scene, some = stage(), slice(0, 6)
    assert scene.scale is not None
    assert scene.present is not None
    return replace(
        scene,
        bodies=scene.bodies[some],
        position_m=scene.position_m[:, some],
        rotation=scene.rotation[:, some],
        scale=scene.scale[:, some],
        present=scene.present[:, some],
    )


def test_flow_follows_from_depth_and_poses() -> None:
    scene = one_body_per_object()
    ours = WarpRenderer()([scene], H, W)
    ids = ours.instance_ids[0]
    body = np.select([ids == SKY, ids == SCENERY], [NOTHING, GROUND], ids - FIRST_OBJECT)
    again = complete(scene, ours.rgb[0], ours.depth_m[0], body)
    assert np.nanmax(np.abs(again.flow_px - ours.flow_px)) < 0.01
    assert np.nanmax(np.abs(again.backward_flow_px - ours.backward_flow_px)) < 0.01
    assert np.abs(ours.flow_px).max() > 1
    assert (again.instance_ids == ours.instance_ids).all()
    assert (again.amodal_bits == ours.amodal_bits).all()


def test_the_ground_ends_in_the_haze() -> None:
    scene = stage(environment=replace(stage().environment, visibility_m=2.0))
    depth = np.linspace(1, 20, FRAMES * H * W).reshape(FRAMES, H, W)
    out = complete(scene, np.zeros((FRAMES, H, W, 3), np.uint8), depth, np.full((FRAMES, H, W), GROUND))
    far = depth >= 2.0 * 10 / 3
    assert (out.instance_ids[0] == np.where(far, SKY, SCENERY)).all()
    assert np.isinf(out.depth_m[0][far]).all()


def test_the_sky_is_ours() -> None:
    empty = replace(one_body_per_object(), environment=Environment(None), present=np.zeros((FRAMES, 6), bool))
    ours = WarpRenderer()([empty], H, W).rgb[0]
    nothing = np.zeros((FRAMES, H, W))
    sky = to_bytes(through_air(empty, nothing[..., None].repeat(3, -1), nothing, np.full(nothing.shape, np.inf)))
    assert np.abs(sky.astype(int) - ours).max() <= 1
    assert ours.std() > 1


def test_haze_leaves_what_exponential_extinction_does() -> None:
    environment = Environment(None, horizon=(1.0, 1.0, 1.0), zenith=(1.0, 1.0, 1.0), visibility_m=5.0)
    scene = stage(environment=environment)
    black, cover = np.zeros((FRAMES, 1, 1, 3)), np.ones((FRAMES, 1, 1))
    for depth_m in (0.5, 5.0, 20.0):
        seen = through_air(scene, black, cover, np.full((FRAMES, 1, 1), depth_m))
        assert np.allclose(seen, 1 - np.exp(-depth_m / 5.0))
    half = through_air(scene, black, cover / 2, np.full((FRAMES, 1, 1), 5.0))
    assert np.allclose(half, 1 - np.exp(-1.0) / 2)  # the other half of the pixel is sky
