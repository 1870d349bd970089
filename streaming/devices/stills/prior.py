"""Prior images: any still that a user has, made upright, opaque, 8-bit sRGB, and fitted whole into the screen."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from streaming.errors import SourceError

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
MAX_PIXELS = 50_000_000
MAX_SIDE = 2048
"""A prior is kept no larger than this: finer than any screen it is moved on, and 50 megapixels would take 150 MB."""
SHORT_SIDE = 512
"""The shorter side of the screen in pixels."""
WIDEST = 2.4
"""No screen is wider, or higher, than so many of its shorter sides."""
SHIPPED = Path(__file__).with_name("prior.jpg")
_DARK = 64.0
_FIX = f"give --prior a PNG, JPEG or WebP of at most {MAX_PIXELS // 1_000_000} megapixels"


def load_prior(path: str) -> NDArray[np.uint8]:
    """Read a still image.

    What a camera wrote about its orientation and its colours is obeyed; 16 bits become 8; what is transparent lies on
    black, or on white where what can be seen is itself dark. Of several pictures in a file the first is taken.

    Args:
        path: a PNG, JPEG, WebP, TIFF or BMP file; "" for the shipped one.

    Returns:
        uint8 [H, W, 3] BGR, no side above `MAX_SIDE`.

    Raises:
        SourceError: for what is no picture, is damaged, or is too large; nothing large is decoded to find out.
    """
    path = path or str(SHIPPED)
    try:
        with warnings.catch_warnings():
            # Its size is looked at here, more strictly.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as file:
                width, height = file.size
                if width * height > MAX_PIXELS:
                    raise SourceError(f"has {width} x {height} pixels, which is too many", path, _FIX)
                if file.format in ("JPEG", "MPO"):
                    # Decoded at a half, a quarter or an eighth where that is still large enough.
                    file.draft(None, (MAX_SIDE, MAX_SIDE))
                file.load()
                image = np.asarray(_opaque(_in_srgb(_in_8_bits(ImageOps.exif_transpose(file)))))
    except UnidentifiedImageError:
        raise SourceError("is no picture that can be read", path, _FIX) from None
    except Image.DecompressionBombError:
        raise SourceError("has far too many pixels", path, _FIX) from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SourceError(
            f"is damaged or cut short ({reason})", path, "save it anew, or give another --prior"
        ) from None
    scale = MAX_SIDE / max(image.shape[:2])
    bgr = np.ascontiguousarray(image[..., ::-1])
    if scale < 1.0:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    return bgr


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Greys of 16 or 32 bits, or of floating point, as greys of 8; anything else as it is."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    top = 1.0 if image.mode == "F" and values.max(initial=0.0) <= 1.0 else 255.0 if image.mode == "F" else 65_535.0
    return Image.fromarray(np.clip(np.rint(values * (255.0 / top)), 0, 255).astype(np.uint8))


def _in_srgb(image: Image.Image) -> Image.Image:
    """Colours of a profile of its own (a telephone's P3, a printer's CMYK) as those of a screen."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        plain = image.convert("RGB") if alpha is not None else image
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        seen = ImageCms.profileToProfile(plain, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # A profile that cannot be read is as good as none.
    if seen is None:
        return image
    if alpha is not None:
        seen.putalpha(alpha)
    return seen


def _opaque(image: Image.Image) -> Image.Image:
    """RGB, with a ground under what is transparent."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    pixels = np.asarray(layer).astype(np.float32)
    alpha = pixels[..., 3:] / 255.0
    light = float((pixels[..., :3].mean(-1, keepdims=True) * alpha).sum() / max(1.0, float(alpha.sum())))
    ground = Image.new("RGBA", layer.size, (0, 0, 0, 255) if light >= _DARK else (255, 255, 255, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")


def screen_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    """The width and height of a screen for a prior [H, W, 3]: its shape, in sixteens, `SHORT_SIDE` or more."""
    height, width = image.shape[:2]
    wide = min(WIDEST, max(1.0 / WIDEST, width / height))
    longer = round(SHORT_SIDE * max(wide, 1.0 / wide) / 16) * 16
    return (longer, SHORT_SIDE) if wide >= 1.0 else (SHORT_SIDE, longer)


def fit_screen(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A prior [H, W, 3] whole and undistorted in the middle of a screen, over its own enlarged and blurred self.

    Args:
        image: uint8, of any shape.
        size: width and height of the screen.

    Returns:
        uint8 [height, width, 3].
    """
    width, height = size
    whole = min(width / image.shape[1], height / image.shape[0])
    inner = _scaled(image, whole)[:height, :width]
    # A sliver at an edge, from rounding or a screen in sixteens, is not worth a frame: it is stretched over.
    if inner.shape[0] >= height - height // 25 and inner.shape[1] >= width - width // 25:
        return np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    # The ground is the middle of the picture, in the screen's shape.
    wide = min(image.shape[1], max(1, round(image.shape[0] * width / height)))
    high = min(image.shape[0], max(1, round(image.shape[1] * height / width)))
    top, left = (image.shape[0] - high) // 2, (image.shape[1] - wide) // 2
    ground = cv2.resize(image[top : top + high, left : left + wide], size, interpolation=cv2.INTER_LINEAR)
    ground = cv2.GaussianBlur(ground, (0, 0), 0.04 * max(size))
    out = np.ascontiguousarray((0.6 * ground).astype(np.uint8))
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    out[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return out


def _scaled(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
