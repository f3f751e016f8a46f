"""CPU-milliseconds per clip of 17 frames: every estimator and term, and the article's loop against our batched class.

    python benchmarks/reward_speed.py [--sizes 64 128 256 832] [--repetitions 5]

One thread, rendered scenes, medians; batches of 8 clips at 64x64, of 4 at 128x128, of 2 at 256x256, 1 at 480x832 (with
a fifth of the repetitions, at least one). Objects are the renderer's. Prints Markdown.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import torch
from torch import Tensor

from worldr1.estimators.depth import TransformersDepth
from worldr1.estimators.flow import DISFlow
from worldr1.estimators.flow_network import WorldFlow
from worldr1.estimators.registry import make_depth
from worldr1.geometry.camera import pixel_grid, sample
from worldr1.rewards.article import WorldR1ConsistencyReward
from worldr1.rewards.classical.stream import measure_stream
from worldr1.rewards.classical.terms import TERMS as CLASSICAL
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.evidence import Evidence
from worldr1.rewards.general import GENERAL, OF_OBJECTS
from worldr1.rewards.guards import Floor, floor_guard, saturation, texture
from worldr1.rewards.looks import ego_flow
from worldr1.rewards.spec import evaluate
from worldr1.rewards.stack import make_reward
from worldr1.rewards.term import Term
from worldr1.types import Clip, Prompt, Rollout
from worldr1.worlds.render import to_clips
from worldr1.worlds.tiny.corpus import CorpusConfig, prompt_at, scene_at
from worldr1.worlds.tiny.render import RENDERER

NUM_FRAMES = 17
# by width: height, width, clips in a batch
SIZES = {64: (64, 64, 8), 128: (128, 128, 4), 256: (256, 256, 2), 832: (480, 832, 1)}
Call = Callable[[], object]


def rollouts(height: int, width: int, count: int) -> list[Rollout]:
    """Rendered clips under prompts that ask for a moving camera, so that no term is left out by its prompt."""
    config = CorpusConfig(seed=7, violated=0.0, num_frames=NUM_FRAMES)
    moving = [i for i in range(20 * count) if prompt_at(config, i).facts.get("camera") != "fixed"][:count]
    scenes = [scene_at(config, i).to_scene() for i in moving]
    clips = to_clips(scenes, RENDERER(scenes, height, width))
    prompts = [prompt_at(config, i) for i in moving]
    return [_rollout(p, c) for p, c in zip(prompts, clips, strict=True)]


def _rollout(prompt: Prompt, clip: Clip) -> Rollout:
    assert clip.truth is not None
    return Rollout(replace(prompt, camera=clip.truth.camera), clip, ())


def milliseconds(calls: dict[str, Call], repetitions: int) -> dict[str, float]:
    """Median CPU time of each call, taken in turn; the first time around warms up where there are several."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(repetitions + 1 if repetitions > 1 else 1):
        for name, call in calls.items():
            started = time.process_time()
            call()
            if i or repetitions == 1:
                found[name].append(1000 * (time.process_time() - started))
    return {name: statistics.median(values) for name, values in found.items()}


