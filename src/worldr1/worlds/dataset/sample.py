"""A clip as the files of a WebDataset sample, and back: ``.mp4``, ``.json``, ``.gt.npz``, ``.txt``.

The video is H.264 without loss (RGB, CRF 0), so that truth and pixels belong together exactly. The truth holds

    depth_m       [frames, h, w]          float16   z-depth in metres, inf for the sky
    instance_ids  [frames, h, w]          uint8     0 sky, 1 scenery, 2 + object id
    amodal_bits   [frames, h, w]          uint32    bit i: object i projects here, hidden or not
    c2w           [frames, 4, 4]          float64   OpenCV camera to world
    intrinsics    [frames, 3, 3]          float64   pixels
    position_m    [frames, objects, 3]    float64   of each object's first body
    rotation      [frames, objects, 4]    float64   (x, y, z, w)
    forward_px, backward_px               float16   flow [frames, h, w, 2], only when it was asked for; otherwise
    forward_patch_at, forward_patch_px, backward_...  what `flow.recompute_flow` cannot tell from the rest
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from worldr1.worlds.dataset.flow import Truth, flow_patch, recompute_flow
from worldr1.worlds.record import Record
from worldr1.worlds.rendered import Rendered
from worldr1.worlds.scene import Scene

SUFFIXES = ("mp4", "json", "gt.npz", "txt")


@dataclass(frozen=True)
class Sample:
    """A clip of a dataset."""

    video: npt.NDArray[np.uint8]  # [frames, h, w, 3]
    record: Record
    truth: dict[str, npt.NDArray[Any]]  # as in the module's docstring
    caption: str

    @property
    def key(self) -> str:
        return self.record.clip.key

    def flow_px(self, direction: Any = "forward") -> npt.NDArray[np.float32]:
        """Flow ``[frames, h, w, 2]`` to the next (``"forward"``) or previous (``"backward"``) frame, in pixels."""
        stored = self.truth.get(f"{direction}_px")
        return recompute_flow(self.truth, direction) if stored is None else stored.astype(np.float32)


def truth_of(scene: Scene, rendered: Rendered, clip: int, *, store_flow: bool = False) -> dict[str, npt.NDArray[Any]]:
    """The arrays of clip number ``clip`` of a rendered batch, which shows ``scene``."""
    height, width = rendered.depth_m.shape[2:]
    first = [scene.bodies_of(i)[0] for i in range(len(scene.objects))]
    flows = {"forward": rendered.flow_px[clip], "backward": rendered.backward_flow_px[clip]}
    truth: dict[str, npt.NDArray[Any]] = {
        "depth_m": rendered.depth_m[clip].astype(np.float16),
        "instance_ids": rendered.instance_ids[clip].astype(np.uint8),
        "amodal_bits": rendered.amodal_bits[clip],
        "c2w": scene.camera.c2w,
        "intrinsics": scene.camera.intrinsics(height, width),
        "position_m": scene.position_m[:, first],
        "rotation": scene.rotation[:, first],
    }
    if store_flow:
        return truth | {f"{name}_px": flow.astype(np.float16) for name, flow in flows.items()}
    patches = flow_patch(truth, flows["forward"], "forward") | flow_patch(truth, flows["backward"], "backward")
    return truth | patches


def encode(sample: Sample) -> dict[str, bytes]:
    """The files of a sample by suffix; the same sample gives the same bytes."""
    contents = (
        encode_video(sample.video, sample.record.clip.fps),
        sample.record.model_dump_json().encode(),
        encode_arrays(sample.truth),
        sample.caption.encode(),
    )
    return dict(zip(SUFFIXES, contents, strict=True))


def decode(files: Mapping[str, bytes]) -> Sample:
    """The sample of files by suffix; raises ``ValueError`` when one is missing."""
    missing = [s for s in SUFFIXES if s not in files]
    if missing:
        raise ValueError(f"a sample without .{missing[0]}: this is no dataset of worldr1, or a shard was edited")
    record = Record.model_validate_json(files["json"])
    return Sample(decode_video(files["mp4"]), record, decode_arrays(files["gt.npz"]), files["txt"].decode())


def encode_video(frames: npt.NDArray[np.uint8], fps: float) -> bytes:
    """RGB frames ``[frames, h, w, 3]`` as an MP4 that loses nothing."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264rgb", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "rgb24"
        stream.options = {"crf": "0", "preset": "veryfast"}
        stream.codec_context.thread_count = 1  # the number of threads changes x264's bytes
        for rgb in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        file.mux(stream.encode())
    return out.getvalue()


def decode_video(data: bytes) -> npt.NDArray[np.uint8]:
    """RGB frames ``[frames, h, w, 3]`` of an MP4."""
    with av.open(io.BytesIO(data)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def encode_arrays(arrays: Truth) -> bytes:
    """Arrays as an ``.npz``. zlib's level 1: on this data ten times smaller, and three times faster than the default
    of `numpy.savez_compressed`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w") as member:  # a name alone is dated 1980, so the bytes are the same
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    return out.getvalue()


def decode_arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an ``.npz``."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return dict(file)
