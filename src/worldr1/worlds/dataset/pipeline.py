"""From settings to samples: scene, rendering, truth, caption."""

from __future__ import annotations

from collections.abc import Iterator

from worldr1.worlds.captions.realiser import realise
from worldr1.worlds.dataset.config import DatasetConfig
from worldr1.worlds.dataset.sample import Sample, truth_of
from worldr1.worlds.families import scene_at
from worldr1.worlds.render import WarpRenderer
from worldr1.worlds.renderers import get_renderer
from worldr1.worlds.renderers.assemble import with_the_frame
from worldr1.worlds.truth.build import build_record

_BATCH_PIXELS = 2**21  # rendered at a time; 31 bytes each


def make_samples(config: DatasetConfig, clips: range) -> Iterator[Sample]:
    """The clips of a dataset with these indices. A clip depends on the settings and its index alone."""
    size, batch = config.size, max(1, _BATCH_PIXELS // (config.frames * config.size**2))
    renderer, tracer = get_renderer(config.renderer), WarpRenderer()
    for start in range(0, len(clips), batch):
        indices = clips[start : start + batch]
        scenes = [
            scene_at(
                config.family_of(i),
                config.seed,
                i,
                num_frames=config.frames,
                fps=config.fps,
                difficulty=config.difficulty,
                split=config.split,
            )
            for i in indices
        ]
        rendered = renderer(scenes, size, size)
        canvas_px = tracer.canvas_px(scenes, size, size)
        if renderer.name != tracer.name:
            canvas_px = with_the_frame(canvas_px, rendered.amodal_bits)
        for i, (index, scene) in enumerate(zip(indices, scenes, strict=True)):
            record = build_record(
                scene,
                rendered.instance_ids[i],
                rendered.amodal_bits[i],
                rendered.depth_m[i],
                canvas_px[i, :, : len(scene.objects)],
                key=f"{scene.family}-{config.seed}-{index:07d}",
                index=index,
                renderer=renderer.name,
            )
            caption = realise(record, config.captions)
            record = record.model_copy(update={"captions": [caption]})
            truth = truth_of(scene, rendered, i, store_flow=config.store_flow)
            yield Sample(rendered.rgb[i], record, truth, caption.text)