def measure(samples: Sequence[Rollout], repetitions: int) -> dict[str, float]:
    """CPU-milliseconds per clip by what is computed."""
    video = torch.stack([s.clip.video for s in samples])
    depth, flow, world = TransformersDepth(), DISFlow(), WorldFlow()
    tiny = make_reward(Floor(default=0.1), Floor(default=1.0))
    guards = {
        "texture": floor_guard(texture, Floor(default=1.0)),
        "saturation": floor_guard(saturation, Floor(default=1.0)),
    }
    world_depth = make_depth("world")
    general = WorldReward(GENERAL | OF_OBJECTS | guards, world_depth, world, refine_camera=True)
    now, following = video[:, :-1].flatten(0, 1), video[:, 1:].flatten(0, 1)
    ids = torch.stack([s.clip.truth.instance_ids for s in samples if s.clip.truth is not None])
    seen, seen_well = tiny.evidence(samples), replace(general.evidence(samples), segments=(ids - 1).clamp(min=0))

    def of(stack: WorldReward, evidence: Evidence) -> dict[str, Call]:
        def call(name: str, term: Term) -> Call:
            return lambda: evaluate(name, term, evidence)

        return {name: call(name, term) for name, term in stack.terms.items()}

    # the rest of the evidence is what gathering it takes beyond depth and flow: their answers are looked up
    frames, known = seen.depth_m.flatten(0, 1), Known(torch.stack([seen.forward_px, seen.backward_px]))
    looked_up = [WorldReward(w.terms, lambda _: frames, known, refine_camera=w.refine_camera) for w in (tiny, general)]
    guess = ego_flow(seen_well.depth_m, seen_well.c2w, seen_well.K)
    images = (video * 255).round().byte().permute(0, 1, 3, 4, 2).numpy()
    measured = [measure_stream(iter(clip)) for clip in images]
    calls: dict[str, Call] = {
        "depth network, tiny": lambda: depth(video.flatten(0, 1)),
        "depth network, general": lambda: world_depth(video.flatten(0, 1)),
        "flow, both ways (DIS), tiny": lambda: flow(torch.cat([now, following]), torch.cat([following, now])),
        "flow, two looks (world), general": lambda: (world.both_ways(video), world.both_ways(video, guess)),
        "camera and movers, tiny": lambda: looked_up[0].evidence(samples),
        "camera and movers, general": lambda: looked_up[1].evidence(samples),
        **{f"tiny: {name}": call for name, call in of(tiny, seen).items()},
        **{f"general: {name}": call for name, call in of(general, seen_well).items()},
        "classical: matches": lambda: [measure_stream(iter(clip)) for clip in images],
        "classical: all terms": lambda: [term(m) for m in measured for term in CLASSICAL.values()],
    }
    with torch.no_grad():
        found = {name: ms / len(samples) for name, ms in milliseconds(calls, repetitions).items()}
    for stack in ("tiny", "general"):
        estimators = sum(
            ms for name, ms in found.items() if name == f"depth network, {stack}" or name.endswith(f"), {stack}")
        )
        terms = sum(ms for name, ms in found.items() if name.startswith(f"{stack}: "))
        found[f"**{stack} stack, all**"] = estimators + found[f"camera and movers, {stack}"] + terms
    found["**classical, all**"] = found["classical: matches"] + found["classical: all terms"]
    return found


