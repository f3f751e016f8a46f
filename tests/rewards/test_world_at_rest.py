"""Terms about a world in which, as the prompt says, nothing moves by itself, and about the camera that films it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from rewards.general import FRAMES, evidence_of, moved, orbit, push, recoloured, scaled, scene, still, swept
from worldr1.rewards import spec
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.far_view import far_view_term, relit
from worldr1.rewards.flow import flow_term
from worldr1.rewards.parallax import parallax_seen_term
from worldr1.rewards.rest import rest_term
from worldr1.rewards.steadiness import steadiness_term
from worldr1.rewards.term import Term
from worldr1.types import CameraPath, Prompt
from worldr1.worlds.scene import Scene

AT_REST = Prompt("nothing moves but the camera", facts={"movers": []})
SLOWLY = np.linspace(1.0, 1.4, FRAMES)


def crept(clean: Scene) -> Scene:
    """The first object slides half a metre over the clip."""
    position = clean.position_m.copy()
    position[:, 0, 0] += np.linspace(0, 0.5, FRAMES)
    return replace(clean, position_m=position)


def jump() -> np.ndarray:
    c2w = orbit()
    c2w[FRAMES // 2 :, 0, 3] += 0.4
    return c2w


def tremble() -> np.ndarray:
    c2w = orbit()
    c2w[:, :3, 3] += 0.08 * np.random.default_rng(0).normal(size=(FRAMES, 3))
    return c2w


def eased() -> np.ndarray:
    c2w, t = push(), np.linspace(0, 1, FRAMES)
    c2w[:, 1, 3] = -5.2 + 1.8 * (3 * t**2 - 2 * t**3)
    return c2w


SCENES: dict[str, Callable[[], Scene]] = {
    "orbit": lambda: scene(orbit()),
    "push": lambda: scene(push()),
    "there and back": lambda: scene(orbit(there_and_back=True)),
    "eased": lambda: scene(eased()),
    "teleport": lambda: moved(scene(orbit()), 0, FRAMES // 2, (0.5, 0.0, 0.0)),
    "creep": lambda: crept(scene(orbit())),
    "growth": lambda: scaled(scene(orbit()), 0, SLOWLY),
    "recoloured": lambda: recoloured(scene(orbit()), 0, FRAMES // 2),
    "jump": lambda: scene(jump()),
    "tremble": lambda: scene(tremble()),
    "pan": lambda: scene(still()),
}


@cache
def clip(name: str) -> Evidence:
    return evidence_of([SCENES[name]()], prompts=[AT_REST])


def value(term: Term, name: str) -> float:
    result = term(clip(name))
    assert bool(result.applicable.all()), result.reason
    return float(result.values)


@pytest.mark.parametrize("name", ["orbit", "push", "there and back"])
def test_honest_clips_are_at_rest(name: str) -> None:
    assert value(rest_term, name) > 0.85
    assert value(steadiness_term, name) > 0.95
    assert value(far_view_term, name) > 0.6


@pytest.mark.parametrize("name", ["teleport", "creep", "growth"])
def test_what_moves_by_itself_is_not_at_rest(name: str) -> None:
    # an object is a fiftieth of the picture: measured .80 to .87 against .97
    assert value(rest_term, name) < 0.92 * value(rest_term, "orbit")


def test_rest_is_asked_of_prompts_that_name_no_movers_only() -> None:
    moving = replace(clip("teleport"), prompts=[Prompt("a cat runs", facts={"movers": ["cat"]})])
    assert spec.evaluate("rest", rest_term, clip("teleport")).applicable.tolist() == [True]
    for prompts in (moving.prompts, [Prompt("unknown")], [None]):
        result = spec.evaluate("rest", rest_term, replace(moving, prompts=prompts))
        assert result.applicable.tolist() == [False]
        assert "by itself" in result.reason_of(0)


def test_a_change_of_colour_is_seen_from_afar_and_a_change_of_light_is_not() -> None:
    clean = value(far_view_term, "orbit")
    assert value(far_view_term, "recoloured") < 0.93 * clean
    drift = torch.linspace(1, 0.7, FRAMES).view(1, -1, 1, 1, 1)
    lit = replace(clip("orbit"), video=clip("orbit").video * drift)
    assert float(far_view_term(lit).values) == pytest.approx(clean, abs=0.1)
    lamp = replace(clip("orbit"), video=swept(clip("orbit").video))
    assert float(far_view_term(lamp).values) == pytest.approx(clean, abs=0.07)
    plain, relighted = flow_term(lit), flow_term(lit, relit)
    assert float(relighted.values) > float(plain.values)


def test_a_camera_that_jumps_or_trembles_is_not_steady_one_that_brakes_is() -> None:
    assert value(steadiness_term, "eased") > 0.9
    for name in ("jump", "tremble"):
        assert value(steadiness_term, name) < 0.6


def swinging(off: float) -> Evidence:
    """A camera that turns by 6 degrees a step and hardly travels, one of its steps ``off``, of the scene's distance."""
    evidence = clip("orbit")
    distance = float(evidence.depth_m.median())
    step = torch.eye(4).repeat(FRAMES, 1, 1)
    step[:, :3, :3] = torch.from_numpy(Rotation.from_euler("y", 6, degrees=True).as_matrix()).float()
    step[:, 0, 3] = 0.01 * distance
    step[FRAMES // 2, 1, 3] += off * distance
    c2w = [torch.eye(4)]
    for t in range(FRAMES - 1):
        c2w.append(c2w[-1] @ step[t])
    return replace(evidence, c2w=torch.stack(c2w)[None])


def test_what_little_a_turning_camera_travels_need_not_be_known_well() -> None:
    assert float(steadiness_term(swinging(0.0)).values) == 1
    assert float(steadiness_term(swinging(0.02)).values) > 0.7  # twice the usual travel, a fifth of the turn
    assert float(steadiness_term(swinging(0.1)).values) < 0.5


def test_the_gate_is_not_asked_of_a_prompt_for_a_camera_on_the_spot() -> None:
    spot = CameraPath(torch.eye(4).repeat(FRAMES, 1, 1), torch.eye(3).repeat(FRAMES, 1, 1))
    for prompt in (Prompt("pan", spot), Prompt("pan", facts={"travels": False})):
        asked = spec.evaluate("parallax", parallax_seen_term, replace(clip("pan"), prompts=[prompt]))
        assert not asked.applicable.any()
        assert asked.reason_of(0) == spec.SPECS["parallax"].reason
    assert float(spec.evaluate("parallax", parallax_seen_term, clip("pan")).values) < 0.05
    assert value(parallax_seen_term, "orbit") == 1
