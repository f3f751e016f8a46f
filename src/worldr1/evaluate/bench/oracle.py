"""Estimators that answer from the truth of the frames they were shown, for telling a term's faults from theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

from worldr1.estimators.depth import MAX_DEPTH_M
from worldr1.evaluate.bench.shown import Shown
from worldr1.rewards.evidence import DepthEstimator, FlowEstimator


def _key(frame: Tensor) -> bytes:
    return hashlib.blake2b(frame.contiguous().numpy().tobytes(), digest_size=16).digest()


class Oracle:
    """Depth and flow by frame; what it was not shown goes to the estimators it falls back to, and is counted."""

    def __init__(self, depth: DepthEstimator, flow: FlowEstimator) -> None:
        self._estimate_depth, self._estimate_flow = depth, flow
        self._depth: dict[bytes, Tensor] = {}
        self._flow: dict[tuple[bytes, bytes], Tensor] = {}
        self.estimated_frames = 0
        self.estimated_pairs = 0

    def learn(self, clips: Iterable[Shown]) -> None:
        """Know these clips, and no others."""
        self._depth.clear()
        self._flow.clear()
        for shown in clips:
            keys = [_key(frame) for frame in shown.clip.video]
            known = zip(keys, shown.truth.depth_m.clamp(max=MAX_DEPTH_M), strict=True)
            self._depth.update((key, depth) for key, depth in known if not depth.isnan().any())
            for t, (forward, backward) in enumerate(zip(shown.truth.flow_px, shown.backward_px, strict=True)):
                for pair, flow in (((keys[t], keys[t + 1]), forward), ((keys[t + 1], keys[t]), backward)):
                    if not flow.isnan().any():
                        self._flow[pair] = flow

    def depth(self, frames: Tensor) -> Tensor:
        """Depth ``[n, h, w]`` of frames ``[n, 3, h, w]``, the sky at `MAX_DEPTH_M`."""
        known = [self._depth.get(_key(f)) for f in frames]
        unknown = [i for i, d in enumerate(known) if d is None]
        self.estimated_frames += len(unknown)
        estimates = dict(zip(unknown, self._estimate_depth(frames[unknown]) if unknown else (), strict=True))
        return torch.stack([estimates[i] if d is None else d for i, d in enumerate(known)])

    def flow(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow ``[n, h, w, 2]`` from ``first`` to ``second``, both ``[n, 3, h, w]``."""
        known = [self._flow.get((_key(a), _key(b))) for a, b in zip(first, second, strict=True)]
        unknown = [i for i, f in enumerate(known) if f is None]
        self.estimated_pairs += len(unknown)
        found = self._estimate_flow(first[unknown], second[unknown]) if unknown else ()
        estimates = dict(zip(unknown, found, strict=True))
        return torch.stack([estimates[i] if f is None else f for i, f in enumerate(known)])
