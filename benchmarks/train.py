"""CPU-seconds of a training iteration by phase: a straightforward trainer against the package's, on a small Wan.

    python benchmarks/train.py [--repetitions 5] [--tiny 3]

The model is a random `WanTransformer3DModel` of 0.6 M parameters making 8 videos of 64x64x9 in 10 steps, with a LoRA.
The straightforward trainer does what published ones do: it draws and replays all steps, pads texts to 512 tokens, runs
guidance in one batch and checkpoints gradients, on diffusers' own modules. The reward is the same in all rows. One
thread, CPU time of the process, variants interleaved; Markdown with medians, and the range of the totals. First it is
shown that both trainers have the same log-probabilities and gradients.
``--tiny`` adds so many iterations of the tiny preset, for the share of its reward; 0 leaves them out.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from worldr1.policies.sde import SamplerConfig, log_prob, mean_std
from worldr1.policies.tiny_policy import TinyPolicy
from worldr1.policies.wan import WanPolicy
from worldr1.presets import PromptSource, get_preset, load_tiny
from worldr1.rewards.guards import Floor
from worldr1.rewards.stack import make_reward
from worldr1.runtime import quiet_libraries
from worldr1.train.advantage import TermWeight
from worldr1.train.algorithms import GRPO
from worldr1.train.algorithms.base import Update
from worldr1.train.algorithms.grpo import grpo_loss
from worldr1.train.config import TrainConfig
from worldr1.train.loop import train
from worldr1.train.metrics import Stopwatch
from worldr1.train.rollout import sample
from worldr1.types import Clip, Prompt, Reward, Rollout, Score

PHASES = ("sample", "reward", "update")
TEXT = "the camera orbits left around a red box and a blue sphere on sand"
TEXT_LENGTH = 512
SHAPE = {"num_frames": 9, "height": 64, "width": 64}
CLIP, KL_WEIGHT, RATE, GUIDANCE = 1e-3, 0.004, 1e-5, 5.0
# every step is drawn by the rule that has noise in the last one too
REPLAY = SamplerConfig(steps=10, window=10, window_end=10, guidance=GUIDANCE, rule="flow-sde")
WINDOW = replace(REPLAY, window=2, window_end=5)
AGREEMENT = 1e-5  # of log-probabilities
Seconds = dict[str, float]


def make_pipeline(seed: int = 0) -> WanPipeline:
    """Wan's classes with random weights; the transformer has 0.6 M parameters."""
    words = {w: i for i, w in enumerate(["<pad>", "</s>", *sorted(set(TEXT.split()))])}
    tokens = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="<pad>", eos_token="</s>", model_max_length=TEXT_LENGTH
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        text = UMT5Config(vocab_size=len(words), d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4)
        vae = AutoencoderKLWan(
            base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
        )
        transformer = WanTransformer3DModel(
            num_attention_heads=4, attention_head_dim=24, in_channels=16, out_channels=16, text_dim=64, freq_dim=64,
            ffn_dim=256, num_layers=4, rope_max_seq_len=32,
        )  # fmt: skip
        pipeline = WanPipeline(
            tokenizer, UMT5EncoderModel(text), vae, FlowMatchEulerDiscreteScheduler(shift=3.0), transformer
        )
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.transformer):
        part.requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@dataclass(frozen=True)
class PlainStep:
    """A drawn step: latents ``[n, tokens, channels]`` before and after, and its log-probability ``[n]``."""

    before: Tensor
    after: Tensor
    log_prob: Tensor


