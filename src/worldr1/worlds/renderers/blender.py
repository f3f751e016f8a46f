"""Photoreal scenes: Blender's path tracer, Cycles, in a process and a Python environment of its own.

Blender's Python module needs one Python and its own NumPy, and is under the GPL, so nothing here imports it: scenes go
to `blender_script` as JSON and arrays in a temporary folder, pictures come back the same way.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter

from worldr1.worlds.dataset.sample import encode_arrays
from worldr1.worlds.rendered import Rendered
from worldr1.worlds.renderers.assemble import NOTHING, batch, check_scenes, complete, through_air, to_bytes
from worldr1.worlds.renderers.pieces import pieces_of
from worldr1.worlds.scene import Scene

PACKAGES = ("bpy>=4.2,<5.1", "numpy<2", "OpenEXR>=3.3,<4")
_PYTHON = "3.11"  # the one that these versions of bpy are made for
_READY = "worldr1-ready"  # written into an environment when it is complete
_SCRIPT = Path(__file__).with_name("blender_script.py")
_INSTALL_S = 1800
_log = logging.getLogger(__name__)


def environment_path() -> Path:
    """Where the environment is kept: ``worldr1/blender`` in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "worldr1" / "blender"


def environment_python(folder: Path) -> Path | None:
    """The interpreter of a complete environment; ``None`` where there is none."""
    return folder / "bin" / "python" if (folder / _READY).is_file() else None


def make_environment(folder: Path) -> Path:
    """Install Blender's Python module (about 400 MB to download, 1 GB on the disk) and return its interpreter.

    Raises ``ValueError`` when there is no Python 3.11 to do it with, ``ChildProcessError`` when pip fails.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        ready = environment_python(folder)
        if ready is not None:
            return ready
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        base = sys.executable if here == _PYTHON else shutil.which(f"python{_PYTHON}")
        if base is None:
            raise ValueError(
                f"Blender's Python module needs Python {_PYTHON}, which is not on the PATH; install it, or name the "
                f"interpreter of an environment that has {', '.join(PACKAGES)}"
            )
        _log.warning("installing Blender's Python module in %s; this takes some minutes, once", folder)
        python = folder / "bin" / "python"
        _run([base, "-m", "venv", "--clear", str(folder)], _INSTALL_S, "making an environment for Blender")
        _run([str(python), "-m", "pip", "install", "-q", *PACKAGES], _INSTALL_S, "installing Blender's Python module")
        (folder / _READY).touch()
        return python


def _run(command: Sequence[str], seconds: float, doing: str) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}  # the environment is another one's
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=clean, check=False)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{doing} took more than {seconds:g} s and was stopped") from error
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise ChildProcessError(f"{doing} failed with status {done.returncode}:\n{said}")


@dataclass(frozen=True)
class BlenderRenderer:
    """Path-traces a scene with Cycles on the CPU: indirect light, soft shadows, no denoising.

    Depth and instances are Cycles' own passes, through the centres of pixels; haze and sky are added by distance; flow
    and amodal bits are `assemble.complete`'s. The environment is made on the first call unless ``python`` names the
    interpreter of one (with `PACKAGES`).

    Raises ``ValueError`` when the scenes differ in length or there is none, the interpreter does not exist, or none
    can be had; ``ChildProcessError`` with what Blender said when it fails, ``TimeoutError`` when it does not come back.
    """

    python: Path | None = None
    samples: int = 16  # paths per pixel
    threads: int = 0  # 0: all cores
    timeout_s: float = 1800.0  # per scene
    name: str = "blender"

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples has to be positive, not {self.samples}")
        if self.python is not None and not self.python.is_file():
            raise ValueError(f"no interpreter {self.python}; name the python of an environment with {PACKAGES[0]}")

    def __call__(self, scenes: Sequence[Scene], height: int, width: int) -> Rendered:
        check_scenes(scenes)
        python = self.python or make_environment(environment_path())
        with tempfile.TemporaryDirectory(prefix="worldr1-blender-") as folder:
            jobs = [Path(folder) / f"{i}" for i in range(len(scenes))]
            for job, scene in zip(jobs, scenes, strict=True):
                self._hand_over(job, scene, height, width)
            _run(
                [str(python), "-I", str(_SCRIPT), *map(str, jobs)],
                self.timeout_s * len(jobs),
                f"rendering {len(jobs)} scenes with Blender",
            )
            return batch([_take_back(job, scene) for job, scene in zip(jobs, scenes, strict=True)])

    def _hand_over(self, job: Path, scene: Scene, height: int, width: int) -> None:
        pieces = pieces_of(scene)
        camera = scene.camera
        arrays: dict[str, npt.NDArray[Any]] = {
            "c2w": camera.c2w,
            "focal": camera.focal_mm / camera.sensor_mm,
            "shown": np.stack([p.shown for p in pieces.pieces], -1),
            "position": pieces.position_m,
            "rotation": pieces.rotation,
        }
        arrays |= {f"image_{i}": image for i, image in enumerate(pieces.images)}
        for i, piece in enumerate(pieces.pieces):
            arrays |= {f"vertices_{i}": piece.vertices_m, f"normals_{i}": piece.normals, f"uv_{i}": piece.uv}
        description = {
            "height": height,
            "width": width,
            "samples": self.samples,
            "threads": self.threads,
            "ambient": scene.environment.ambient,
            "lights": [
                {"colour": light.colour, "softness_deg": light.softness_deg, "axes": _axes(light.direction)}
                for light in scene.environment.lights
            ],
            "images": len(pieces.images),
            "pieces": [{"image": p.image, "gloss": p.gloss, "pass_index": p.body - NOTHING} for p in pieces.pieces],
        }
        job.mkdir()
        (job / "scene.json").write_text(json.dumps(description))
        (job / "scene.npz").write_bytes(encode_arrays(arrays))


def _axes(direction: tuple[float, float, float]) -> list[list[float]]:
    """x, y and z axes of a lamp that shines from ``direction``: Blender's shine along -z."""
    z = np.asarray(direction) / np.linalg.norm(direction)
    x = np.cross(np.eye(3)[np.argmin(np.abs(z))], z)
    x /= np.linalg.norm(x)
    return [axis.tolist() for axis in (x, np.cross(z, x), z)]


def _take_back(job: Path, scene: Scene) -> Rendered:
    with np.load(job / "rendered.npz") as arrays:
        colour, depth, index = arrays["colour"], arrays["depth"], arrays["index"]
    body = np.rint(index).astype(np.int64) + NOTHING
    depth = np.where(body == NOTHING, np.inf, depth)
    # the rim of an outline is haze at its surface's distance, though the centre of the pixel sees the sky
    nearby = np.where(np.isfinite(depth), depth, minimum_filter(depth, (1, 3, 3), mode="nearest"))
    hazy = through_air(scene, colour[..., :3], colour[..., 3], nearby)
    return complete(scene, to_bytes(hazy), depth, body)
