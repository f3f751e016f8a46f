"""Estimators that answer from the truth of the frames they were shown, for telling a term's faults from theirs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from worldr1.estimators.depth import MAX_DEPTH_M
from worldr1.evaluate.bench.shown import Shown
from worldr1.rewards.evidence import DepthEstimator, FlowEstimator
from worldr1.worlds.rendered import FIRST_OBJECT

Key = TypeVar("Key", bound=Hashable)


def _key(frame: Tensor) -> bytes:
    return hashlib.blake2b(frame.contiguous().numpy().tobytes(), digest_size=16).digest()


def _in_turn(known: Mapping[Key, Sequence[Tensor]], keys: Sequence[Key]) -> list[Tensor | None]:
    """The next answer to each key, from the first again after the last; ``None`` where there is none."""
    asked: Counter[Key] = Counter()
    out: list[Tensor | None] = []
    for key in keys:
        answers = known.get(key, ())
        out.append(answers[asked[key] % len(answers)] if answers else None)
        asked[key] += 1
    return out


class Oracle:
    """Depth and flow by frame; what it was not shown goes to the estimators it falls back to."""

    def __init__(self, depth: DepthEstimator, flow: FlowEstimator) -> None:
        self._estimate_depth, self._estimate_flow = depth, flow
        # frames of a bare ground look all alike: they are told apart by their order
        self._depth: dict[bytes, list[Tensor]] = {}
        self._flow: dict[tuple[bytes, bytes], list[Tensor]] = {}
        self._objects: dict[bytes, Tensor] = {}

    def learn(self, clips: Iterable[Shown]) -> None:
        """Know these clips, and no others. Frames that look alike are answered in the order in which they are shown
        here, steps forward before steps back."""
        ahead: list[tuple[tuple[bytes, bytes], Tensor]] = []
        back: list[tuple[tuple[bytes, bytes], Tensor]] = []
        self._depth.clear()
        self._flow.clear()
        self._objects.clear()
        for shown in clips:
            keys = [_key(frame) for frame in shown.clip.video]
            for key, depth in zip(keys, shown.truth.depth_m.clamp(max=MAX_DEPTH_M), strict=True):
                if not depth.isnan().any():
                    self._depth.setdefault(key, []).append(depth)
            self._objects.update(zip(keys, (shown.truth.instance_ids - FIRST_OBJECT + 1).clamp(min=0), strict=True))
            for t, flow in enumerate(shown.truth.flow_px):
                ahead.append(((keys[t], keys[t + 1]), flow))
            for t, flow in enumerate(shown.backward_px):
                back.append(((keys[t + 1], keys[t]), flow))
        for pair, flow in ahead + back:
            if not flow.isnan().any():
                self._flow.setdefault(pair, []).append(flow)

    def depth(self, frames: Tensor) -> Tensor:
        """Depth ``[n, h, w]`` of frames ``[n, 3, h, w]``, the sky at `MAX_DEPTH_M`."""
        known = _in_turn(self._depth, [_key(f) for f in frames])
        unknown = [i for i, d in enumerate(known) if d is None]
        estimates = dict(zip(unknown, self._estimate_depth(frames[unknown]) if unknown else (), strict=True))
        return torch.stack([estimates[i] if d is None else d for i, d in enumerate(known)])

    def segments(self, video: Tensor, *_measured: Tensor) -> Tensor:
        """Ids of objects ``[frames, h, w]`` of a clip ``[frames, 3, h, w]``, 0 elsewhere and in frames not shown."""
        nothing = torch.zeros(video.shape[-2:], dtype=torch.int32)
        return torch.stack([self._objects.get(_key(f), nothing) for f in video])

    def flow(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow ``[n, h, w, 2]`` from ``first`` to ``second``, both ``[n, 3, h, w]``."""
        known = _in_turn(self._flow, [(_key(a), _key(b)) for a, b in zip(first, second, strict=True)])
        unknown = [i for i, f in enumerate(known) if f is None]
        found = self._estimate_flow(first[unknown], second[unknown]) if unknown else ()
        estimates = dict(zip(unknown, found, strict=True))
        return torch.stack([estimates[i] if f is None else f for i, f in enumerate(known)])
