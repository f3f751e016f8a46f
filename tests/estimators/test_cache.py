"""The cache: nothing is computed twice, nothing is mistaken, the folder stays small."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from worldr1.estimators.cache import Cached, key_of
from worldr1.estimators.depth import TransformersDepth
from worldr1.estimators.registry import make_depth


class Counting:
    def __init__(self, factor: float = 2.0) -> None:
        self.factor, self.rows = factor, 0

    def __call__(self, *inputs: Tensor) -> Tensor:
        self.rows += len(inputs[0])
        return self.factor * sum(inputs)


def test_rows_are_found_again_in_other_batches(tmp_path: Path) -> None:
    inner = Counting()
    cached = Cached(inner, "double", tmp_path)
    x = torch.arange(12.0).view(4, 3)
    torch.testing.assert_close(cached(x[:3]), 2 * x[:3])
    torch.testing.assert_close(cached(x[[3, 1, 0]]), 2 * x[[3, 1, 0]])
    assert inner.rows == 4
    torch.testing.assert_close(Cached(Counting(5.0), "double", tmp_path)(x), 2 * x)  # another process


def test_pairs_have_keys_of_their_own(tmp_path: Path) -> None:
    inner = Counting()
    cached = Cached(inner, "sum", tmp_path)
    a, b = torch.zeros(1, 2), torch.ones(1, 2)
    for pair in ((a, b), (b, a), (a, a), (a, b)):
        cached(*pair)
    assert inner.rows == 3


def test_keys_tell_models_shapes_and_types_apart() -> None:
    x = torch.zeros(2, 6)
    keys = {key_of("a", (x,)), key_of("b", (x,)), key_of("a", (x.view(3, 4),)), key_of("a", (x.int(),)),
            key_of("a", (x[:1], x[1:]))}  # fmt: skip
    assert len(keys) == 5
    assert key_of("a", (torch.ones(4, 3).T,)) == key_of("a", (torch.ones(3, 4),))


def test_a_clip_is_one_entry_where_frames_depend_on_each_other(tmp_path: Path) -> None:
    class Clipwise(Counting):
        metric, clipwise = False, True

    inner = Clipwise()
    cached = Cached(inner, "clip", tmp_path)
    assert cached.clipwise
    assert not cached.metric
    x = torch.arange(12.0).view(4, 3)
    cached(x)
    torch.testing.assert_close(cached(x), 2 * x)
    assert inner.rows == 4
    cached(x[:2])
    assert inner.rows == 6


def test_broken_entries_are_computed_again(tmp_path: Path) -> None:
    inner = Counting()
    cached = Cached(inner, "double", tmp_path)
    x = torch.ones(1, 3)
    cached(x)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(b"half")
    torch.testing.assert_close(cached(x), 2 * x)
    assert inner.rows == 2
    assert [p.suffix for p in tmp_path.iterdir()] == [".safetensors"]


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    inner = Counting()
    cached = Cached(inner, "double", tmp_path, max_bytes=25_000)
    x = torch.arange(10_000.0).view(10, 1000)  # 4 kB each
    for i in range(5):
        cached(x[i : i + 1])
        for age, path in enumerate(sorted(tmp_path.iterdir(), key=lambda p: p.stat().st_mtime_ns)):
            os.utime(path, ns=(age, age + i))  # timestamps that do not depend on the clock's grain
    cached(x[:1])  # used again
    cached(x[5:8])
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 25_000
    before = inner.rows
    cached(x[:1])
    assert inner.rows == before
    cached(x[1:2])
    assert inner.rows == before + 1


def test_a_cache_of_no_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="positive"):
        Cached(Counting(), "double", tmp_path, max_bytes=0)


def test_flow_of_clips_is_kept_by_clip_and_guess(tmp_path: Path) -> None:
    class Flow(Counting):
        def both_ways(self, video: Tensor, guess_px: Tensor | None = None) -> Tensor:
            self.rows += len(video)
            mean = video.mean((1, 2))[None] * torch.tensor([1.0, -1.0]).view(2, 1, 1)
            return mean if guess_px is None else mean + guess_px

    inner = Flow()
    cached, video = Cached(inner, "flow", tmp_path), torch.rand(3, 4, 5, 6)
    guess = torch.rand(2, 3, 6)
    for around in ((), (guess,), (guess + 1,)):
        want = Flow().both_ways(video, *around)
        torch.testing.assert_close(cached.both_ways(video, *around), want)
        order = [2, 0]
        torch.testing.assert_close(cached.both_ways(video[order], *(g[:, order] for g in around)), want[:, order])
    assert inner.rows == 9
    assert not hasattr(Cached(Counting(), "pairs", tmp_path), "both_ways")


def test_entries_that_another_process_removes_are_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = Cached(Counting(), "double", tmp_path, max_bytes=5000)
    x = torch.arange(3000.0).view(3, 1000)
    cached(x[:1])
    (there,) = tmp_path.iterdir()
    found = Path.glob

    def stale(folder: Path, pattern: str) -> list[Path]:
        return [tmp_path / "gone.safetensors", *found(folder, pattern)]

    monkeypatch.setattr(Path, "glob", stale)
    torch.testing.assert_close(cached(x[1:]), 2 * x[1:])  # evicts
    assert not there.exists()
    torch.testing.assert_close(Cached(Counting(), "double", tmp_path)(x), 2 * x)


def test_weights_that_were_saved_again_are_not_answered_for_by_the_old_ones(tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    depth = TransformersDepth()
    frames = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = tmp_path / "model"
    depth.model.save_pretrained(model)
    before = make_depth(str(model), answers)(frames)
    torch.testing.assert_close(make_depth(str(model), answers)(frames), before)
    assert len(list(answers.iterdir())) == 1  # the same weights are the same model
    with torch.no_grad():
        for weight in depth.model.parameters():
            weight.mul_(1.1)
    depth.model.save_pretrained(model)  # files of the same names and sizes
    assert not torch.allclose(make_depth(str(model), answers)(frames), before, atol=1e-3)


def test_what_needs_gradients_gets_them_and_is_not_kept(tmp_path: Path) -> None:
    x = torch.ones(2, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(Cached(Counting(), "double", tmp_path)(x).sum(), x)
    torch.testing.assert_close(slope, torch.full((2, 3), 2.0))
    assert not list(tmp_path.iterdir())
