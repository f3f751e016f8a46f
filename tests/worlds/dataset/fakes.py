"""Samples without rendering: noise for pixels and truth, a record that passes the schema. Quick, and of no world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from worldr1.worlds.dataset.config import DatasetConfig
from worldr1.worlds.dataset.sample import Sample
from worldr1.worlds.record import (
    CameraInfo,
    Caption,
    ClipInfo,
    Event,
    Lighting,
    MoveInfo,
    ObjectRecord,
    Record,
)


def fake_record(config: DatasetConfig, index: int, caption: str) -> Record:
    frames, size = config.frames, config.size
    clip = ClipInfo(
        key=f"{config.family}-{config.seed}-{index:07d}",
        family=config.family,
        seed=config.seed,
        index=index,
        generator="worldr1 test",
        renderer="noise",
        fps=config.fps,
        frames=frames,
        height=size,
        width=size,
        split=config.split,
        difficulty=config.difficulty,
        planned=["reappearance"] if index % 2 else [],
        scene_hash=f"{index:08x}",
    )
    camera = CameraInfo(
        focal_mm=[35.0] * frames,
        sensor_mm=36.0,
        intrinsics=[(62.0, 62.0, size / 2, size / 2)] * frames,
        c2w=[[(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0.1 * f)] for f in range(frames)],
        height_m=1.5,
        pitch_deg=-5,
        moves=[MoveInfo(kind="dolly in", start_s=0, end_s=2, magnitude=1, unit="m", ease="linear")],
        shake_deg=0,
    )
    thing = ObjectRecord(
        id=0,
        expression="the red crate",
        category="crate",
        colour="red",
        texture="",
        size_m=(1, 1, 1),
        volume_m3=1,
        dynamic=False,
        landmark=True,
        position_m=[(0, 0, 5)] * frames,
        rotation=[(0, 0, 0, 1)] * frames,
        velocity_m_s=[(0, 0, 0)] * frames,
        box_2d=[(2, 2, 9, 9)] * (frames - 1) + [None],
        visible_px=[49] * (frames - 1) + [0],
        amodal_px=[49] * frames,
        canvas_px=[49] * frames,
        depth_m=[5.0] * (frames - 1) + [None],
    )
    lighting = Lighting(
        weather="clear",
        time_of_day="noon",
        sun_azimuth_deg=0,
        sun_elevation_deg=60,
        num_lights=1,
        shadows="hard",
        visibility_m=18,
    )
    return Record(
        clip=clip,
        camera=camera,
        objects=[thing],
        relations=[],
        trajectories=[],
        events=[Event(kind="exit", object=0, start=2, end=3)],
        lighting=lighting,
        captions=[Caption(level=config.captions, text=caption)],
    )


def fake_truth(config: DatasetConfig, index: int) -> dict[str, Any]:
    rng = np.random.default_rng((config.seed, index))
    shape = (config.frames, config.size, config.size)
    truth = {
        "depth_m": rng.uniform(1, 9, shape).astype(np.float16),
        "instance_ids": rng.integers(0, 3, shape, dtype=np.uint8),
        "amodal_bits": rng.integers(0, 2, shape, dtype=np.uint32),
        "c2w": np.tile(np.eye(4), (config.frames, 1, 1)),
        "intrinsics": np.tile(np.diag([62.0, 62.0, 1.0]), (config.frames, 1, 1)),
        "position_m": np.zeros((config.frames, 1, 3)),
        "rotation": np.tile([0.0, 0, 0, 1], (config.frames, 1, 1)),
    }
    for direction in ("forward", "backward"):
        truth[f"{direction}_patch_at"] = np.array([3], np.uint32)
        truth[f"{direction}_patch_px"] = np.array([[1.5, -2.5]], np.float32)
    return truth


def fake_samples(config: DatasetConfig, clips: range) -> Iterator[Sample]:
    for index in clips:
        rng = np.random.default_rng((7, config.seed, index))
        video = rng.integers(0, 256, (config.frames, config.size, config.size, 3), dtype=np.uint8)
        caption = f"The camera dollies in past a red crate, clip {index},\nand “leaves” it, by 1.0 m."
        yield Sample(video, fake_record(config, index, caption), fake_truth(config, index), caption)
