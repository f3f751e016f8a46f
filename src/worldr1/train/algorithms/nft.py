"""DiffusionNFT: reinforcement on the forward process, from clean samples of any sampler."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from worldr1.train.algorithms.base import Algorithm, Loss, Part, Update, forward_noise
from worldr1.train.rollout import velocity


def optimality(advantage: Tensor, largest: float) -> Tensor:
    """r = clip(½ + A / 2A_max, 0, 1): how much a sample belongs to what is wanted."""
    return (0.5 + advantage / (2 * largest)).clamp(0, 1)


def nft_loss(v: Tensor, v_old: Tensor, target: Tensor, r: Tensor, beta: float, *, normalise: bool = True) -> Tensor:
    """E [r‖v⁺ − v*‖²/w⁺ + (1−r)‖v⁻ − v*‖²/w⁻], v⁺ = (1−β)v_old + βv_θ, v⁻ = (1+β)v_old − βv_θ.

    Velocities and the flow-matching target v* = ε − x₀ ``[n, tokens, channels]``, ``r`` ``[n]``. Good samples pull
    the policy towards themselves, bad ones pull its mirror image about the old policy. w = mean |v^± − v*| of each
    sample, held constant in the gradient, is the paper's self-normalisation; 1 without ``normalise``. Zheng et al.
    2025 (arXiv:2509.16117).
    """
    losses = []
    for sign in (1.0, -1.0):
        difference = (1 - sign * beta) * v_old + sign * beta * v - target
        scale = difference.detach().abs().mean((1, 2)).clamp(min=1e-5) if normalise else 1.0
        losses.append(difference.square().mean((1, 2)) / scale)
    return (r * losses[0] + (1 - r) * losses[1]).mean()


@dataclass(frozen=True)
class NFT(Algorithm):
    """Diffusion negative-aware fine-tuning; sampling follows the ODE."""

    name: str = field(default="nft", init=False)
    beta: float = 0.5  # how far v⁺ and v⁻ lie from the old policy; a smaller one makes larger updates
    largest: float = 3.0  # advantage that counts as wholly wanted; they are clipped there
    times: int = 4  # noise levels per update: a few samples' own noise drowns what they teach

    def parts(self, update: Update) -> list[Part]:
        policy, batch = update.policy, update.batch
        r = optimality(update.advantage, self.largest)
        # the first evaluation precedes the first step of the optimiser: its weights are those that sampled
        old: dict[int, Tensor] = {}

        def part(step: int, noise: Tensor, x: Tensor) -> Loss:
            v_reference = update.reference_velocity(batch.prompts, x, step)
            v = velocity(policy, batch.prompts, x, step)
            v_old = old.setdefault(step, v.detach())
            kl = (v - v_reference).square().mean()
            # 1/β keeps the size of the gradient at v_θ = v_old, whatever β
            loss = nft_loss(v, v_old, noise - batch.latents, r, self.beta) / self.beta
            moved = float((v.detach() - v_old).square().mean())
            return Loss(loss + update.kl_weight * kl, {"kl": float(kl.detach()), "moved": moved})

        return [lambda a=drawn: part(*a) for drawn in forward_noise(update, self.times)]  # type: ignore[misc]
