"""Broken media files: one clear line and exit 2, or a score of what decodes; never a traceback, a hang or noise."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from worldr1 import cli
from worldr1.video_write import write_video

Capture = pytest.CaptureFixture[str]
SIZE = 32


def picture(frames: int = 6, height: int = SIZE, width: int = SIZE) -> torch.Tensor:
    """Smooth moving colours: ``[frames, 3, h, w]``."""
    x = torch.linspace(0, 6, width).expand(height, width)
    return torch.stack([torch.stack([torch.sin(x + t + c) for c in range(3)]) for t in range(frames)]) / 2 + 0.5


def encode(path: Path, codec: str, pix_fmt: str = "yuv420p", frames: int = 6) -> bytes:
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, pix_fmt
        for image in (picture(frames) * 255).byte().permute(0, 2, 3, 1).numpy():
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            file.mux(stream.encode(frame.reformat(format=pix_fmt)))
        file.mux(stream.encode())
    return path.read_bytes()


def whole_files(folder: Path) -> dict[str, bytes]:
    """Good files of several containers and codecs, and a good array."""
    folder.mkdir()
    write_video(picture(), 8.0, folder / "x264.mp4")
    np.save(folder / "array.npy", (picture() * 255).byte().permute(0, 2, 3, 1).numpy())
    return {
        "x264.mp4": (folder / "x264.mp4").read_bytes(),
        "mpeg4.avi": encode(folder / "mpeg4.avi", "mpeg4"),
        "mpeg2.ts": encode(folder / "mpeg2.ts", "mpeg2video"),
        "ffv1.mkv": encode(folder / "ffv1.mkv", "ffv1"),
        "motion.gif": encode(folder / "motion.gif", "gif", "rgb8"),
        "array.npy": (folder / "array.npy").read_bytes(),
    }


def truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(1, len(data)))]


def bits_flipped(data: bytes, rng: np.random.Generator) -> bytes:
    array = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, len(array), int(rng.integers(1, 40)))
    array[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    return array.tobytes()


def header_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.integers(4, 64))
    return rng.integers(0, 256, size, np.uint8).tobytes() + data[size:]


def header_only(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(8, 200))]


def hole(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, len(data)))
    return data[:start] + data[start + int(rng.integers(1, 400)) :]


def sizes_blown_up(data: bytes, rng: np.random.Generator) -> bytes:
    """Every place that holds the picture's size as a big- or little-endian number claims a huge one."""
    for order, width in (("big", 4), ("little", 4), ("big", 2), ("little", 2)):
        huge = int(rng.integers(2**13, 2**15 - 1)) * (1 if width == 2 else 3000)
        data = data.replace(SIZE.to_bytes(width, order), huge.to_bytes(width, order))  # type: ignore[arg-type]
    return data


DAMAGES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    truncated,
    bits_flipped,
    header_damaged,
    header_only,
    hole,
    sizes_blown_up,
)


