"""CogVideoX as a policy: a variance-preserving model that predicts v, seen as the flow it is.

Its latents are y_t = a x₀ + b ε with a² + b² = 1. Divided by a + b they are x_σ = (1−σ)x₀ + σε with σ = b/(a+b), the
project's convention. From its prediction u = aε − b x₀ follow x₀ = a y − b u and ε = b y + a u, hence the velocity
ε − x₀ = (b−a) y + (a+b) u. A DDIM step keeps x₀ and ε and changes a and b, so here it is an Euler step up to rounding,
and the drawn steps of `sde` apply as they are. Where none is drawn, the scheduler's own arithmetic is used.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import CogVideoXDDIMScheduler
from torch import Tensor

from worldr1.policies.diffusers_policy import Compression, DiffusersPolicy


class CogVideoXPolicy(DiffusersPolicy):
    """A `CogVideoXPipeline` (1.0 or 1.5). Text takes part in the joint attention unmasked, padding too: no trimming."""

    native_fps: ClassVar[float] = 8.0
    text_length: ClassVar[int] = 226

    @staticmethod
    def compression(pipeline: Any) -> Compression:
        pixels = pipeline.vae_scale_factor_spatial
        frames = pipeline.vae_scale_factor_temporal
        # the codec tells the first frame apart only where the latent frames are odd
        return Compression(frames, pixels, pixels * pipeline.transformer.config.patch_size, 2 * frames)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        together = self.pipeline.transformer.config.patch_size_t or 1  # latent frames of one token, in 1.5
        self.padding = -self.shape[0] % together
        self.shape = (self.shape[0] + self.padding, *self.shape[1:])

    def _scheduler(self) -> CogVideoXDDIMScheduler:
        config = self.pipeline.scheduler.config
        if config.prediction_type != "v_prediction":
            raise ValueError(f"CogVideoX models that predict {config.prediction_type!r} are not supported, only v")
        scheduler = CogVideoXDDIMScheduler.from_config(config)
        scheduler.set_timesteps(self.sampler.steps)
        return scheduler

    def schedule(self) -> tuple[list[float], Tensor]:
        scheduler = self._scheduler()
        alphas = torch.cat([scheduler.alphas_cumprod[scheduler.timesteps], scheduler.final_alpha_cumprod[None]])
        a, b = alphas.double().sqrt(), (1 - alphas.double()).sqrt()
        return (b / (a + b)).tolist(), scheduler.timesteps

    def latent_shape(self) -> tuple[int, ...]:
        return (self.shape[0], self.latent_channels(), *self.shape[1:])

    def pack(self, latents: Tensor) -> Tensor:
        return super().pack(latents.transpose(1, 2))

    def unpack(self, tokens: Tensor) -> Tensor:
        return super().unpack(tokens).transpose(1, 2)

    def embed_one(self, text: str) -> tuple[Tensor, ...]:
        states, _ = self.pipeline.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=self.text_length, device=self.device
        )
        return (states,)

    def predict(self, x: Tensor, step: int, *text: Tensor) -> Tensor:
        a, b = _coefficients(self.sigmas[step])
        y = x * (a + b)
        return (b - a) * y + (a + b) * self._predict_v(y, step, *text)

    def denoise(self, x: Tensor, *text: Tensor) -> Tensor:
        scheduler = self._scheduler()
        y = x * sum(_coefficients(self.sigmas[0]))
        for i, timestep in enumerate(scheduler.timesteps):
            u = self.evaluate(self._predict_v, y.to(self.device), i, *text).cpu()
            y = scheduler.step(u, timestep, y, return_dict=False)[0]
        return y / sum(_coefficients(self.sigmas[-1]))

    def _predict_v(self, y: Tensor, step: int, *text: Tensor) -> Tensor:
        """The transformer's own prediction u, float32, of tokens in its own coordinates."""
        transformer, rotary = self.pipeline.transformer, None
        if transformer.config.use_rotary_positional_embeddings:
            rotary = self.pipeline._prepare_rotary_positional_embeddings(
                self.height, self.width, self.shape[0], self.device
            )
        u = transformer(
            hidden_states=self.unpack(y).to(transformer.dtype),
            encoder_hidden_states=text[0].to(transformer.dtype),
            timestep=self.timesteps[step].to(y.device).expand(len(y)),
            image_rotary_emb=rotary,
            return_dict=False,
        )[0]
        return self.pack(u.float())

    def decode_latents(self, latents: Tensor) -> Tensor:
        a, b = _coefficients(self.sigmas[-1])
        latents = (latents[:, self.padding :] * (a + b)).to(self.pipeline.vae.dtype)
        video: Tensor = self.pipeline.decode_latents(latents)
        return video


def _coefficients(sigma: float) -> tuple[float, float]:
    """a and b of a flow noise level: (1−σ, σ) brought to unit length."""
    length = (sigma**2 + (1 - sigma) ** 2) ** 0.5
    return (1 - sigma) / length, sigma / length
