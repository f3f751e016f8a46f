"""What `worldr1 train` understands, and what it refuses before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldr1.commands.arguments import Train
from worldr1.commands.train import command_line, run_train


def test_the_command_is_recorded_without_defaults_and_place() -> None:
    arguments = Train("tiny", Path("/elsewhere"), seed=3, algorithm="nft", prompts=4)
    assert command_line(arguments) == "worldr1 train tiny --seed 3 --algorithm nft --prompts 4"
    assert command_line(Train("wan-1.3b", model="my model")) == "worldr1 train wan-1.3b --model 'my model'"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (Train("wan-1.3"), "did you mean 'wan-1.3b'"),
        (Train("tinny"), "did you mean 'tiny'"),
        (Train("tiny", model="somewhere"), "--model is for published models"),
        (Train("tiny", held_out=4), "--held-out is for published models"),
        (Train("demo", dry_run=True), "worldr1 train wan-1.3b --dry-run"),
        (Train("debug", algorithm="grop"), "grpo"),
        (Train("wan-1.3b", model="/no/such/place"), "/no/such/place"),
    ],
)
def test_what_cannot_run_is_refused(arguments: Train, complaint: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ValueError, match=complaint):
        run_train(Train(**{**vars(arguments), "out": out}))
    assert not out.exists()


def test_the_plan_of_a_published_model_is_printed_without_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_train(Train("wan-1.3b", dry_run=True, frames=33)) == 0
    printed = capsys.readouterr().out
    assert "1.419 B" in printed
    assert "9x60x104" in printed  # (33 - 1) / 4 + 1 latent frames
