"""Removes from an image file what is not needed to draw it: a wrong entry there must not keep the image from use."""

from __future__ import annotations

import struct

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_JPEG_KEPT = (b"ICC_PROFILE\0", b"Adobe")
"""Beginnings of the application segments that say what the colours are."""
_PNG_KEPT = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"sRGB", b"gAMA")


def strip_metadata(data: bytes) -> bytes:
    """A JPEG or PNG file without its metadata (Exif, XMP, comments, texts); others, and damaged ones, as they are."""
    if data.startswith(_JPEG):
        return _strip_jpeg(data)
    if data.startswith(_PNG):
        return _strip_png(data)
    return data


def _strip_jpeg(data: bytes) -> bytes:
    out, at = bytearray(_JPEG), len(_JPEG)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, (length,) = data[at + 1], struct.unpack_from(">H", data, at + 2)
        if marker == 0xDA:
            break
        is_metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not is_metadata or data[at + 4 : at + 2 + length].startswith(_JPEG_KEPT):
            out += data[at : at + 2 + length]
        at += 2 + length
    return bytes(out) + data[at:]


def _strip_png(data: bytes) -> bytes:
    out, at = bytearray(_PNG), len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] in _PNG_KEPT:
            out += data[at : at + 12 + length]
        at += 12 + length
    return bytes(out)
