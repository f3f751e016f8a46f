"""Wan's codec, where it is made faster."""

from __future__ import annotations

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanRMS_norm

from policies.pipelines import SAMPLER, build
from worldr1.policies.wan import WanPolicy, _Norm


def test_the_faster_norm_is_diffusers_own() -> None:
    own, ours = WanRMS_norm(6, images=False), _Norm(6, images=False)
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
        assert any(isinstance(m, _Norm) for m in pipeline.vae.modules()) is trim_text
