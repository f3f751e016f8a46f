"""Renderers by name."""

from __future__ import annotations

import sys

import pytest

from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.renderers import RENDERERS, get_renderer


def test_the_default_is_the_warp_renderer() -> None:
    assert get_renderer("warp", samples=1) == WarpRenderer(samples=1)


def test_names_are_the_renderers_own() -> None:
    pytest.importorskip("mujoco_warp")
    assert [get_renderer(name).name for name in RENDERERS] == list(RENDERERS)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'blender'"):
        get_renderer("blendr")
    with pytest.raises(ValueError, match="warp, mujoco, blender"):
        get_renderer("x")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    with pytest.raises(ImportError, match=r"worldr1\[mujoco\]"):
        get_renderer("mujoco")
