"""Video files: what is written comes back, and every bad file is refused with one line that names it."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from worldr1.video import DEFAULT_FPS, Header, iter_frames, read_header, read_video, shrunk
from worldr1.video_write import write_video


def moving_picture(frames: int = 6, height: int = 32, width: int = 32) -> Tensor:
    """Smooth colours that drift and a square that moves: ``[frames, 3, h, w]``."""
    y, x = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 4, width), indexing="ij")
    video = torch.stack(
        [torch.stack([torch.sin(x + t / 5), torch.cos(y - t / 7), torch.sin(x * y / 3)]) for t in range(frames)]
    )
    video = video / 2 + 0.5
    for t in range(frames):
        video[t, :, 4:10, 2 + t : 8 + t] = torch.tensor([0.9, 0.1, 0.2])[:, None, None]
    return video


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: a full disk, as far as writing is concerned."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    video = moving_picture()
    path = tmp_path / "new" / "folders" / f"clip{suffix}"
    write_video(video, 8.0, path)
    clip = read_video(path)
    assert clip.video.shape == video.shape
    assert clip.video.dtype == torch.float32
    assert clip.fps == pytest.approx(8.0)
    error = (clip.video - video).abs() * 255
    assert error.mean() < 1.5
    assert error.max() < 25
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("height", "width"), [(31, 17), (16, 33), (1, 1), (3, 64)])
def test_odd_sizes(tmp_path: Path, height: int, width: int) -> None:
    video = moving_picture(4, 40, 64)[:, :, :height, :width]
    write_video(video, 12.5, tmp_path / "odd.mp4")
    clip = read_video(tmp_path / "odd.mp4")
    assert clip.video.shape == video.shape
    assert clip.fps == pytest.approx(12.5)
    assert (clip.video - video).abs().mean() * 255 < 2


def test_the_same_frames_are_the_same_file() -> None:
    """Whatever the memory held before: a run's floors and metrics are read from its files."""
    code = """if True:
        import hashlib, numpy as np, worldr1.video_write
        random = np.random.default_rng(0)
        wall = np.kron(random.integers(0, 200, (8, 24, 3)), np.ones((8, 8, 1))).astype("uint8")
        frames = np.stack([wall[:, 2 * t : 2 * t + 64] for t in range(9)])
        frames += random.integers(0, 30, frames.shape, dtype=np.uint8)
        print(hashlib.md5(worldr1.video_write._encode(frames, 8.0, "mp4")).hexdigest())
    """
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"MALLOC_PERTURB_": fill}, capture_output=True, check=True
        ).stdout
        for fill in ("1", "85")
    }
    assert len(found) == 1


def test_extremes_stay_in_range(tmp_path: Path) -> None:
    video = torch.zeros(3, 3, 16, 16)
    video[:, :, :, 8:] = 1
    write_video(video, 8.0, tmp_path / "bw.mp4")
    found = read_video(tmp_path / "bw.mp4").video
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found - video).abs().mean() < 0.01


def test_overwrites(tmp_path: Path) -> None:
    write_video(moving_picture(3), 8.0, tmp_path / "x.mp4")
    write_video(moving_picture(5), 8.0, tmp_path / "x.mp4")
    assert len(read_video(tmp_path / "x.mp4").video) == 5


