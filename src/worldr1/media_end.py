"""Whether a media file reaches its own end. FFmpeg shows a file that was cut off as a shorter video, without a word.

Only the outermost elements are looked at, whose sizes say where the file should end.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

_BOXES = (b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"uuid", b"mfra", b"sidx", b"styp")
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067

Bytes = mmap.mmap


def is_cut_off(path: Path, kind: str) -> bool | None:
    """Whether a file that is not empty, of FFmpeg's format ``kind``, ends too early; ``None`` where nothing tells."""
    look = _KINDS.get(kind)
    if look is None:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return look(data)
        except (IndexError, struct.error):  # it ends within what says how long it is
            return True


def _mp4(data: Bytes) -> bool | None:
    """Boxes one after the other (ISO 14496-12, 4.2): the last one may say that it reaches to the end."""
    start = 0
    while start + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, start)
        if name not in _BOXES:  # padding or a tag behind the video
            break
        if size == 0:
            return None
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
        if size < 8:
            return None
        start += size
    return start > len(data)


def _matroska(data: Bytes) -> bool | None:
    """The segment (RFC 8794 and 9559), behind the EBML header. A live stream's has no size."""
    start = 0
    for wanted in (_EBML, _SEGMENT):
        name, start = _vint(data, start, keep_marker=True)
        size, after = _vint(data, start)
        if name != wanted or size == (1 << 7 * (after - start)) - 1:
            return None
        start = after + size
    return start > len(data)


def _vint(data: Bytes, start: int, *, keep_marker: bool = False) -> tuple[int, int]:
    """A number of variable length, and where what follows it starts; the first bit that is set says how many bytes."""
    length = 9 - data[start].bit_length()
    if start + length > len(data):
        raise IndexError
    value = int.from_bytes(data[start : start + length], "big")
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), start + length


def _avi(data: Bytes) -> bool | None:
    """RIFF chunks one after the other, of which each holds a gigabyte at most (OpenDML)."""
    start = 0
    while data[start : start + 4] == b"RIFF":
        (size,) = struct.unpack_from("<I", data, start + 4)
        if size in (0, 2**32 - 1):  # never filled in
            return None
        start += 8 + size
        start += start % 2 if start < len(data) else 0
    return start > len(data) if start else None


def _gif(data: Bytes) -> bool | None:
    """Blocks up to the trailer (GIF89a, 17 to 27)."""
    start = 13 + _colours(data[10])
    while True:
        block = data[start]
        if block == 0x3B:
            return False
        if block == 0x2C:
            start += 11 + _colours(data[start + 9])  # descriptor, colours, least code size
        elif block == 0x21:
            start += 2
        else:
            return None
        while data[start]:
            start += 1 + data[start]
        start += 1


def _colours(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 * 2 ** (1 + (flags & 7)) if flags & 0x80 else 0


_KINDS: Mapping[str, Callable[[Bytes], bool | None]] = {
    "mov,mp4,m4a,3gp,3g2,mj2": _mp4,
    "matroska,webm": _matroska,
    "avi": _avi,
    "gif": _gif,
}
