"""Structure from motion on rendered clips with truth, on clips that show nothing, and where it cannot run."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from worldr1.estimators import structure
from worldr1.estimators.registry import make_camera
from worldr1.estimators.structure import NO_PARALLAX, TOO_FEW, PycolmapCamera, Structure
from worldr1.evaluate.bench.bench import clean_scene
from worldr1.evaluate.bench.config import BenchConfig
from worldr1.evaluate.bench.shown import Shown, render
from worldr1.geometry.rigid import rotation_angle_deg

SIZE = 192


@pytest.fixture(scope="module")
def shown() -> Shown:
    """A camera that trucks along a table."""
    return render([clean_scene(BenchConfig(size=SIZE, seed=1), 2, "truck")], SIZE, SIZE)[0]


@pytest.fixture(scope="module")
def K(shown: Shown) -> Tensor:
    assert shown.truth is not None
    return shown.truth.camera.K[0]


def test_the_rendered_camera_is_found_and_the_same_every_time(shown: Shown, K: Tensor) -> None:
    video = shown.clip.video[::2]
    found = PycolmapCamera()(video, K)
    assert bool(found.registered.all())
    torch.testing.assert_close(found.c2w[0], torch.eye(4), atol=1e-5, rtol=0)
    true = shown.truth.camera.relative()[::2].to(found.c2w)
    turn = rotation_angle_deg(found.c2w[:, :3, :3].mT @ true[:, :3, :3])
    assert float(turn.max()) < 2  # measured 0.4
    ours, theirs = found.c2w[:, :3, 3], true[:, :3, 3]
    away = ours * (theirs.norm() / ours.norm()) - theirs
    assert float(away.norm(dim=-1).max() / theirs.norm(dim=-1).max()) < 0.05  # measured 0.01
    assert found.reliability() > 0.6
    again = PycolmapCamera()(video, K)
    assert torch.equal(again.c2w, found.c2w)
    assert again.reliability() == found.reliability()


def test_what_shows_nothing_is_not_registered_and_says_why(shown: Shown, K: Tensor) -> None:
    camera = PycolmapCamera()
    grey = camera(torch.full((5, 3, SIZE, SIZE), 0.5), K)
    assert (grey.silent, bool(grey.registered.any())) == (TOO_FEW, False)
    assert bool(grey.c2w.isnan().all())
    picture = shown.clip.video[:1]
    frozen = camera(picture.expand(4, 3, SIZE, SIZE), K)
    assert (frozen.silent, bool(frozen.registered.any())) == (NO_PARALLAX, False)
    assert PycolmapCamera()(picture, K).silent == TOO_FEW  # a single frame


def test_a_process_that_is_slow_or_fails_leaves_an_answer(shown: Shown, K: Tensor) -> None:
    assert "more than 0.01 s" in PycolmapCamera(timeout_s=0.01)(shown.clip.video[:6], K).silent
    broken = PycolmapCamera()(shown.clip.video[:6], torch.zeros(3))  # no matrix
    assert broken.silent.startswith("structure from motion ended with status 1: ")
    assert not bool(broken.registered.any())


def test_few_registered_frames_or_points_are_not_reliable() -> None:
    def of(registered: int, points: int, views: float, error: float) -> float:
        c2w, there = torch.eye(4).repeat(16, 1, 1), torch.arange(16) < registered
        return Structure(c2w, there, 16, points, views, error, 1.0).reliability()

    assert of(16, 500, 6, 0.0) == 1
    assert of(3, 500, 6, 0.007) < 0.2
    assert of(16, 20, 6, 0.0) == pytest.approx(0.2)
    assert of(16, 500, 2, 0.0) == pytest.approx(0.5)
    assert of(16, 500, 6, 1.0) == pytest.approx(0.368, abs=1e-3)


def test_it_is_made_by_name_and_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_camera("pycolmap"), PycolmapCamera)
    with pytest.raises(ValueError, match="unknown camera estimator 'colmap'; did you mean 'pycolmap'"):
        make_camera("colmap")
    monkeypatch.setattr(structure, "find_spec", lambda _name: None)
    with pytest.raises(ImportError, match=r"pip install 'worldr1\[colmap\]'"):
        make_camera("pycolmap")
