"""Prior images: a still image that a user has, read within limits, made upright, opaque, sRGB, fitted to a screen."""

from __future__ import annotations

import io
import os
import stat
import threading
import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from streaming.devices.stills.metadata import strip_metadata
from streaming.errors import SourceError

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
MAX_PIXELS = 50_000_000
"""Width times height that is decoded at most: 150 MB as RGB."""
MAX_BYTES = 100_000_000
"""The largest file that is read."""
MAX_SIDE = 2048
"""A prior is reduced to this longer side at once: finer than any screen that it is shown on."""
SHORT_SIDE = 512
"""The shorter side of the screen in pixels."""
MAX_ASPECT = 2.4
"""The screen's longer side is at most this many times its shorter side."""
SHIPPED = Path(__file__).with_name("prior.jpg")
_DECODERS = threading.BoundedSemaphore(2)
"""How many images are decoded at once: one of 50 megapixels takes up to 420 MB."""
_ROWS = 256
"""Rows of a large image that are converted at a time, so that no second copy of it is made."""
_DARK_LEVEL = 64.0
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How an image of each EXIF orientation is made upright."""
_FIX = f"give a PNG, JPEG or WebP of at most {MAX_PIXELS // 1_000_000} megapixels and {MAX_BYTES // 1_000_000} MB"


def load_prior(path: str) -> NDArray[np.uint8]:
    """Read a still image.

    The orientation and the colour profile that a camera wrote into it are applied; 16 bits become 8. Transparent parts
    are laid on black, or on white where the visible part is itself dark. Of several pictures in a file the first is
    taken. Memory stays below three times the decoded image, of which two are decoded at once at most.

    Args:
        path: a PNG, JPEG, WebP, TIFF or BMP file; "" for the shipped one.

    Returns:
        uint8 [H, W, 3] BGR, no side above `MAX_SIDE`.

    Raises:
        SourceError: for what is no regular file, is no picture, is damaged, or is too large; nothing large is read or
            decoded to find out.
    """
    path = path or str(SHIPPED)
    data = _read_file(path)
    with _DECODERS:
        return _decode(data, path)


def _decode(data: bytes, path: str) -> NDArray[np.uint8]:
    """The image in a file's bytes; see `load_prior`. A file whose metadata is wrong is read without it."""
    try:
        image = _pixels(data, path)
    except SourceError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a wrong entry leads to
        image = _decode_plain(data, path, error)
    bgr = np.ascontiguousarray(image[..., ::-1])
    scale = MAX_SIDE / max(image.shape[:2])
    if scale < 1.0:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    return bgr


def _decode_plain(data: bytes, path: str, error: Exception) -> NDArray[np.uint8]:
    """The pixels of a file without its metadata, which could not be read with it.

    Raises:
        SourceError: when it cannot be read so either, for the first reason.
    """
    plain = strip_metadata(data)
    if plain != data:
        try:
            return _pixels(plain, path)
        except SourceError:
            raise
        except Exception:  # the first error is the one to tell
            pass
    if isinstance(error, UnidentifiedImageError):
        raise SourceError("is no picture in a format that is read here", path, _FIX) from None
    if isinstance(error, Image.DecompressionBombError):
        raise SourceError("has far too many pixels", path, _FIX) from None
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    raise SourceError(f"is damaged or cut short ({text})", path, "save it anew, or give another image") from None


def _pixels(data: bytes, path: str) -> NDArray[np.uint8]:
    """The pixels [H, W, 3] RGB, upright and opaque; raises whatever the decoder does."""
    with warnings.catch_warnings():
        # The number of pixels is checked here, more strictly; what is odd about metadata does not concern a player.
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=FORMATS) as file:
            width, height = file.size
            if width * height > MAX_PIXELS:
                raise SourceError(f"has {width} x {height} pixels, which is too many", path, _FIX)
            if file.format in ("JPEG", "MPO"):
                # JPEG is decoded at a half, a quarter or an eighth of its size where that is large enough.
                file.draft(None, (MAX_SIDE, MAX_SIDE))
            file.load()
            orientation, profile = file.getexif().get(_ORIENTATION, 1), file.info.get("icc_profile")
            small = _to_srgb(_reduce(_to_8_bits(file)), profile)
            if isinstance(orientation, int) and orientation in _UPRIGHT:
                small = small.transpose(_UPRIGHT[orientation])
            return np.asarray(_opaque(small))


