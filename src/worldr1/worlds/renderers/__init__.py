"""Renderers by name, all behind `rendered.Renderer`; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from typing import Any

from worldr1.worlds.rendered import Renderer

RENDERERS = {
    "warp": "worldr1.worlds.render:WarpRenderer",
    "mujoco": "worldr1.worlds.renderers.mujoco:MujocoRenderer",
    "blender": "worldr1.worlds.renderers.blender:BlenderRenderer",
}


def get_renderer(name: str, **options: Any) -> Renderer:
    """The renderer of a key of `RENDERERS`, made with its ``options``.

    Raises ``ValueError`` for an unknown name, ``ImportError`` naming the extra to install.
    """
    if name not in RENDERERS:
        near = get_close_matches(name, RENDERERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(RENDERERS)}"
        raise ValueError(f"unknown renderer {name!r}; {hint}")
    module, _, attribute = RENDERERS[name].partition(":")
    renderer: Renderer = getattr(importlib.import_module(module), attribute)(**options)
    return renderer
