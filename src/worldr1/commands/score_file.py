"""One video to its score: all of a short one at once, windows of a long one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from worldr1.commands.score_backends import SHORT_SIDE
from worldr1.commands.score_prompt import owes_no_parallax, prompt_for
from worldr1.report.score_page import ScoredVideo
from worldr1.rewards.classical.file import Timed, length_s, measure_file, windows
from worldr1.rewards.classical.terms import score_measured
from worldr1.rewards.composite import WorldReward, aggregate, counted
from worldr1.rewards.mirror import NOT_FINITE
from worldr1.rewards.spec import spec_of
from worldr1.types import Clip, Rollout, Score
from worldr1.video import Header, shrunk

# What current models make in one piece (Wan's 81 frames) takes 2 GB, and with the general terms 1.3 s a frame of one
# core. Of more, windows are measured that take about as long.
AT_ONCE, WINDOWS, WINDOW_FRAMES = 81, 4, 25


@dataclass(frozen=True)
class _Seen:
    """What the networks are shown of a video."""

    clips: list[Clip]  # the windows, or all of it
    num_frames: int
    seconds: float
    note: str  # which part it is, where it is not all


def score_file(
    path: Path,
    header: Header,
    reward: WorldReward | None,
    prompt: str | None,
    *,
    static_scene: bool = False,
    pictures: bool = False,
) -> ScoredVideo:
    """Score one video by the terms of ``reward``, or without one by the classical terms.

    ``static_scene`` says that nothing but the camera moves, and asks the reward's terms that need to know. With
    ``pictures`` matched features are measured whatever scores, for what the report shows. Raises ``ValueError`` that
    names the file.
    """
    measured = measure_file(path, header) if reward is None or pictures else None
    if reward is None:
        assert measured is not None
        still = prompt is not None and owes_no_parallax(prompt)
        score = score_measured(measured.measured, fixed_camera=still)
        num_frames, seconds = measured.num_frames, measured.seconds
        notes = {"length": measured.note} if measured.note else {}
    else:
        seen = _look(path, header)
        score = _by_networks(seen.clips, reward, prompt, static_scene)
        num_frames, seconds = seen.num_frames, seen.seconds
        notes = {"length": seen.note} if seen.note else {}
        height, width = seen.clips[0].video.shape[-2:]
        if (height, width) != header.size:
            before = f"{header.size[1]}x{header.size[0]}"
            notes["size"] = f"downscaled from {before} to {width}x{height} for the estimators"
    score = replace(score, notes={**score.notes, **notes, **header.notes})
    return ScoredVideo(path, header, score, num_frames, seconds, measured)


def _by_networks(clips: Sequence[Clip], reward: WorldReward, prompt: str | None, static_scene: bool) -> Score:
    """The score of a video's windows; a prompt's camera path is that of the whole, and not asked of a part."""
    scores = []
    for clip in clips:
        if prompt is None and not static_scene:
            scores += reward([clip])
            continue
        asked = prompt_for(prompt or "", clip)
        if static_scene:
            asked = replace(asked, facts={**asked.facts, "movers": []})
        scores += reward([Rollout(asked if len(clips) == 1 else replace(asked, camera=None), clip, ())])
    return joined(scores, reward.typical)


def joined(scores: Sequence[Score], typical: Mapping[str, float]) -> Score:
    """One score of several windows' with the same terms: of each term the mean over those that could tell.

    Of a gate the mean over all, of a guard the least; one that is silent in a window is 0 there, and one that failed in
    any leaves no score.
    """
    if len(scores) == 1:
        return scores[0]
    parts: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    for name in scores[0].parts:
        kind = spec_of(name).kind
        failed = kind != "term" and any(s.notes.get(name) == NOT_FINITE for s in scores)
        told = [v for s in scores if (v := s.parts[name]) is not None]
        silent = [s.notes[name] for s in scores if s.parts[name] is None and name in counted(s.parts, s.notes)]
        if failed:
            parts[name], notes[name] = None, NOT_FINITE
        elif not told:
            parts[name], notes[name] = None, silent[0] if silent else scores[0].notes[name]
        elif kind == "term":
            parts[name] = sum(told) / len(told)
        else:
            every = told + [0.0] * len(silent)
            parts[name] = min(every) if kind == "guard" else sum(every) / len(every)
            if silent:
                notes[name] = f"in {len(silent)} of {len(scores)} windows {silent[0]}"
    return Score(aggregate(counted(parts, notes), typical), parts, notes)


def _look(path: Path, header: Header) -> _Seen:
    long = header.num_frames is not None and header.num_frames > AT_ONCE
    parts = [
        part
        for _, frames in windows(path, header, longest=AT_ONCE, count=WINDOWS, length=WINDOW_FRAMES)
        if len(part := list(_small(islice(frames, 2 * AT_ONCE + 1)))) > 1  # the header may promise too much
    ]
    if not parts:
        raise ValueError(f"{path}: damaged, the frames that its header promises are not there; download it again")
    if len(parts[0]) > 2 * AT_ONCE:
        says = "does not say how long it is" if header.num_frames is None else "is longer than its header says"
        raise ValueError(f"{path}: the file {says}, and it is long; convert it to mp4, or use --backend classical")
    clips = [_clip([frame for frame, _ in part], header.fps) for part in parts]
    if not long:
        return _Seen(clips, len(parts[0]), length_s([time_s for _, time_s in parts[0]]), "")
    assert header.num_frames is not None
    note = f"{len(parts)} windows of {WINDOW_FRAMES} frames, spread evenly over the {header.num_frames} frames"
    return _Seen(clips, header.num_frames, header.num_frames / header.fps, note)


def _small(frames: Iterator[Timed]) -> Iterator[Timed]:
    for frame, time_s in frames:
        yield shrunk(frame, SHORT_SIDE), time_s


def _clip(frames: Sequence[npt.NDArray[np.uint8]], fps: float) -> Clip:
    return Clip(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous() / 255, fps)
