"""Copies of what a stage reads when it starts, so that one that is started again has what it had.

The bundle, the eyes and the prior image are copied into the run folder once the show begins, in the background. A copy
is used only where the original has changed since; so artifacts that are built beside a show are found as before. A hard
link or an open descriptor would cost nothing, but `cp` and most programs write into the file that is there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
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
"""Engines that are built while the bundle is copied are fetched so often at such a distance."""
MAX_BYTES = 1_500_000_000
"""What is larger (a diffusion model) is not copied; a line says so."""
RESERVE_BYTES = 8_000_000
"""What a copy leaves free on its disk, for what a show itself writes into the run folder."""
ARTIFACTS = "artifacts"
EYES_VARIABLE = "ANTIPHON_EYES"


class FileMark(NamedTuple):
    """What tells whether a file is still the same: size, times of its last changes, inode.

    The time of the inode's change also tells of a file that was overwritten and given its old time again (`cp -p`).
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


Marks = dict[Path, FileMark]


class HeldFiles:
    """Holds copies of a show's bundle, eyes and prior image.

    What is copied is what was there when this object was made: a file that was changed before its copy was complete is
    not what the show has, and is not held.

    Args:
        show: its settings; `show.links.run_dir` is set.
        note: takes a line for the user, in another thread.
    """

    def __init__(self, show: Show, note: Callable[[str], None] = lambda line: None) -> None:
        self._show, self._note = show, note
        self._folder = Path(show.links.run_dir) / FOLDER
        self._sources = dict(_sources_of(show))
        self._begun = {name: dict(_files_of(name, source)) for name, source in self._sources.items()}
        self._originals: dict[str, Marks] = {}
        self._not_held: set[str] = set()
        self._judged: tuple[list[FileMark | None], bool] = ([], False)
        self._thread: threading.Thread | None = None
        self._closed, self._unsettled, self._lock = threading.Event(), False, threading.Lock()

    def start(self) -> None:
        """Begin to copy, in a thread that waits for everything else."""
        self._thread = threading.Thread(target=self._hold_in_background, name="held files", daemon=True)
        self._thread.start()

    def hold(self) -> bool:
        """Copy what is not copied yet, or not any more; a copy that fails is noted once and does without.

        Returns:
            Whether every copy has all that there is: False while engines are built in the bundle.
        """
        with self._lock:
            self._unsettled = False
            for name, source in self._sources.items():
                try:
                    self._hold_source(name, source)
                except OSError as error:
                    if name not in self._not_held:
                        self._not_held.add(name)
                        self._note(f"the {name} is not kept for stages that are started again ({reason(error)})")
            return not self._unsettled

    def show_for_restart(self, show: Show) -> tuple[Show, dict[str, str]]:
        """The settings for a stage that is started again, and variables of its environment.

        Args:
            show: the present settings.

        Returns:
            They name the copies of what has changed since the show began.
        """
        environment = {}
        is_same = show.bundle == self._show.bundle
        if is_same and self._has_changed("bundle") and self._is_worse(show):
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
                if self.hold() or self._closed.wait(RETRY_S):
                    return

    def _is_worse(self, show: Show) -> bool:
        """Whether a bundle that has changed has other weights or fewer engines than its copy: some may be built now."""
        marks = self._originals["bundle"]
        if any(_mark_of(path) != mark for path, mark in marks.items() if not _is_artifact(path)):
            return True
        # Every engine's file is read for this, so it is done once for each state of the bundle.
        state = [_mark_of(path) for path in sorted(_files_in(self._sources.get("bundle", self._folder)))]
        if state != self._judged[0]:
            self._judged = state, self._lacks_more(show)
        return self._judged[1]

    def _lacks_more(self, show: Show) -> bool:
        try:
            now, before = (
                sum(map(len, missing_artifacts(show.backend, bundle).values()))
                for bundle in (show.bundle, str(self._folder / "bundle"))
            )
        except (EngineError, OSError):
            return True
        return now > before

    def _has_changed(self, name: str) -> bool:
        """Whether an original differs from its copy, which is there."""
        marks = self._originals.get(name)
        if not marks or not (self._folder / name).exists():
            return False
        return any(_mark_of(path) != mark for path, mark in marks.items())

    def _hold_source(self, name: str, source: Path) -> None:
        """Copy a folder or the files of a prior image, as they were when the show began.

        An engine may be built meanwhile: one that is not whole yet is left out and fetched the next time.

        Raises:
            OSError: when it cannot be copied, or is not what it was; nothing is left of the copy then.
        """
        target, part = self._folder / name, self._folder / f".{name}"
        held = self._originals.get(name, {}) if target.exists() else {}
        found = dict(_files_of(name, source))
        wanted = {path: mark for path, mark in self._begun[name].items() if not _is_artifact(path)}
        wanted |= {path: mark for path, mark in found.items() if _is_artifact(path)}
        wanted = {path: mark for path, mark in wanted.items() if path not in held}
        size = sum(mark.size for mark in wanted.values())
        if size > MAX_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {MAX_BYTES / 1e9:g} GB")
        if not wanted:
            return
        if shutil.disk_usage(self._folder.parent).free < size + RESERVE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        base = source if source.is_dir() else source.parent
        shutil.rmtree(part, ignore_errors=True)
        try:
            copied = {
                path: mark for path, mark in wanted.items() if self._copy(path, mark, part / path.relative_to(base))
            }
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        # Noted first: whoever sees the copy may overwrite the original at once.
        self._originals[name] = held | copied
        if not held:
            part.rename(target)
            return
        for path in copied:
            (part / path.relative_to(base)).replace(target / path.relative_to(base))
        shutil.rmtree(part, ignore_errors=True)

    def _copy(self, path: Path, mark: FileMark, target: Path) -> bool:
        """Copy a file; False for an engine that is not whole yet.

        Raises:
            OSError: when it cannot be written, or the file is not what it was.
        """
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _mark_of(path) == mark:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path, target)
        # A program that overwrites it at this moment leaves a torn copy.
        if _mark_of(path) == mark and target.exists():
            return True
        if not _is_artifact(path):
            raise OSError(errno.ESTALE, f"{path.name} was changed before it was copied")
        target.unlink(missing_ok=True)
        self._unsettled = True
        return False


def _is_artifact(path: Path) -> bool:
    return path.parent.name == ARTIFACTS


def _sources_of(show: Show) -> Iterator[tuple[str, Path]]:
    """What a show reads, the smallest first."""
    if show.word("prior"):
        yield "prior", Path(show.word("prior")).absolute()
    with contextlib.suppress(EngineError, OSError):
        yield "bundle", find_bundle(show.bundle).resolve()
    if show.eyes != "bundle":
        yield "eyes", cache_folder()


def _files_of(name: str, source: Path) -> Iterator[tuple[Path, FileMark]]:
    """The files of a source: all of a folder; of a prior image also the mask beside it."""
    paths = [source, source.with_name(f"{source.stem}.mask.png")] if name == "prior" else _files_in(source)
    for path in paths:
        mark = _mark_of(path)
        if mark is not None:
            yield path, mark


def _files_in(folder: Path) -> list[Path]:
    """All files of a folder and those below it; none where it cannot be looked at."""
    return [Path(place, file) for place, _, files in os.walk(folder) for file in files]


def _mark_of(path: Path) -> FileMark | None:
    """A file's mark; None where it is not there or is no ordinary file."""
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileMark(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
