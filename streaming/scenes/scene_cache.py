"""Keeps scenes that were made in the user's cache: a still that was loaded once is loaded at once the next time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from streaming.scenes.layered_scene import PackedScene, pack_scene, unpack_scene
from streaming.scenes.making.people import PeopleFinder, open_people_finder

MOST_FILES = 48
"""Scenes that are kept, of 1 to 6 MB each; those that were used longest ago are removed."""
SUFFIX = ".npz"
MAKER_VERSION = 7
"""Counts up whenever the same still makes another scene; older files are not used."""
NO_PEOPLE = "people in prior images are not found"


def cache_folder() -> Path:
    """Where scenes lie: $ANTIPHON_SCENES, else antiphon/scenes in the user's cache."""
    given = os.environ.get("ANTIPHON_SCENES", "")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if cache else Path.home() / ".cache") / "antiphon" / "scenes"


class SceneCache:
    """A bounded folder of scenes. A folder that cannot be used costs time, never a show.

    Args:
        folder: where they lie; it is made when the first one is stored.
        most: how many files are kept.
    """

    def __init__(self, folder: Path, most: int = MOST_FILES) -> None:
        self._folder, self._most = folder, most

    def read(self, key: str, image: NDArray[np.uint8]) -> PackedScene | None:
        """The scene of a key and its image; None where there is none, or where it is damaged."""
        file = self._folder / f"{key}{SUFFIX}"
        try:
            with np.load(file, allow_pickle=False) as data:
                packed = arrays_to_scene(dict(data))
            unpack_scene(image, packed)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        with contextlib.suppress(OSError):
            os.utime(file)
        return packed

    def write(self, key: str, packed: PackedScene) -> None:
        """Store a scene, whole or not at all, and remove the oldest ones."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as part:
                try:
                    np.savez(part, **scene_to_arrays(packed))
                    part.close()
                    os.replace(part.name, self._folder / f"{key}{SUFFIX}")
                except BaseException:
                    Path(part.name).unlink(missing_ok=True)
                    raise
            files = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime)
            for file in files[: -self._most]:
                file.unlink(missing_ok=True)
        except OSError:
            return


def scene_to_arrays(packed: PackedScene) -> dict[str, Any]:
    """A scene as arrays with names, for a file without pickle."""
    return {name: np.asarray(value) for name, value in packed._asdict().items()}


def arrays_to_scene(arrays: dict[str, Any]) -> PackedScene:
    """The inverse of `scene_to_arrays`.

    Raises:
        KeyError: when one is missing.
        ValueError: when one is of another kind.
    """
    return PackedScene(
        [str(kind) for kind in arrays["kinds"]],
        np.asarray(arrays["boxes"], np.int32),
        np.asarray(arrays["roots"], np.float32),
        np.asarray(arrays["covers"], np.uint8),
        [str(name) for name in arrays["mode_names"]],
        np.asarray(arrays["mode_table"], np.float32),
        np.asarray(arrays["fields"], np.float32),
    )


class CachedSceneMaker:
    """Makes scenes, or takes them from the cache.

    Args:
        cache: where they are kept; None for nowhere.
        sees_people: whether people are looked for.
        note: says one line to the user.
    """

    def __init__(
        self,
        cache: SceneCache | None,
        sees_people: bool = True,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._cache, self._sees_people, self._note = cache, sees_people, note

    def make(self, image: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None) -> PackedScene:
        """The scene of an image.

        Args:
            image: uint8 [H, W, 3] BGR, at the screen's size.
            mask: an artist's layers, see `streaming.scenes.making.hand_mask`.
        """
        people = self._find_people_finder()
        key = scene_key(image, mask, people is not None)
        packed = self._cache.read(key, image) if self._cache is not None else None
        if packed is not None:
            return packed
        # Imported here: what makes scenes takes a second to import, and a scene from the cache does not need it.
        from streaming.scenes.scene_maker import make_scene

        try:
            packed = pack_scene(make_scene(image, people, mask))
        except EngineError as error:
            self._note(f"{NO_PEOPLE} ({error})")
            return pack_scene(make_scene(image, None, mask))
        if self._cache is not None:
            self._cache.write(key, packed)
        return packed

    def _find_people_finder(self) -> PeopleFinder | None:
        """What finds people; None, and a word about it, where there are no eyes."""
        if not self._sees_people:
            return None
        try:
            return open_people_finder()
        except EngineError as error:
            self._note(f"{NO_PEOPLE} ({error})")
            return None


def scene_key(image: NDArray[np.uint8], mask: NDArray[np.uint8] | None, sees_people: bool) -> str:
    """32 hexadecimal digits of all that a scene depends on."""
    digest = hashlib.sha256(f"{MAKER_VERSION} {image.shape} {sees_people}".encode())
    digest.update(np.ascontiguousarray(image).data)
    if mask is not None:
        digest.update(repr(mask.shape).encode())
        digest.update(np.ascontiguousarray(mask).data)
    return digest.hexdigest()[:32]
