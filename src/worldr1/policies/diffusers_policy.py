"""What the diffusers text-to-video models share as policies: prompts embedded once, velocities, decoding, LoRA.

A model's own file says how it embeds, what its noise levels are, what its transformer predicts and how it decodes.
`train.rollout` samples them, and computes their drawn steps again.
Whatever layout a model keeps its latents in, policies exchange them as float32 tokens ``[n, frames'*h'*w', channels]``
on the CPU, one token per latent cell; only the model lives on its device.
"""

from __future__ import annotations

import abc
import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from worldr1.policies.codec import to_video
from worldr1.policies.lora_export import LORA_FILE, check_fits
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.text_cache import TextCache, fingerprint

_DECODED_AT_ONCE = 2**20  # values of videos
Network = Callable[..., Tensor]  # (tokens, step, *text) → tokens


@dataclass(frozen=True)
class Compression:
    """How many frames and pixels one latent cell stands for."""

    frames: int
    pixels: int
    multiple: int  # height and width must be multiples of it: a latent cell's pixels times the transformer's patch
    frames_multiple: int = 0  # frames but the first must be a multiple of it, where that is not ``frames``


@dataclass(frozen=True)
class Memory:
    """Time for memory. Only ``tiling`` changes a result beyond rounding: seams between tiles are blended."""

    checkpoint: bool = False  # keep block inputs only, and compute the blocks again in the backward pass
    replay_batch: int | None = None  # rollouts that the update holds activations of at once; None: all
    offload: bool = False  # text encoder and codec are on the device only while they work
    tiling: bool = False  # decode in overlapping tiles


