"""What a trained model's video costs beside the base's: transformer evaluations and CPU-seconds.

PYTHONPATH=tests python benchmarks/generate_cost.py [--rounds 12] [--rank 8]

The packaged tiny model and a random tiny Wan, each as the base, with a LoRA beside its weights, and with the LoRA
fused into them (worldr1 generate --fuse). One thread, the three in turn; medians of the CPU-seconds of one clip.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from policies.pipelines import TEXTS, build
from worldr1.policies.diffusers_policy import DiffusersPolicy
from worldr1.policies.registry import open_policy
from worldr1.policies.sde import SamplerConfig
from worldr1.presets import load_tiny
from worldr1.runtime import quiet_libraries
from worldr1.train.rollout import sample
from worldr1.types import Prompt


def cost(policy: DiffusersPolicy, seed: int) -> tuple[int, float]:
    """Transformer evaluations and CPU-seconds of one clip."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    hook = policy.pipeline.transformer.register_forward_hook(count)
    started = time.process_time()
    sample(policy, [Prompt(TEXTS[0])], [seed])
    seconds = time.process_time() - started
    hook.remove()
    return calls, seconds


def variants(make: Callable[[], DiffusersPolicy], rank: int) -> dict[str, DiffusersPolicy]:
    """The base, with a LoRA that changes it, and with the same LoRA fused."""
    out = {"base": make(), "with LoRA": make(), "LoRA fused": make()}
    for name in ("with LoRA", "LoRA fused"):
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for p in out[name].add_lora(rank):
                p.add_(0.02 * torch.randn(p.shape, generator=generator))
    out["LoRA fused"].fuse()
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--rank", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet_libraries()
    sampler = SamplerConfig(steps=12)
    makers: dict[str, Callable[[], DiffusersPolicy]] = {
        "packaged tiny": lambda: open_policy(load_tiny(), sampler, num_frames=9, height=32, width=32),
        "random Wan": lambda: open_policy(build("wan"), sampler, num_frames=9, height=32, width=64),
    }
    print("| model | | evaluations a clip | CPU-seconds a clip | of the base's |\n|---|---|---|---|---|")
    for model, make in makers.items():
        policies = variants(make, args.rank)
        found: dict[str, list[tuple[int, float]]] = {name: [] for name in policies}
        for seed in range(args.rounds + 1):
            for name, policy in policies.items():
                found[name].append(cost(policy, seed))
        base = [s for _, s in found["base"][1:]]  # the first round warms up
        for name, values in found.items():
            (calls,) = {c for c, _ in values}
            seconds = [s for _, s in values[1:]]
            ratio = statistics.median(s / b for s, b in zip(seconds, base, strict=True))
            print(f"| {model} | {name} | {calls} | {statistics.median(seconds):.3f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
