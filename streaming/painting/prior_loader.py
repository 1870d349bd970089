"""Loads prior images in threads of their own: a large one takes seconds, a file system that hangs takes for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from streaming.errors import SourceError, UserError
from streaming.system.realtime import leave_realtime

TIME_LIMIT_NS = 30_000_000_000
"""A load that takes longer is abandoned. 50 megapixels take 2 s on one core, and a scene 1 to 2 s; while pictures are
shown, a load gets only what the show leaves of the cores' time."""
MAX_RUNNING = 4
"""Loads that run at once, abandoned ones included."""

T = TypeVar("T")


@dataclass
class LoadResult(Generic[T]):
    """One load, and what became of it.

    Attributes:
        path: the file.
        value: what was made of the file; None while there is nothing, and when there is an error.
        error: why there is no value.
    """

    path: str
    value: T | None = None
    error: UserError | None = None
    done: threading.Event = field(default_factory=threading.Event, repr=False)


class PriorLoader(Generic[T]):
    """Loads one image at a time; a newer request replaces the one before.

    The threads are daemons: neither a later request nor the end of the process waits for a load that hangs.

    Args:
        read: reads an image and makes of it what is wanted; may raise `UserError`.
        wake: called, in the thread, when a load is done.
    """

    def __init__(self, read: Callable[[str], T], wake: Callable[[], None] = lambda: None) -> None:
        self._read, self._wake = read, wake
        self._current: LoadResult[T] | None = None
        self._until_ns = 0
        self._running: list[threading.Thread] = []

    @property
    def deadline_ns(self) -> int | None:
        """When the present load is abandoned; None while there is none."""
        return None if self._current is None else self._until_ns

    def request(self, path: str, now_ns: int) -> LoadResult[T] | None:
        """Begin to load an image.

        Args:
            path: the file.
            now_ns: the time.

        Returns:
            The load that it replaces, with an error that says so; None where there was none.

        Raises:
            SourceError: when too many loads hang.
        """
        replaced, self._current = self._current, None
        if replaced is not None:
            replaced.error = SourceError("was replaced before it was loaded", replaced.path, "set it again if wanted")
        self._running = [thread for thread in self._running if thread.is_alive()]
        if len(self._running) >= MAX_RUNNING:
            hangs = SourceError(f"is not loaded: {MAX_RUNNING} others still are", path, "wait, or restart the show")
            self._current, self._until_ns = LoadResult(path, error=hangs), now_ns
            self._current.done.set()
            return replaced
        load = self._current = LoadResult(path)
        self._until_ns = now_ns + TIME_LIMIT_NS
        thread = threading.Thread(target=self._load, args=(load,), name="prior", daemon=True)
        self._running.append(thread)
        thread.start()
        return replaced

    def take(self, now_ns: int) -> LoadResult[T] | None:
        """The present load once it is done or its time is over; None while there is nothing to take."""
        load = self._current
        if load is None or not (load.done.is_set() or now_ns >= self._until_ns):
            return None
        self._current = None
        if not load.done.is_set():
            return LoadResult(load.path, error=_too_slow(load.path))
        return load

    def load(self, path: str, limit_ns: int = TIME_LIMIT_NS) -> T:
        """Load an image and wait for it, for `limit_ns` at most.

        Raises:
            UserError: when it cannot be loaded, or not in time.
        """
        self.request(path, 0)
        load, self._current = self._current, None
        if load is None or not load.done.wait(limit_ns / 1e9):
            raise _too_slow(path, limit_ns)
        if load.error is not None:
            raise load.error
        if load.value is None:
            raise SourceError("was read without a result", path, "give another image")
        return load.value

    def _load(self, load: LoadResult[T]) -> None:
        leave_realtime()
        try:
            load.value = self._read(load.path)
        except UserError as error:
            load.error = error
        except Exception as error:
            load.error = SourceError(
                f"cannot be read ({type(error).__name__}: {error})", load.path, "give another image"
            )
        load.done.set()
        self._wake()


def _too_slow(path: str, limit_ns: int = TIME_LIMIT_NS) -> SourceError:
    return SourceError(f"was not read within {limit_ns / 1e9:g} s", path, "copy it to this machine's own disk")
