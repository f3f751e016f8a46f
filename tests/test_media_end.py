"""Files that were cut off are refused where their format says how long they are, and nothing else is."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from worldr1.media_end import is_cut_off
from worldr1.video import read_header, read_video

FRAMES, SIDE = 12, 64


def encode(path: Path, codec: str, pix_fmt: str, **options: str) -> bytes:
    """Noise, so that every part of the file is needed."""
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, SIDE, SIDE, 3), np.uint8)
    with av.open(str(path), "w", options=options) as file:
        stream = file.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, pix_fmt
        for image in noise:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)))
        file.mux(stream.encode())
    return path.read_bytes()


def kind_of(path: Path) -> str:
    with av.open(str(path)) as file:
        name: str = file.format.name
    return name


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("a.mkv", "ffv1", "yuv420p", {}),
        ("a.webm", "libvpx", "yuv420p", {}),
        ("a.gif", "gif", "rgb8", {}),
        ("a.avi", "mpeg4", "yuv420p", {}),
        ("a.mp4", "libx264", "yuv420p", {}),
        ("a.mp4", "libx264", "yuv420p", {"movflags": "faststart"}),
        ("a.mov", "mpeg4", "yuv420p", {"movflags": "frag_keyframe+empty_moov"}),
    ],
)
def test_cut_off(tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]) -> None:
    path = tmp_path / name
    data = encode(path, codec, pix_fmt, **options)
    kind = kind_of(path)
    assert is_cut_off(path, kind) is False
    assert len(read_video(path).video) == FRAMES
    assert "end" not in read_header(path).notes
    for share in (0.45, 0.8, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        assert is_cut_off(path, kind), share
        with pytest.raises(ValueError, match=r"write or download it again|not a video that can be read"):
            read_header(path)
        with pytest.raises(ValueError, match="a\\."):
            read_video(path)
    if not options:
        path.write_bytes(data + bytes(100))  # what hangs behind does no harm
        assert is_cut_off(path, kind) is False


def test_where_nothing_tells_it_is_noted(tmp_path: Path) -> None:
    data = encode(tmp_path / "a.ts", "mpeg2video", "yuv420p")
    (tmp_path / "a.ts").write_bytes(data[: len(data) // 188 // 2 * 188])
    header = read_header(tmp_path / "a.ts")
    assert "cannot be told" in header.notes["end"]
    assert "mpegts" in header.notes["end"]
    live = encode(tmp_path / "live.mkv", "ffv1", "yuv420p", live="1")
    assert is_cut_off(tmp_path / "live.mkv", "matroska,webm") is None, len(live)


def box(name: bytes, size: int, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", size, name) + body


@pytest.mark.parametrize(
    ("kind", "data", "cut"),
    [
        ("mov,mp4,m4a,3gp,3g2,mj2", box(b"ftyp", 8) + box(b"mdat", 0) + bytes(50), None),  # up to the end
        ("mov,mp4,m4a,3gp,3g2,mj2", box(b"ftyp", 8) + box(b"mdat", 1, struct.pack(">Q", 5_000_000_000)), True),
        ("mov,mp4,m4a,3gp,3g2,mj2", box(b"ftyp", 8) + box(b"mdat", 12, bytes(4)) + b"TAG" + bytes(90), False),
        ("avi", b"RIFF" + struct.pack("<I", 0) + bytes(90), None),
        ("avi", (b"RIFF" + struct.pack("<I", 91) + bytes(92)) * 2, False),
        ("gif", b"GIF89a" + bytes(7) + b"\x99", None),
        ("gif", b"GIF89a", True),
        ("matroska,webm", bytes(20), None),
        ("matroska,webm", b"\x1a\x45\xdf", True),
        ("flv", b"FLV", None),
    ],
)
def test_formats(tmp_path: Path, kind: str, data: bytes, cut: bool | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert is_cut_off(path, kind) is cut


@pytest.fixture
def clear(tmp_path: Path) -> Callable[[int], Path]:
    def make(alpha: int) -> Path:
        path = tmp_path / f"{alpha}.mkv"
        with av.open(str(path), "w") as file:
            stream = file.add_stream("ffv1", rate=8)
            stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "bgra"
            for t in range(3):
                image = np.full((SIDE, SIDE, 4), 40 * t, np.uint8)
                image[..., 3] = 255
                image[:9, :9, 3] = alpha
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgra")))
            file.mux(stream.encode())
        return path

    return make


def test_transparency_is_noted_where_there_is_some(clear: Callable[[int], Path]) -> None:
    assert read_header(clear(255)).notes == {}
    assert "transparency is left out" in read_header(clear(90)).notes["alpha"]


def test_other_turns_than_quarters_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot write rotation")
        stream.set_display_rotation(37)
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 48, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode())
    header = read_header(path)
    assert header.size == (32, 48)
    assert re.search("about 3[67]°", header.notes["rotation"])
