"""Rollouts for training: what is drawn, what is kept for the update, and the drawn steps under present weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worldr1.policies.codec import to_video
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.sde import Drawn, follow, log_prob, mean_std
from worldr1.types import Clip, Prompt, Rollout, Step

Ready = Callable[[Sequence[Rollout]], None]
InitialNoise = Callable[[Prompt, torch.Generator], Tensor]  # → [tokens, channels], each entry N(0, 1)


@dataclass(frozen=True)
class Batch:
    """Rollouts in prompt-major order with the latents that updates need, ``[n, tokens, channels]``."""

    rollouts: tuple[Rollout, ...]
    latents: Tensor  # clean: what was decoded
    kept: Mapping[int, Tensor]  # latents before the steps that the algorithm asked for

    def select(self, indices: Sequence[int]) -> Batch:
        """The batch of some of the samples."""
        index = torch.tensor(list(indices), dtype=torch.long)
        kept = {k: x[index] for k, x in self.kept.items()}
        return Batch(tuple(self.rollouts[i] for i in indices), self.latents[index], kept)

    @property
    def prompts(self) -> list[Prompt]:
        return [r.prompt for r in self.rollouts]


def decode_with_gradients(policy: DiffusersPolicy, latents: Tensor) -> Tensor:
    """Videos ``[n, frames, 3, h, w]`` in [0, 1] of clean latents; gradients flow, unlike in `decode`."""
    return to_video(policy.decode_latents(policy.unpack(latents.to(policy.device)))).to(latents.device)


def sample(
    policy: DiffusersPolicy,
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    window: range = range(0),
    draw_seeds: Sequence[int] | None = None,
    *,
    keep: Collection[int] = (),
    initial: InitialNoise | None = None,
    ready: Ready = lambda _part: None,
) -> Batch:
    """One rollout per prompt; the steps in ``window`` are drawn and kept, the others follow the ODE.

    ``seeds`` fix the initial noise, ``draw_seeds`` (by default the following) the noise of the drawn steps. Prompt
    and seeds fix the clip, whatever else is in the batch (up to rounding). ``keep`` names steps whose latent is
    kept, ``initial`` replaces the white initial noise. ``ready`` is given every ``policy.batch`` rollouts as soon as
    they are decoded, while the rest is still to come. Latents are on the CPU.
    """
    draw_seeds = [s + 1 for s in seeds] if draw_seeds is None else draw_seeds
    policy.prepare([p.text for p in prompts])
    parts = []
    for i in range(0, len(prompts), policy.batch):
        part = slice(i, i + policy.batch)
        parts.append(_sample(policy, prompts[part], seeds[part], window, draw_seeds[part], keep, initial))
        ready(parts[-1].rollouts)
    kept = {k: torch.cat([p.kept[k] for p in parts]) for k in keep}
    return Batch(tuple(r for p in parts for r in p.rollouts), torch.cat([p.latents for p in parts]), kept)


@torch.no_grad()
def _sample(
    policy: DiffusersPolicy,
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    window: range,
    draw_seeds: Sequence[int],
    keep: Collection[int],
    initial: InitialNoise | None,
) -> Batch:
    starts, draws = ([torch.Generator().manual_seed(s) for s in some] for some in (seeds, draw_seeds))
    if initial is None:
        x = policy.draw(starts)
    else:
        x = torch.stack([initial(p, g) for p, g in zip(prompts, starts, strict=True)])
    text = policy.embed([p.text for p in prompts])
    drawn: list[Drawn] = []
    kept: dict[int, Tensor] = {}
    if window or keep:
        # the drawn steps are computed on the CPU, where `replay` computes the same again
        latents, drawn, kept = follow(
            lambda x, i: policy.velocity(x.to(policy.device), i, *text).cpu(),
            x,
            policy.sigmas,
            policy.sampler,
            window,
            lambda: policy.draw(draws),
            keep,
        )
    else:
        latents = policy.denoise(x, *text)
    video = policy.decode(latents.to(policy.device))
    rollouts = [
        Rollout(
            prompt,
            Clip(video[k], policy.fps),
            tuple(Step(d.index, d.before[k], d.after[k], d.mean[k], d.std, float(d.log_prob[k])) for d in drawn),
            policy.version,
        )
        for k, prompt in enumerate(prompts)
    ]
    return Batch(tuple(rollouts), latents, kept)


def replay(policy: DiffusersPolicy, rollouts: Sequence[Rollout], step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Velocity, mean and log-probability under the present weights of kept step number ``step``.

    Shapes ``[n, tokens, channels]`` twice and ``[n]``; gradients flow.
    """
    steps = [r.steps[step] for r in rollouts]
    before, after = torch.stack([s.before for s in steps]), torch.stack([s.after for s in steps])
    v = velocity(policy, [r.prompt for r in rollouts], before, steps[0].index)
    mean, std = mean_std(policy.sampler, before, v, *policy.sigmas[steps[0].index : steps[0].index + 2])
    return v, mean, log_prob(after, mean, std)


def velocity(policy: DiffusersPolicy, prompts: Sequence[Prompt], x: Tensor, step: int) -> Tensor:
    """The policy's velocity ``[n, tokens, channels]`` at latents ``x`` of a step of the schedule; gradients flow."""
    text = policy.embed([p.text for p in prompts])
    return policy.velocity(x.to(policy.device), step, *text).cpu()
