"""The stage that loads prior images: the only process that reads one, once, and tells the others what it shows."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import STILL_SIDE
from streaming.devices.stills.drawn_mask import load_mask
from streaming.devices.stills.prior import fit_screen, load_prior, screen_size
from streaming.errors import UserError
from streaming.painting.prior_loader import LoadResult, PriorLoader
from streaming.scenes.layered_scene import PackedScene, unpack_scene
from streaming.scenes.scene_cache import CachedSceneMaker, SceneCache, arrays_to_scene, cache_folder, scene_to_arrays
from streaming.schema.messages import Message, Scene, Set
from streaming.stage import Context, Inputs
from streaming.system.realtime import run_in_background
from streaming.vision.frame_features import fit_square

FILE_NAME = "scene.npz"
"""In the run folder, which only this user may read: the present scene, for a restarted stage."""
SHIPPED_NAME = "the shipped image"
SETUP_LIMIT_NS = 40_000_000_000
"""The first load may take longer than later ones: every process of the show starts at the same time."""
Maker = Callable[[NDArray[np.uint8], NDArray[np.uint8] | None], PackedScene]
"""Makes a scene of an image at the screen's size and, where an artist drew one, its mask."""


class SceneStage:
    """Publishes the scene of the prior image, and another one when the control `prior` is set.

    A restarted stage publishes the same scene again, whatever became of the file. The control is confirmed when its
    scene is published, and refused when the file cannot be used; then the present scene stays.

    Args:
        loader: reads a prior image; see `load_prior`.
        maker: makes its layers and modes; None for the user's cache and, where that has none, `make_scene`.
    """

    def __init__(self, loader: Callable[[str], NDArray[np.uint8]] = load_prior, maker: Maker | None = None) -> None:
        self._load_prior, self._maker = loader, maker
        self._scene: Scene | None = None
        self._size: tuple[int, int] | None = None
        self._unpublished = False
        self._wanted: Set | None = None
        self._wake_ns: int | None = None

    def setup(self, context: Context) -> None:
        """Load the prior image, whose shape the screen has for the whole show.

        Raises:
            UserError: when it cannot be loaded.
        """
        self._context = context
        if self._maker is None:
            sees_people = context.show.eyes != "bundle"
            self._maker = CachedSceneMaker(SceneCache(cache_folder()), sees_people, context.note).make
        self._loader = PriorLoader(self._make_scene, context.wake)
        run_dir = context.show.links.run_dir
        self._file = Path(run_dir) / FILE_NAME if run_dir else None
        size = context.memo.get("size")
        self._size = (int(size[0]), int(size[1])) if size else None
        stored = _read_scene(self._file) if self._file is not None and size else None
        self._use(stored or self._loader.load(context.show.word("prior"), SETUP_LIMIT_NS))
        self._wake_ns = context.now_ns

    def wake_ns(self) -> int | None:
        """At once while there is something to publish, and when a load is to be abandoned."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Begin to load what the control says, and publish what has been loaded."""
        for control in inputs.controls:
            if control.name == "prior":
                self._refuse(self._loader.request(str(control.value), now_ns))
                self._wanted = control
        load = self._loader.take(now_ns)
        if load is not None and load.value is None:
            self._refuse(load)
        elif load is not None and load.value is not None:
            self._use(load.value)
            self._confirm(None)
        self._wake_ns = self._loader.deadline_ns
        if not self._unpublished or self._scene is None:
            return []
        self._unpublished = False
        return [_copy_of(self._scene)]

    def close(self) -> None:
        """Remove the stored scene; a load that still runs is not waited for."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _make_scene(self, path: str) -> Scene:
        """Load an image and make its scene; while pictures are shown, in the background, for that takes seconds."""
        if self._scene is not None:
            run_in_background()
        prior = self._load_prior(path)
        size = self._size or screen_size(prior)
        image, still = fit_screen(prior, size), fit_square(prior, STILL_SIDE)
        mask = load_mask(path, prior.shape, size)
        assert self._maker is not None
        packed = self._maker(image, mask)
        drawn = "" if mask is None else hashlib.sha256(mask.tobytes()).hexdigest()
        name = Path(path).name or SHIPPED_NAME
        return _scene_message(_identity(image, still, drawn), name, image, still, packed)

    def _use(self, scene: Scene) -> None:
        """Publish a scene with the next step, and store it."""
        height, width = scene.image.shape[:2]
        self._scene, self._unpublished, self._size = scene, True, (width, height)
        self._context.memo["size"] = [width, height]
        self._context.info.update(prior=scene.name, size=[width, height])
        if self._file is not None:
            try:
                _write_scene(self._file, scene)
            except OSError as error:
                self._context.note(f"the prior image is not stored for a restart ({error.strerror}): {self._file}")

    def _refuse(self, load: LoadResult[Scene] | None) -> None:
        """Say why a load came to nothing."""
        if load is None or load.error is None:
            return
        self._context.metrics.count("priors_refused")
        self._confirm(load.error)

    def _confirm(self, refusal: UserError | None) -> None:
        if self._wanted is not None:
            self._context.confirm(self._wanted, refusal)
            self._wanted = None


def _copy_of(scene: Scene) -> Scene:
    """A message of its own: the host gives it its number and stamp."""
    return _scene_message(scene.identity, scene.name, scene.image, scene.still, _packed(scene))


def _scene_message(
    identity: str, name: str, image: NDArray[np.uint8], still: NDArray[np.uint8], packed: PackedScene
) -> Scene:
    return Scene(identity=identity, name=name, image=image, still=still, **packed._asdict())


def _packed(scene: Scene) -> PackedScene:
    return PackedScene(*(getattr(scene, name) for name in PackedScene._fields))


def _identity(image: NDArray[np.uint8], still: NDArray[np.uint8], drawn: str = "") -> str:
    """16 hexadecimal digits of the SHA-256 of shape and content, and of the hash of an artist's mask."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    digest.update(np.ascontiguousarray(still).data)
    digest.update(drawn.encode())
    return digest.hexdigest()[:16]


def _checksum(scene: Scene) -> str:
    """The SHA-256 of all that a stored scene holds."""
    digest = hashlib.sha256(f"{scene.identity} {scene.name} {scene.kinds} {scene.mode_names}".encode())
    for array in (scene.image, scene.still, *(value for value in _packed(scene) if isinstance(value, np.ndarray))):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _write_scene(file: Path, scene: Scene) -> None:
    """Store a scene so that a reader finds all of it or the one before.

    Raises:
        OSError: when it cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            words = {"identity": scene.identity, "name": scene.name, "checksum": _checksum(scene)}
            arrays: dict[str, Any] = {**words, "image": scene.image, "still": scene.still}
            np.savez(stream, **arrays, **scene_to_arrays(_packed(scene)))
        os.replace(temporary, file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read_scene(file: Path) -> Scene | None:
    """A stored scene; None where there is none, or where it is not what was stored."""
    try:
        with np.load(file, allow_pickle=False) as data:
            arrays = dict(data)
        image, still = np.asarray(arrays["image"], np.uint8), np.asarray(arrays["still"], np.uint8)
        packed = arrays_to_scene(arrays)
        unpack_scene(image, packed)
        scene = _scene_message(str(arrays["identity"]), str(arrays["name"]), image, still, packed)
        return scene if _checksum(scene) == str(arrays["checksum"]) else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def build() -> SceneStage:
    """The stage, for the process table."""
    return SceneStage()