class PlainTrainer:
    """Flow-GRPO as one would write it down first; the policy lends its schedule, layout and untouched pipeline."""

    def __init__(self, policy: WanPolicy, prompts: Sequence[Prompt]) -> None:
        self.policy, self.transformer = policy, policy.pipeline.transformer
        self.prompts = prompts
        states = [self._padded(p.text) for p in prompts]
        self.text = torch.cat([self._padded("").expand(len(prompts), -1, -1), torch.cat(states)])

    @torch.no_grad()
    def _padded(self, text: str) -> Tensor:
        states: Tensor = self.policy.pipeline.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=TEXT_LENGTH
        )[0]
        return states

    def velocity(self, x: Tensor, step: int) -> Tensor:
        latents = self.policy.unpack(torch.cat([x, x]))
        timestep = self.policy.timesteps[step].expand(len(latents))
        out = self.transformer(
            hidden_states=latents, timestep=timestep, encoder_hidden_states=self.text, return_dict=False
        )[0]
        without, with_text = self.policy.pack(out).chunk(2)
        return without + self.policy.sampler.guidance * (with_text - without)

    def distribution(self, x: Tensor, step: int) -> tuple[Tensor, Tensor, float]:
        v = self.velocity(x, step)
        return v, *mean_std(self.policy.sampler, x, v, *self.policy.sigmas[step : step + 2])

    @torch.no_grad()
    def sample(self, seeds: Sequence[int]) -> tuple[list[Rollout], list[PlainStep]]:
        generators = [torch.Generator().manual_seed(s) for s in seeds]
        x, steps = self.policy.draw(generators), []
        for i in range(self.policy.sampler.steps):
            _, mean, std = self.distribution(x, i)
            after = mean + std * self.policy.draw(generators)
            steps.append(PlainStep(x, after, log_prob(after, mean, std)))
            x = after
        video = self.policy.decode(x)
        return [Rollout(p, Clip(v), ()) for p, v in zip(self.prompts, video, strict=True)], steps

    def backward(self, steps: Sequence[PlainStep], advantage: Tensor) -> None:
        """Gradients of the mean loss over all steps, checkpointed."""
        self.transformer.enable_gradient_checkpointing()
        for i, step in enumerate(steps):
            with self.policy.reference(), torch.no_grad():
                v_reference = self.velocity(step.before, i)
            v, mean, std = self.distribution(step.before, i)
            log_ratio = log_prob(step.after, mean, std) - step.log_prob
            loss = grpo_loss(log_ratio, advantage, v, v_reference, clip=CLIP, kl_weight=KL_WEIGHT).loss
            (loss / len(steps)).backward()
        self.transformer.disable_gradient_checkpointing()

    def iteration(self, reward: Reward, seed: int, advantage: Tensor, optimizer: torch.optim.Optimizer) -> Seconds:
        seconds = Stopwatch()
        with seconds("sample"):
            rollouts, steps = self.sample([100 * seed + k for k in range(len(self.prompts))])
        with seconds("reward"):
            reward(rollouts)
        with seconds("update"):
            optimizer.zero_grad(set_to_none=True)
            self.backward(steps, advantage)
            torch.nn.utils.clip_grad_norm_(self.policy.trainable(), 1.0)
            optimizer.step()
        return _cpu(seconds.read())


class Spread:
    """A reward's work, but values that differ: a sample without an advantage is left out of the update."""

    differentiable = False

    def __init__(self, reward: Reward) -> None:
        self.reward = reward

    def __call__(self, samples: Sequence[Rollout | Clip]) -> list[Score]:
        self.reward(samples)
        return [Score(float(v), {"depth": float(v)}) for v in torch.linspace(0, 1, len(samples))]