class DiffusersPolicy(abc.ABC):
    """A text-to-video policy over a diffusers pipeline, trained through a LoRA on its transformer."""

    lora_targets: ClassVar[tuple[str, ...]] = ("to_q", "to_k", "to_v", "to_out.0")
    native_fps: ClassVar[float]
    text_length: ClassVar[int]  # tokens; longer prompts are cut
    padding: int = 0  # latent frames before the clip's own, which are made and thrown away
    joint_guidance: bool = True  # both terms of the guidance in one batch, as the model's own pipeline does

    def __init__(
        self,
        pipeline: Any,
        sampler: SamplerConfig,
        *,
        num_frames: int,
        height: int,
        width: int,
        fps: float | None = None,
        batch: int = 1,
        device: str | torch.device = "cpu",
        memory: Memory | None = None,
        text_cache: Path | None = None,
    ) -> None:
        self.pipeline, self.sampler, self.batch = pipeline, sampler, batch
        self.fps = self.native_fps if fps is None else fps
        self.device, self.memory = torch.device(device), memory or Memory()
        self.num_frames, self.height, self.width = num_frames, height, width
        size = self.compression(pipeline)
        check_shape(size, num_frames, height, width)
        self.shape = ((num_frames - 1) // size.frames + 1, height // size.pixels, width // size.pixels)
        self.version = 0
        self.least_rows = 0  # samples that `velocity` evaluates at least: processes that share weights must agree
        self.sigmas, self.timesteps = self.schedule()
        for part in self.transformers():
            part.to(self.device)
            if self.memory.checkpoint:
                part.enable_gradient_checkpointing()
        if self.memory.tiling:
            pipeline.vae.enable_tiling()
        self._texts = TextCache(text_cache, fingerprint(pipeline, self.text_length) if text_cache else "")

    # --- what a model's file says --------------------------------------------------------------------------

    @staticmethod
    @abc.abstractmethod
    def compression(pipeline: Any) -> Compression: ...

    @abc.abstractmethod
    def schedule(self) -> tuple[list[float], Tensor]:
        """σ of every step and, last, of the result; and the ``timesteps`` ``[steps]`` the transformer is told."""

    @abc.abstractmethod
    def embed_one(self, text: str) -> tuple[Tensor, ...]:
        """The states of one prompt, each ``[1, ...]``; the encoder is on the device."""

    @abc.abstractmethod
    def predict(self, x: Tensor, step: int, *text: Tensor) -> Tensor:
        """Velocity ε − x₀, float32, of tokens ``x`` at a step of the schedule; no guidance, all on the device."""

    @abc.abstractmethod
    def decode_latents(self, latents: Tensor) -> Tensor:
        """Latents in the model's layout to ``[n, 3, frames, h, w]`` in [-1, 1]."""

    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one clip's latent in the model's own layout."""
        return (self.latent_channels(), *self.shape)

    def latent_channels(self) -> int:
        channels: int = self.pipeline.transformer.config.in_channels
        return channels

    def pack(self, latents: Tensor) -> Tensor:
        """The model's layout (here ``[n, channels, frames', h', w']``) to tokens."""
        return latents.flatten(2).transpose(1, 2).contiguous()

    def unpack(self, tokens: Tensor) -> Tensor:
        """Inverse of `pack`."""
        latents: Tensor = tokens.transpose(1, 2).unflatten(2, self.shape)
        return latents

    def collate(self, texts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """The states of single prompts as one batch."""
        return tuple(torch.cat(parts) for parts in zip(*texts, strict=True))

    def stack(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Two results of `collate` as one batch."""
        return tuple(torch.cat(pair) for pair in zip(first, second, strict=True))

    def transformers(self) -> list[Any]:
        """Every network that predicts velocities."""
        return [self.pipeline.transformer]

    def adapted(self) -> list[Any]:
        """Those of them that a LoRA goes on."""
        return [self.pipeline.transformer]

    # --- the adapter ---------------------------------------------------------------------------------------

    def add_lora(self, rank: int = 16, seed: int = 0) -> list[nn.Parameter]:
        """Attach a fresh LoRA (the output starts unchanged; alpha is twice the rank) and return its parameters.

        They are float32 whatever the base's type: updates of 1e-4 would be lost in bfloat16.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for part in self.adapted():
                part.add_adapter(
                    LoraConfig(
                        r=rank,
                        lora_alpha=2 * rank,
                        target_modules=list(self.lora_targets),
                        init_lora_weights="gaussian",
                    )
                )
        for parameter in self.trainable():
            parameter.data = parameter.data.float()
        return self.trainable()

    def trainable(self) -> list[nn.Parameter]:
        return [p for part in self.adapted() for p in part.parameters() if p.requires_grad]

    @contextlib.contextmanager
    def reference(self) -> Iterator[None]:
        """Inside, the policy is the base model: the adapter is off."""
        for part in self.adapted():
            part.disable_adapters()
        try:
            yield
        finally:
            for part in self.adapted():
                part.enable_adapters()

    def save(self, directory: str) -> None:
        """Write the LoRA in diffusers' format (``pytorch_lora_weights.safetensors``)."""
        self.save_adapter(self.pipeline.transformer, directory)

    def save_adapter(self, transformer: Any, directory: str, **options: Any) -> None:
        settings = transformer.peft_config["default"].to_dict()
        settings["target_modules"] = sorted(settings["target_modules"])  # a set's order differs between processes
        self.pipeline.save_lora_weights(
            directory,
            transformer_lora_layers=get_peft_model_state_dict(transformer),
            # without it a reader takes alpha for the rank, and the adapter comes back at half its strength
            transformer_lora_adapter_metadata=settings,
            **options,
        )

    def load(self, directory: str) -> None:
        """Attach the LoRA of `save`; raises ``OSError`` when there is none, ``ValueError`` for another model's."""
        check_fits(Path(directory) / LORA_FILE, self.pipeline.transformer)
        self.pipeline.load_lora_weights(directory)

    def fuse(self) -> None:
        """Add the LoRA into the weights: from then on a video costs what the base's does, and nothing can be trained.

        The sum is rounded to the weights' type, so that in bfloat16 a clip differs a little from the unfused one's.
        """
        parts = {n: getattr(self.pipeline, n, None) for n in ("transformer", "transformer_2")}
        self.pipeline.fuse_lora(components=[n for n, p in parts.items() if getattr(p, "peft_config", None)])
        self.pipeline.unload_lora_weights()

    # --- text ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def prepare(self, texts: Sequence[str]) -> None:
        """Embed prompts ahead, each alone so that no prompt's states depend on another's; done once per prompt."""
        missing = [t for t in dict.fromkeys(texts) if t not in self._texts]
        if missing:
            with self._at_work(self.text_encoders()):
                for text in missing:
                    self._texts[text] = tuple(t.cpu() for t in self.embed_one(text))

    def text_encoders(self) -> list[nn.Module]:
        return [self.pipeline.text_encoder]

    def embed(self, texts: Sequence[str]) -> tuple[Tensor, ...]:
        """The text states of a batch, on the device: what `velocity` takes after the step."""
        self.prepare(texts)
        return tuple(t.to(self.device) for t in self.collate([self._texts[t] for t in texts]))

    @contextlib.contextmanager
    def _at_work(self, modules: Sequence[nn.Module]) -> Iterator[None]:
        for module in modules:
            module.to(self.device)
        try:
            yield
        finally:
            if self.memory.offload:
                for module in modules:
                    module.to("cpu")

    # --- velocity and decoding ------------------------------------------------------------------------------

    def velocity(self, x: Tensor, step: int, *text: Tensor) -> Tensor:
        """Velocity of tokens ``[n, tokens, channels]`` at a step of the schedule, with guidance where asked for."""
        return self.evaluate(self.predict, x, step, *text)

    def evaluate(self, network: Network, x: Tensor, step: int, *text: Tensor) -> Tensor:
        """What ``network`` (`predict`, or a like of it) says of tokens ``[n, tokens, channels]``, with guidance.

        With gradients and `Memory.replay_batch`, parts of the batch are computed again one by one in the backward
        pass, so that memory does not grow with the batch.
        """
        if missing := max(0, self.least_rows - len(x)):  # repeats of the last sample, whose results are dropped
            filled = [torch.cat([t, t[-1:].expand(missing, *t.shape[1:])]) for t in (x, *text)]
            return self.evaluate(network, filled[0], step, *filled[1:])[: len(x)]
        size = self.memory.replay_batch
        if size is None or len(x) <= size or not torch.is_grad_enabled():
            return self._guided(network, x, step, *text)
        parts = []
        for i in range(0, len(x), size):
            own = (x[i : i + size], step, *(t[i : i + size] for t in text))
            parts.append(checkpoint(self._guided, network, *own, use_reentrant=False))
        return torch.cat(parts)

    def _guided(self, network: Network, x: Tensor, step: int, *text: Tensor) -> Tensor:
        if self.sampler.guidance == 1:
            return network(x, step, *text)
        null = [t.expand(len(x), *t.shape[1:]) for t in self.embed([""])]
        if self.joint_guidance:
            both = network(x.repeat(2, 1, 1), step, *self.stack(null, text))
            without, with_text = both.chunk(2)
        else:
            with_text, without = network(x, step, *text), network(x, step, *null)
        return without + self.sampler.guidance * (with_text - without)

    def denoise(self, x: Tensor, *text: Tensor) -> Tensor:
        """Clean tokens of noise ``x``, both ``[n, tokens, channels]`` on the CPU, by the ODE as the pipeline has it."""
        for i in range(self.sampler.steps):
            x = x + (self.sigmas[i + 1] - self.sigmas[i]) * self.velocity(x.to(self.device), i, *text).cpu()
        return x

    def draw(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Standard normal tokens, drawn in the model's layout: the noise that its own pipeline draws for the seed."""
        shape = self.latent_shape()
        return self.pack(torch.stack([torch.randn(shape, generator=g) for g in generators]))

    @torch.no_grad()
    def decode(self, x: Tensor) -> Tensor:
        """Tokens to videos ``[n, frames, 3, h, w]`` in [0, 1] on the CPU; large clips are decoded one at a time.

        Raises ``ValueError`` where the codec's tiles do not add up to the video, as on frames of few pixels.
        """
        asked = (self.num_frames, 3, self.height, self.width)
        parts = x.split(max(1, _DECODED_AT_ONCE // math.prod(asked)))
        with self._at_work([self.pipeline.vae]):
            video = torch.cat([to_video(self.decode_latents(self.unpack(part))).cpu() for part in parts])
        if video.shape[1:] != asked:
            raise ValueError(f"the codec made {tuple(video.shape[1:])} in the place of {asked}; decode without tiling")
        return video


def check_shape(size: Compression, num_frames: int, height: int, width: int) -> None:
    """Raise ``ValueError`` with the nearest shapes that do when a model cannot make videos of this one."""
    every = size.frames_multiple or size.frames
    if (num_frames - 1) % every:
        near = (num_frames - 1) // every * every + 1
        raise ValueError(f"this model makes {every}k + 1 frames; use --frames {near} or {near + every}")
    for name, value in (("height", height), ("width", width)):
        if value < 1 or value % size.multiple:
            option = "size" if height == width else name
            near = value // size.multiple * size.multiple or size.multiple
            raise ValueError(f"this model's frames are multiples of {size.multiple} pixels; use --{option} {near}")
