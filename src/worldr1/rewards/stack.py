"""The terms by name, and the stack the tiny preset trains with."""

from __future__ import annotations

from worldr1.estimators.depth import TransformersDepth
from worldr1.estimators.flow import DISFlow
from worldr1.estimators.tagger import load_tagger
from worldr1.rewards.camera import camera_term
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.constancy import constancy_term
from worldr1.rewards.depth import depth_term
from worldr1.rewards.flow import flow_term
from worldr1.rewards.guards import Floor, floor_guard, motion, sharpness
from worldr1.rewards.parallax import parallax_term
from worldr1.rewards.prompt import prompt_term
from worldr1.rewards.term import Term
from worldr1.worlds.tiny.captions import TAGS

TERMS: dict[str, Term] = {
    "depth": depth_term,
    "flow": flow_term,
    "constancy": constancy_term,
    "parallax": parallax_term,
    "camera": camera_term,
}


def make_reward(sharpness_floor: Floor, motion_floor: Floor, *, with_prompt: bool = True) -> WorldReward:
    """All terms on the packaged depth network and DIS flow.

    The floors are in the units of `rewards.guards`; training takes them from the base model's own samples.
    ``with_prompt`` adds the tagger, which knows the tiny worlds only.
    """
    terms = dict(TERMS)
    if with_prompt:
        terms["prompt"] = prompt_term(load_tagger(len(TAGS)))
    terms["sharpness"] = floor_guard(sharpness, sharpness_floor)
    terms["motion"] = floor_guard(motion, motion_floor)
    return WorldReward(terms, TransformersDepth(), DISFlow())
