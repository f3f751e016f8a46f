"""What holds for every family: a pure function, a split without overlap, objects that stand apart."""

from __future__ import annotations

import pickle
from itertools import combinations

import numpy as np
import pytest

from worldr1.worlds.families import FAMILIES, FamilySpec, scene_at, unseen
from worldr1.worlds.families.split import MOVES, SETTINGS, colours_of, held_out, setting_of
from worldr1.worlds.families.visibility import box_points
from worldr1.worlds.scene import Scene

# 2,000 scenes in all; the costly families less often
SPLIT_SAMPLE = {"landmarks": 400, "room": 300, "occluder": 200, "crowd": 50, "street": 30, "dynamics": 20}


def corners(scene: Scene, instance: int, frame: int) -> np.ndarray:
    return box_points(scene, instance)[frame].reshape(3, 3, 3, 3)[::2, ::2, ::2].reshape(8, 3)


def overlap_m(a: np.ndarray, b: np.ndarray) -> float:
    """Penetration of two upright boxes given by their corners: separating axes of their footprints, and height."""
    axes = [(0.0, 0.0, 1.0)]
    for c in (a, b):
        for edge in (c[4] - c[0], c[2] - c[0]):
            axes.append(tuple(edge / np.linalg.norm(edge)))
    gaps = []
    for axis in axes:
        p, q = a @ np.array(axis), b @ np.array(axis)
        gaps.append(min(p.max(), q.max()) - max(p.min(), q.min()))
    return float(min(gaps))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scene_is_a_pure_function(family: str) -> None:
    one = scene_at(family, 4, 2, difficulty="hard", num_frames=17)
    scene_at(family, 9, 9)
    assert pickle.dumps(one) == pickle.dumps(scene_at(family, 4, 2, difficulty="hard", num_frames=17))
    assert one.num_frames == 17
    assert (one.seed, one.family, one.difficulty, one.split) == (4, family, "hard", "train")
    assert pickle.dumps(one) != pickle.dumps(scene_at(family, 5, 2, difficulty="hard", num_frames=17))
    assert one.planned


@pytest.mark.parametrize("family", FAMILIES)
def test_harder_clips_hold_more(family: str) -> None:
    easy, hard = (
        np.mean([len(scene_at(family, 0, i, difficulty=d).objects) for i in range(12)]) for d in ("easy", "hard")
    )
    assert hard > easy + 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_every_rate_and_length_works(family: str) -> None:
    for frames, fps in ((8, 4.0), (33, 16.0)):
        scene = scene_at(family, 1, 1, num_frames=frames, fps=fps)
        assert scene.position_m.shape[0] == frames
        assert scene.fps == fps


def test_held_out_combinations_are_never_trained_on() -> None:
    trained: set[tuple[str, ...]] = set()
    withheld: list[set[tuple[str, ...]]] = []
    for family, count in SPLIT_SAMPLE.items():
        for i in range(count):
            scene = scene_at(family, 6, i)
            assert not unseen(scene)
            trained |= {(o.category, o.colour) for o in scene.objects}
            trained |= {(family, m.kind) for m in scene.camera.moves}
            trained.add((family, *setting_of(scene)))
            withheld.append(unseen(scene_at(family, 6, i, split="held_out")))
    assert sum(SPLIT_SAMPLE.values()) + len(withheld) == 2000
    assert all(withheld)  # every held-out clip has something new
    assert not trained & set.union(*withheld)
    axes = {len(w) for found in withheld for w in found}
    assert axes == {2, 4}  # pairs (colours and moves) and settings
    assert any(w[0] == "landmarks" for found in withheld for w in found if len(w) == 2)


def test_every_axis_keeps_options_on_both_sides() -> None:
    for family in FAMILIES:
        held = held_out(f"{family} setting", SETTINGS[family])
        assert 0 < len(held) < len(SETTINGS[family]) / 2
        assert len(held_out(f"{family} move", MOVES[family])) < len(MOVES[family]) / 2
    assert 0 < len(held_out("car", colours_of("car"))) < 6


@pytest.mark.parametrize("family", ["landmarks", "room", "street", "occluder", "crowd"])
def test_nothing_interpenetrates_at_the_start(family: str) -> None:
    for i in range(12):
        scene = scene_at(family, 8, i, difficulty="hard")
        boxes = [corners(scene, k, 0) for k in range(len(scene.objects))]
        for (a, box_a), (b, box_b) in combinations(enumerate(boxes), 2):
            names = scene.objects[a].category, scene.objects[b].category
            if "tree" not in names:  # a crown may reach over a sign or a roof
                assert overlap_m(box_a, box_b) < 1e-6, (i, names)
        floor = min(b[:, 2].min() for b in boxes)
        assert floor > -1e-9


@pytest.mark.parametrize("family", FAMILIES)
def test_the_camera_stays_outside_of_everything(family: str) -> None:
    for i in range(12):
        scene = scene_at(family, 2, i)
        eye = scene.camera.c2w[:, :3, 3]
        assert (eye[:, 2] > 0.1).all()
        for k, o in enumerate(scene.objects):
            points = box_points(scene, k)
            half = np.divide(o.size_m, 2)
            axes = (points[:, [22, 16, 14]] - points[:, [13]]) / half[:, None]  # from the centre to three faces
            local = np.einsum("fad,fd->fa", axes, eye - points[:, 13])
            assert (np.abs(local) > half).any(-1).all(), (i, o.category)


def test_bad_arguments_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="did you mean 'street'"):
        scene_at("streets", 0, 0)
    with pytest.raises(ValueError, match="easy, medium or hard"):
        scene_at("room", 0, 0, difficulty="brutal")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="train or held_out"):
        FamilySpec(split="test")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="8 frames"):
        scene_at("room", 0, 0, num_frames=4)
