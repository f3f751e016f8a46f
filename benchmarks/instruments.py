"""What the evaluation's instruments say about rendered clips of a corpus no network was trained on.

    python benchmarks/instruments.py [--clips 128]

Prints a Markdown table: clean and violated clips, as rendered and as the tiny codec reconstructs them (the best a
sample can look), then the packaged base model on held-out prompts: with and without guidance,
and with initial noise that follows the prompt's camera.
"""

import argparse

import torch

from worldr1.evaluate.depth_unet import load_depth_unet
from worldr1.evaluate.inspector import load_inspector
from worldr1.evaluate.metrics import Instruments, measure
from worldr1.evaluate.motion import FarnebackFlow
from worldr1.policies.codec import decode, encode, normalise
from worldr1.policies.noise import camera_conditioned
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny_policy import TinyPolicy
from worldr1.presets import PRESETS, PromptSource, load_tiny
from worldr1.train.rollout import sample
from worldr1.worlds.tiny.corpus import CorpusConfig, prompt_at, scene_at
from worldr1.worlds.tiny.render import render_clips

METRICS = ("violation_rate", "depth_error", "prompt_agreement", "camera_right", "sharpness", "motion")
UNSEEN = 555


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=128)
    count = parser.parse_args().clips
    instruments = Instruments(load_depth_unet(), load_inspector(), FarnebackFlow())
    pipeline = load_tiny()
    print("| clips | " + " | ".join(METRICS) + " |\n|---|" + "---|" * len(METRICS))

    def row(name: str, video: torch.Tensor, prompts: list) -> None:
        measured = measure(video, prompts, instruments)
        print(f"| {name} | " + " | ".join(f"{float(measured[m].mean()):.3f}" for m in METRICS) + " |", flush=True)

    for name, violated in (("clean", 0.0), ("violated", 1.0)):
        config = CorpusConfig(seed=UNSEEN, violated=violated)
        prompts = [prompt_at(config, i) for i in range(count)]
        video = torch.stack([c.video for c in render_clips([scene_at(config, i) for i in range(count)])])
        row(f"rendered, {name}", video, prompts)
        pixels = (video * 255).round().byte().permute(0, 1, 3, 4, 2)
        row(
            f"through the codec, {name}",
            decode(pipeline.vae, normalise(pipeline.vae, encode(pipeline.vae, pixels))),
            prompts,
        )
    held_out = PromptSource(PRESETS["tiny"].prompts, held_out=True).first(count)
    for guidance, camera in ((1.0, 0.0), (2.5, 0.0), (1.0, 0.25), (1.0, 0.5), (1.0, 0.75)):
        policy = TinyPolicy(pipeline, SamplerConfig(guidance=guidance))
        initial = camera_conditioned(policy, camera) if camera else None
        clips = sample(policy, held_out, [90_000_000 + p.seed for p in held_out], initial=initial).rollouts
        how = f"guidance {guidance}" + (f", camera noise {camera}" if camera else "")
        row(f"base model, {how}", torch.stack([r.clip.video for r in clips]), held_out)


if __name__ == "__main__":
    main()
