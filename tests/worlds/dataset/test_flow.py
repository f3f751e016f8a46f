"""Flow recomputed from what a dataset stores, against the renderer's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from worldr1.worlds.dataset.flow import Direction, recompute_flow, rigid_flow
from worldr1.worlds.dataset.sample import decode_arrays, encode_arrays, truth_of
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.rendered import FIRST_OBJECT, SKY, Rendered
from worldr1.worlds.scene import Body, CameraTrack, ObjectInfo, Part, Scene

FRAMES, SIZE = 9, 48
TURN = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # a camera that looks along +x


def moving_scene(limbs: bool = False) -> Scene:
    """A spinning box that crosses, a resting cylinder, a camera that advances, pans and zooms; maybe a box of two
    halves that shear."""
    time = np.linspace(0, 1, FRAMES)
    c2w = np.tile(np.eye(4), (FRAMES, 1, 1))
    pan = Rotation.from_euler("z", 12 * time[:, None], degrees=True).as_matrix()
    c2w[:, :3, :3] = pan @ TURN
    c2w[:, :3, 3] = np.stack([0.8 * time, 0.3 * time, np.full(FRAMES, 1.4)], axis=1)
    bodies = [Body((Part("box", (0.5, 0.4, 0.6)),), 0), Body((Part("cylinder", (0.5, 0.5, 0.9)),), 1)]
    places = [np.stack([5 + 0 * time, 1.5 - 3 * time, 0.6 + 0.5 * time], axis=1), np.tile([6.0, 1.5, 0.9], (FRAMES, 1))]
    spin = Rotation.from_euler("zx", np.stack([70 * time, 40 * time], axis=1), degrees=True).as_quat()
    turns = [spin, np.tile([0.0, 0, 0, 1], (FRAMES, 1))]
    if limbs:
        bodies.append(Body((Part("box", (0.3, 0.3, 0.3)),), 1))
        places.append(np.stack([5 + 0 * time, 0.9 + time**3, 2.2 + 0 * time], axis=1))
        turns.append(turns[1])
    info = ObjectInfo("crate", "red", (1, 1, 1), 1.0, dynamic=True)
    return Scene(
        "test",
        0,
        tuple(bodies),
        (info, replace(info, category="pillar")),
        np.stack(places, axis=1),
        np.stack(turns, axis=1),
        CameraTrack(c2w, 30 + 8 * time),
    )


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return WarpRenderer()([moving_scene()], SIZE, SIZE)


def flow_of(rendered: Rendered, direction: Direction) -> np.ndarray:
    return (rendered.flow_px if direction == "forward" else rendered.backward_flow_px)[0]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_rigid_objects_need_no_patch(rendered: Rendered, direction: Direction) -> None:
    truth = truth_of(moving_scene(), rendered, 0)
    flow, ids = flow_of(rendered, direction), truth["instance_ids"]
    assert set(np.unique(ids)) == {0, 1, FIRST_OBJECT, FIRST_OBJECT + 1}
    assert np.abs(flow[ids == FIRST_OBJECT]).max() > 3  # it moves
    error = np.abs(rigid_flow(truth, direction) - flow)
    assert error.max() <= 0.05
    assert error[ids == FIRST_OBJECT].max() < 0.02  # what rounding depth to float16 costs
    assert len(truth[f"{direction}_patch_at"]) == 0
    assert np.abs(flow[ids == SKY]).max() > 1


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_limbs_are_patched(direction: Direction) -> None:
    scene = moving_scene(limbs=True)
    rendered = WarpRenderer()([scene], SIZE, SIZE)
    truth = decode_arrays(encode_arrays(truth_of(scene, rendered, 0)))
    flow = flow_of(rendered, direction)
    missed = np.abs(rigid_flow(truth, direction) - flow).max(axis=-1)
    assert missed.max() > 1
    assert ((missed > 0.1) & (missed < 0.4)).any()  # and where it moves slowly
    assert 0 < len(truth[f"{direction}_patch_at"]) < 0.1 * flow[..., 0].size
    assert np.abs(recompute_flow(truth, direction) - flow).max() <= 0.05


def test_stored_flow_is_used(rendered: Rendered) -> None:
    truth = truth_of(moving_scene(), rendered, 0, store_flow=True)
    assert not any("patch" in name for name in truth)
    assert np.abs(truth["forward_px"].astype(np.float32) - rendered.flow_px[0]).max() < 0.01
