"""Choosing among samples of one prompt by the score that `worldr1 score` gives them."""

from __future__ import annotations

from collections.abc import Sequence

from worldr1.commands.score_backends import LEAST_SIDE, choose_backend, load_backend
from worldr1.commands.score_prompt import owes_no_parallax, prompt_for
from worldr1.rewards.classical.stream import measure_stream
from worldr1.rewards.classical.terms import score_measured
from worldr1.types import Clip, Rollout


class Chooser:
    """Scores clips of one size with what `worldr1 score` takes for it."""

    def __init__(self, height: int, width: int) -> None:
        """Raises ``ValueError`` for clips too small to measure."""
        if min(height, width) < LEAST_SIDE:
            raise ValueError(f"--best-of needs clips of at least {LEAST_SIDE} pixels a side to tell which is best")
        backend = choose_backend("auto", height, width)
        self.reward = load_backend(backend) if backend != "classical" else None

    def best(self, text: str, clips: Sequence[Clip]) -> tuple[int, list[float | None]]:
        """Index of the best clip and the score of each; one without a score is never preferred to one that has it."""
        scores = [self.score(text, clip) for clip in clips]
        return max(range(len(clips)), key=lambda i: (scores[i] is not None, scores[i] or 0.0)), scores

    def score(self, text: str, clip: Clip) -> float | None:
        if self.reward is None:
            frames = (clip.video * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
            return score_measured(measure_stream(frames), fixed_camera=owes_no_parallax(text)).value
        value: float | None = self.reward([Rollout(prompt_for(text, clip), clip, ())])[0].value
        return value
