"""Independent measurement of generated clips, and paired comparison with confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worldr1.evaluate.depth_unet import DepthUNet
from worldr1.evaluate.inspector import CAMERAS, Inspector
from worldr1.evaluate.motion import FarnebackFlow
from worldr1.geometry.camera import inside, lift, pixel_grid, project, sample, transform
from worldr1.geometry.rigid import fit_rigid_robust
from worldr1.types import Prompt

LOWER_IS_BETTER = ("violation_rate", "depth_error")
_NEAR_M = 8.0
_MOVING_PX = 1.2
_TOLERANCE = 0.05  # of the logarithm: about twice the depth network's own mean error on rendered clips


@dataclass(frozen=True)
class Instruments:
    """The evaluation's estimators; training imports none of them."""

    depth: DepthUNet
    inspector: Inspector
    flow: FarnebackFlow


def depth_error(video: Tensor, K: Tensor, depth: DepthUNet, flow: FarnebackFlow) -> Tensor:
    """How far the depth of distant frames contradicts itself: mean absolute log ratio beyond 5 %, per clip ``[b]``.

    ``video`` ``[b, f, 3, h, w]``, ``K`` ``[b, 3, 3]``. Each step's camera motion is a robust rigid fit of lifted
    points along the flow; frames half a clip and a whole clip apart are then compared by reprojection. A point is
    left out where it leaves the picture, moves by itself, or hides behind a surface that the first frame saw too.
    """
    b, f, _, h, w = video.shape
    depth_m = depth.predict(video.flatten(0, 1)).view(b, f, h, w)
    steps, still = [], []
    grid = pixel_grid(h, w, video)
    for t in range(f - 1):
        moved = flow(video[:, t], video[:, t + 1])
        points, following = lift(depth_m[:, t], K), lift(depth_m[:, t + 1], K)
        target = sample(following.permute(0, 3, 1, 2), grid + moved).permute(0, 2, 3, 1)
        weight = (inside(grid + moved, h, w) & (points[..., 2] < 12)).float() / points[..., 2] ** 2
        pose = fit_rigid_robust(points.flatten(1, 2), target.flatten(1, 2), weight.flatten(1, 2))
        ego = project(transform(pose, points), K) - grid
        steps.append(pose)
        still.append((moved - ego).norm(dim=-1) < _MOVING_PX)
    still.append(still[-1])
    errors, counts = [], []
    for i, j in [(0, f - 1), *((i, i + f // 2) for i in range(f - f // 2))]:
        pose = torch.eye(4).repeat(b, 1, 1)
        for t in range(i, j):
            pose = steps[t] @ pose
        for source, goal, motion in ((i, j, pose), (j, i, torch.linalg.inv(pose))):
            error, count = _contradiction(depth_m[:, source], depth_m[:, goal], K, motion, still[source])
            errors.append(error)
            counts.append(count)
    return torch.stack(errors).sum(0) / torch.stack(counts).sum(0).clamp(min=1)


def _contradiction(source_m: Tensor, goal_m: Tensor, K: Tensor, pose: Tensor, still: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of log-depth errors of points seen in one frame and looked up in another, and their number: ``[b]``."""
    h, w = source_m.shape[-2:]
    points = transform(pose, lift(source_m, K))
    landing = project(points, K)
    z = points[..., 2].clamp(min=0.2)
    # a pixel's neighbourhood: estimated edges are uncertain by about a pixel
    low = -torch.nn.functional.max_pool2d(-goal_m[:, None], 3, stride=1, padding=1)
    high = torch.nn.functional.max_pool2d(goal_m[:, None], 3, stride=1, padding=1)
    low, high = sample(low, landing)[:, 0], sample(high, landing)[:, 0]
    behind = (low.log() - z.log() - _TOLERANCE).clamp(0, 1)  # the other frame sees through the point
    before = (z.log() - high.log() - _TOLERANCE).clamp(0, 1)  # something stands in front
    honest = before > 0.1  # an occluder; a slightly nearer surface is an error
    seen = inside(landing, h, w) & (source_m < _NEAR_M) & still & ~honest
    return ((behind + before) * seen).sum((1, 2)), seen.sum((1, 2))


def sharpness(video: Tensor) -> Tensor:
    """Mean absolute Laplacian of luminance, ``[b]`` from ``[b, f, 3, h, w]``."""
    gray = video.mean(2)
    centre = gray[..., 1:-1, 1:-1]
    around = gray[..., :-2, 1:-1] + gray[..., 2:, 1:-1] + gray[..., 1:-1, :-2] + gray[..., 1:-1, 2:]
    return (around - 4 * centre).abs().mean((1, 2, 3))


def motion(video: Tensor, flow: FarnebackFlow) -> Tensor:
    """Mean length of the flow over four steps of the clip in pixels, ``[b]`` from ``[b, f, 3, h, w]``."""
    steps = torch.linspace(0, video.shape[1] - 2, 4).long().tolist()
    return torch.stack([flow(video[:, t], video[:, t + 1]).norm(dim=-1).mean((1, 2)) for t in steps]).mean(0)


def measure(video: Tensor, prompts: Sequence[Prompt], instruments: Instruments) -> dict[str, Tensor]:
    """All metrics of clips ``[b, f, 3, h, w]`` for their prompts, each ``[b]``.

    Raises ``ValueError`` for a prompt without camera or facts: it could not be checked.
    """
    if any(p.camera is None or "camera" not in p.facts for p in prompts):
        raise ValueError("evaluation prompts need a camera path and facts; take them from a corpus")
    K = torch.stack([p.camera.K[0] for p in prompts if p.camera is not None])
    found = instruments.inspector.inspect(video)
    return {
        "violation_rate": (found.violation > 0.5).float(),
        "violation_probability": found.violation,
        "depth_error": depth_error(video, K, instruments.depth, instruments.flow),
        "prompt_agreement": found.agreement(prompts),
        "camera_right": torch.tensor(
            [CAMERAS[int(c)] == p.facts["camera"] for c, p in zip(found.camera, prompts, strict=True)]
        ).float(),
        "sharpness": sharpness(video),
        "motion": motion(video, instruments.flow),
    }


def bootstrap_ci(change: Tensor, *, resamples: int = 4000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean of paired changes ``[n]``, resampling prompts."""
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(len(change), (resamples, len(change)), generator=generator)
    means = change[index].mean(1).double()
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975], dtype=torch.float64))
    return float(low), float(high)


def compare(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, dict[str, object]]:
    """Means before and after with the interval of the paired change, by metric."""
    out: dict[str, dict[str, object]] = {}
    for name in before:
        low, high = bootstrap_ci(after[name] - before[name])
        out[name] = {
            "before": float(before[name].mean()),
            "after": float(after[name].mean()),
            "ci95": [low, high],
            "better": "lower" if name.startswith("violation") or name in LOWER_IS_BETTER else "higher",
        }
    return out
