"""Terms on rendered clips with exact depth and flow, so that only the terms themselves can be wrong."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from oracle import Oracle, as_rollout, backwards, clean_scenes, twin
from worldr1.estimators.flow import DISFlow
from worldr1.geometry.rigid import rotation_angle_deg
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.evidence import gather_evidence
from worldr1.rewards.stack import TERMS
from worldr1.types import Clip, Rollout, Score
from worldr1.worlds.tiny.motion import FIXED, camera_path
from worldr1.worlds.tiny.render import render_clips
from worldr1.worlds.tiny.scene import ABSENT, TinyScene
from worldr1.worlds.tiny.violations import KINDS

NUM_SCENES = 30


@dataclass(frozen=True)
class Bench:
    oracle: Oracle
    scenes: list[TinyScene]
    rollouts: list[Rollout]
    broken: dict[str, list[Rollout]]
    known: dict[tuple[int, bool], list[Score]] = field(default_factory=dict)  # scores already computed

    def clean_scores(self, *, dis: bool = False) -> list[Score]:
        return self._remembered(self.rollouts, dis)

    def broken_scores(self, kind: str, *, dis: bool = False) -> list[Score]:
        return self._remembered(self.broken[kind], dis)

    def _remembered(self, rollouts: list[Rollout], dis: bool) -> list[Score]:
        if (id(rollouts), dis) not in self.known:
            # DIS takes its time: half of the scenes
            self.known[id(rollouts), dis] = self.scores(rollouts[: NUM_SCENES // 2 if dis else None], dis=dis)
        return self.known[id(rollouts), dis]

    def scores(self, rollouts: list[Rollout], *, dis: bool = False) -> list[Score]:
        flow = DISFlow() if dis else self.oracle.flow
        return WorldReward(TERMS, self.oracle.depth, flow)(rollouts)

    def wins(self, *, dis: bool = False) -> dict[str, float]:
        """Share of the scenes whose clean clip scores above its violated twin, by kind."""
        clean = [s.value or 0.0 for s in self.clean_scores(dis=dis)]
        out = {}
        for kind in self.broken:
            broken = [s.value or 0.0 for s in self.broken_scores(kind, dis=dis)]
            out[kind] = float(np.mean([a > b for a, b in zip(clean, broken, strict=True)]))
        return out


@pytest.fixture(scope="module")
def bench() -> Bench:
    scenes, oracle = clean_scenes(NUM_SCENES), Oracle()
    rollouts = oracle.render(scenes)
    broken = {kind: oracle.render([twin(s, kind, i) for i, s in enumerate(scenes)]) for kind in KINDS}
    return Bench(oracle, scenes, rollouts, broken)


def part(score: Score, term: str) -> float:
    value = score.parts[term]
    assert value is not None, score.notes
    return value


# Measured when this was written. Exact depth and flow: colour 1.00, shape .80, size .77, teleport .83, vanish .97,
# shift 1.00, together .89. With DIS flow: 1.00, .83, .90, .97, .97, .90, together .93. A changed shape is the weak
# one where it happens behind the occluder (.5).
def test_clean_scores_above_violated_with_exact_estimators(bench: Bench) -> None:
    wins = bench.wins()
    assert np.mean(list(wins.values())) >= 0.85, wins
    assert min(wins.values()) >= 0.65, wins


def test_clean_scores_above_violated_with_estimated_flow(bench: Bench) -> None:
    wins = bench.wins(dis=True)
    assert np.mean(list(wins.values())) >= 0.85, wins
    assert min(wins.values()) >= 0.7, wins


@pytest.mark.parametrize(
    ("term", "kind", "share"),
    [("flow", "teleport", 0.8), ("flow", "vanish", 0.8), ("flow", "shift", 0.9), ("constancy", "colour", 0.85)],
)
def test_each_term_sees_what_it_is_there_for(bench: Bench, term: str, kind: str, share: float) -> None:
    pairs = zip(bench.clean_scores(), bench.broken_scores(kind), strict=True)
    seen = [part(a, term) > part(b, term) for a, b in pairs if None not in (a.parts[term], b.parts[term])]
    assert len(seen) >= 20
    assert np.mean(seen) >= share


def test_depth_sees_an_object_that_vanishes_under_a_moving_camera(bench: Bench) -> None:
    pairs = zip(bench.rollouts, bench.clean_scores(), bench.broken_scores("vanish"), strict=True)
    seen = [part(a, "depth") > part(b, "depth") + 0.01 for r, a, b in pairs if r.prompt.family == "landmarks"]
    assert np.mean(seen) >= 0.8


def test_honest_forward_motion_is_not_punished_for_changing_depth(bench: Bench) -> None:
    moves = ("push in", "pull out")
    scores = zip(bench.rollouts, bench.clean_scores(), strict=True)
    values = [part(s, "depth") for r, s in scores if r.prompt.facts["camera"] in moves]
    assert len(values) >= 8
    assert min(values) > 0.8


def test_clean_clips_score_well_term_by_term(bench: Bench) -> None:
    for rollout, score in zip(bench.rollouts, bench.clean_scores(), strict=True):
        if rollout.prompt.facts["camera"] == FIXED:
            assert score.parts["depth"] is None
            assert score.parts["flow"] is None
        else:
            assert part(score, "depth") > 0.9
            assert part(score, "flow") > 0.5
        assert part(score, "camera") > 0.9
        # measured .80 to .85, and .29 to .73 for the occluder family, where half-hidden objects look changed
        assert part(score, "constancy") > (0.2 if rollout.prompt.family == "occluder" else 0.7)


def frozen(rollout: Rollout) -> Rollout:
    video = rollout.clip.video[:1].expand_as(rollout.clip.video).clone()
    return Rollout(rollout.prompt, Clip(video), ())


def panned(scene: TinyScene) -> TinyScene:
    """The same scene seen by a camera that turns on the spot."""
    turn = np.radians(np.linspace(-7, 7, scene.num_frames))
    c2w = np.tile(scene.c2w[:1], (scene.num_frames, 1, 1))
    for pose, a in zip(c2w, turn, strict=True):
        pose[:3, :3] @= np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return replace(copy.deepcopy(scene), c2w=c2w.astype(np.float32))


def test_the_gate_closes_on_a_still_picture(bench: Bench) -> None:
    moving = [r for r in bench.rollouts if r.prompt.facts["camera"] != FIXED]
    for score in bench.scores([frozen(r) for r in moving], dis=True):
        assert part(score, "parallax") < 1e-3
        assert (score.value or 0.0) < 1e-3


def test_the_gate_closes_on_a_camera_that_only_turns(bench: Bench) -> None:
    pairs = [(r, s) for r, s in zip(bench.rollouts, bench.scenes, strict=True) if s.family == "landmarks"]
    turning = bench.oracle.render([panned(s) for _, s in pairs])
    asked = [Rollout(r.prompt, t.clip, ()) for (r, _), t in zip(pairs, turning, strict=True)]
    assert max(part(s, "parallax") for s in bench.scores(asked)) < 0.01
    # with estimated flow the gate is mostly noise at this size, and it is the camera term that sees the turn
    worst_clean = min(s.value or 0.0 for s in bench.scores([r for r, _ in pairs], dis=True))
    assert max(s.value or 0.0 for s in bench.scores(asked, dis=True)) < 0.5 * worst_clean


def test_the_gate_abstains_where_a_fixed_camera_is_asked_for(bench: Bench) -> None:
    for rollout, score in zip(bench.rollouts, bench.clean_scores(), strict=True):
        if rollout.prompt.facts["camera"] == FIXED:
            assert score.parts["parallax"] is None
            assert "does not travel" in score.notes["parallax"]
        else:
            assert part(score, "parallax") > 0.1


@pytest.mark.parametrize("move", ["orbit left", "push in"])
def test_without_an_object_constancy_abstains(move: str) -> None:
    scene = clean_scenes(1, occluder=0.0)[0]
    scene = replace(scene, camera_move=move, c2w=camera_path(move, scene.num_frames))
    empty = replace(scene, shape=np.full_like(scene.shape, ABSENT))
    oracle = Oracle()
    clip, reverse = render_clips([empty, backwards(empty)])
    assert clip.truth is not None
    assert reverse.truth is not None
    oracle.learn(clip.video, clip.truth.depth_m, clip.truth.flow_px, reverse.truth.flow_px.flip(0))
    score = WorldReward(TERMS, oracle.depth, oracle.flow)([as_rollout(scene, clip)])[0]
    assert score.parts["constancy"] is None
    assert "object" in score.notes["constancy"]


def test_the_recovered_camera_is_the_true_one(bench: Bench) -> None:
    video = torch.stack([r.clip.video for r in bench.rollouts])
    cameras = [r.prompt.camera for r in bench.rollouts]
    K = torch.stack([c.K[0] for c in cameras if c is not None])
    evidence = gather_evidence(video, K, [None] * len(video), bench.oracle.depth, bench.oracle.flow)
    for found, camera in zip(evidence.c2w, cameras, strict=True):
        assert camera is not None
        true = camera.relative()[-1]
        assert rotation_angle_deg(found[-1, :3, :3].T @ true[:3, :3]) < 3
        assert (found[-1, :3, 3] - true[:3, 3]).norm() < 0.1
