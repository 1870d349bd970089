"""Copies of what a stage reads when it starts, so that one that is started again has what it had.

The bundle, the eyes and the prior image are copied into the run folder once the show begins, in the background. A copy
is used only where the original has changed since; so artifacts that are built beside a show are found as before. A hard
link or an open descriptor would cost nothing, but `cp` and most programs write into the file that is there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from engines.bundles import find_bundle
from engines.contract import EngineError
from engines.eyes.catalogue import cache_folder
from engines.registry import missing_artifacts
from streaming.settings.config import Show
from streaming.system.files import reason
from streaming.system.realtime import run_in_background

FOLDER = "held"
"""In the run folder, which only this user may read."""
MAX_TRIES, RETRY_S = 100, 5.0
"""A bundle that changes while it is copied, as engines are built in it, is copied again so often at such a distance."""
MAX_BYTES = 1_500_000_000
"""What is larger (a diffusion model) is not copied; a line says so."""
ARTIFACTS = "artifacts"
EYES_VARIABLE = "ANTIPHON_EYES"


class FileMark(NamedTuple):
    """What tells whether a file is still the same: size, time of its last change, inode."""

    size: int
    mtime_ns: int
    inode: int


Marks = dict[Path, FileMark]


class HeldFiles:
    """Holds copies of a show's bundle, eyes and prior image.

    Args:
        show: its settings; `show.links.run_dir` is set.
        note: takes a line for the user, in another thread.
    """

    def __init__(self, show: Show, note: Callable[[str], None] = lambda line: None) -> None:
        self._show, self._note = show, note
        self._folder = Path(show.links.run_dir) / FOLDER
        self._originals: dict[str, Marks] = {}
        self._sources = dict(_sources_of(show))
        self._thread: threading.Thread | None = None
        self._closed, self._unsettled = threading.Event(), False

    def start(self) -> None:
        """Begin to copy, in a thread that waits for everything else."""
        self._thread = threading.Thread(target=self._hold_in_background, name="held files", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Copy what is not copied yet, or not any more; a copy that fails is noted and does without."""
        for name, source in self._sources.items():
            marks = self._originals.get(name, {})
            if any(_mark_of(path) != mark for path, mark in marks.items()):
                continue  # its copy was removed, and this is not what the show has
            try:
                if not (self._folder / name).exists():
                    self._originals[name] = self._copy(name, source)
            except BlockingIOError:
                # Engines are being built in it: it is copied when it has settled.
                self._unsettled = True
            except OSError as error:
                shutil.rmtree(self._folder / name, ignore_errors=True)
                self._note(f"the {name} is not kept for stages that are started again ({reason(error)})")

    def show_for_restart(self, show: Show) -> tuple[Show, dict[str, str]]:
        """The settings for a stage that is started again, and variables of its environment.

        Args:
            show: the present settings.

        Returns:
            They name the copies of what has changed since the show began.
        """
        environment = {}
        if self._has_changed("bundle") and self._is_worse(show):
            show = msgspec.structs.replace(show, bundle=str(self._folder / "bundle"))
        if self._has_changed("eyes"):
            environment[EYES_VARIABLE] = str(self._folder / "eyes")
        if self._has_changed("prior") and show.word("prior") == self._show.word("prior"):
            show = show.with_controls(prior=str(self._folder / "prior" / Path(show.word("prior")).name))
        return show, environment

    def close(self) -> None:
        """Remove the copies."""
        self._closed.set()
        self._sources.clear()
        if self._thread is not None:
            self._thread.join(2.0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _hold_in_background(self) -> None:
        run_in_background()
        with contextlib.suppress(RuntimeError):
            for _ in range(MAX_TRIES):
                self._unsettled = False
                self.hold()
                if not self._unsettled or self._closed.wait(RETRY_S):
                    return

    def _is_worse(self, show: Show) -> bool:
        """Whether a bundle that has changed has other weights or fewer engines than its copy: some may be built now."""
        marks = self._originals["bundle"]
        if any(_mark_of(path) != mark for path, mark in marks.items() if path.parent.name != ARTIFACTS):
            return True
        try:
            now, before = (
                sum(map(len, missing_artifacts(show.backend, bundle).values()))
                for bundle in (show.bundle, str(self._folder / "bundle"))
            )
        except (EngineError, OSError):
            return True
        return now > before

    def _has_changed(self, name: str) -> bool:
        """Whether an original differs from its copy, which is complete."""
        marks = self._originals.get(name)
        if not marks or not (self._folder / name).exists():
            return False
        return any(_mark_of(path) != mark for path, mark in marks.items())

    def _copy(self, name: str, source: Path) -> Marks:
        """Copy a folder or the files of a prior image; nothing is left of a copy that is not complete.

        Raises:
            OSError: when it cannot be copied, or changes meanwhile.
        """
        files = dict(_files_of(name, source))
        if sum(mark.size for mark in files.values()) > MAX_BYTES:
            raise OSError(27, f"it has more than {MAX_BYTES / 1e9:g} GB")
        part = self._folder / f".{name}"
        shutil.rmtree(part, ignore_errors=True)
        base = source if source.is_dir() else source.parent
        for path in files:
            target = part / path.relative_to(base)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        if any(_mark_of(path) != mark for path, mark in files.items()):
            raise BlockingIOError("it changes while it is copied")
        part.rename(self._folder / name)
        return files


def _sources_of(show: Show) -> Iterator[tuple[str, Path]]:
    with contextlib.suppress(EngineError, OSError):
        yield "bundle", find_bundle(show.bundle).resolve()
    if show.eyes != "bundle":
        yield "eyes", cache_folder()
    if show.word("prior"):
        yield "prior", Path(show.word("prior")).absolute()


def _files_of(name: str, source: Path) -> Iterator[tuple[Path, FileMark]]:
    """The files of a source: all of a folder; of a prior image also the mask beside it.

    Raises:
        OSError: when it cannot be looked at.
    """
    if name == "prior":
        paths = [source, *source.parent.glob(f"{source.stem}.mask.png")]
    else:
        paths = [Path(folder, file) for folder, _, files in os.walk(source) for file in files]
    for path in paths:
        mark = _mark_of(path)
        if mark is not None:
            yield path, mark


def _mark_of(path: Path) -> FileMark | None:
    """A file's mark; None where it is not there or is no ordinary file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return FileMark(status.st_size, status.st_mtime_ns, status.st_ino) if path.is_file() else None