def fuzzed(folder: Path, count: int) -> list[Path]:
    """``count`` damaged copies of good files, the same every time."""
    rng = np.random.default_rng(7)
    whole = list(whole_files(folder / "whole").items())
    paths = []
    for index in range(count):
        name, data = whole[index % len(whole)]
        damage = DAMAGES[index // len(whole) % len(DAMAGES)]
        path = folder / f"{index:03d}-{damage.__name__}-{name}"
        path.write_bytes(damage(data, rng))
        paths.append(path)
    return paths


def outcome(path: Path, capfd: Capture) -> int:
    """Exit status of scoring a file, whose output is checked."""
    status = cli.main(["score", str(path), "--json"])
    out, err = capfd.readouterr()
    if status == 0:
        video = json.loads(out)["videos"][0]
        assert video["score"] is None or 0 <= video["score"] <= 1
        assert video["frames"] >= 2
        assert video["seconds"] > 0
        assert err == "", (path, err)
    else:
        assert status == 2, path
        assert out == "", (path, out)
        assert len(err.splitlines()) == 1, (path, err)
        assert err.startswith("worldr1: ")
        assert path.name in err, (path, err)
    return status


def check(folder: Path, count: int, capfd: Capture) -> list[int]:
    paths = fuzzed(folder, count)
    capfd.readouterr()
    statuses = [outcome(p, capfd) for p in paths]
    # a transport stream does not say how long it is
    assert all(s == 2 for p, s in zip(paths, statuses, strict=True) if "truncated" in p.name and p.suffix != ".ts")
    again = paths[:: max(1, count // 12)]
    assert [outcome(p, capfd) for p in again] == statuses[:: max(1, count // 12)]
    return statuses


@pytest.mark.timeout(300)
def test_damaged_files(tmp_path: Path, capfd: Capture) -> None:
    statuses = check(tmp_path, 36, capfd)
    assert statuses.count(2) >= 26


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_many_damaged_files(tmp_path: Path, capfd: Capture) -> None:
    statuses = check(tmp_path, 216, capfd)
    assert statuses.count(2) >= 160


def other_files(folder: Path) -> list[Path]:
    """What is no video at all, or none that can be scored."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)

    def write(name: str, data: bytes) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    def save(name: str, array: np.ndarray, **options: bool) -> Path:
        np.save(folder / name, array, **options)  # type: ignore[arg-type]
        return folder / name

    whole = whole_files(folder / "sources")
    picture_file = folder / "picture.png"
    encode(picture_file, "png", "rgb24", frames=1)
    one = folder / "one.mp4"
    write_video(picture(1), 8.0, one)
    sound = folder / "sound.mkv"
    with av.open(str(sound), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    loop = folder / "loop.mp4"
    loop.symlink_to(loop)
    dangling = folder / "dangling.mp4"
    dangling.symlink_to(folder / "nowhere.mp4")
    fifo = folder / "fifo.mp4"
    os.mkfifo(fifo)
    directory = folder / "directory.mp4"
    directory.mkdir()
    good = np.zeros((4, SIZE, SIZE, 3), np.float32)
    late = good.copy()
    late[3, 5, 5, 0] = np.nan
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }"
    return [
        picture_file,
        one,
        sound,
        loop,
        dangling,
        fifo,
        directory,
        write("empty.mp4", b""),
        write("empty.npy", b""),
        write("zeros.mp4", bytes(5000)),
        write("noise.mp4", rng.integers(0, 256, 5000, np.uint8).tobytes()),
        write("text.mp4", b"this is no video\n" * 99),
        write("text.txt", b"this is no video\n" * 99),
        write("text.nfo", b"this is no video\n" * 99),
        write("ansi.ans", b"\x1b[31mred\x1b[0m text\n" * 99),
        write("page.html", b"<html><body>no video</body></html>"),
        write("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n"),
        write("list.ffconcat", b"ffconcat version 1.0\nfile '/etc/hostname'\n"),
        write("code.py", b"print('hello')\n" * 30),
        write("archive.mp4", b"PK\x03\x04" + bytes(200)),
        write("archive.npy", b"PK\x03\x04" + bytes(200)),
        write("container.npy", whole["x264.mp4"]),
        write("array.mp4", whole["array.npy"]),
        write("huge.npy", header % b"9000000000, 90000, 90000, 3" + b" " * 20 + b"\n"),
        write("overflow.npy", header % b"99999999999999999999, 9, 9, 3" + b" " * 20 + b"\n"),
        write("negative.npy", header % b"-4, 9, 9, 3" + b" " * 40 + b"\n"),
        write("huge.y4m", b"YUV4MPEG2 W100000 H100000 F25:1 C420\nFRAME\n" + bytes(1000)),
        write("short.y4m", b"YUV4MPEG2 W3000 H3000 F25:1 C420\nFRAME\n" + bytes(1000)),
        save("nan.npy", np.full((4, SIZE, SIZE, 3), np.nan, np.float32)),
        save("late-nan.npy", late),
        save("late-range.npy", np.concatenate([good, good + 7])),
        save("object.npy", np.array([{"a": 1}], object), allow_pickle=True),
        save("complex.npy", good.astype(np.complex64)),
        save("strings.npy", np.array(["a", "b"])),
        save("alpha.npy", np.zeros((4, SIZE, SIZE, 4), np.uint8)),
        save("scalar.npy", np.float32(1)),
        save("tiny.npy", np.zeros((4, 4, 4, 3), np.uint8)),
        save("one.npy", good[:1]),
        folder / "missing.mp4",
        folder / ("long" * 80 + ".mp4"),
    ]


def test_what_is_no_video(tmp_path: Path, capfd: Capture) -> None:
    for path in other_files(tmp_path / "others"):
        assert outcome(path, capfd) == 2, path


def test_good_files_of_every_kind_are_scored(tmp_path: Path, capfd: Capture) -> None:
    """Or else all of the above could be refused for the wrong reason."""
    for name in whole_files(tmp_path / "whole"):
        assert outcome(tmp_path / "whole" / name, capfd) == 0, name