def package_iteration(policy: WanPolicy, reward: Reward, prompts: Sequence[Prompt], seed: int) -> Seconds:
    """One iteration of `train.loop`, on the LoRA that the policy has."""
    config = TrainConfig(
        iterations=1, prompts=1, group=len(prompts), lr=RATE, decay=0.0, kl_weight=KL_WEIGHT, clip=CLIP, seed=seed,
        weights={"depth": TermWeight(1.0)}, monitor_every=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        (row,) = train(policy, Spread(reward), lambda _: prompts[0], config, Path(folder))
    assert row["used"] == len(prompts)
    return _cpu(row)


def _cpu(row: dict[str, Any]) -> Seconds:
    return {phase: row[f"seconds_cpu_{phase}"] for phase in PHASES}


def agreement(plain: PlainTrainer, policy: WanPolicy, reward: Reward, advantage: Tensor) -> tuple[float, float]:
    """Largest difference of log-probabilities between the trainers, and of gradients relative to their norm."""
    batch = sample(policy, plain.prompts, range(len(plain.prompts)), range(policy.sampler.window))
    steps = [
        PlainStep(*(torch.stack([getattr(r.steps[k], name) for r in batch.rollouts]) for name in ("before", "after")),
                  torch.tensor([r.steps[k].log_prob for r in batch.rollouts]))
        for k in range(policy.sampler.window)
    ]  # fmt: skip

    def gradient(own: WanPolicy, backward: Callable[[], None]) -> Tensor:
        own.pipeline.transformer.zero_grad(set_to_none=True)
        backward()
        return torch.cat([p.grad.flatten() for p in own.trainable() if p.grad is not None])

    def ours() -> None:
        parts = GRPO().parts(Update(policy, reward, batch, advantage, CLIP, KL_WEIGHT, torch.Generator()))
        for part in parts:
            (part().value / len(parts)).backward()

    with torch.no_grad():
        found = [log_prob(s.after, *plain.distribution(s.before, i)[1:]) - s.log_prob for i, s in enumerate(steps)]
    a, b = gradient(plain.policy, lambda: plain.backward(steps, advantage)), gradient(policy, ours)
    return float(torch.stack(found).abs().max()), float((a - b).norm() / a.norm())


def wan_table(repetitions: int, num_videos: int = 8, baseline: SamplerConfig = REPLAY) -> str:
    """Markdown; raises ``RuntimeError`` when the trainers disagree, which would make the times mean nothing."""
    pipeline, prompts = make_pipeline(), [Prompt(TEXT)] * num_videos
    samplers = {
        "full replay": baseline,
        "window of two": replace(WINDOW, steps=baseline.steps),
        "window of two, no guidance": replace(WINDOW, steps=baseline.steps, guidance=1.0),
    }
    policies = {name: WanPolicy(pipeline, s, batch=num_videos, **SHAPE) for name, s in samplers.items()}
    first, untouched = policies["full replay"], WanPolicy(make_pipeline(), baseline, trim_text=False, **SHAPE)
    reward, advantage = make_reward(Floor(), Floor(), with_prompt=False), torch.linspace(-1, 1, num_videos)
    with torch.no_grad():  # a fresh adapter does nothing
        for p in (*first.add_lora(8), *untouched.add_lora(8)):
            p.add_(0.02 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    plain = PlainTrainer(untouched, prompts)
    log_probs, gradients = agreement(plain, first, reward, advantage)
    if log_probs > AGREEMENT:
        raise RuntimeError(f"the trainers' log-probabilities differ by {log_probs:.1e}: they do not do the same")

    def ours(policy: WanPolicy) -> Callable[[int], Seconds]:
        return lambda seed: package_iteration(policy, reward, prompts, seed)

    optimizer = torch.optim.AdamW(untouched.trainable(), lr=RATE)
    variants = {"straightforward": lambda seed: plain.iteration(reward, seed, advantage, optimizer)}
    variants |= {f"this package, {name}": ours(policy) for name, policy in policies.items()}
    found: dict[str, list[Seconds]] = {name: [] for name in variants}
    latents = first.draw([torch.Generator().manual_seed(k) for k in range(num_videos)])

    def decode(policy: WanPolicy) -> float:
        started = time.process_time()
        policy.decode(latents)
        return time.process_time() - started

    decoding: list[tuple[float, float]] = []
    for i in range(repetitions + 1):
        for name, iteration in variants.items():
            seconds = iteration(i)
            if i:  # the first time around warms up
                found[name].append(seconds)
        decoding.append((decode(untouched), decode(first)))
    slow, fast = (statistics.median(column) for column in zip(*decoding, strict=True))
    count = sum(p.numel() for n, p in pipeline.transformer.named_parameters() if "lora" not in n)
    return "\n".join([
        f"Wan of {count / 1e6:.2f} M parameters, {num_videos} videos. Between padded and trimmed texts "
        f"log-probabilities differ by at most {log_probs:.1e}, the LoRA's gradients by {gradients:.1e}.\n",
        *rows(found, [slow] + [fast] * len(policies)),
        f"\nDecoding is {fast:.2f} s of every sampling phase, {slow:.2f} s of the first; "
        "× of the transformer leaves it and the reward out.",
    ])  # fmt: skip


def rows(found: dict[str, list[Seconds]], decoding: Sequence[float] = (0.0,)) -> list[str]:
    """A Markdown table of medians; what everything is compared with comes first. ``decoding`` is each row's."""
    lines = [
        "| CPU-seconds | sample | reward | update | total | range | × | × of the transformer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    references: tuple[float, float] | None = None
    for (name, runs), decoded in zip(found.items(), decoding, strict=True):
        totals = [sum(r.values()) for r in runs]
        middle = statistics.median(totals)
        own = statistics.median(r["sample"] + r["update"] for r in runs) - decoded
        references = references or (middle, own)
        cells = [name, *(f"{statistics.median(r[p] for r in runs):.2f}" for p in PHASES), f"{middle:.2f}"]
        cells += [f"{min(totals):.2f}-{max(totals):.2f}", f"{references[0] / middle:.1f}", f"{references[1] / own:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def tiny_table(iterations: int) -> str:
    """Iterations of the tiny preset; one more is run first, to warm up."""
    preset = get_preset("tiny")
    policy = TinyPolicy(load_tiny(preset.base), preset.sampler, num_frames=preset.prompts.num_frames)
    # floors that every clip's guards look at; those of a run come from the base model's clips and cost the same
    reward = make_reward(Floor(default=0.1), Floor(default=1.0))
    config: TrainConfig = replace(preset.train, iterations=iterations + 1, monitor_every=0)
    with tempfile.TemporaryDirectory() as folder:
        done = train(policy, reward, PromptSource(preset.prompts, held_out=False), config, Path(folder))[1:]
    runs = [_cpu(row) for row in done]
    share = statistics.median(r["reward"] / sum(r.values()) for r in runs)
    videos = config.prompts * config.group
    return "\n".join([*rows({f"tiny preset, {videos} videos": runs}), f"\nThe reward's share: {share:.0%}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--tiny", type=int, default=3, help="iterations of the tiny preset")
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet_libraries()
    if args.repetitions:
        print(wan_table(args.repetitions), flush=True)
    if args.tiny:
        print("\n" + tiny_table(args.tiny))


if __name__ == "__main__":
    main()
