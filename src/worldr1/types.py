"""The central types: every tensor's axes, units and range are stated here and nowhere else.

Axes are OpenCV's: x right, y down, z forward, in metres; pixels count from the image's top-left corner,
so the centre of the first pixel is (0.5, 0.5). The world is z-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class CameraPath:
    """A pinhole camera over time."""

    c2w: Tensor  # [frames, 4, 4] camera-to-world, metres
    K: Tensor  # [frames, 3, 3] intrinsics, pixels

    def relative(self) -> Tensor:
        """Poses seen from the first frame's camera: ``[frames, 4, 4]``, the first one the identity."""
        poses: Tensor = torch.linalg.inv(self.c2w[:1]) @ self.c2w
        return poses

    def zooms(self) -> bool:
        """Whether the focal length changes, by a thousandth or more."""
        focal = self.K[:, 0, 0]
        return bool((focal / focal[0] - 1).abs().max() >= 1e-3)


@dataclass(frozen=True)
class Prompt:
    """What a policy is asked for."""

    text: str
    camera: CameraPath | None = None  # nominal path; None where the text asks for no camera motion in particular
    family: str = ""
    seed: int = 0
    facts: dict[str, Any] = field(default_factory=dict)  # what the text claims: camera move, objects, ground


@dataclass(frozen=True)
class GroundTruth:
    """What the renderer knows about a clip."""

    depth_m: Tensor  # [frames, h, w] z-depth, inf where the sky is
    flow_px: Tensor  # [frames - 1, h, w, 2] to the next frame
    instance_ids: Tensor  # [frames, h, w] int: 0 sky, 1 ground, 2 + object index
    amodal_bits: Tensor  # [frames, h, w] int: bit i is set where object i projects, hidden or not
    camera: CameraPath
    violation: str = ""  # kind of the world-breaking edit; empty for a clean clip
    violation_frame: int = -1  # first frame of the edit


@dataclass(frozen=True)
class Clip:
    """A video, with its truth where it was rendered."""

    video: Tensor  # [frames, 3, h, w] in [0, 1]
    fps: float = 8.0
    truth: GroundTruth | None = None


@dataclass(frozen=True)
class Step:
    """One noised step of the sampler, kept for the update."""

    index: int  # position in the sigma schedule
    before: Tensor  # [tokens, channels] latent before the step
    after: Tensor  # [tokens, channels] latent drawn by the step
    mean: Tensor  # [tokens, channels] mean the sample was drawn around
    std: float
    log_prob: float  # log N(after; mean, std²) averaged over elements


@dataclass(frozen=True)
class Rollout:
    """A sample of the policy with what its update needs."""

    prompt: Prompt
    clip: Clip
    steps: tuple[Step, ...]
    policy_version: int = 0


@dataclass(frozen=True)
class Score:
    """A reward with its parts. ``None`` is "not applicable" or "failed", never a number; ``notes`` say why."""

    value: float | None
    parts: dict[str, float | None] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def with_note(self, term: str, note: str) -> Score:
        return replace(self, notes={**self.notes, term: note})


class Reward(Protocol):
    """Scores videos; a term that cannot tell abstains with ``None``."""

    differentiable: bool

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]: ...
