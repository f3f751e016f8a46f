"""Lengths and rates of every stage of `worldr1 pretrain`."""

from __future__ import annotations

from dataclasses import dataclass, field

from worldr1.estimators.depth import WORLD_SIDE
from worldr1.policies.tiny import TinyConfig
from worldr1.train.fit import FitConfig
from worldr1.train.pretrain.few_frames import FramesConfig
from worldr1.train.pretrain.flow_pairs import PairsConfig
from worldr1.worlds.tiny.corpus import CorpusConfig


@dataclass(frozen=True)
class PretrainConfig:
    """Every stage's length and rates; the packaged weights were made with these defaults."""

    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    num_clips: int = 24576
    model: TinyConfig = field(default_factory=TinyConfig)
    codec: FitConfig = field(default_factory=lambda: FitConfig(6500, 16, decay=0.8, ema=0.995))
    image: FitConfig = field(default_factory=lambda: FitConfig(1200, 128, decay=0.3))
    video: FitConfig = field(default_factory=lambda: FitConfig(3000, 48))
    clean: FitConfig = field(default_factory=lambda: FitConfig(1200, 48, seed=1))
    depth: FitConfig = field(default_factory=lambda: FitConfig(1800, 64, lr=1e-3, ema=0.99))
    tagger: FitConfig = field(default_factory=lambda: FitConfig(1000, 128, ema=0.99))
    inspector: FitConfig = field(default_factory=lambda: FitConfig(2000, 32, lr=1e-3, ema=0.99, seed=12))
    held_out_depth: FitConfig = field(default_factory=lambda: FitConfig(1200, 32, ema=0.99, seed=11))
    world_frames: FramesConfig = field(default_factory=FramesConfig)
    world_depth: FitConfig = field(
        default_factory=lambda: FitConfig(11000, 32, ema=0.998, checkpoint_every=250, seed=13)
    )
    # half of it landmarks, as are the bench's worlds and what depth was worst at
    large_frames: FramesConfig = field(
        default_factory=lambda: FramesConfig(clips=10240, size=WORLD_SIDE, seed=21, every_second="landmarks")
    )
    large_depth: FitConfig = field(
        default_factory=lambda: FitConfig(
            4000, 16, lr=1e-3, muon_lr=0.01, decay=0.7, ema=0.995, checkpoint_every=250, seed=13
        )
    )
    # and on, with other frames: it was not done
    more_frames: FramesConfig = field(
        default_factory=lambda: FramesConfig(clips=12288, size=WORLD_SIDE, seed=31, every_second="landmarks")
    )
    more_depth: FitConfig = field(
        default_factory=lambda: FitConfig(
            4800, 16, lr=8e-4, muon_lr=0.008, decay=0.85, ema=0.997, checkpoint_every=250, seed=15
        )
    )
    # and once more, with walls and boards: before a wall that fills the picture frames' scales differed by .2
    wall_frames: FramesConfig = field(
        default_factory=lambda: FramesConfig(
            clips=5120, frames=5, size=WORLD_SIDE, seed=41, every_second="landmarks", walls=0.6
        )
    )
    wall_depth: FitConfig = field(
        default_factory=lambda: FitConfig(
            1200, 16, lr=8e-4, muon_lr=0.008, decay=0.85, ema=0.995, checkpoint_every=100, seed=16
        )
    )
    # then fewer of them again, as other worlds had got worse
    last_frames: FramesConfig = field(
        default_factory=lambda: FramesConfig(clips=5120, size=WORLD_SIDE, seed=51, every_second="landmarks", walls=0.3)
    )
    last_depth: FitConfig = field(
        default_factory=lambda: FitConfig(
            2300, 16, lr=7e-4, muon_lr=0.007, decay=0.9, ema=0.997, checkpoint_every=100, seed=17
        )
    )
    # and worlds as the bench films them, nearer than families are: there errors were half as large again
    filmed_frames: FramesConfig = field(
        default_factory=lambda: FramesConfig(clips=3072, size=WORLD_SIDE, seed=70001, filmed=True)
    )
    filmed_depth: FitConfig = field(
        default_factory=lambda: FitConfig(
            1500, 16, lr=5e-4, muon_lr=0.005, decay=0.9, ema=0.997, checkpoint_every=100, seed=19
        )
    )
    world_pairs: PairsConfig = field(default_factory=PairsConfig)
    world_flow: FitConfig = field(default_factory=lambda: FitConfig(4200, 16, lr=1.5e-3, checkpoint_every=250, seed=14))


_SHORT = FitConfig(2, 4, warmup=1, checkpoint_every=1)
DEBUG = PretrainConfig(
    num_clips=640,  # 256 of the clean half are for testing
    model=TinyConfig(codec_channels=(16, 32), text_width=32, width=48, layers=1),
    codec=_SHORT,
    image=_SHORT,
    video=_SHORT,
    clean=_SHORT,
    depth=_SHORT,
    tagger=_SHORT,
    inspector=_SHORT,
    held_out_depth=_SHORT,
    world_frames=FramesConfig(clips=12, frames=2, measured=0),
    world_depth=_SHORT,
    large_frames=FramesConfig(clips=4, frames=2, size=WORLD_SIDE, seed=21, every_second="landmarks", measured=0),
    large_depth=_SHORT,
    more_frames=FramesConfig(clips=4, frames=2, size=WORLD_SIDE, seed=31, every_second="landmarks", measured=0),
    more_depth=_SHORT,
    wall_frames=FramesConfig(
        clips=4, frames=2, size=WORLD_SIDE, seed=41, every_second="landmarks", walls=0.6, measured=0
    ),
    wall_depth=_SHORT,
    last_frames=FramesConfig(
        clips=4, frames=2, size=WORLD_SIDE, seed=51, every_second="landmarks", walls=0.3, measured=0
    ),
    last_depth=_SHORT,
    filmed_frames=FramesConfig(clips=4, frames=2, size=WORLD_SIDE, seed=70001, filmed=True, measured=1),
    filmed_depth=_SHORT,
    world_pairs=PairsConfig(pairs=8, measured=8),
    world_flow=_SHORT,
)
