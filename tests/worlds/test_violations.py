"""A violation changes what is seen from its frame on, and nothing before."""

from __future__ import annotations

import numpy as np
import pytest

from worldr1.worlds.families import FAMILIES, scene_at
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.rendered import Rendered
from worldr1.worlds.scene import Scene
from worldr1.worlds.violations import KINDS, violate


@pytest.fixture(scope="module")
def clean() -> list[Scene]:
    return [scene_at(family, 3, i) for family in FAMILIES for i in range(1 if family == "street" else 2)]


@pytest.fixture(scope="module")
def before(clean: list[Scene]) -> Rendered:
    return WarpRenderer()(clean, 32, 32)


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_breaks_at_the_frame_and_not_before(kind: str, clean: list[Scene], before: Rendered) -> None:
    broken = [violate(np.random.default_rng(i), s, kind) for i, s in enumerate(clean)]
    after = WarpRenderer()(broken, 32, 32)
    shows = 0
    for i, scene in enumerate(broken):
        start = scene.violation_frame
        assert scene.violation == kind
        assert 2 <= start < scene.num_frames - 2
        np.testing.assert_array_equal(before.rgb[i, :start], after.rgb[i, :start])
        change = np.abs(before.rgb[i].astype(int) - after.rgb[i]).max(-1) > (6 if kind == "shift" else 16)
        shows += change[start:].sum((1, 2)).max() >= 4
    assert shows >= len(clean) - 1


def test_a_hidden_moment_is_used() -> None:
    scenes = [scene_at("occluder", 3, i) for i in range(8)]
    starts = [violate(np.random.default_rng(s), scene, "vanish").violation_frame for scene in scenes for s in range(4)]
    out = WarpRenderer()(scenes, 32, 32)
    hidden = [(out.instance_ids[i // 4, start] == 2).sum() == 0 for i, start in enumerate(starts)]
    assert 0.25 < np.mean(hidden) < 0.9


def test_what_stays_the_same_stays() -> None:
    scene = scene_at("crowd", 1, 1)
    for kind in KINDS:
        broken = violate(np.random.default_rng(0), scene, kind)
        assert broken.objects == scene.objects  # the record tells of the world before
        assert broken.camera is scene.camera
        assert scene.violation == ""
        np.testing.assert_array_equal(
            broken.position_m[: broken.violation_frame, : len(scene.bodies)],
            scene.position_m[: broken.violation_frame],
        )


def test_a_swap_exchanges_two_and_keeps_them_on_the_ground() -> None:
    scene = scene_at("crowd", 2, 3)
    broken = violate(np.random.default_rng(0), scene, "swap")
    start = broken.violation_frame
    moved = [
        k
        for k in range(len(scene.objects))
        if not np.allclose(
            scene.position_m[start, scene.bodies_of(k)[0]], broken.position_m[start, scene.bodies_of(k)[0]]
        )
    ]
    a, b = (scene.bodies_of(k)[0] for k in moved)
    np.testing.assert_allclose(broken.position_m[start:, a, :2], scene.position_m[start:, b, :2])
    np.testing.assert_allclose(broken.position_m[start:, b, :2], scene.position_m[start:, a, :2])


def test_what_cannot_be_violated_is_refused() -> None:
    scene = scene_at("occluder", 0, 0)
    with pytest.raises(ValueError, match="use one of colour"):
        violate(np.random.default_rng(0), scene, "melt")
    broken = violate(np.random.default_rng(0), scene, "colour")
    with pytest.raises(ValueError, match="clean"):
        violate(np.random.default_rng(0), broken, "colour")