def _read_file(path: str) -> bytes:
    """The bytes of a regular file of at most `MAX_BYTES`; a FIFO or a device is not even waited for.

    Raises:
        SourceError: when it is none, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceError("is no regular file", path, _FIX)
            if status.st_size > MAX_BYTES:
                raise SourceError(f"has {status.st_size / 1e6:.0f} MB, which is too much", path, _FIX)
            # No more than there is: read() makes room for all that it is asked for.
            return file.read(status.st_size)
    except FileNotFoundError:
        raise SourceError("there is no such file", path, "give an image") from None
    except IsADirectoryError:
        raise SourceError("is a folder", path, "give an image") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot be read ({reason})", path, "give another image") from None


def _reduce(image: Image.Image) -> Image.Image:
    """An image of at least twice `MAX_SIDE`, reduced by a whole factor before it is copied; others as they are."""
    factor = max(image.size) // MAX_SIDE
    if factor < 2:
        return image
    if image.mode == "PA" or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode in ("1", "P"):
        image = image.convert("RGB" if image.mode == "P" else "L")
    return image.reduce(factor)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Greys of 16 or 32 bits, or of floating point, as 8-bit greys; other images unchanged."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    out = np.empty(values.shape, np.uint8)
    parts = [slice(at, at + _ROWS) for at in range(0, len(values), _ROWS)]
    highest = max((float(np.nan_to_num(values[part]).max(initial=0.0)) for part in parts), default=0.0)
    top = 1.0 if image.mode == "F" and highest <= 1.0 else 255.0 if image.mode == "F" else 65_535.0
    for part in parts:
        levels = np.nan_to_num(values[part].astype(np.float64)) * (255.0 / top)
        out[part] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return Image.fromarray(out)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours of an own profile (a telephone's P3, a printer's CMYK) as those of a screen."""
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        plain = image.convert("RGB") if alpha is not None else image
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(plain, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # A profile that cannot be read is ignored.
    if converted is None:
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _opaque(image: Image.Image) -> Image.Image:
    """RGB, with black or white under the transparent parts."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    pixels = np.asarray(layer).astype(np.float32)
    alpha = pixels[..., 3:] / 255.0
    light = float((pixels[..., :3].mean(-1, keepdims=True) * alpha).sum() / max(1.0, float(alpha.sum())))
    ground = Image.new("RGBA", layer.size, (0, 0, 0, 255) if light >= _DARK_LEVEL else (255, 255, 255, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")


def screen_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height of the screen for a prior [H, W, 3]: its shape, in multiples of 16, at least `SHORT_SIDE`."""
    height, width = image.shape[:2]
    wide = min(MAX_ASPECT, max(1.0 / MAX_ASPECT, width / height))
    longer = round(SHORT_SIDE * max(wide, 1.0 / wide) / 16) * 16
    return (longer, SHORT_SIDE) if wide >= 1.0 else (SHORT_SIDE, longer)


def fit_screen(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Fit a whole prior [H, W, 3] into the middle of a screen, over an enlarged and blurred copy of itself.

    Args:
        image: uint8, of any shape.
        size: width and height of the screen.

    Returns:
        uint8 [height, width, 3].
    """
    width, height = size
    left, top, inner_width, inner_height = fitted_place(image.shape[:2], size)
    if (inner_width, inner_height) == size:
        whole = min(width / image.shape[1], height / image.shape[0])
        inner = _scaled(image, whole)[:height, :width]
        return np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    # The background is the middle of the picture, cut to the screen's shape.
    wide = min(image.shape[1], max(1, round(image.shape[0] * width / height)))
    high = min(image.shape[0], max(1, round(image.shape[1] * height / width)))
    cut_top, cut_left = (image.shape[0] - high) // 2, (image.shape[1] - wide) // 2
    middle = image[cut_top : cut_top + high, cut_left : cut_left + wide]
    ground = cv2.resize(middle, size, interpolation=cv2.INTER_LINEAR)
    ground = cv2.GaussianBlur(ground, (0, 0), 0.04 * max(size))
    out = np.ascontiguousarray((0.6 * ground).astype(np.uint8))
    inner = _scaled(image, min(width / image.shape[1], height / image.shape[0]))[:height, :width]
    out[top : top + inner_height, left : left + inner_width] = inner
    return out


def fitted_place(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where `fit_screen` puts an image: left, top, width and height in pixels of the screen.

    Args:
        shape: of the image: height, width.
        size: width and height of the screen.
    """
    width, height = size
    whole = min(width / shape[1], height / shape[0])
    inner_width, inner_height = (
        min(width, max(1, round(shape[1] * whole))),
        min(height, max(1, round(shape[0] * whole))),
    )
    # A narrow margin, from rounding to multiples of 16, is covered by stretching the image a little.
    if inner_height >= height - height // 25 and inner_width >= width - width // 25:
        return 0, 0, width, height
    return (width - inner_width) // 2, (height - inner_height) // 2, inner_width, inner_height


def _scaled(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
