"""The default renderer: our Warp ray caster, on the CPU or CUDA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import warp as wp

from worldr1.types import CameraPath, Clip, GroundTruth
from worldr1.worlds.rendered import Rendered
from worldr1.worlds.scene import MAX_OBJECTS, Scene

_CHUNK_PIXELS = 2**20  # traced at a time, which bounds the memory on the device


def _check(scenes: Sequence[Scene]) -> None:
    if not scenes or len({s.num_frames for s in scenes}) != 1:
        raise ValueError("rendering needs at least one scene, and all of one length")


@dataclass(frozen=True)
class WarpRenderer:
    """Casts a ray through the centre of every pixel for the truth, and more where the picture has contrast.

    A clip depends on its scene alone, not on its batch. Raises ``ValueError`` when the scenes differ in length or
    there is none.
    """

    samples: int = 2  # rays per axis of a pixel that is anti-aliased
    threshold: int = 12  # of 255: contrast to a neighbour from which a pixel is anti-aliased; 0: every pixel is
    device: str = "cpu"
    name: str = "warp"

    def __call__(self, scenes: Sequence[Scene], height: int, width: int) -> Rendered:
        _check(scenes)
        shape = (len(scenes), scenes[0].num_frames, height, width)
        out = Rendered(
            np.empty((*shape, 3), np.uint8),
            np.empty(shape, np.float32),
            np.empty(shape, np.int32),
            np.empty(shape, np.uint32),
            np.empty((*shape, 2), np.float32),
            np.empty((*shape, 2), np.float32),
        )
        for first, packed in self._chunks(scenes, height, width):
            from worldr1.worlds.kernel import shade
            from worldr1.worlds.kernel.layout import Shading

            pictures = packed.num_clips * packed.num_frames
            here = slice(first, first + packed.num_clips)
            host = [getattr(out, f.name)[here] for f in fields(Rendered)]
            dtypes = (wp.uint8, wp.float32, wp.int32, wp.uint32, wp.vec2, wp.vec2)
            # on the CPU the kernels write to the arrays that are returned
            rgb, *truth = (
                wp.array(x.reshape(pictures, *x.shape[2:]), dtype=dtype, device=self.device, copy=False)
                for x, dtype in zip(host, dtypes, strict=True)
            )
            rough = wp.empty_like(rgb)
            shadings = wp.empty((pictures, height, width), dtype=Shading, device=self.device)
            self._list_candidates(packed, pictures, height, width, 0.0, 0.0)
            self._list_blockers(packed)
            run = width if self.device == "cpu" else 1  # pixels per thread
            threads = (pictures, height, -(-width // run))
            wp.launch(
                shade.trace_centres,
                threads,
                [packed.world, width, run, int(self.threshold > 0), *truth, rough, shadings],
                device=self.device,
            )
            wp.launch(
                shade.smooth,
                threads,
                [packed.world, height, width, run, self.samples, self.threshold, rough, truth[0], shadings, rgb],
                device=self.device,
            )
            if self.device != "cpu":
                for target, source in zip(host, (rgb, *truth), strict=True):
                    target[...] = source.numpy().reshape(target.shape)
        return out

    def canvas_px(self, scenes: Sequence[Scene], height: int, width: int) -> npt.NDArray[np.int32]:
        """Pixels that each object would cover on a canvas twice the frame, hidden or not: ``[clips, frames, objects]``.

        The canvas reaches half a frame beyond each side, in pixels of the frame's scale. Scenes with fewer objects
        than the batch's most are padded with 0. Raises ``ValueError`` as rendering does.
        """
        _check(scenes)
        from worldr1.worlds.kernel import trace

        out = []
        for _, packed in self._chunks(scenes, 2 * height, 2 * width, scale=0.5):
            pictures = packed.num_clips * packed.num_frames
            left, top = -width / 2, -height / 2
            tiles = self._list_candidates(packed, pictures, 2 * height, 2 * width, left, top, True)
            pixels = wp.zeros((pictures, MAX_OBJECTS), dtype=int, device=self.device)
            wp.launch(
                trace.count_on_canvas,
                tiles,
                [packed.world, left, top, 2 * height, 2 * width, pixels],
                device=self.device,
            )
            out.append(pixels.numpy().reshape(packed.num_clips, packed.num_frames, MAX_OBJECTS))
        most = max(len(s.objects) for s in scenes)
        return np.ascontiguousarray(np.concatenate(out)[..., :most])

    def _chunks(
        self, scenes: Sequence[Scene], height: int, width: int, scale: float = 1.0
    ) -> Iterator[tuple[int, Any]]:
        """Packed runs of scenes with the index of their first one. ``scale``: of the frame to the picture traced."""
        wp.config.log_level = wp.LOG_ERROR  # Warp greets at length, and warns where there is no GPU
        # imported here: defining kernels loads Warp's runtime, which the rest of the package does not need
        from worldr1.worlds.kernel.pack import Packed

        size = max(1, _CHUNK_PIXELS // (scenes[0].num_frames * height * width))
        for i in range(0, len(scenes), size):
            yield i, Packed(scenes[i : i + size], round(scale * height), round(scale * width), self.device)

    def _list_candidates(
        self, packed: Any, pictures: int, height: int, width: int, left: float, top: float, objects_only: bool = False
    ) -> tuple[int, int, int]:
        """Give ``packed.world`` its candidate lists for pictures with their corner at (left, top)."""
        from worldr1.worlds.kernel import trace
        from worldr1.worlds.kernel.layout import TILE

        tiles = (pictures, -(-height // TILE), -(-width // TILE))
        counts = wp.empty(tiles, dtype=int, device=self.device)
        candidates = wp.empty((*tiles, packed.most_parts), dtype=int, device=self.device)
        wp.launch(
            trace.list_candidates,
            tiles,
            [packed.world, left, top, int(objects_only), counts, candidates],
            device=self.device,
        )
        packed.world.counts, packed.world.candidates = counts, candidates
        return tiles

    def _list_blockers(self, packed: Any) -> None:
        """Give ``packed.world`` its lights' grids."""
        from worldr1.worlds.kernel import trace
        from worldr1.worlds.kernel.layout import CELLS, Shadow

        lights = (packed.num_frames, packed.num_lights)
        grids = wp.empty(lights, dtype=wp.vec4, device=self.device)
        shadows = wp.empty((*lights, packed.most_parts), dtype=Shadow, device=self.device)
        counts = wp.empty((*lights, CELLS**2), dtype=int, device=self.device)
        blockers = wp.empty((*counts.shape, packed.most_parts), dtype=int, device=self.device)
        wp.launch(trace.list_blockers, lights, [packed.world, grids, shadows, counts, blockers], device=self.device)
        packed.world.grids, packed.world.shadows = grids, shadows
        packed.world.blocker_counts, packed.world.blockers = counts, blockers


