"""The user's shelf of prior images: a folder whose images have names and no paths, and to which images are added."""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from streaming.devices.stills.prior import load_prior
from streaming.errors import SourceError, UserError
from streaming.system.files import LONGEST_NAME, new_file, reason

SHIPPED = ""
"""The name of the image that the program comes with."""
MAX_UPLOAD = 24_000_000
"""Bytes of an image that is sent."""
MOST_IMAGES = 100
THUMBNAIL_SIDE = 240
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_MAGIC = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"RIFF", ".webp"), (b"II*", ".tif"), (b"MM\0*", ".tif"))
_UPLOAD = ".upload-"
_KEPT_THUMBNAILS = 128
_FIX = "choose an image of the shelf, or add one"


class PriorShelf:
    """A folder of images.

    Args:
        folder: it is made with the first image.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thumbnails: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def names(self) -> list[str]:
        """The images, by name; links and hidden files are none, nor are the masks beside them."""
        try:
            found = [entry.name for entry in os.scandir(self.folder) if _is_image(entry)]
        except OSError:
            return []
        return sorted(found, key=str.lower)[:MOST_IMAGES]

    def path_of(self, name: str) -> str:
        """The path of an image by its name; "" for the shipped one.

        Raises:
            UserError: for a name that is not on the shelf.
        """
        if name == SHIPPED:
            return ""
        if name not in self.names():
            raise UserError("is not on the shelf", f"prior {name[:LONGEST_NAME]}", _FIX)
        return str((self.folder / name).absolute())

    def name_of(self, path: str) -> str | None:
        """The name of the image at a path; None where it is not of the shelf."""
        if not path:
            return SHIPPED
        name = os.path.basename(path)
        return name if name in self.names() and path == str((self.folder / name).absolute()) else None

    def thumbnail(self, name: str) -> bytes:
        """A small JPEG of an image.

        Raises:
            UserError: when there is no such image, or it cannot be read.
        """
        path = self.path_of(name)
        try:
            key = name, os.stat(path).st_mtime_ns if path else 0
        except OSError as error:
            raise UserError(f"cannot be read ({reason(error)})", name, _FIX) from error
        if key not in self._thumbnails:
            image = load_prior(path)
            scale = min(1.0, THUMBNAIL_SIDE / max(image.shape[:2]))
            size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            self._thumbnails[key] = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
            while len(self._thumbnails) > _KEPT_THUMBNAILS:
                self._thumbnails.popitem(last=False)
        return self._thumbnails[key]

    def new_upload(self) -> tuple[int, Path]:
        """An open file into which an upload is written, and its path.

        Raises:
            UserError: when there is no room on the shelf, or none can be made.
        """
        if len(self.names()) >= MOST_IMAGES:
            raise UserError(f"holds {MOST_IMAGES} images already", "the shelf", f"remove some from {self.folder}")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(prefix=_UPLOAD, dir=self.folder)
        except OSError as error:
            fix = "make room, or set ANTIPHON_DATA to a folder that you may write to"
            raise UserError(f"cannot be written ({reason(error)})", str(self.folder), fix) from error
        return handle, Path(path)

    def admit(self, upload: Path, name: str) -> str:
        """Put an upload on the shelf if it is an image that a show can use.

        Args:
            upload: from `new_upload`; it is gone afterwards.
            name: of the file that was sent.

        Returns:
            The name that it has on the shelf.

        Raises:
            UserError: for what is no image, or too large a one.
        """
        try:
            try:
                load_prior(str(upload))
            except SourceError as error:
                raise UserError(error.what, clean_name(name), error.fix) from error
            with upload.open("rb") as file:
                head = file.read(8)
            suffix = next((suffix for magic, suffix in _MAGIC if head.startswith(magic)), ".bmp")
            target, _ = new_file(self.folder / f"{clean_name(name)}{suffix}", "number")
            os.replace(upload, target)
            return target.name
        except OSError as error:
            raise UserError(f"cannot be kept ({reason(error)})", clean_name(name), "make room") from error
        finally:
            upload.unlink(missing_ok=True)


def clean_name(name: str) -> str:
    """The stem of a file's name as a name on the shelf: letters, digits, spaces and a few signs."""
    stem = os.path.splitext(name.replace("\\", "/").rpartition("/")[2])[0]
    kept = "".join(char if char.isalnum() or char in " _-().," else "_" for char in stem)
    return " ".join(kept.strip(" .").split())[:60] or "image"


def _is_image(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
        return False
    return entry.is_file(follow_symlinks=False) and ".mask." not in entry.name