class Known:
    """Flow that has been found."""

    def __init__(self, both_px: Tensor) -> None:
        self.both_px = both_px

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:  # noqa: ARG002
        return self.both_px.flatten(0, 2)

    def both_ways(self, video: Tensor, guess_px: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return self.both_px


class ArticleLoop:
    """The article's sketch as it stands, with the warp that it leaves out."""

    def __init__(self, depth: Callable[[Tensor], Tensor], flow: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.depth_estimator, self.flow_estimator = depth, flow

    def calculate_reward(self, frames: Tensor) -> Tensor:
        total = torch.zeros(len(frames))
        for i in range(frames.shape[1] - 1):
            depth, depth_next = self.depth_estimator(frames[:, i]), self.depth_estimator(frames[:, i + 1])
            flow = self.flow_estimator(frames[:, i], frames[:, i + 1])
            landing = pixel_grid(*depth.shape[-2:], frames) + flow
            warped = sample(depth_next[:, None], landing)[:, 0]
            total -= (depth - warped).abs().mean((1, 2))
        return total / frames.shape[1]

    def clip_by_clip(self, frames: Tensor) -> Tensor:
        return torch.cat([self.calculate_reward(clip[None]) for clip in frames])


class LookUp:
    """Estimators whose answers are there already: what is left to time is the reward's own work."""

    def __init__(self, frames: Tensor, depth: Tensor, flow: Tensor) -> None:
        """``frames`` ``[n, f, 3, h, w]``, ``depth`` ``[n, f, h, w]``, ``flow`` ``[n, f-1, h, w, 2]``."""
        n, f = frames.shape[:2]
        self.places = {frames[i, t].data_ptr(): (i, t) for i in range(n) for t in range(f)}
        self.answers = {"depth": depth, "flow": flow}
        self.time_first = {k: v.transpose(0, 1).flatten(0, 1).contiguous() for k, v in self.answers.items()}

    def _find(self, kind: str, frames: Tensor) -> Tensor:
        answers = self.answers[kind]
        if len(frames) == answers.shape[0] * answers.shape[1]:
            return self.time_first[kind]
        clip, t = self.places[frames.data_ptr()]
        return answers[clip : clip + len(frames), t]

    def depth(self, frames: Tensor) -> Tensor:
        return self._find("depth", frames)

    def flow(self, first: Tensor, _second: Tensor) -> Tensor:
        return self._find("flow", first)


def article(samples: Sequence[Rollout], repetitions: int) -> dict[str, dict[str, float]]:
    """Milliseconds per clip of the loops and of our class: with the estimators in it, and beyond them."""
    video = torch.stack([s.clip.video for s in samples])
    depth, flow = TransformersDepth(), DISFlow()
    evidence = make_reward(Floor(), Floor()).evidence(samples)
    known = LookUp(video, evidence.depth_m, evidence.forward_px)
    out, values = {}, []
    for name, estimators in (("in all", (depth, flow)), ("beyond the estimators", (known.depth, known.flow))):
        loop, ours = ArticleLoop(*estimators), WorldR1ConsistencyReward(*estimators)
        calls: dict[str, Call] = {
            "loop over clips and pairs": lambda loop=loop: loop.clip_by_clip(video),  # type: ignore[misc]
            "loop over pairs": lambda loop=loop: loop.calculate_reward(video),  # type: ignore[misc]
            "WorldR1ConsistencyReward": lambda ours=ours: ours.calculate_reward(video),  # type: ignore[misc]
        }
        with torch.no_grad():
            found = milliseconds(calls, repetitions if name == "in all" else 5 * repetitions)
            values.append(ours.calculate_reward(video))
        out[name] = {k: ms / len(samples) for k, ms in found.items()}
    torch.testing.assert_close(*values)  # the answers that were looked up are the estimators'
    return out


def article_table(found: dict[str, dict[str, float]]) -> str:
    lines = ["| ms per clip | " + " | ".join(f"{name} | ×" for name in found) + " |", "|---|" + "---|---|" * len(found)]
    for call in next(iter(found.values())):
        cells = []
        for times in found.values():
            cells += [f"{times[call]:.2f}", f"{times['loop over clips and pairs'] / times[call]:.1f}"]
        lines.append(f"| {call} | {' | '.join(cells)} |")
    return "\n".join(lines)


def speed_table(found: dict[str, dict[str, float]]) -> str:
    """A Markdown row per estimator and term, a column per size."""
    lines = ["| ms per clip | " + " | ".join(found) + " |", "|---|" + "---|" * len(found)]
    for name in next(iter(found.values())):
        lines.append(f"| {name} | {' | '.join(f'{times[name]:.3g}' for times in found.values())} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", choices=list(SIZES), default=list(SIZES), help="by width")
    parser.add_argument("--repetitions", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = {}
    for width in args.sizes:
        height, _, count = SIZES[width]
        repetitions = args.repetitions if width < 832 else max(1, args.repetitions // 5)
        found[f"{height}x{width}, {count} at once"] = measure(rollouts(*SIZES[width]), repetitions)
    if found:
        print(speed_table(found) + "\n", flush=True)
    print(article_table(article(rollouts(*SIZES[64]), args.repetitions)))


if __name__ == "__main__":
    main()
