"""One scene through several renderers: depth, instances, flow and colours agree."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from worldr1.worlds.dataset.config import DatasetConfig, check_config
from worldr1.worlds.dataset.pipeline import make_samples
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.rendered import FIRST_OBJECT, SKY, Rendered
from worldr1.worlds.renderers import get_renderer
from worldr1.worlds.renderers.assemble import with_the_frame
from worldr1.worlds.renderers.blender import BlenderRenderer, environment_path, environment_python
from worldr1.worlds.scene import Environment
from worldr1.worlds.truth.invariants import check_record
from worlds.renderers.staged import FRAMES, H, W, compare, stage


def check_truth(out: Rendered) -> None:
    modal = np.where(out.instance_ids >= FIRST_OBJECT, 1 << np.maximum(out.instance_ids - FIRST_OBJECT, 0), 0)
    assert (modal & out.amodal_bits == modal).all(), "what is seen covers its own pixel"
    assert (np.isinf(out.depth_m) == (out.instance_ids == SKY)).all()
    assert not out.flow_px[:, -1].any()
    assert not out.backward_flow_px[:, 0].any()


class TestMujoco:
    @pytest.fixture(scope="class")
    def clips(self) -> tuple[Rendered, Rendered]:
        pytest.importorskip("mujoco_warp")
        scenes = [stage(), stage(environment=replace(stage().environment, visibility_m=4.0))]
        return WarpRenderer(samples=3, threshold=0)(scenes, H, W), get_renderer("mujoco")(scenes, H, W)

    def test_agrees_with_ours(self, clips: tuple[Rendered, Rendered]) -> None:
        # measured: depth 2e-7, same .9996, flow .002 px, colour .999
        differences = compare(*clips)
        assert differences["depth"] < 1e-3
        assert differences["same"] > 0.995
        assert differences["flow_px"] < 0.05
        assert differences["backward_flow_px"] < 0.05
        assert differences["colour"] > 0.98

    def test_pictures_agree(self, clips: tuple[Rendered, Rendered]) -> None:
        """Textures, shadows, haze and sky are in the same places. Measured: 2 of 255."""
        ours, other = (x.rgb.astype(float) for x in clips)
        assert np.abs(ours - other).mean() < 4

    def test_truth_is_consistent(self, clips: tuple[Rendered, Rendered]) -> None:
        check_truth(clips[1])

    def test_the_frames_come_out_the_same_in_any_batch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("mujoco_warp")
        from worldr1.worlds.renderers import mujoco

        renderer = mujoco.MujocoRenderer(samples=1)
        together = renderer([stage()], H, W)
        monkeypatch.setattr(mujoco, "_MOST_RAYS", 3 * H * W)  # three frames, then one and two that fill the batch
        apart = renderer([stage()], H, W)
        assert (together.rgb == apart.rgb).all()
        assert (together.depth_m == apart.depth_m).all()

    def test_an_even_number_of_samples_is_refused(self) -> None:
        with pytest.raises(ValueError, match="odd"):
            get_renderer("mujoco", samples=2)

    def test_scenes_of_different_lengths_are_refused(self) -> None:
        pytest.importorskip("mujoco_warp")
        with pytest.raises(ValueError, match="one length"):
            get_renderer("mujoco")([], H, W)


@pytest.mark.slow
def test_blender_agrees_with_ours() -> None:
    python = environment_python(environment_path())
    if python is None:
        pytest.skip("no environment for Blender; BlenderRenderer()([scene], 64, 64) makes one")
    soft = Environment(
        stage().environment.ground, tuple(replace(x, softness_deg=3.0) for x in stage().environment.lights)
    )
    scenes = [stage(environment=soft)]
    ours, other = WarpRenderer()(scenes, H, W), BlenderRenderer(python)(scenes, H, W)
    differences = compare(ours, other)
    assert differences["depth"] < 1e-3
    assert differences["same"] > 0.99
    assert differences["flow_px"] < 0.1
    assert differences["backward_flow_px"] < 0.1
    assert differences["colour"] > 0.9
    assert other.rgb.shape == (1, FRAMES, H, W, 3)
    check_truth(other)


def test_a_dataset_in_the_look_of_mujoco_has_right_records() -> None:
    pytest.importorskip("mujoco_warp")
    config = DatasetConfig("landmarks", count=2, size=32, frames=9, renderer="mujoco")
    for sample in make_samples(config, range(2)):
        assert sample.record.clip.renderer == "mujoco"
        assert check_record(sample.record, instance_ids=sample.truth["instance_ids"]) == []


def test_the_canvas_holds_at_least_the_frame() -> None:
    bits = np.array([[[[1, 3], [0, 2]]]], np.uint32)  # one clip, one frame: object 0 on two pixels, 1 on two
    assert with_the_frame(np.array([[[1, 7]]]), bits).tolist() == [[[2, 7]]]
    assert with_the_frame(np.zeros((1, 1, 0), int), bits).shape == (1, 1, 0)


def test_a_dataset_is_refused_before_anything_is_made() -> None:
    with pytest.raises(ValueError, match="did you mean 'mujoco'"):
        check_config(DatasetConfig("landmarks", count=2, renderer="mujoko"))


def test_a_dataset_says_what_its_renderer_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    with pytest.raises(ValueError, match=r"worldr1\[mujoco\].*--renderer warp"):
        check_config(DatasetConfig("landmarks", count=2, renderer="mujoco"))
