"""How ``worldr1 generate`` makes its videos: what the command says, and what suits the model where it is silent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from worldr1 import __version__
from worldr1.commands.arguments import Generate as Arguments
from worldr1.plan import configuration
from worldr1.policies.sde import SamplerConfig
from worldr1.policies.tiny import is_tiny
from worldr1.real_presets import REAL_PRESETS, preset_for


@dataclass(frozen=True)
class Settings:
    """What a video depends on beside its prompt and seed; recorded with it."""

    model: str = "packaged tiny"
    lora: str | None = None
    fuse: bool = False
    guidance: float = 1.0
    steps: int = 12
    frames: int = 9
    height: int = 32
    width: int = 32
    fps: float | None = None  # the model's own
    camera_noise: float = 0.0  # share of the initial noise that follows the prompt's camera
    worldr1: str = __version__

    @property
    def sampler(self) -> SamplerConfig:
        return SamplerConfig(steps=self.steps, window=1, window_end=1, guidance=self.guidance)


def settings_of(arguments: Arguments) -> Settings:
    """The settings of a command; raises ``ValueError`` for models that cannot run."""
    usual = _usual(arguments.model)
    said = {name: getattr(arguments, name) for name in ("guidance", "steps", "frames", "fps", "camera_noise")}
    said |= {name: getattr(arguments, name) or arguments.size for name in ("height", "width")}
    lora = None if arguments.lora is None else str(arguments.lora)
    return replace(usual, lora=lora, fuse=arguments.fuse, **{k: v for k, v in said.items() if v is not None})


def _usual(model: str | None) -> Settings:
    """The tiny model's settings, or those that a published model's preset is evaluated with."""
    if model is None:
        return Settings()
    if model not in {p.hub for p in REAL_PRESETS.values()}:
        published = configuration(model)
        if published.pipeline == "LTXPipeline" and is_tiny(published.vae):
            return Settings(model)
    preset = preset_for(model)
    sampler = preset.eval_sampler
    shape = (preset.num_frames, preset.height, preset.width)
    return Settings(model, None, False, sampler.guidance, sampler.steps, *shape)
