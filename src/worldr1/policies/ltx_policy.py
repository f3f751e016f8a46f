"""LTX-Video (and the packaged tiny model) as a policy: sample with drawn steps, replay them, train a LoRA."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, LTXPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

from worldr1.policies.codec import decode
from worldr1.policies.ltx import LATENT_FPS, embed_tokens, tokenise, unpack, velocity
from worldr1.policies.sde import SamplerConfig, cps_mean_std, log_prob
from worldr1.types import Clip, Prompt, Rollout, Step

LORA_TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")
PACKAGED = Path(__file__).parent.parent / "weights"


def load_pipeline(model: str | Path, other: Path | None = None) -> LTXPipeline:
    """A pipeline in float32 from a hub id or directory, with transformer and text encoder from ``other`` if given.

    Raises ``ValueError`` when there is no pipeline.
    """
    try:
        pipeline = LTXPipeline.from_pretrained(str(model), dtype=torch.float32)
    except (OSError, KeyError) as error:
        raise ValueError(f"no LTX pipeline in {model}: {error}") from error
    if other is not None:
        for name in ("transformer", "text_encoder"):
            part = getattr(pipeline, name)
            setattr(pipeline, name, type(part).from_pretrained(str(other / name), dtype=torch.float32))
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.transformer):
        part.requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class LTXPolicy:
    """A text-to-video policy over an `LTXPipeline`, trained through a LoRA on its transformer."""

    def __init__(
        self,
        pipeline: LTXPipeline,
        sampler: SamplerConfig,
        *,
        num_frames: int = 9,
        size: int = 32,
        batch: int = 64,
    ) -> None:
        self.pipeline, self.sampler, self.batch = pipeline, sampler, batch
        self.shape = (
            (num_frames - 1) // pipeline.vae_temporal_compression_ratio + 1,
            size // pipeline.vae_spatial_compression_ratio,
            size // pipeline.vae_spatial_compression_ratio,
        )
        self.version = 0
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(pipeline.scheduler.config)
        scheduler.set_timesteps(sigmas=torch.linspace(1, 1 / sampler.steps, sampler.steps).tolist())
        self.sigmas: list[float] = scheduler.sigmas.tolist()

    # --- the adapter ---------------------------------------------------------------------------------------

    def add_lora(self, rank: int = 16, seed: int = 0) -> list[nn.Parameter]:
        """Attach a fresh LoRA (the output starts unchanged) and return its parameters."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            config = LoraConfig(
                r=rank, lora_alpha=2 * rank, target_modules=list(LORA_TARGETS), init_lora_weights="gaussian"
            )
            self.pipeline.transformer.add_adapter(config)
        return self.trainable()

    def trainable(self) -> list[nn.Parameter]:
        return [p for p in self.pipeline.transformer.parameters() if p.requires_grad]

    @contextlib.contextmanager
    def reference(self) -> Iterator[None]:
        """Inside, the policy is the base model: the adapter is off."""
        self.pipeline.transformer.disable_adapters()
        try:
            yield
        finally:
            self.pipeline.transformer.enable_adapters()

    def save(self, directory: str) -> None:
        """Write the LoRA in diffusers' format (``pytorch_lora_weights.safetensors``)."""
        transformer = self.pipeline.transformer
        LTXPipeline.save_lora_weights(
            directory,
            transformer_lora_layers=get_peft_model_state_dict(transformer),
            # without it a reader takes alpha for the rank, and the adapter comes back at half its strength
            transformer_lora_adapter_metadata=transformer.peft_config["default"].to_dict(),
        )

    def load(self, directory: str) -> None:
        """Attach the LoRA of `save`; raises ``OSError`` when there is none."""
        self.pipeline.load_lora_weights(directory)

    # --- sampling and replay -------------------------------------------------------------------------------

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        ids, mask = tokenise(self.pipeline, prompts)
        return embed_tokens(self.pipeline, ids), mask

    def velocity(self, x: Tensor, step: int, text: Tensor, mask: Tensor) -> Tensor:
        """Velocity of tokens ``[n, tokens, channels]`` at a step of the schedule, with guidance where asked for."""
        sigma = torch.full((len(x),), self.sigmas[step])
        if self.sampler.guidance == 1:
            return velocity(self.pipeline, x, sigma, text, mask, self.shape, LATENT_FPS)
        null, null_mask = self.embed([""])
        n = len(x)
        both = velocity(
            self.pipeline,
            x.repeat(2, 1, 1),
            sigma.repeat(2),
            torch.cat([null.expand(n, -1, -1), text]),
            torch.cat([null_mask.expand(n, -1), mask]),
            self.shape,
            LATENT_FPS,
        )
        without, with_text = both.chunk(2)
        return without + self.sampler.guidance * (with_text - without)

    def sample(
        self,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        window: range = range(0),
        draw_seeds: Sequence[int] | None = None,
    ) -> list[Rollout]:
        """One rollout per prompt; the steps in ``window`` are drawn and kept, the others follow the ODE.

        ``seeds`` fix the initial noise, ``draw_seeds`` (by default the same) the noise of the drawn steps. Prompt
        and seeds fix the clip, whatever else is in the batch (up to rounding).
        """
        draw_seeds = [s + 1 for s in seeds] if draw_seeds is None else draw_seeds
        out: list[Rollout] = []
        for i in range(0, len(prompts), self.batch):
            part = slice(i, i + self.batch)
            out += self._sample(prompts[part], seeds[part], window, draw_seeds[part])
        return out

    @torch.no_grad()
    def _sample(
        self, prompts: Sequence[Prompt], seeds: Sequence[int], window: range, draw_seeds: Sequence[int]
    ) -> list[Rollout]:
        text, mask = self.embed([p.text for p in prompts])
        initial, drawn = ([torch.Generator().manual_seed(s) for s in some] for some in (seeds, draw_seeds))
        size = (self.shape[0] * self.shape[1] * self.shape[2], self.pipeline.transformer.config.in_channels)

        def noise(generators: Sequence[torch.Generator]) -> Tensor:
            return torch.stack([torch.randn(size, generator=g) for g in generators])

        x, kept = noise(initial), []
        for i in range(self.sampler.steps):
            v = self.velocity(x, i, text, mask)
            if i in window:
                mean, std = cps_mean_std(x, v, self.sigmas[i], self.sigmas[i + 1], self.sampler.eta)
                after = mean + std * noise(drawn)
                kept.append((i, x, after, mean, std, log_prob(after, mean, std)))
                x = after
            else:
                x = x + (self.sigmas[i + 1] - self.sigmas[i]) * v
        video = decode(self.pipeline.vae, unpack(x, self.shape))
        return [
            Rollout(
                prompt,
                Clip(video[k]),
                tuple(Step(i, a[k], b[k], m[k], s, float(lp[k])) for i, a, b, m, s, lp in kept),
                self.version,
            )
            for k, prompt in enumerate(prompts)
        ]

    def replay(self, rollouts: Sequence[Rollout], step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Velocity, mean and log-probability under the present weights of kept step number ``step``.

        Shapes ``[n, tokens, channels]`` twice and ``[n]``; gradients flow.
        """
        steps = [r.steps[step] for r in rollouts]
        text, mask = self.embed([r.prompt.text for r in rollouts])
        before, after = torch.stack([s.before for s in steps]), torch.stack([s.after for s in steps])
        i = steps[0].index
        v = self.velocity(before, i, text, mask)
        mean, std = cps_mean_std(before, v, self.sigmas[i], self.sigmas[i + 1], self.sampler.eta)
        return v, mean, log_prob(after, mean, std)

    def log_prob(self, rollouts: Sequence[Rollout], step: int) -> Tensor:
        return self.replay(rollouts, step)[2]
