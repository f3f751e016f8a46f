"""Wan 2.1 and 2.2 as a policy, with the padding of the text computed once instead of 400 times.

2.2 comes with two experts (A14B), or with a codec of 16x16x4 and a time told per token (TI2V-5B).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanRMS_norm
from torch import Tensor, nn

from worldr1.policies.diffusers_policy import Compression, DiffusersPolicy
from worldr1.policies.lora_export import LOW_NOISE_LORA
from worldr1.policies.wan_layers import BiasedCrossAttention, CodecNorm, Embedding, Rotary, SelfAttention

_FPS_5B = 24.0


def trim(states: Sequence[Tensor], full: int) -> tuple[Tensor, Tensor]:
    """A batch of texts ``[1, length_i, width]`` padded no further than needed, and the bias that makes it exact.

    Wan pads every text with zeros to ``full`` tokens and attends to them without a mask. All those keys and values
    are the same, so n of them weigh as much as one whose score is raised by log n; m of them, by log(n/m) each.
    Returns states ``[texts, longest + 1, width]`` and bias ``[texts, longest + 1]`` (−∞ where nothing is padded).
    """
    longest = max(s.shape[1] for s in states) + 1
    out = states[0].new_zeros(len(states), longest, states[0].shape[2])
    bias = torch.zeros(len(states), longest)
    for i, one in enumerate(states):
        length = one.shape[1]
        out[i, :length] = one[0]
        bias[i, length:] = torch.log(torch.tensor((full - length) / (longest - length)))
    return out, bias


class WanPolicy(DiffusersPolicy):
    """A `WanPipeline`. Its own multistep solver is deterministic; here its noise levels are followed by Euler steps."""

    native_fps: ClassVar[float] = 16.0
    text_length: ClassVar[int] = 512
    joint_guidance: bool = False

    def __init__(self, pipeline: Any, *args: Any, trim_text: bool = True, **options: Any) -> None:
        self.trim_text = trim_text  # False is the pipeline to the bit, True the same up to rounding, and faster
        super().__init__(pipeline, *args, **options)
        # on a CPU a small network's calls cost as much as its arithmetic; elsewhere the memory counts for more
        self.joint_guidance = trim_text and self.device.type == "cpu"
        if pipeline.config.expand_timesteps and options.get("fps") is None:
            self.fps = _FPS_5B
        for part in self.transformers() if trim_text else ():
            part.condition_embedder.__class__ = Embedding  # its weights and their names stay
            part.rope.__class__ = Rotary
            for block in part.blocks:
                block.attn1.set_processor(SelfAttention())
                block.attn2.set_processor(BiasedCrossAttention())
        for module in pipeline.vae.modules() if trim_text else ():
            if type(module) is WanRMS_norm:
                module.__class__ = CodecNorm

    @staticmethod
    def compression(pipeline: Any) -> Compression:
        pixels = pipeline.vae_scale_factor_spatial
        patch = pipeline.transformer.config.patch_size[1]
        return Compression(pipeline.vae_scale_factor_temporal, pixels, pixels * patch)

    def schedule(self) -> tuple[list[float], Tensor]:
        scheduler = type(self.pipeline.scheduler).from_config(self.pipeline.scheduler.config)
        scheduler.set_timesteps(self.sampler.steps)
        return scheduler.sigmas.tolist(), scheduler.timesteps

    # --- the two experts of 2.2 ----------------------------------------------------------------------------

    def expert(self, step: int) -> Any:
        """The transformer of a step: above the boundary noise level the first, below it the second."""
        boundary = self.pipeline.config.boundary_ratio
        if boundary is None or self.timesteps[step] >= boundary * self.pipeline.scheduler.config.num_train_timesteps:
            return self.pipeline.transformer
        return self.pipeline.transformer_2

    def transformers(self) -> list[Any]:
        return [t for t in (self.pipeline.transformer, self.pipeline.transformer_2) if t is not None]

    def adapted(self) -> list[Any]:
        """The experts that drawn steps can reach: another one would get a LoRA that never learns."""
        return list(dict.fromkeys(self.expert(i) for i in range(self.sampler.window_end)))

    def save(self, directory: str) -> None:
        """Write the LoRA in diffusers' format, the low-noise expert's in a file of its own."""
        for part in self.adapted():
            if part is self.pipeline.transformer:
                self.save_adapter(part, directory)
            else:
                self.save_adapter(part, directory, weight_name=LOW_NOISE_LORA)

    def load(self, directory: str) -> None:
        """Attach the LoRA of `save`; raises ``OSError`` when there is none, ``ValueError`` for one expert too many."""
        has_second = (Path(directory) / LOW_NOISE_LORA).is_file()
        if has_second and self.pipeline.transformer_2 is None:
            raise ValueError(f"the LoRA in {directory} is for Wan 2.2's two experts; this model has one transformer")
        super().load(directory)
        if has_second:
            self.pipeline.load_lora_weights(directory, weight_name=LOW_NOISE_LORA, load_into_transformer_2=True)

    # --- text, velocity, decoding --------------------------------------------------------------------------

    def embed_one(self, text: str) -> tuple[Tensor, ...]:
        states, _ = self.pipeline.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=self.text_length, device=self.device
        )
        return (states[:, : int(states.ne(0).any(-1).sum())],)

    def collate(self, texts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        states = [t[0] for t in texts]
        if self.trim_text:
            return trim(states, self.text_length)
        return (torch.cat([nn.functional.pad(s, (0, 0, 0, self.text_length - s.shape[1])) for s in states]),)

    def stack(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """As one batch: the shorter texts are filled up with states that a bias of −∞ hides."""
        longest = max(first[0].shape[1], second[0].shape[1])

        def filled(part: Tensor, value: float) -> Tensor:
            missing = (0, 0) * (part.ndim - 2) + (0, longest - part.shape[1])
            return nn.functional.pad(part, missing, value=value)

        parts = [(filled(t[0], 0.0), *(filled(bias, -torch.inf) for bias in t[1:])) for t in (first, second)]
        return super().stack(*parts)

    def predict(self, x: Tensor, step: int, *text: Tensor) -> Tensor:
        transformer = self.expert(step)
        timestep = self.timesteps[step].to(x.device).expand(len(x))
        if self.pipeline.config.expand_timesteps:  # the 5B model of 2.2 is told a time per token
            patch = transformer.config.patch_size[1]
            timestep = timestep[:, None].expand(-1, self.shape[0] * (self.shape[1] // patch) * (self.shape[2] // patch))
        states = text[0].to(transformer.dtype)
        out: Tensor = transformer(
            hidden_states=self.unpack(x).to(transformer.dtype),
            timestep=timestep,
            encoder_hidden_states=(states, text[1]) if self.trim_text else states,
            return_dict=False,
        )[0]
        return self.pack(out.float())

    def decode_latents(self, latents: Tensor) -> Tensor:
        vae = self.pipeline.vae
        latents = latents.to(vae.dtype)
        mean, std = (
            torch.tensor(s).view(1, -1, 1, 1, 1).to(latents) for s in (vae.config.latents_mean, vae.config.latents_std)
        )
        # divided by the inverse, as the pipeline does: the product differs in the last bit
        video: Tensor = vae.decode(latents / (1.0 / std) + mean, return_dict=False)[0]
        return video
