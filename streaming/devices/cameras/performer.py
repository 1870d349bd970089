"""The synthetic performer as a camera of exactly 25 fps."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.devices.cameras.frames import STILL_NS, CameraSource, Frame
from streaming.errors import SourceError
from streaming.stage import Context

PERFORMER_SIZE = (640, 480)
PERFORMER_RATE_HZ = 25
PERFORMANCE_S = 600.0
"""Length of the synthetic performance when the show has no duration; it then begins again."""
RENDER_AHEAD_NS = STILL_NS // 2


class Performer(Protocol):
    """The part of a synthetic performer that is used."""

    def frame(self, t_s: float) -> NDArray[np.uint8]:
        """The picture at a time: uint8 BGR [H, W, 3]."""


class PerformerCamera(CameraSource):
    """A synthetic performer before a camera of exactly 25 fps.

    A frame is rendered in the half tick before its capture time and handed out at that time, as a sensor would, so that
    the time of drawing does not count as latency. Before `start` the performer stands still.

    Args:
        performer: draws the pictures.
        description: what it is, in words for the user.
        length_s: length of the performance in seconds; after it, it is repeated.
    """

    rate_hz = float(PERFORMER_RATE_HZ)

    def __init__(self, performer: Performer, description: str, length_s: float) -> None:
        self.description = description
        self._performer = performer
        self._length = max(1, round(length_s * PERFORMER_RATE_HZ))
        self._playing = False
        self._index = 0
        self._ready: NDArray[np.uint8] | None = None
        self._context: Context | None = None

    def open(self, context: Context) -> None:
        """Draw the performer at rest."""
        self._context = context
        self.resume_ns = context.now_ns
        self._still = self._performer.frame(0.0).copy()

    def start(self, origin_ns: int, now_ns: int) -> None:
        """The performance begins at `origin_ns`."""
        self.resume_ns, self._playing, self._ready = origin_ns, True, None
        self._index = max(0, -(-(now_ns - origin_ns) // STILL_NS))

    def shift(self, by_ns: int) -> bool:
        """Shift the time of the performance."""
        self.resume_ns += by_ns
        return True

    def poll(self, now_ns: int) -> Frame | None:
        """The frame whose time has come; when late, the newest one."""
        due_ns = self._due_ns()
        if now_ns < due_ns:
            if self._ready is None and now_ns >= due_ns - RENDER_AHEAD_NS:
                self._ready = self._render(self._index)
            return None
        newest = (now_ns - self.resume_ns) // STILL_NS
        if newest > self._index:
            if self._playing and self._context is not None:
                self._context.metrics.count("drops", newest - self._index)
            self._index, self._ready = newest, None
        image = self._ready if self._ready is not None else self._render(newest)
        self._index, self._ready = newest + 1, None
        return Frame(image, newest if self._playing else 0, self.resume_ns + newest * STILL_NS)

    def wake_ns(self) -> int | None:
        """Half a tick before the next frame to draw it, then at its time."""
        due_ns = self._due_ns()
        return due_ns if self._ready is not None else due_ns - RENDER_AHEAD_NS

    def close(self) -> None:
        """Nothing to release."""

    def _due_ns(self) -> int:
        return self.resume_ns + self._index * STILL_NS

    def _render(self, index: int) -> NDArray[np.uint8]:
        if not self._playing:
            return self._still
        return self._performer.frame((index % self._length) / PERFORMER_RATE_HZ)


def open_performer(name: str, context: Context) -> PerformerCamera:
    """The performer that `performer[:KIND][@SEED]` names; without a seed that of the show.

    Raises:
        SourceError: when there is no such performer.
    """
    # Imported here: no other camera needs the drawing code.
    from performers.performer import SyntheticPerformer, UnknownPerformerError, parse_performer

    try:
        kind, seed = parse_performer(name)
    except UnknownPerformerError as error:
        raise SourceError(*error.args) from error
    length_s = context.show.duration_s or PERFORMANCE_S
    seed = context.show.seed if seed is None else seed
    performer = SyntheticPerformer(kind, seed, size=PERFORMER_SIZE, duration_s=length_s)
    return PerformerCamera(performer, f"performer:{performer.kind}@{seed}", length_s)
