"""Tiny scenes to pictures. The packaged networks were trained on exactly these."""

from __future__ import annotations

from collections.abc import Sequence

from worldr1.types import CameraPath, Clip
from worldr1.worlds.render import WarpRenderer, to_clips
from worldr1.worlds.render import camera_of as scene_camera
from worldr1.worlds.rendered import Rendered
from worldr1.worlds.tiny.scene import TinyScene

RENDERER = WarpRenderer(samples=3, threshold=0)


def render(scenes: Sequence[TinyScene], size: int = 32) -> Rendered:
    """Render scenes of equal length at ``size`` x ``size`` pixels.

    Raises ``ValueError`` when the scenes differ in length or there is none.
    """
    return RENDERER([s.to_scene() for s in scenes], size, size)


def camera_of(scene: TinyScene, size: int) -> CameraPath:
    """The scene's camera as a `CameraPath` for clips of ``size`` pixels."""
    return scene_camera(scene.to_scene(), size, size)


def render_clips(scenes: Sequence[TinyScene], size: int = 32) -> list[Clip]:
    """Render scenes to `Clip`s that carry their `GroundTruth`."""
    general = [s.to_scene() for s in scenes]
    return to_clips(general, RENDERER(general, size, size))
