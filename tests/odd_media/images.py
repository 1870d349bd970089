"""Odd image files. What is expected is the number of pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.odd_media.encoding import cut, flipped, noisy
from tests.odd_media.odd_file import OddFile

SIDE = (96, 64)
_PIXELS = 96 * 64


def picture() -> np.ndarray:
    """A gradient with a square in it: uint8 [64, 96, 3]."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, 96)
    image[16:48, 30:60] = (250, 120, 20)
    return image


def saved(form: str, mode: str = "RGB", **options: Any) -> bytes:
    """The picture in a format and a mode of Pillow."""
    out = io.BytesIO()
    base = Image.fromarray(picture())
    image = (
        Image.fromarray(np.asarray(base.convert("L")).astype(np.uint16) * 257) if mode == "I;16" else base.convert(mode)
    )
    image.save(out, form, **options)
    return out.getvalue()


def by_opencv(ending: str, image: np.ndarray) -> bytes:
    """An array as OpenCV writes it."""
    done, data = cv2.imencode(ending, image)
    assert done
    return data.tobytes()


def jpeg_with_exif(*entries: tuple[int, int, int, bytes], jfif: bool = False) -> bytes:
    """A JPEG with Exif entries (tag, type, count, value), as a telephone writes it: without a JFIF segment."""
    data = saved("JPEG", quality=95)
    directory, extra = struct.pack("<H", len(entries)), b""
    behind = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", behind + len(extra))
        extra += value if len(value) > 4 else b""
        directory += struct.pack("<HHI", tag, kind, count) + place
    segment = b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory + bytes(4) + extra
    rest = data[2:] if jfif else data[4 + struct.unpack(">H", data[4:6])[0] :]
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + rest


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes) -> bytes:
    """A PNG with more chunks behind its header."""
    data = saved("PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says to be large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + png_chunk(b"IDAT", zlib.compress(bytes(99)))
        + png_chunk(b"IEND", b"")
    )


def _is(name: str, make: Callable[[], bytes], pixels: float | None = _PIXELS) -> OddFile:
    return OddFile(name, "image", make, pixels)


def _tag(tag: int, kind: int, count: int, value: bytes) -> Callable[[], bytes]:
    return lambda: jpeg_with_exif((tag, kind, count, value), (0x0128, 3, 1, b"\2\0"))


_X_RESOLUTION, _ORIENTATION = 0x011A, 0x0112
_SHORT = struct.pack("<H", 6)
IMAGES = (
    *(_is(f"png-{mode}.png", partial(saved, "PNG", mode)) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    *(
        _is(f"tiff-{mode}.tif", partial(saved, "TIFF", mode))
        for mode in ("1", "L", "RGB", "RGBA", "CMYK", "F", "I;16", "LAB")
    ),
    *(
        _is(f"tiff-{kind}.tif", partial(saved, "TIFF", compression=kind))
        for kind in ("tiff_lzw", "jpeg", "tiff_deflate")
    ),
    *(_is(f"jpeg-{mode}.jpg", partial(saved, "JPEG", mode)) for mode in ("L", "RGB", "CMYK", "YCbCr")),
    *(_is(f"bmp-{mode}.bmp", partial(saved, "BMP", mode)) for mode in ("1", "L", "P", "RGB")),
    *(_is(f"webp-{lossless}.webp", partial(saved, "WEBP", "RGBA", lossless=lossless)) for lossless in (True, False)),
    *(_is(f"orientation-{n}.jpg", _tag(_ORIENTATION, 3, 1, struct.pack("<H", n))) for n in range(10)),
    _is("progressive.jpg", partial(saved, "JPEG", progressive=True)),
    _is("16-bits.png", lambda: by_opencv(".png", picture().astype(np.uint16) * 257)),
    _is("float.tif", lambda: by_opencv(".tiff", picture().astype(np.float32) / 255), None),
    _is("x-resolution-byte.jpg", _tag(_X_RESOLUTION, 1, 1, b"\1")),
    _is("x-resolution-undefined.jpg", _tag(_X_RESOLUTION, 7, 1, b"\1")),
    _is("x-resolution-word.jpg", _tag(_X_RESOLUTION, 2, 1, b"7")),
    _is("x-resolution-words.jpg", _tag(_X_RESOLUTION, 2, 8, b"seventy\0")),
    _is("x-resolution-0-0.jpg", _tag(_X_RESOLUTION, 5, 1, bytes(8))),
    _is("x-resolution-two.jpg", _tag(_X_RESOLUTION, 5, 2, struct.pack("<IIII", 72, 1, 72, 1))),
    _is("orientation-word.jpg", _tag(_ORIENTATION, 2, 2, b"6\0")),
    _is("orientation-nan.jpg", _tag(_ORIENTATION, 11, 1, struct.pack("<f", float("nan")))),
    _is("orientation-two.jpg", _tag(_ORIENTATION, 3, 2, _SHORT + b"\1\0")),
    _is("exif-far-away.jpg", _tag(_ORIENTATION, 5, 1_000, b"\xff\xff\xff\x7f")),
    _is("exif-noise.jpg", lambda: saved("JPEG", exif=b"Exif\0\0" + bytes(range(200)))),
    _is("profile-noise.jpg", lambda: saved("JPEG", icc_profile=bytes(range(200)))),
    _is("profile-noise.png", lambda: saved("PNG", icc_profile=bytes(range(200)))),
    _is("text-huge.png", lambda: png_with(png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(90_000_000), 1)))),
    _is("exif-noise.png", lambda: png_with(png_chunk(b"eXIf", bytes(range(99))))),
    _is("unknown-chunk.png", lambda: png_with(png_chunk(b"abCd", bytes(99)))),
    _is("wrong-sum.png", lambda: flipped(saved("PNG"), 1, 60), None),
    _is("cut.png", lambda: cut(saved("PNG"), 0.5), None),
    _is("cut.jpg", lambda: cut(saved("JPEG"), 0.5), None),
    _is("cut.webp", lambda: cut(saved("WEBP"), 0.5), None),
    _is("cut.tif", lambda: cut(saved("TIFF"), 0.5), None),
    _is("noise.jpg", lambda: noisy(saved("JPEG"), 0.7, 0.8)),
    _is("one-pixel.png", lambda: by_opencv(".png", np.zeros((1, 1, 3), np.uint8)), 1),
    _is("one-line.png", lambda: by_opencv(".png", np.zeros((1, 5_000, 3), np.uint8)), 2_048),
    _is("one-column.jpg", lambda: by_opencv(".jpg", np.zeros((5_000, 1, 3), np.uint8)), 2_048),
    _is("large.jpg", lambda: by_opencv(".jpg", np.zeros((4_000, 6_000, 3), np.uint8)), 1_365 * 2_048),
    _is("bomb.png", lambda: huge_png(60_000, 60_000), None),
    _is("no-width.png", lambda: huge_png(0, 7), None),
    _is("far-too-large.png", lambda: huge_png(0x7FFFFFFF, 0x7FFFFFFF), None),
    _is("moving.webp", lambda: saved("WEBP", save_all=True, append_images=[Image.new("RGB", SIDE)])),
    _is("pages.tif", lambda: saved("TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))])),
    _is("picture.gif", lambda: saved("GIF", "P"), None),
    _is("picture.ppm", lambda: saved("PPM"), None),
    _is("drawing.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
    _is("script.png", lambda: b"%!PS-Adobe-3.0\nshowpage", None),
    _is("nothing.png", lambda: b"", None),
    _is("zeros.jpg", lambda: bytes(5_000), None),
    _is("jpeg.png", partial(saved, "JPEG")),
)