def test_rotation_is_applied(tmp_path: Path) -> None:
    """A file that says "turn me by 90°" is read upright: the red top of the stored picture becomes its left."""
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:4] = (255, 0, 0)
    with av.open(str(tmp_path / "turned.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(8))
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv444p"
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot write rotation")
        stream.set_display_rotation(90)
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    assert read_header(tmp_path / "turned.mp4").size == (32, 16)
    red = read_video(tmp_path / "turned.mp4").video[0, 0]
    assert red[:, :3].mean() > 0.8
    assert red[:, 5:].mean() < 0.2


def test_arrays(tmp_path: Path) -> None:
    video = moving_picture(4, 20, 24)
    array = video.permute(0, 2, 3, 1).numpy()
    np.save(tmp_path / "float.npy", array.astype(np.float64))
    np.save(tmp_path / "bytes.npy", (array * 255).round().astype(np.uint8))
    assert torch.allclose(read_video(tmp_path / "float.npy").video, video)
    found = read_video(tmp_path / "bytes.npy")
    assert (found.video - video).abs().max() <= 0.51 / 255
    assert found.fps == DEFAULT_FPS


def test_frames_are_shrunk_to_their_shorter_side_and_never_enlarged() -> None:
    video = moving_picture(1, 60, 90)
    frame = (video[0] * 255).round().byte().permute(1, 2, 0).numpy()
    found = torch.from_numpy(shrunk(frame, 20)).permute(2, 0, 1) / 255
    assert found.shape == (3, 20, 30)
    assert (found - torch.nn.functional.avg_pool2d(video, 3)[0]).abs().mean() < 0.01
    assert shrunk(frame, 60) is frame


BAD_ARRAYS = {
    "one frame": (np.zeros((1, 16, 16, 3), np.uint8), "only one frame"),
    "not finite": (np.full((3, 16, 16, 3), np.nan, np.float32), "not finite"),
    "infinite": (np.full((3, 16, 16, 3), np.inf, np.float32), "not finite"),
    "beyond one": (np.full((3, 16, 16, 3), 1.5, np.float32), r"\[1.5, 1.5\]"),
    "negative": (np.full((3, 16, 16, 3), -0.1), r"must lie in \[0, 1\]"),
    "channels first": (np.zeros((3, 3, 16, 16), np.uint8), r"not \[3, 3, 16, 16\]"),
    "three axes": (np.zeros((3, 16, 16), np.uint8), "frames, height, width, 3"),
    "no frames": (np.zeros((0, 16, 16, 3), np.uint8), "frames, height, width, 3"),
    "integers": (np.zeros((3, 16, 16, 3), np.int64), "not int64"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays(tmp_path: Path, name: str) -> None:
    array, message = BAD_ARRAYS[name]
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(ValueError, match=message) as caught:
        read_video(tmp_path / "bad.npy")
    assert "bad.npy" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_files(tmp_path: Path) -> None:
    def refused(path: Path, message: str) -> None:
        with pytest.raises(ValueError, match=message) as caught:
            read_video(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    refused(tmp_path / "missing.mp4", "no such file")
    refused(tmp_path, "directory")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", "the file is empty")
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 50)
    refused(tmp_path / "text.mp4", "not a video that can be read")
    (tmp_path / "text.npy").write_text("this is not an array\n")
    refused(tmp_path / "text.npy", "not a NumPy array")
    np.savez(tmp_path / "archive.npz", a=np.zeros(3))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    refused(tmp_path / "archive.npy", "not an archive")
    write_video(moving_picture(1), 8.0, tmp_path / "one.mp4")
    refused(tmp_path / "one.mp4", "only one frame")
    write_video(moving_picture(8), 8.0, tmp_path / "whole.mp4")
    whole = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.mp4", "not a video that can be read")


def test_file_without_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mka"
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with pytest.raises(ValueError, match="no video in this file"):
        read_video(path)


@pytest.mark.parametrize(
    ("video", "fps", "name", "message"),
    [
        (moving_picture(), 8.0, "x.avi", "use one of .mp4, .mov, .mkv"),
        (moving_picture(), 8.0, "x", "unknown kind of video ''"),
        (moving_picture()[0], 8.0, "x.mp4", r"not \[3, 32, 32\]"),
        (moving_picture()[:0], 8.0, "x.mp4", r"not \[0, 3, 32, 32\]"),
        (moving_picture() * 2, 8.0, "x.mp4", r"not \[0, 1\]"),
        (moving_picture() * float("nan"), 8.0, "x.mp4", "not finite"),
        (moving_picture(), 0.0, "x.mp4", "frame rate"),
        (moving_picture(), float("nan"), "x.mp4", "frame rate"),
    ],
)
def test_refuses_to_write(tmp_path: Path, video: Tensor, fps: float, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_video(video, fps, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    write_video(moving_picture(3), 8.0, path)
    before = path.read_bytes()
    with file_size_limit(200), pytest.raises(OSError, match="cannot write") as caught:
        write_video(moving_picture(6), 8.0, path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_failed_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("worldr1.files.os.replace", fail)
    with pytest.raises(OSError, match="No space left on device"):
        write_video(moving_picture(), 8.0, tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == []


def test_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write"):
        write_video(moving_picture(), 8.0, tmp_path / "file" / "x.mp4")
    (tmp_path / "dir.mp4").mkdir()
    with pytest.raises(ValueError, match="directory"):
        write_video(moving_picture(), 8.0, tmp_path / "dir.mp4")


def encoded(
    path: Path, frames: list[np.ndarray], codec: str, pix_fmt: str, source: str, times: list[int] | None = None
) -> Path:
    """Write frames (layout ``source``) with PyAV; ``times`` are presentation times in hundredths of a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=Fraction(10))
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pix_fmt
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 100)
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format=source).reformat(format=pix_fmt)
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 100)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def bars(height: int = 48, width: int = 64, channels: int = 3) -> np.ndarray:
    image = np.zeros((height, width, channels), np.uint8)
    image[:, : width // 2, 0], image[:, width // 2 :, 1] = 200, 160
    if channels == 4:
        image[..., 3] = 255
    return image


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "source"),
    [
        ("libx264", "yuv420p10le", "rgb24"),
        ("ffv1", "yuv444p10le", "rgb24"),
        ("ffv1", "bgra", "rgba"),
        ("prores_ks", "yuva444p10le", "rgba"),
    ],
)
def test_deep_colour_and_alpha(tmp_path: Path, codec: str, pix_fmt: str, source: str) -> None:
    image = bars(channels=4 if source == "rgba" else 3)
    path = encoded(tmp_path / "x.mkv", [image] * 4, codec, pix_fmt, source)
    frames = [f for f, _ in iter_frames(path)]
    assert len(frames) == 4
    assert frames[0].dtype == np.uint8
    assert np.abs(frames[3][:, 4:28].astype(int) - [200, 0, 0]).mean() < 8
    assert np.abs(frames[3][:, 36:60].astype(int) - [0, 160, 0]).mean() < 8


def test_mono(tmp_path: Path) -> None:
    path = encoded(tmp_path / "x.mkv", [np.full((32, 40), 90 + t, np.uint8) for t in range(3)], "ffv1", "gray", "gray")
    frames = [f for f, _ in iter_frames(path)]
    assert frames[1].shape == (32, 40, 3)
    assert np.abs(frames[1].astype(int) - 91).max() <= 1


def test_large_frames(tmp_path: Path) -> None:
    path = encoded(tmp_path / "4k.mp4", [bars(2160, 3840)] * 3, "mpeg4", "yuv420p", "rgb24")
    assert read_header(path) == Header((2160, 3840), 10.0, 3)
    assert [f.shape for f, _ in iter_frames(path)] == [(2160, 3840, 3)] * 3


def test_times_of_a_variable_rate(tmp_path: Path) -> None:
    times = [0, 10, 15, 60, 61, 100]
    path = encoded(tmp_path / "x.mkv", [bars()] * 6, "ffv1", "bgr0", "rgb24", times)
    assert [t for _, t in iter_frames(path)] == pytest.approx([t / 100 for t in times], abs=0.002)


def test_reading_from_a_moment_on(tmp_path: Path) -> None:
    """Frames after a seek are the same as without, for containers and arrays."""
    write_video(moving_picture(40), 8.0, tmp_path / "x.mp4")
    np.save(tmp_path / "x.npy", (moving_picture(40).permute(0, 2, 3, 1) * 255).byte().numpy())
    for name in ("x.mp4", "x.npy"):
        everything = list(iter_frames(tmp_path / name))
        late = list(iter_frames(tmp_path / name, start_s=3.0))
        assert len(everything) == 40
        assert len(late) == 40 - 24
        assert late[0][1] == pytest.approx(3.0)
        np.testing.assert_array_equal(late[5][0], everything[29][0])
        assert read_header(tmp_path / name) == Header((32, 32), 8.0, 40)


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    array = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.uint8, shape=(200, 256, 256, 3))
    array[:] = 7
    array.flush()
    del array
    frames = iter_frames(tmp_path / "x.npy")
    next(frames)
    tracemalloc.start()
    for frame, _ in frames:
        assert frame[0, 0, 0] == 7
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 256 * 256 * 3


def test_late_damage_is_told_when_it_is_reached(tmp_path: Path) -> None:
    frames = np.zeros((5, 16, 16, 3), np.float32)
    frames[4, 3, 3, 1] = np.nan
    np.save(tmp_path / "late.npy", frames)
    stream = iter_frames(tmp_path / "late.npy")
    for _ in range(4):
        next(stream)
    with pytest.raises(ValueError, match="not finite"):
        next(stream)
