"""The backends of `worldr1 score`: which one a video gets, and what it measures with."""

from __future__ import annotations

from pathlib import Path

import httpx2

from worldr1.estimators.depth import PACKAGED, WORLD
from worldr1.estimators.registry import DEPTH, on_gpu, unknown
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.general import make_general_reward
from worldr1.rewards.guards import Floor
from worldr1.rewards.stack import make_reward

# The networks are made for pictures of this size, and the general reward is validated at it.
SHORT_SIDE = 128
# What the tiny model makes is this small: of 12 of its worlds and the same ones broken, its own terms told all,
# classical terms 5 at 64 pixels and 2 at 32. Of two real clips with eight corruptions each, 72 pixels high, classical
# told 15 of 16, tiny 13; 128 pixels high 16 and 13. The general terms shut the gate on the hand-held one of them.
TINY_SIDE = 64
LEAST_SIDE = 16  # pixels; fewer leave the estimators no pattern to match

# Nobody's base model is known here, so the floors only tell a picture from none: a black or uniform clip has
# sharpness 0 and a frozen one motion 0, while rendered clips of 32 pixels have at least .03 and .008.
FLOORS = {"sharpness": Floor(default=0.004), "motion": Floor(default=0.005)}  # of motion: pixels a frame

_OWN = ("auto", "classical")


def choose_backend(asked: str, height: int, width: int) -> str:
    """What ``auto`` stands for: tiny for clips as small as the tiny model's, classical for all others."""
    if asked != "auto":
        return asked
    return "tiny" if max(height, width) <= TINY_SIDE else "classical"


def check_backend(name: str) -> None:
    """Raise ``ValueError`` for what is no backend, no folder and no hub id, suggesting the nearest name."""
    names = [*_OWN, *DEPTH]
    if name in names or Path(name).is_dir():
        return
    if "/" not in name:
        raise unknown("backend", name, names)
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise ValueError(f"--backend {name}: no such folder; use classical, tiny, world, a folder or a hub id")


def load_backend(name: str) -> WorldReward:
    """The tiny model's terms (``tiny``), or those for any footage on depth of this name, on the GPU where there is one.

    Raises ``ValueError`` with the cause where the network cannot be loaded.
    """
    if not (PACKAGED.is_dir() and WORLD.is_dir()):
        raise ValueError(f"the packaged depth networks are missing ({PACKAGED.parent}); install worldr1 again")
    if name == "tiny":
        return _on_gpu(make_reward(FLOORS["sharpness"], FLOORS["motion"], with_prompt=False))
    try:
        return _on_gpu(make_general_reward(name, floors=FLOORS))
    except (OSError, ValueError, ImportError, httpx2.HTTPError) as error:
        raise ValueError(f"--backend {name}: {error}; classical, tiny and world need nothing else") from error


def _on_gpu(reward: WorldReward) -> WorldReward:
    on_gpu(reward.depth)
    on_gpu(reward.flow)
    return reward
