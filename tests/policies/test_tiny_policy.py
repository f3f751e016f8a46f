"""The policy on a random tiny pipeline: drawn steps, replay, adapter, and agreement with diffusers' own sampler."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLLTXVideo
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from toys import SAMPLER, TEXTS, toy_pipeline, toy_policy, toy_prompts
from worldr1.policies import tiny_policy
from worldr1.policies.codec import decode
from worldr1.policies.ltx import LATENT_FPS, pack, unpack
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny_policy import TinyPolicy, load_pipeline
from worldr1.train.rollout import sample
from worldr1.train.selftest import first_ratio_error, z_rms

WINDOW = range(1, 3)


def perturb(policy: TinyPolicy, scale: float = 0.2) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in policy.trainable():
            p.add_(scale * torch.randn(p.shape, generator=generator))


def velocity_at(policy: TinyPolicy, step: int = 1) -> Tensor:
    text, mask = policy.embed(TEXTS)
    tokens = policy.shape[0] * policy.shape[1] * policy.shape[2]
    x = torch.randn(len(TEXTS), tokens, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return policy.velocity(x, step, text, mask)


def test_the_velocity_depends_on_text_and_noise_level() -> None:
    policy = toy_policy()
    text, mask = policy.embed(TEXTS[:2])
    x = torch.randn(1, 12, 8, generator=torch.Generator().manual_seed(2)).expand(2, -1, -1)
    with torch.no_grad():
        a, b = policy.velocity(x, 1, text, mask)
        c = policy.velocity(x, 4, text, mask)[0]
    assert (a - b).abs().max() > 0.01
    assert (a - c).abs().max() > 0.01


def test_drawn_steps_have_unit_noise_and_the_first_ratio_is_one() -> None:
    policy = toy_policy()
    policy.add_lora(4)
    rollouts = sample(policy, toy_prompts(120), range(120), WINDOW).rollouts
    assert z_rms(policy, rollouts) == pytest.approx(1, abs=0.02)
    assert first_ratio_error(policy, rollouts) == 0
    perturb(policy)
    assert first_ratio_error(policy, rollouts) > 1e-4


def test_kept_steps_are_the_window_and_chain() -> None:
    rollout = sample(toy_policy(), toy_prompts(1), [0], WINDOW).rollouts[0]
    first, second = rollout.steps
    assert (first.index, second.index) == (1, 2)
    assert torch.equal(first.after, second.before)
    assert not sample(toy_policy(), toy_prompts(1), [0]).rollouts[0].steps


def test_sampling_is_a_function_of_prompt_and_seed() -> None:
    policy, prompts = toy_policy(), toy_prompts(5)
    together = sample(policy, prompts, [10, 11, 12, 13, 14], WINDOW).rollouts
    again = sample(policy, prompts, [10, 11, 12, 13, 14], WINDOW).rollouts
    assert all(torch.equal(a.clip.video, b.clip.video) for a, b in zip(together, again, strict=True))
    alone = sample(policy, prompts[3:4], [13], WINDOW).rollouts[0]
    torch.testing.assert_close(alone.clip.video, together[3].clip.video, atol=1e-4, rtol=0)
    torch.testing.assert_close(alone.steps[1].after, together[3].steps[1].after, atol=1e-4, rtol=0)
    other = sample(policy, prompts[3:4], [99], WINDOW).rollouts[0]
    assert (alone.clip.video - other.clip.video).abs().max() > 1e-3
    assert together[0].clip.video.shape == (5, 3, 16, 16)


def test_batches_do_not_matter() -> None:
    policy, prompts = toy_policy(), toy_prompts(5)
    whole = sample(policy, prompts, range(5), WINDOW).rollouts
    policy.batch = 2
    for a, b in zip(whole, sample(policy, prompts, range(5), WINDOW).rollouts, strict=True):
        torch.testing.assert_close(a.clip.video, b.clip.video, atol=1e-4, rtol=0)


def test_a_fresh_adapter_changes_nothing_and_the_reference_is_the_base() -> None:
    policy = toy_policy()
    base = velocity_at(policy)
    parameters = policy.add_lora(4)
    assert parameters
    assert torch.equal(velocity_at(policy), base)
    perturb(policy)
    assert (velocity_at(policy) - base).abs().max() > 0.01
    with policy.reference():
        assert torch.equal(velocity_at(policy), base)
    assert (velocity_at(policy) - base).abs().max() > 0.01


def test_the_reference_ends_with_an_error_too() -> None:
    policy = toy_policy()
    policy.add_lora(4)
    perturb(policy)
    trained = velocity_at(policy)
    with pytest.raises(RuntimeError, match="inside"), policy.reference():
        raise RuntimeError("inside")
    assert torch.equal(velocity_at(policy), trained)


def test_the_same_seed_gives_the_same_adapter() -> None:
    a, b = toy_policy().add_lora(4, seed=3), toy_policy().add_lora(4, seed=3)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_saved_adapter_loads_into_plain_diffusers(tmp_path: Path) -> None:
    policy = toy_policy()
    policy.add_lora(4)
    perturb(policy)
    policy.save(str(tmp_path))
    assert (tmp_path / "pytorch_lora_weights.safetensors").is_file()

    plain = toy_pipeline()
    plain.load_lora_weights(str(tmp_path))
    loaded = TinyPolicy(plain, SAMPLER, num_frames=5, size=16)
    torch.testing.assert_close(velocity_at(loaded), velocity_at(policy), atol=1e-6, rtol=0)

    ours = toy_policy()
    ours.load(str(tmp_path))
    torch.testing.assert_close(velocity_at(ours), velocity_at(policy), atol=1e-6, rtol=0)
    assert (velocity_at(ours) - velocity_at(toy_policy())).abs().max() > 0.01


def test_the_ode_is_diffusers_own_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = toy_policy(size=32)
    ours: list[Tensor] = []

    def record(codec: AutoencoderKLLTXVideo, latents: Tensor) -> Tensor:
        ours.append(pack(latents))
        return decode(codec, latents)

    monkeypatch.setattr(tiny_policy, "decode", record)
    sample(policy, toy_prompts(2), [4, 5])
    noise = torch.stack([torch.randn(48, 8, generator=torch.Generator().manual_seed(s)) for s in (4, 5)])
    text, mask, _, _ = policy.pipeline.encode_prompt(
        list(TEXTS[:2]), do_classifier_free_guidance=False, max_sequence_length=24
    )
    with torch.autocast("cpu", dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        latents = policy.pipeline(
            prompt_embeds=text,
            prompt_attention_mask=mask,
            height=32,
            width=32,
            num_frames=5,
            frame_rate=LATENT_FPS,
            num_inference_steps=SAMPLER.steps,
            guidance_scale=1.0,
            latents=noise,
            output_type="latent",
        ).frames
    assert (latents - noise).abs().max() > 0.1
    torch.testing.assert_close(ours[0], latents, atol=1e-4, rtol=0)


def test_guidance_one_is_the_conditional_velocity_and_more_goes_further() -> None:
    pipeline = toy_pipeline()

    def at(guidance: float) -> Tensor:
        sampler = SamplerConfig(steps=6, window=2, window_end=4, guidance=guidance)
        return velocity_at(TinyPolicy(pipeline, sampler, num_frames=5, size=16))

    one, two, three = at(1.0), at(2.0), at(3.0)
    assert (two - one).abs().max() > 1e-3
    torch.testing.assert_close(three - two, two - one, atol=0.03, rtol=0)


def test_pack_and_unpack_are_inverse() -> None:
    latents = torch.randn(2, 8, 3, 2, 4)
    assert pack(latents).shape == (2, 24, 8)
    assert torch.equal(unpack(pack(latents), (3, 2, 4)), latents)


def test_a_directory_without_a_pipeline_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no LTX pipeline in"):
        load_pipeline(tmp_path)


def test_a_saved_pipeline_loads_with_the_same_velocity(tmp_path: Path) -> None:
    policy = toy_policy()
    policy.pipeline.save_pretrained(tmp_path)
    loaded = TinyPolicy(load_pipeline(tmp_path), SAMPLER, num_frames=5, size=16)
    torch.testing.assert_close(velocity_at(loaded), velocity_at(policy), atol=1e-6, rtol=0)