def camera_of(scene: Scene, height: int, width: int) -> CameraPath:
    """The scene's camera as a `CameraPath` for clips of ``height`` x ``width`` pixels."""
    intrinsics = scene.camera.intrinsics(height, width).astype(np.float32)
    return CameraPath(torch.from_numpy(scene.camera.c2w.astype(np.float32)), torch.from_numpy(intrinsics))


def to_clips(scenes: Sequence[Scene], out: Rendered) -> list[Clip]:
    """Rendered arrays as `Clip`s that carry their `GroundTruth`."""
    height, width = out.depth_m.shape[2:]
    clips = []
    for i, scene in enumerate(scenes):
        truth = GroundTruth(
            depth_m=torch.from_numpy(out.depth_m[i]),
            flow_px=torch.from_numpy(out.flow_px[i, :-1]),
            instance_ids=torch.from_numpy(out.instance_ids[i]),
            amodal_bits=torch.from_numpy(out.amodal_bits[i].view(np.int32)),  # torch shifts no unsigned integers
            camera=camera_of(scene, height, width),
            violation=scene.violation,
            violation_frame=scene.violation_frame,
        )
        video = torch.from_numpy(out.rgb[i]).permute(0, 3, 1, 2).float() / 255
        clips.append(Clip(video, scene.fps, truth))
    return clips


def render_clips(scenes: Sequence[Scene], height: int, width: int, renderer: WarpRenderer | None = None) -> list[Clip]:
    """Render scenes to `Clip`s that carry their `GroundTruth`."""
    return to_clips(scenes, (renderer or WarpRenderer())(scenes, height, width))
