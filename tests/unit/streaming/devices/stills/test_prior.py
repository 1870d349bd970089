"""Priors: every kind of still becomes the same upright, opaque picture, and what is none gets one line."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from streaming.devices.stills.prior import MAX_BYTES, MAX_SIDE, fit_screen, load_prior, screen_size
from streaming.errors import SourceError

CHECKOUT = Path(__file__).resolve().parents[5]


def colours(width: int = 96, height: int = 64) -> np.ndarray:
    """Red rises to the right, green downwards, blue is low: RGB, whose orientation shows."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / (width - 1), 255 * y / (height - 1), 0 * x + 20], -1).round().astype(np.uint8)


def _png(head: bytes, data: bytes) -> bytes:
    """A PNG file of a header and compressed rows."""
    parts = (b"IHDR", head), (b"IDAT", data), (b"IEND", b"")
    chunks = (struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x)) for kind, x in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def as_rgb(path: Path) -> np.ndarray:
    return load_prior(str(path))[..., ::-1].astype(int)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.bmp"])
def test_every_format_gives_the_picture(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    quality = (
        {"quality": 95, "subsampling": 0} if name.endswith("jpg") else {"lossless": True} if "webp" in name else {}
    )
    Image.fromarray(colours()).save(path, **quality)
    assert np.abs(as_rgb(path) - colours()).max() <= (12 if name.endswith("jpg") else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_any_way_gives_an_upright_picture(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(colours())
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for step in undo.get(orientation, []):
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(as_rgb(tmp_path / "a.png"), colours())


def test_greys_of_16_bits_palettes_and_cmyk(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "deep.png")
    grey = as_rgb(tmp_path / "deep.png")
    assert np.abs(grey[..., 0] - ramp / 257).max() <= 0.51
    assert (grey == grey[..., :1]).all()
    Image.fromarray((ramp / 65535).astype(np.float32)).save(tmp_path / "float.tif")
    assert np.abs(as_rgb(tmp_path / "float.tif")[..., 0] - ramp / 257).max() <= 0.51
    Image.fromarray(colours()).quantize(64).save(tmp_path / "palette.png")
    assert np.abs(as_rgb(tmp_path / "palette.png") - colours()).mean() < 12
    Image.fromarray(colours()).convert("CMYK").save(tmp_path / "print.jpg", quality=95, subsampling=0)
    assert np.abs(as_rgb(tmp_path / "print.jpg") - colours()).mean() < 6


def test_sixteen_bits_of_colour(tmp_path: Path) -> None:
    """Pillow writes none, so the file is made by hand."""
    deep = colours().astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    head = struct.pack(">IIBBBBB", deep.shape[1], deep.shape[0], 16, 2, 0, 0, 0)
    (tmp_path / "deep.png").write_bytes(_png(head, zlib.compress(rows)))
    assert np.array_equal(as_rgb(tmp_path / "deep.png"), colours())


@pytest.mark.parametrize(("ink", "ground"), [((250, 240, 230), 0), ((20, 10, 30), 255)])
def test_what_is_transparent_lies_on_a_ground_that_shows_it(
    tmp_path: Path, ink: tuple[int, int, int], ground: int
) -> None:
    layer = np.zeros((40, 40, 4), np.uint8)
    layer[10:30, 10:30] = (*ink, 255)
    Image.fromarray(layer).save(tmp_path / "logo.png")
    seen = as_rgb(tmp_path / "logo.png")
    assert (seen[0, 0] == ground).all()
    assert (seen[20, 20] == ink).all()


def test_a_profile_of_its_own_is_obeyed(tmp_path: Path) -> None:
    """In a profile whose red and green are exchanged, red is green; one that cannot be read is ignored."""
    plain = Image.new("RGB", (32, 32), (200, 60, 60))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain.save(tmp_path / "same.png", icc_profile=lab)
    assert np.abs(as_rgb(tmp_path / "same.png") - (200, 60, 60)).max() <= 1
    swapped = bytearray(lab)
    red, green = swapped.index(b"rXYZ", 128), swapped.index(b"gXYZ", 128)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    plain.save(tmp_path / "swapped.png", icc_profile=bytes(swapped))
    r, g, _ = as_rgb(tmp_path / "swapped.png")[0, 0]
    assert g > r + 80
    plain.save(tmp_path / "bad.png", icc_profile=b"no profile at all")
    assert np.abs(as_rgb(tmp_path / "bad.png") - (200, 60, 60)).max() == 0


def _bomb() -> bytes:
    """A few bytes that say they are 3.6 thousand megapixels."""
    return _png(struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0), zlib.compress(b"\0" * 100_000))


def _large() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (10_000, 5_001)).save(buffer, "PNG")
    return buffer.getvalue()


def _cut(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "no picture"),
        (b"A still image, said the text file.\n" * 20, "no picture"),
        (b"\x89PNG\r\n\x1a\n", "no picture"),
        (_cut("PNG"), "damaged"),
        (_cut("JPEG"), "damaged"),
        (_cut("WEBP"), "damaged"),
        (_bomb(), "too many"),
        (_large(), "too many"),
    ],
    ids=["empty", "text", "header", "png", "jpeg", "webp", "bomb", "large"],
)
def test_what_is_no_picture_gets_one_line(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "prior.png"
    path.write_bytes(data)
    with pytest.raises(SourceError) as caught:
        load_prior(str(path))
    line = str(caught.value)
    assert word in line
    assert str(path) in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("fifo", "no regular file"),
        ("device", "no regular file"),
        ("folder", "is a folder"),
        ("missing", "no such file"),
        ("loop", "cannot be read"),
        ("long", "cannot be read"),
        ("nul", "cannot be read"),
        ("sparse", "too much"),
    ],
)
def test_what_is_no_ordinary_file_is_not_even_read(tmp_path: Path, kind: str, word: str) -> None:
    path = tmp_path / "prior.png"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "long":
        path = tmp_path / ("x" * 300)
    elif kind == "nul":
        path = tmp_path / "a\0b.png"
    elif kind == "sparse":
        path.touch()
        os.truncate(path, MAX_BYTES + 1)
    with pytest.raises(SourceError) as caught:
        load_prior(str(path))
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_to_a_picture_is_followed(tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "real.png")
    (tmp_path / "link.png").symlink_to("real.png")
    assert np.array_equal(as_rgb(tmp_path / "link.png"), colours())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
