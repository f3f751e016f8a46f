"""What a run would take, from configuration files alone: parameters, tokens, memory by part, evaluations, hours.

Networks are built on torch's meta device, so nothing is downloaded and nothing takes memory.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import psutil
import torch
import transformers
from huggingface_hub import hf_hub_download
from torch import nn

from worldr1.policies.diffusers_policy import Compression, Memory, check_shape
from worldr1.policies.published import PUBLISHED, Published
from worldr1.policies.registry import policy_class, policy_for, read_index
from worldr1.policies.sde import SamplerConfig

GIB = 2**30
GENERATION = ("embedding prompts", "sampling", "decoding")  # the phases of a run that learns nothing
# layers that work on the text, or once per sample
_NOT_PER_TOKEN = re.compile(r"norm|time|text|condition|caption|context|adaln|add_|attn2\.to_[kv]")
SUSTAINED_TFLOPS = 350.0  # of one H200 in bfloat16: a third of its peak, as large video transformers reach
_CODEC_BYTES_PER_PIXEL = 500  # working memory of a causal video decoder, untiled, per pixel of a frame it works on
# those that join the video's attention; cross-attention costs next to none
_TEXT_TOKENS = {"CogVideoXPipeline": 226, "HunyuanVideoPipeline": 256}


@dataclass(frozen=True)
class Job:
    """A run to be planned."""

    num_frames: int
    height: int
    width: int
    sampler: SamplerConfig
    prompts: int
    group: int
    iterations: int
    lora_rank: int
    batch: int = 1  # rollouts sampled at once
    memory: Memory = field(default_factory=Memory)
    eight_bit: bool = False  # optimiser state in bytes instead of floats
    devices: int = 1  # that share the samples
    shards: int = 1  # of them, that the transformer's weights are divided over
    number_bytes: int = 2  # of weights and activations: bfloat16 on a GPU; float32 (4) on a CPU


@dataclass(frozen=True)
class Plan:
    """What it takes. Memory is that of one device, in bytes; hours do not count decoding, rewards and communication."""

    parameters: dict[str, int]
    trainable: int
    latent: tuple[int, int, int]  # frames', h', w'
    tokens: int  # what the transformer attends over
    parts: dict[str, int]  # what each network takes while it is on the device
    memory: dict[str, int]  # peak of each phase
    evaluations: dict[str, int]  # of the transformer on one sample, per iteration
    flops: float  # per iteration
    hours: float  # of all devices together
    devices: int

    @property
    def peak(self) -> int:
        return max(self.memory.values())


def configuration(model: str) -> Published:
    """The configuration of a published name, a directory or a hub id (three small files are downloaded)."""
    if model in PUBLISHED:
        return PUBLISHED[model]
    policy_class(model)
    index = read_index(model)
    parts = {name: _read(model, name) for name in ("transformer", "text_encoder", "vae")}
    second, _ = index.get("transformer_2") or (None, None)
    return Published(model, "", "", index["_class_name"], **parts, experts=1 if second is None else 2)


def _read(model: str, part: str) -> dict[str, Any]:
    try:
        path = (
            Path(model) / part / "config.json"
            if Path(model).is_dir()
            else hf_hub_download(model, f"{part}/config.json")
        )
        config: dict[str, Any] = json.loads(Path(path).read_text())
    except OSError as error:
        raise ValueError(f"no {part}/config.json in {model}: {error}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{part}/config.json in {model} is not JSON ({error}); copy the model again") from error
    return config


def build(config: Mapping[str, Any]) -> nn.Module:
    """A network without weights from its ``config.json``."""
    with torch.device("meta"):
        if "architectures" in config or hasattr(transformers, config.get("_class_name", "")):
            kind = getattr(transformers, config.get("_class_name") or config["architectures"][0])
            network: nn.Module = kind(kind.config_class(**{k: v for k, v in config.items() if k != "_class_name"}))
        else:
            network = getattr(diffusers, config["_class_name"]).from_config(dict(config))
    return network


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def make_plan(model: str, job: Job, tflops: float = SUSTAINED_TFLOPS) -> Plan:
    """The plan of a job; raises ``ValueError`` for a model that worldr1 does not run, or a shape it cannot make."""
    if (samples := job.prompts * job.group) % job.devices:
        step = job.devices // math.gcd(job.devices, job.group)
        raise ValueError(
            f"{samples} samples per iteration (prompts x group) do not divide among {job.devices} devices; "
            f"use --prompts {math.ceil(job.prompts / step) * step}"
        )
    if job.devices % job.shards:
        raise ValueError(f"weights in {job.shards} shards do not fit {job.devices} devices; use a divisor of that")
    published = configuration(model)
    transformer, text, vae = (build(c) for c in (published.transformer, published.text_encoder, published.vae))
    config: Any = transformer.config
    latent, tokens = _geometry(published.pipeline, config, vae.config, job)
    experts = published.experts
    trainable = experts * lora_parameters(transformer, published.pipeline, job.lora_rank)
    attended = tokens + _TEXT_TOKENS.get(published.pipeline, 0)
    parameters = {"transformer": experts * count(transformer), "text_encoder": count(text), "vae": count(vae)}

    forward = evaluation_flops(transformer, attended)
    guided = 1 if job.sampler.guidance == 1 else 2
    sampling = samples * job.sampler.steps * guided
    replayed = samples * job.sampler.window * guided
    # the base's velocity, the policy's, and its backward pass, which costs two; whatever is computed again, once more
    again = int(job.memory.checkpoint) + int(job.memory.replay_batch is not None)
    evaluations = {"sampling": sampling, "update": replayed * 2, "backward": replayed * (2 + again)}
    flops = forward * sum(evaluations.values())
    parts = _parts(parameters, trainable, job)
    return Plan(
        parameters,
        trainable,
        latent,
        tokens,
        parts,
        _memory(parts, transformer, attended, job, guided),
        evaluations,
        flops,
        job.iterations * flops / (tflops * 1e12) / 3600,
        job.devices,
    )


def lora_parameters(transformer: nn.Module, pipeline: str, rank: int) -> int:
    """Parameters of a LoRA on the targets that the pipeline's policy publishes."""
    targets = policy_for(pipeline).lora_targets
    total = 0
    for path, part in transformer.named_modules():
        if isinstance(part, nn.Linear) and any(path == t or path.endswith("." + t) for t in targets):
            total += rank * (part.in_features + part.out_features)
    return total


