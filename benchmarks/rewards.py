"""How often each reward term ranks a clean rendering above its violated twin, with estimated depth and flow.

    python benchmarks/rewards.py [--scenes 120]

The clips go through the tiny codec first, so that the terms meet what they meet in training. Prints Markdown.
"""

import argparse

import torch

from worldr1.policies.codec import decode, encode, normalise
from worldr1.presets import load_tiny
from worldr1.rewards.guards import Floor
from worldr1.rewards.stack import make_reward
from worldr1.types import Clip, Rollout
from worldr1.worlds.tiny.corpus import CorpusConfig, prompt_at, scene_at
from worldr1.worlds.tiny.render import render_clips

TERMS = ("depth", "flow", "constancy", "camera", "total")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=120)
    count = parser.parse_args().scenes
    pipeline, reward = load_tiny(), make_reward(Floor(), Floor(), with_prompt=False)
    clean, broken = (CorpusConfig(seed=77, violated=v) for v in (0.0, 1.0))
    kinds = [scene_at(broken, i).violation for i in range(count)]
    prompts = [prompt_at(clean, i) for i in range(count)]
    scores = []
    for config in (clean, broken):
        video = torch.stack([c.video for c in render_clips([scene_at(config, i) for i in range(count)])])
        pixels = (video * 255).round().byte().permute(0, 1, 3, 4, 2)
        seen = decode(pipeline.vae, normalise(pipeline.vae, encode(pipeline.vae, pixels)))
        scores.append(reward([Rollout(p, Clip(v), ()) for p, v in zip(prompts, seen, strict=True)]))

    def wins(term: str, chosen: list[int]) -> str:
        pairs = []
        for i in chosen:
            a, b = (s[i].value if term == "total" else s[i].parts[term] for s in scores)
            if a is not None and b is not None:
                pairs.append(a > b)
        return f"{sum(pairs) / len(pairs):.2f} ({len(pairs)})" if pairs else "abstains"

    groups = {k: [i for i in range(count) if kinds[i] == k] for k in sorted(set(kinds))}
    groups |= {f: [i for i in range(count) if prompts[i].family == f] for f in ("landmarks", "occluder")}
    groups["all"] = list(range(count))
    print("| violation or family | " + " | ".join(TERMS) + " |\n|---|" + "---|" * len(TERMS))
    for name, chosen in groups.items():
        print(f"| {name} | " + " | ".join(wins(t, chosen) for t in TERMS) + " |")


if __name__ == "__main__":
    main()
