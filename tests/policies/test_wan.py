"""Wan, where it is made faster."""

from __future__ import annotations

from dataclasses import replace

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanRMS_norm
from diffusers.models.transformers.transformer_wan import WanRotaryPosEmbed

from policies.pipelines import SAMPLER, TEXTS, build
from worldr1.policies.wan import WanPolicy
from worldr1.policies.wan_layers import CodecNorm, Rotary, rotate


def test_the_faster_norm_is_diffusers_own() -> None:
    own, ours = WanRMS_norm(6, images=False), CodecNorm(6, images=False)
    x = torch.randn(2, 6, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    x[:, :, 1] = 0  # frames that padding makes are all zero
    gradients = []
    for norm in (own, ours):
        leaf = x.clone().requires_grad_()
        out = norm(leaf)
        torch.testing.assert_close(out, own(x), rtol=1e-5, atol=1e-6)
        out.square().sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-4)
    half = x.bfloat16()
    assert torch.equal(ours(half), own(half))


def test_only_a_policy_that_need_not_be_the_pipeline_to_the_bit_has_it() -> None:
    for trim_text in (False, True):
        pipeline = build("wan")
        WanPolicy(pipeline, SAMPLER, num_frames=5, height=32, width=32, trim_text=trim_text)
        assert any(isinstance(m, CodecNorm) for m in pipeline.vae.modules()) is trim_text


def test_rotations_are_diffusers_own() -> None:
    """Also where they are not complex numbers, and for another shape than the first."""
    own, ours = (kind(12, (1, 2, 2), 32) for kind in (WanRotaryPosEmbed, Rotary))
    for shape in ((2, 8, 3, 4, 8), (2, 8, 2, 4, 4)):
        cos, sin = own(torch.zeros(shape))
        for found, true in zip(ours(torch.zeros(shape, dtype=torch.bfloat16)), (cos, sin), strict=True):
            assert torch.equal(found, true)
        x = torch.randn(2, cos.shape[1], 3, 12, generator=torch.Generator().manual_seed(0))
        a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
        c, s = cos[..., ::2], sin[..., 1::2]
        turned = torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)
        torch.testing.assert_close(rotate(x, ours(torch.zeros(shape))), turned, atol=1e-6, rtol=0)


def test_guidance_in_one_batch_is_guidance_in_two() -> None:
    """The empty text is shorter than the others."""
    velocities = []
    for together in (True, False):
        model = WanPolicy(build("wan"), replace(SAMPLER, guidance=4.0), num_frames=5, height=32, width=32, batch=2)
        assert model.joint_guidance
        model.joint_guidance = together
        x = model.draw([torch.Generator().manual_seed(s) for s in (0, 1)])
        with torch.no_grad():
            velocities.append(model.velocity(x, 1, *model.embed(TEXTS[:2])))
    torch.testing.assert_close(velocities[0], velocities[1], atol=2e-5, rtol=0)
    assert velocities[0].std() > 0.1
