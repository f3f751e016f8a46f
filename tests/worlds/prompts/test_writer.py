"""Prompts at their full number: shares, coverage, no near-duplicates, and every text parses back to its own moves."""

from collections import Counter

import numpy as np
import pytest
import torch

from worldr1.types import Prompt
from worldr1.worlds.camera import KINDS
from worldr1.worlds.prompts import coverage, coverage_table, parse_camera, write_prompts
from worldr1.worlds.prompts.settings import SETTINGS
from worldr1.worlds.scene import Move

COUNTS = {"train": 2500, "dynamic": 500, "held_out": 300}


@pytest.fixture(scope="module")
def written() -> dict[str, list[Prompt]]:
    return {kind: write_prompts(kind, count, 0, num_frames=3) for kind, count in COUNTS.items()}  # type: ignore[arg-type]


def test_every_prompt_parses_back_to_its_own_moves(written: dict[str, list[Prompt]]) -> None:
    for prompts in written.values():
        for prompt in prompts:
            assert parse_camera(prompt.text) == [Move(**m) for m in prompt.facts["moves"]], prompt.text


def test_texts_are_long_unique_and_clean(written: dict[str, list[Prompt]]) -> None:
    texts = [p.text for prompts in written.values() for p in prompts]
    assert len(set(texts)) == len(texts)
    assert 540 <= np.mean([len(t) for t in texts]) <= 660
    for text in texts:
        assert not set(text) & set("{}*/|\n"), text
        assert "  " not in text
        assert text.endswith(".")
        assert all(s[0].isupper() for s in text.split(". ")), text


def test_no_two_prompts_are_near_duplicates(written: dict[str, list[Prompt]]) -> None:
    """Shared 5-grams of words, of those of the shorter text: at most 0.7 (chance pairs are at 0.1)."""
    grams = []
    for prompt in (p for prompts in written.values() for p in prompts):
        words = prompt.text.lower().split()
        grams.append({hash(tuple(words[i : i + 5])) for i in range(len(words) - 4)})
    places: dict[int, list[int]] = {}
    for index, own in enumerate(grams):
        for gram in own:
            places.setdefault(gram, []).append(index)
    rare = {gram: at for gram, at in places.items() if len(at) <= 60}  # others are stock phrases
    worst = 0.0
    for index, own in enumerate(grams):
        shared = Counter(j for gram in own & rare.keys() for j in rare[gram] if j > index)
        for other, _ in shared.most_common(3):
            worst = max(worst, len(own & grams[other]) / min(len(own), len(grams[other])))
    assert 0.2 < worst <= 0.7


def test_shares_of_one_and_two_moves(written: dict[str, list[Prompt]]) -> None:
    for kind in ("train", "held_out"):
        numbers = coverage(written[kind])["moves in a prompt"]
        assert numbers["1"] / COUNTS[kind] == pytest.approx(0.68, abs=0.01)
        assert numbers["2"] / COUNTS[kind] == pytest.approx(0.28, abs=0.01)
        assert numbers["3"] > 0
        assert numbers["fixed"] > 0


def test_every_move_and_setting_is_covered_evenly(written: dict[str, list[Prompt]]) -> None:
    counts = coverage(written["train"])
    assert len(counts["setting"]) >= 40
    assert max(counts["setting"].values()) <= 1.3 * min(counts["setting"].values())
    moving = [n for kind, n in counts["camera move"].items() if kind != "fixed"]
    assert max(moving) <= 1.3 * min(moving)
    for prompts in written.values():
        assert min(coverage(prompts)["camera move"].values()) > 0
        assert min(coverage(prompts)["setting"].values()) > 0


def test_held_out_combinations_are_never_trained_on(written: dict[str, list[Prompt]]) -> None:
    def combinations(prompts: list[Prompt]) -> set[tuple[str, str, str]]:
        return {(p.facts["setting"], p.facts["subject"], m["kind"]) for p in prompts for m in p.facts["moves"]}

    other_seed = combinations(write_prompts("train", 600, 7, num_frames=2))
    trained = combinations(written["train"]) | combinations(written["dynamic"]) | other_seed
    held_out = combinations(written["held_out"])
    assert not trained & held_out
    assert len(held_out) > 250


def test_dynamic_scenes_move_and_others_do_not(written: dict[str, list[Prompt]]) -> None:
    movers = [m.does for s in SETTINGS for m in s.movers]
    for kind, prompts in written.items():
        for prompt in prompts:
            assert any(m in prompt.text for m in movers) == (kind == "dynamic")
            assert bool(prompt.facts["movers"]) == (kind == "dynamic")


def test_a_prompt_depends_on_its_seed_and_index_alone() -> None:
    few, many = write_prompts("train", 20, 5), write_prompts("train", 30, 5)
    for a, b in zip(few, many, strict=False):
        assert (a.text, a.facts, a.seed) == (b.text, b.facts, b.seed)
        assert a.camera is not None
        assert b.camera is not None
        assert torch.equal(a.camera.c2w, b.camera.c2w)
    assert {p.text for p in few}.isdisjoint(p.text for p in write_prompts("train", 20, 6))


def test_the_camera_path_is_that_of_the_moves() -> None:
    for prompt in write_prompts("train", 60, 1, num_frames=9, height=32, width=48):
        assert prompt.camera is not None
        assert prompt.camera.c2w.shape == (9, 4, 4)
        assert prompt.camera.K[0, :2, 2].tolist() == [24, 16]
        relative = prompt.camera.relative()
        for move in prompt.facts["moves"]:
            if len(prompt.facts["moves"]) == 1 and move["kind"] == "dolly in":
                assert relative[-1, 2, 3].item() == pytest.approx(move["magnitude"], abs=1e-4)
            if len(prompt.facts["moves"]) == 1 and move["kind"] == "truck left":
                assert relative[-1, 0, 3].item() == pytest.approx(-move["magnitude"], abs=1e-4)
        if prompt.facts["focal_mm"] is not None:
            assert prompt.camera.K[0, 0, 0].item() == pytest.approx(prompt.facts["focal_mm"] / 36 * 48, rel=1e-5)
            assert f"{prompt.facts['focal_mm']:g} mm lens" in prompt.text or "Focal length" in prompt.text


def test_coverage_table_names_every_move(written: dict[str, list[Prompt]]) -> None:
    table = coverage_table(written["train"])
    assert f"{COUNTS['train']} prompts" in table
    assert all(kind in table for kind in KINDS)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        write_prompts("test", 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one"):
        write_prompts("train", 0)
