"""Odd video files: ten pictures of 64 x 48 where nothing else is said. What is expected is how many are seen."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from tests.odd_media.encoding import cut, encoded, film, flipped, noisy
from tests.odd_media.images import saved
from tests.odd_media.odd_file import OddFile

_TS = partial(film, "mpeg2video", "mpegts", frames=25)
_LONG = partial(film, frames=100)


def _is(
    name: str, make: Callable[[], bytes], low: float | None = 10, high: float | None = None, damaged: bool = False
) -> OddFile:
    return OddFile(name, "video", make, low, high, damaged)


def _in(codec: str, container: str, form: str = "yuv420p") -> OddFile:
    return _is(f"{codec}-{form}.{container}", partial(film, codec, container, form=form), 9, 10)


VIDEOS = (
    *(_in("mpeg4", container) for container in ("mp4", "mov", "matroska", "avi", "nut", "mpegts")),
    *(_in(codec, "matroska") for codec in ("libx264", "libvpx", "mpeg1video", "mpeg2video", "ffv1")),
    *(_in(codec, "avi") for codec in ("h263p", "wmv2", "msmpeg4")),
    _in("flv", "flv"),
    *(_in("mjpeg", container, "yuvj420p") for container in ("avi", "mov", "matroska")),
    *(_in("ffv1", "matroska", form) for form in ("gray", "yuv444p", "yuv422p10le", "bgra", "gray16le")),
    *(_in("rawvideo", "nut", form) for form in ("rgb24", "bgr0", "rgb48le", "yuyv422")),
    _in("png", "mov", "rgba"),
    _in("prores_ks", "mov", "yuv422p10le"),
    _in("gif", "gif", "rgb8"),
    *(
        _is(f"size-{w}x{h}.mkv", partial(film, "ffv1", "matroska", (w, h)), 9, 10)
        for w, h in ((1, 1), (2, 2), (6, 10), (4_096, 2))
    ),
    *(_is(f"rate-{rate}.mkv", partial(film, "ffv1", "matroska", rate=rate), 3, 10) for rate in (1, 50, 120, 1_000)),
    _is("one-picture.mp4", partial(film, frames=1), None),
    _is("two-pictures.mp4", partial(film, frames=2), 2),
    _is("with-sound.mp4", partial(film, sound=True)),
    _is(
        "stamps-forward.mkv",
        partial(film, "ffv1", "matroska", stamps=[0, 1, 2, 3, 4, 90_000, 90_001, 90_002, 90_003, 90_004]),
        5,
        10,
    ),
    _is("stamps-far-apart.mkv", partial(film, "ffv1", "matroska", stamps=[n * 50 for n in range(10)])),
    _is("two-joined.ts", lambda: _TS() + _TS(), 25, 50),
    _is("sizes-joined.ts", lambda: _TS() + _TS(size=(96, 80)), 25, 50),
    _is("pictures.mp3", lambda: encoded("libmp3lame", "mp3"), None),
    _is("cut.mp4", lambda: cut(_LONG(), 0.6), None),
    _is("cut.mkv", lambda: cut(_LONG("mpeg4", "matroska"), 0.5), 20, 80, damaged=True),
    _is("cut.ts", lambda: cut(_TS(), 0.6), 8, 24),
    _is("hole.ts", lambda: noisy(_TS(), 0.4, 0.6), 5, 25),
    _is("hole.mkv", lambda: noisy(_LONG("mpeg4", "matroska"), 0.4, 0.5), 20, 100, damaged=True),
    _is("bits.mp4", lambda: flipped(_LONG(), 30, 200), None),
    _is("bits.avi", lambda: flipped(_LONG("mjpeg", "avi", form="yuvj420p"), 30, 6_000), 50, 100, damaged=True),
    _is("bits-264.mkv", lambda: flipped(_LONG("libx264", "matroska"), 10, 1_500), 1, 100, damaged=True),
    _is("header-only.mkv", lambda: cut(film("ffv1", "matroska"), 0.02), None),
    _is("nothing.mp4", lambda: b"", None),
    _is("zeros.mp4", lambda: bytes(9_000), None),
    _is("random.mp4", lambda: random.Random(3).randbytes(9_000), None),
    _is("text.mp4", lambda: b"no film\n" * 300, None),
    _is("picture.jpg", partial(saved, "JPEG"), None),
    _is("picture.png", partial(saved, "PNG"), None),
    _is("addresses.m3u8", lambda: b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n", None),
    _is("files.ffconcat", lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n", None),
)
