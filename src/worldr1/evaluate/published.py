"""What is measured of published models' clips: instruments that know no world, and that their reward never uses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from worldr1.evaluate.metrics import motion, sharpness
from worldr1.evaluate.motion import FarnebackFlow
from worldr1.rewards.classical.stream import measure_stream
from worldr1.rewards.classical.terms import score_measured
from worldr1.rewards.downscaled import shrink_clip
from worldr1.types import Clip, Prompt, Rollout

_SHORT_SIDE = 128  # pixels that motion and sharpness are measured at
METRICS = ("held_out", "motion", "sharpness")


def measure_clips(prompts: Sequence[Prompt], clips: Sequence[Clip]) -> dict[str, list[float | None]]:
    """`METRICS` of each clip; ``held_out`` is ``None`` where too little could be matched.

    ``held_out`` is the score of the classical terms on SIFT matches: rigidity, smoothness, flicker and parallax, in
    [0, 1]. The rewards of published models look through depth and dense flow and share none of it. ``motion`` is the
    mean length of Farneback's flow in pixels, ``sharpness`` the mean absolute Laplacian.
    """
    out: dict[str, list[float | None]] = {name: [] for name in METRICS}
    flow = FarnebackFlow()
    for prompt, clip in zip(prompts, clips, strict=True):
        frames = (clip.video.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        stays = prompt.facts.get("camera") == "fixed" or prompt.facts.get("travels") is False
        out["held_out"].append(score_measured(measure_stream(frames), fixed_camera=stays).value)
        small = shrink_clip(clip, _SHORT_SIDE).video[None]
        out["motion"].append(float(motion(small, flow)))
        out["sharpness"].append(float(sharpness(small)))
    return out


def watch(rollouts: Sequence[Rollout]) -> dict[str, torch.Tensor]:
    """`METRICS` for a monitor, each ``[n]``. A clip in which nothing can be matched counts as 0: a guard is never
    passed for want of evidence.
    """
    found = measure_clips([r.prompt for r in rollouts], [r.clip for r in rollouts])
    return {name: torch.tensor([0.0 if v is None else v for v in values]) for name, values in found.items()}
