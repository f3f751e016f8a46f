"""Camera-conditioned noise: each frame stays white, and what moves is what the camera moves."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from policies.pipelines import POLICIES, build, policy
from toys import toy_policy
from worldr1.policies.noise import FAR_M, camera_conditioned, camera_noise, carry, coarse_depth, flow_back
from worldr1.types import CameraPath, Prompt
from worldr1.worlds.tiny.motion import camera_path
from worldr1.worlds.tiny.scene import intrinsics

SIZE, SHAPE, CHANNELS = 64, (3, 8, 8), 16


def path(move: str, frames: int = 9, size: int = SIZE, **options: float) -> CameraPath:
    K = torch.from_numpy(intrinsics(48.0, size, size)).expand(frames, 3, 3)
    return CameraPath(torch.from_numpy(camera_path(move, frames, **options)), K)


def draw(move: str, share: float = 1.0, count: int = 60, **options: float) -> Tensor:
    """Samples ``[n, channels, frames', h', w']``."""
    camera = path(move, **options)
    generators = [torch.Generator().manual_seed(k) for k in range(count)]
    return torch.stack([camera_noise(camera, SHAPE, CHANNELS, (SIZE, SIZE), share, g) for g in generators])


@pytest.mark.parametrize("move", ["orbit left", "push in", "pull out", "truck right", "fixed"])
@pytest.mark.parametrize("share", [0.7, 1.0])
def test_every_frame_is_white_noise(move: str, share: float) -> None:
    noise = draw(move, share)
    n = noise[:, :, 0].numel()
    for t in range(SHAPE[0]):
        frame = noise[:, :, t]
        assert abs(float(frame.mean())) < 5 / math.sqrt(n)
        assert abs(float(frame.var()) - 1) < 5 * math.sqrt(2 / n)
        assert abs(float((frame**4).mean()) - 3) < 5 * math.sqrt(96 / n)
        for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 2)):
            product = frame[..., dy:, dx:] * frame[..., : SHAPE[1] - dy, : SHAPE[2] - dx]
            assert abs(float(product.mean())) < 5 / math.sqrt(product.numel())
    per_cell = noise.mean((0, 1))  # nor does any cell differ from the others
    assert float(per_cell.abs().max()) < 5.5 / math.sqrt(60 * CHANNELS)


def correlation(noise: Tensor, a: int = 0, b: int = 1) -> float:
    return float((noise[:, :, a] * noise[:, :, b]).mean())


def test_noise_follows_the_camera() -> None:
    still, slow, fast = draw("fixed"), draw("truck right", magnitude=0.25), draw("truck right")
    assert torch.equal(still[:, :, 0], still[:, :, 2])
    assert 0.3 < correlation(slow) < 0.9
    # of a faster move the cell beside tells, on the side that the picture comes from, and the other side does not
    there, elsewhere = fast[:, :, 1, 4:, :-1] * fast[:, :, 0, 4:, 1:], fast[:, :, 1, 4:, 1:] * fast[:, :, 0, 4:, :-1]
    assert float(there.mean()) > 0.2
    assert abs(float(elsewhere.mean())) < 0.03
    assert correlation(draw("fixed", share=0.5)) == pytest.approx(0.25, abs=0.03)
    assert abs(correlation(draw("fixed", share=0.0))) < 0.03


def test_carried_noise_lands_where_the_flow_says() -> None:
    generator = torch.Generator().manual_seed(0)
    noise, fresh = torch.randn(2, 2, 5, 6, generator=generator)
    y, x = torch.meshgrid(torch.arange(5) + 0.5, torch.arange(6) + 0.5, indexing="ij")
    out = carry(noise, torch.stack([x + 2, y - 1], dim=-1), fresh)
    assert torch.equal(out[:, 1:, :4], noise[:, :4, 2:])
    assert torch.equal(out[:, 0], fresh[:, 0])
    assert torch.equal(out[:, :, 4:], fresh[:, :, 4:])


def test_no_value_is_used_twice_where_the_flow_contracts() -> None:
    noise = torch.arange(1.0, 37.0).view(1, 6, 6)
    y, x = torch.meshgrid(torch.arange(6) + 0.5, torch.arange(6) + 0.5, indexing="ij")
    out = carry(noise, torch.stack([0.4 * x, 0.4 * y], dim=-1), -noise)
    kept = out[out > 0]
    assert len(kept) > 4
    assert len(kept.unique()) == len(kept)


