"""The flow network for general worlds: its data, its loss, and how good the packaged one is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from worldr1.estimators.registry import make_flow
from worldr1.geometry.camera import pixel_grid, sample
from worldr1.train.fit import FitConfig
from worldr1.train.pretrain.flow_pairs import Pairs, PairsConfig, bent, flawed, pair_scene, render_pairs, rendered
from worldr1.train.pretrain.world_flow import (
    build_world_flow,
    flow_loss,
    measure,
    mirrored,
    train_world_flow,
    weights_of,
)
from worldr1.worlds.families import FAMILIES

FEW = PairsConfig(pairs=12, size=32)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return render_pairs(FEW)


def slide(frames: Tensor, dx: float) -> tuple[Tensor, Tensor]:
    """Pairs ``[n, 2, 3, h, w]`` of pictures ``[n, 3, h, w]`` and them moved right by ``dx`` pixels, with their flow."""
    n, _, h, w = frames.shape
    there = sample(frames, pixel_grid(h, w, frames).expand(n, h, w, 2) - torch.tensor([dx, 0.0]))
    flow = torch.zeros(n, 2, h, w, 2)
    flow[:, 0, ..., 0], flow[:, 1, ..., 0] = dx, -dx
    return torch.stack([frames, there], 1), flow


def smooth(n: int, side: int = 48) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, 3, 10, 10, generator=generator)
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)


def colour_error(frames: Tensor, flow: Tensor) -> float:
    """Mean difference of colours along the flow ahead where it stays in the picture."""
    h, w = frames.shape[-2:]
    landing = pixel_grid(h, w, frames) + flow[:, 0].nan_to_num()
    within = ((landing > 1) & (landing < h - 1)).all(-1) & ~flow[:, 0].isnan().any(-1)
    return float((sample(frames[:, 1], landing) - frames[:, 0]).abs().mean(1)[within].mean())


def test_pairs_come_from_every_family_and_depend_on_their_index_alone(pairs: Pairs) -> None:
    assert {pair_scene(3, i).family for i in range(len(FAMILIES))} == set(FAMILIES)
    assert {pair_scene(3, i).num_frames for i in range(8)} == {2}
    frames, flow, guess = pairs
    assert frames.shape[1:] == (2, 3, 32, 32)
    assert flow.shape == guess.shape == (len(frames), 2, 32, 32, 2)
    alone = rendered(FEW.seed, 5, 6, 32)
    together = rendered(FEW.seed, 4, 7, 32)
    for one, many in zip(alone, together, strict=True):
        assert one[0].nan_to_num().equal(many[1].nan_to_num())


def test_true_flow_leads_to_the_same_colour() -> None:
    frames, flow = rendered(78, 0, 24, 64)
    still = colour_error(frames, torch.zeros_like(flow))
    assert colour_error(frames, flow) < 0.5 * still


def test_a_bent_pair_keeps_its_true_flow() -> None:
    frames, flow = slide(smooth(40), 2.0)
    made, bent_flow = bent(frames, flow, torch.Generator().manual_seed(1))
    changed = (made != frames).flatten(1).any(1)
    assert 5 < changed.sum() < 25  # a third
    assert bent_flow[~changed].equal(flow[~changed])
    assert colour_error(made[changed], bent_flow[changed]) < 0.5 * colour_error(made[changed], flow[changed])
    back = (frames_swapped := made[changed].flip(1)), bent_flow[changed].flip(1)
    assert colour_error(*back) < 0.5 * colour_error(frames_swapped, flow[changed].flip(1))


def test_flaws_spare_some_pairs_and_move_nothing() -> None:
    frames = smooth(16)[:, None].expand(16, 2, 3, 48, 48).contiguous()
    made = flawed(frames, torch.Generator().manual_seed(0))
    assert ((made >= 0) & (made <= 1)).all()
    for picture, truth in zip(made.flatten(1), frames.flatten(1), strict=True):
        assert torch.corrcoef(torch.stack([picture, truth]))[0, 1] > 0.5


def test_mirroring_keeps_flow_true() -> None:
    frames, flow = slide(smooth(4), 2.0)
    seen = []
    for kind in range(8):
        shown, turned = mirrored(frames, flow, kind=kind)
        assert colour_error(shown, turned) == pytest.approx(colour_error(frames, flow), abs=2e-3)
        seen.append(tuple(turned[0, 0, 0, 0].tolist()))
    assert {(abs(x), abs(y)) for x, y in seen} == {(2.0, 0.0), (0.0, 2.0)}
    assert len(set(seen)) == 4


def test_the_loss_asks_for_what_is_seen_and_leaves_out_what_is_unknown() -> None:
    _, flow = slide(smooth(1), 4.0)
    weight, seen = weights_of(flow)
    assert (~seen[0, 0, :, -4:]).all()  # has left the picture
    assert seen[0, 0, :, 4:-5].all()
    assert float(weight[0, 0, 0, -1]) == pytest.approx(0.2)
    perfect = flow_loss([flow, flow], flow)
    wrong = flow.clone()
    wrong[0, 0, :, :8] += 5
    unknown = flow.clone()
    unknown[0, 0, :, :8] = torch.nan
    assert flow_loss([wrong, wrong], flow) > 2 * perfect
    hidden_too = flow_loss([wrong, wrong], unknown)
    assert hidden_too == pytest.approx(float(perfect), rel=0.05)
    assert flow_loss([wrong, flow], flow) < flow_loss([flow, wrong], flow)


def test_untrained_it_keeps_a_smooth_guess() -> None:
    frames, flow = slide(smooth(2), 3.0)
    for answer in build_world_flow()(frames, flow):
        torch.testing.assert_close(answer, flow)


def test_training_lowers_the_error_and_resumes_bit_for_bit(tmp_path: Path, pairs: Pairs) -> None:
    config = FitConfig(4, 4, warmup=1, checkpoint_every=2)

    def run(folder: Path, stop: int | None = None) -> dict[str, Tensor]:
        def progress(step: int, _loss: float) -> None:
            if step == stop:
                raise KeyboardInterrupt

        model = build_world_flow()
        found = train_world_flow(model, pairs, config, folder, progress, 4)
        assert found["mean px"] < 10
        return {name: value.detach() for name, value in model.state_dict().items()}

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a", stop=3)
    resumed, straight = run(tmp_path / "a"), run(tmp_path / "b")
    assert all(resumed[name].equal(straight[name]) for name in straight)
    assert not resumed["enter.weight"].equal(build_world_flow().enter.weight)


def test_measuring_gives_the_guess_its_own_error() -> None:
    found = measure(make_flow("dis_shifted"), 8, 64)
    for name in ("mean px", "median px", "over 1 px"):
        assert found[name] == pytest.approx(found[f"DIS {name}"], rel=0.02)  # kept in half precision


def test_the_number_of_pairs_changes_no_pair(pairs: Pairs) -> None:
    fewer = render_pairs(replace(FEW, pairs=12, measured=1))
    assert all(a.nan_to_num().equal(b.nan_to_num()) for a, b in zip(fewer, pairs, strict=True))