def _geometry(pipeline: str, config: Any, vae: Any, job: Job) -> tuple[tuple[int, int, int], int]:
    """The latent's ``(frames', h', w')`` and how many tokens the transformer makes of it."""
    if pipeline == "WanPipeline":
        frames, pixels = vae.scale_factor_temporal, vae.scale_factor_spatial
    elif pipeline == "CogVideoXPipeline":
        frames, pixels = int(vae.temporal_compression_ratio), 2 ** (len(vae.block_out_channels) - 1)
    else:
        # LTX's defaults are said by the scaling of its blocks, not in the configuration
        scaled = sum(vae.get("spatio_temporal_scaling", ()))
        frames = vae.get("temporal_compression_ratio") or 2**scaled * vae.patch_size_t
        pixels = vae.get("spatial_compression_ratio") or 2**scaled * vae.patch_size
    patch = config.patch_size if isinstance(config.patch_size, (list, tuple)) else None
    p_t, p = (patch[0], patch[1]) if patch else (config.get("patch_size_t") or 1, config.patch_size)
    check_shape(
        Compression(frames, pixels, pixels * p, 8 if pipeline == "CogVideoXPipeline" else 0),
        job.num_frames,
        job.height,
        job.width,
    )
    latent = ((job.num_frames - 1) // frames + 1, job.height // pixels, job.width // pixels)
    return latent, math.ceil(latent[0] / p_t) * (latent[1] // p) * (latent[2] // p)


def evaluation_flops(transformer: nn.Module, attended: int) -> float:
    """Floating-point operations of one forward pass of one sample: every token through every layer, and attention.

    Layers that see the text or the time only are left out, being a few per cent at most.
    """
    config: Any = transformer.config
    per_token = sum(
        layer.weight.numel()
        for path, layer in transformer.named_modules()
        if isinstance(layer, nn.Linear) and not _NOT_PER_TOKEN.search(path)
    )
    width = config.num_attention_heads * config.attention_head_dim
    return float(2 * per_token * attended + 4 * num_blocks(config) * width * attended**2)


def num_blocks(config: Any) -> int:
    """Blocks of a transformer; HunyuanVideo has some in which video and text share their weights."""
    return int(config.num_layers) + int(config.get("num_single_layers") or 0)


def block_bytes(transformer: nn.Module, attended: int) -> tuple[int, int]:
    """Bytes per sample that one block keeps for its backward pass in bfloat16, and that its input alone takes.

    Per token about ten vectors of the model's width for each attention, with its norms and LoRA, and one of the
    feed-forward's; fused attention keeps no scores. Measured on the published configurations, see the test.
    """
    config: Any = transformer.config
    width = config.num_attention_heads * config.attention_head_dim
    hidden = config.get("ffn_dim") or 4 * width
    attentions = 2 if any(path.endswith("attn2.to_q") for path, _ in transformer.named_modules()) else 1
    return 2 * attended * (10 * attentions * width + hidden), 2 * attended * width


def _parts(parameters: Mapping[str, int], trainable: int, job: Job) -> dict[str, int]:
    return {
        "transformer": job.number_bytes * parameters["transformer"] // job.shards,
        "text encoder": job.number_bytes * parameters["text_encoder"],
        "codec": 4 * parameters["vae"],
        # float32 weights, gradient and moving average, and the optimiser's two moments
        "LoRA, optimiser": trainable * (4 + 4 + 4 + 2 * (1 if job.eight_bit else 4)),
    }


def _memory(parts: Mapping[str, int], transformer: nn.Module, attended: int, job: Job, guided: int) -> dict[str, int]:
    whole, inputs = (b * job.number_bytes // 2 for b in block_bytes(transformer, attended))
    blocks = num_blocks(transformer.config)
    # divided weights are put together block by block: the one at work and the next
    gathered = 2 * job.number_bytes * count(transformer) // blocks if job.shards > 1 else 0
    networks = parts["transformer"] + gathered + parts["LoRA, optimiser"]
    idle = 0 if job.memory.offload else parts["text encoder"] + parts["codec"]
    kept = blocks * inputs + whole if job.memory.checkpoint else blocks * whole
    own = job.prompts * job.group // job.devices
    at_once = guided * min(own, job.memory.replay_batch or own)
    decoded = (256 * 256 if job.memory.tiling else job.height * job.width) * _CODEC_BYTES_PER_PIXEL * 4
    return {
        "embedding prompts": networks + max(idle, parts["text encoder"]),
        "sampling": networks + idle + guided * job.batch * whole,
        "decoding": networks + max(idle, parts["codec"]) + decoded + 12 * job.num_frames * job.height * job.width,
        "update": networks + idle + at_once * kept,
    }


def available_memory(device: torch.device) -> int:
    """Bytes that are free on a device; for the CPU what the machine can give without swapping."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def check_memory(plan: Plan, available: int, phases: Collection[str] | None = None) -> None:
    """Raise ``ValueError`` when a run, or some of its phases, would not fit, with the phase and what would help."""
    memory = {k: v for k, v in plan.memory.items() if phases is None or k in phases}
    phase = max(memory, key=memory.__getitem__)
    if memory[phase] > available:
        raise ValueError(
            f"not enough memory: {phase} needs about {_gib(memory[phase])} and {_gib(available)} are free; "
            "use a -24gb preset (to generate: --save-memory), fewer frames or smaller ones"
        )


def _gib(size: int) -> str:
    return f"{size / GIB:.0f} GiB" if size >= GIB else f"{size / GIB:.3f} GiB"


def describe(plan: Plan) -> str:
    """The plan as lines to print."""
    lines = [f"{'parameters, ' + k:26}{v / 1e9:10.3f} B" for k, v in plan.parameters.items()]
    lines += [
        f"{'trainable (LoRA)':26}{plan.trainable / 1e6:10.1f} M",
        f"{'latent':26}{'x'.join(map(str, plan.latent)):>10}",
        f"{'tokens':26}{plan.tokens:10}",
    ]
    lines += [f"{'memory of ' + k:26}{v / GIB:10.1f} GiB" for k, v in plan.parts.items()]
    lines += [f"{'peak, ' + k:26}{v / GIB:10.1f} GiB" for k, v in plan.memory.items()]
    lines += [f"{'evaluations, ' + k:26}{v:10} per iteration" for k, v in plan.evaluations.items()]
    lines += [
        f"{'arithmetic':26}{plan.flops / 1e15:10.0f} PFLOP per iteration",
        f"{'estimated':26}{plan.hours:10.1f} GPU hours, without decoding and rewards",
    ]
    if plan.devices > 1:
        lines.append(f"{'on the clock':26}{plan.hours / plan.devices:10.1f} hours on {plan.devices} devices")
    return "\n".join(lines)