def test_the_coarse_depth_is_a_ground_before_a_backdrop() -> None:
    camera = path("fixed", 2)
    depth = coarse_depth(camera.c2w, camera.K, SIZE, SIZE)[0]
    assert depth[0].eq(FAR_M).all()  # above the horizon
    assert depth[-1].max() < 3
    assert (depth.diff(dim=0) <= 1e-5).all()  # nearer towards the bottom
    middle = depth[-1, SIZE // 2 - 1 : SIZE // 2 + 1].mean()
    ray = torch.tensor([0.0, (SIZE - 0.5 - SIZE / 2) / camera.K[0, 1, 1], 1.0])
    point = camera.c2w[0, :3, :3] @ ray * middle + camera.c2w[0, :3, 3]
    assert abs(float(point[2])) < 0.02
    nowhere = torch.eye(4)[None]
    assert coarse_depth(nowhere, camera.K[:1], 8, 8).eq(FAR_M).all()


def test_the_flow_goes_back_to_where_the_camera_saw_it() -> None:
    camera = path("truck right", 2, magnitude=0.2)
    source = flow_back(camera, 1, 0, SIZE, SIZE)
    x = torch.arange(SIZE) + 0.5
    assert (source[..., 0] > x).all()  # the camera went right, so things were further right before
    shift = source[..., 0] - x
    assert shift[-1].mean() > 1.5 * shift[0].mean()  # the near ground more than the backdrop


def test_a_prompt_without_a_camera_gets_the_policys_own_noise() -> None:
    policy = toy_policy()
    initial = camera_conditioned(policy, 0.9)
    plain = initial(Prompt("a red box"), torch.Generator().manual_seed(3))
    assert torch.equal(plain, policy.draw([torch.Generator().manual_seed(3)])[0])
    moved = initial(Prompt("a red box", path("fixed", 5, 16)), torch.Generator().manual_seed(3))
    assert moved.shape == plain.shape
    frames = moved.view(policy.shape[0], -1)
    assert float((frames[0] * frames[1]).mean()) > 0.4


@pytest.mark.parametrize("kind", [*sorted(POLICIES), "cogvideox-1.5"])
def test_every_models_latents_follow_the_camera(kind: str) -> None:
    """Whatever a latent cell stands for; CogVideoX 1.5 makes a latent frame before the clip, which rests."""
    model = policy("cogvideox", build("cogvideox", patch_size_t=2)) if kind == "cogvideox-1.5" else policy(kind)
    K = torch.from_numpy(intrinsics(48.0, model.height, model.width)).expand(model.num_frames, 3, 3)

    def draw_latents(move: str, share: float) -> Tensor:
        """``[n, frames', channels, h', w']``."""
        prompt = Prompt("x", CameraPath(torch.from_numpy(camera_path(move, model.num_frames)), K))
        initial = camera_conditioned(model, share)
        tokens = torch.stack([initial(prompt, torch.Generator().manual_seed(k)) for k in range(40)])
        assert tokens.shape[1:] == model.draw([torch.Generator()]).shape[1:]
        latents = model.unpack(tokens)
        return latents if kind.startswith("cogvideox") else latents.transpose(1, 2)

    noise = draw_latents("truck right", 1.0)
    for frame in noise.unbind(1):
        assert abs(float(frame.mean())) < 5 / math.sqrt(frame.numel())
        assert abs(float(frame.var()) - 1) < 5 * math.sqrt(2 / frame.numel())
        beside = frame[..., 1:] * frame[..., :-1]
        assert abs(float(beside.mean())) < 5 / math.sqrt(beside.numel())
    own = noise[:, model.padding :]
    assert own.shape[1] == (model.num_frames - 1) // model.compression(model.pipeline).frames + 1
    assert all(torch.equal(frame, own[:, 0]) for frame in noise[:, : model.padding].unbind(1))
    assert not torch.equal(own[:, 0], own[:, 1])
    still = draw_latents("fixed", 1.0)
    assert all(torch.equal(frame, still[:, 0]) for frame in still.unbind(1))
    assert abs(float((still[:, 0] * draw_latents("fixed", 0.0)[:, 1]).mean())) < 0.05
