"""A finished run measured on held-out prompts and noise that nobody looked at while its settings were chosen.

python benchmarks/fresh_prompts.py runs/demo [--seed 300] [--prompts 192]
"""

import argparse

import torch

from worldr1.demo import check_guards
from worldr1.evaluate.depth_unet import load_depth_unet
from worldr1.evaluate.inspector import load_inspector
from worldr1.evaluate.metrics import Instruments, compare, measure
from worldr1.evaluate.motion import FarnebackFlow
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny_policy import TinyPolicy
from worldr1.presets import PromptSource, load_tiny
from worldr1.train.rollout import sample
from worldr1.worlds.tiny.corpus import CorpusConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--seed", type=int, default=300)
    parser.add_argument("--prompts", type=int, default=192)
    args = parser.parse_args()
    prompts = PromptSource(CorpusConfig(seed=args.seed, violated=0.0), held_out=True).first(args.prompts)
    policy = TinyPolicy(load_tiny(), SamplerConfig())
    instruments = Instruments(load_depth_unet(), load_inspector(), FarnebackFlow())

    def measured() -> dict[str, torch.Tensor]:
        clips = sample(policy, prompts, [70_000_000 + p.seed for p in prompts]).rollouts
        return measure(torch.stack([r.clip.video for r in clips]), prompts, instruments)

    before = measured()
    policy.load(f"{args.run}/lora")
    metrics = compare(before, measured())
    print("| metric | before | after | 95 % interval of the paired change |\n|---|---|---|---|")
    for name, m in metrics.items():
        low, high = m["ci95"]
        print(f"| {name} | {m['before']:.4f} | {m['after']:.4f} | {low:+.4f} … {high:+.4f} |")
    print("\nGuards: " + ", ".join(f"{k} {g['value']:.2f}" for k, g in check_guards(metrics).items()) + ".")


if __name__ == "__main__":
    main()
