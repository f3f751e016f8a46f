"""Blender's process, with interpreters that are none: what goes wrong is said."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from worldr1.worlds.renderers import blender
from worldr1.worlds.renderers.blender import BlenderRenderer, environment_python, make_environment
from worlds.renderers.staged import FRAMES, stage


def interpreter(folder: Path, body: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_what_blender_says_when_it_fails_is_passed_on(tmp_path: Path) -> None:
    broken = interpreter(tmp_path, "echo 'No module named bpy' >&2; exit 3")
    with pytest.raises(ChildProcessError, match=r"status 3:\nNo module named bpy"):
        BlenderRenderer(broken)([stage()], 8, 8)


def test_a_process_that_hangs_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"1 scenes.* more than 0\.3 s"):
        BlenderRenderer(interpreter(tmp_path, "exec sleep 20"), timeout_s=0.3)([stage()], 8, 8)


def test_an_interpreter_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no interpreter"):
        BlenderRenderer(tmp_path / "python")


def test_scenes_are_handed_over_whole_and_pictures_taken_back(tmp_path: Path) -> None:
    """An interpreter that keeps the job and answers with a picture of its own: a red square 3 m away."""
    answer = tmp_path / "answer.npz"
    colour, index = np.zeros((FRAMES, 8, 8, 4), np.float32), np.zeros((FRAMES, 8, 8), np.float32)
    colour[:, 2:6, 2:6] = [1, 0, 0, 1]
    index[:, 2:6, 2:6] = 2 + 1  # the second body
    np.savez(answer, colour=colour, depth=np.where(index > 0, 3.0, 1e10).astype(np.float32), index=index)
    kept = tmp_path / "kept"
    # arguments: -I, the script, the job
    copies = interpreter(tmp_path, f'cp -r "$3" {kept} && cp {answer} "$3"/rendered.npz')
    scene = stage()
    out = BlenderRenderer(copies, samples=7)([scene], 8, 8)
    assert (out.instance_ids[0, :, 2:6, 2:6] == 3).all()
    assert (out.instance_ids[0, :, :2] == 0).all()
    assert np.allclose(out.depth_m[0, :, 2:6, 2:6], 3.0)
    assert (out.rgb[0, :, 3, 3, 0].astype(int) > out.rgb[0, :, 3, 3, 1].astype(int) + 50).all()
    job = json.loads((kept / "scene.json").read_text())
    assert (job["samples"], job["width"], len(job["lights"])) == (7, 8, 2)
    with np.load(kept / "scene.npz") as arrays:
        assert arrays["position"].shape == (FRAMES, len(job["pieces"]), 3)
        assert arrays["shown"].shape == (FRAMES, len(job["pieces"]))
        assert {f"image_{i}" for i in range(job["images"])} <= set(arrays)
    light = np.array(job["lights"][0]["axes"])
    assert np.allclose(light @ light.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(light) == pytest.approx(1)
    assert np.allclose(light[2], scene.environment.lights[0].direction, atol=1e-3)


def test_without_the_right_python_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blender, "_PYTHON", "2.0")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match=r"needs Python 2\.0.*bpy"):
        make_environment(tmp_path / "environment")


def test_a_half_made_environment_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blender, "_PYTHON", f"{sys.version_info.major}.{sys.version_info.minor}")
    monkeypatch.setattr(sys, "executable", str(interpreter(tmp_path, "echo 'no space left' >&2; exit 1")))
    folder = tmp_path / "environment"
    with pytest.raises(ChildProcessError, match="no space left"):
        make_environment(folder)
    assert environment_python(folder) is None