def test_a_large_picture_of_any_kind_is_reduced_and_looks_the_same(tmp_path: Path, mode: str) -> None:
    width, height = 4200, 60
    ramp = np.tile(np.linspace(0, 255, width), (height, 1))
    if mode == "I;16":
        image = Image.fromarray(np.rint(ramp * 257).astype(np.uint16))
    elif mode == "1":
        image = Image.fromarray((ramp > 127).astype(np.uint8) * 255).convert("1")
    else:
        image = Image.fromarray(np.rint(ramp).astype(np.uint8)).convert("RGB").convert(mode)
    image.save(tmp_path / "wide.png")
    found = as_rgb(tmp_path / "wide.png")
    assert found.shape[1] == MAX_SIDE
    wanted = np.linspace(0, 255, MAX_SIDE)
    error = np.abs(found[10, :, 1] - (255 * (wanted > 127) if mode == "1" else wanted))
    assert np.mean(error) < 2.0


@pytest.mark.skipif(sys.platform != "linux", reason="what a process used at most is counted otherwise elsewhere")
def test_a_large_picture_with_transparency_takes_little_memory(tmp_path: Path) -> None:
    """20 megapixels are 80 MB; their copies took 830 MB before they were reduced first."""
    Image.new("RGBA", (5000, 4000), (200, 100, 50, 200)).save(tmp_path / "large.png", compress_level=1)
    program = (
        "import resource, sys; from streaming.devices.stills.prior import load_prior;"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "before = used(); load_prior(sys.argv[1]); print((used() - before) // 1024)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "large.png")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < 300


def test_a_large_photograph_is_kept_at_a_screens_size(tmp_path: Path) -> None:
    Image.fromarray(colours(48, 32)).resize((6000, 4000)).save(tmp_path / "big.jpg", quality=80)
    image = load_prior(str(tmp_path / "big.jpg"))
    assert max(image.shape) == MAX_SIDE
    assert image.shape[:2] == (round(MAX_SIDE * 2 / 3), MAX_SIDE)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((400, 600), (768, 512)),
        ((600, 400), (512, 768)),
        ((100, 100), (512, 512)),
        ((1080, 1920), (912, 512)),
        ((10, 4000), (1232, 512)),
        ((4000, 10), (512, 1232)),
        ((1, 1), (512, 512)),
    ],
)
def test_a_screen_has_the_priors_shape_within_reason(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    assert screen_size(image) == size
    assert fit_screen(image, size).shape == (size[1], size[0], 3)


def test_another_shape_is_shown_whole_over_a_darker_ground() -> None:
    image = np.full((200, 100, 3), 200, np.uint8)
    image[:2] = image[-2:] = (0, 0, 255)
    screen = fit_screen(image, (768, 512))
    assert (screen[:, 384, 2] > 250).any(), "its upper edge is there"
    assert screen[256, 384, 0] == 200
    assert screen[256, 20, 0] == pytest.approx(120, abs=3)
    assert np.array_equal(fit_screen(screen, (768, 512)), screen), "what fits is not touched"
