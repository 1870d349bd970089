"""The stage that plays a take again, in place of the one that translates what is seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from streaming.conventions import TICKS_PER_SECOND
from streaming.devices.films.take_file import Take, TakenTick
from streaming.schema.messages import Message, Speaker, Tokens
from streaming.stage import Context, Inputs

READY_TICKS = 6
"""It begins so many ticks after the show, when everybody who listens has begun to."""
LEAD_TICKS = 3
"""Tokens are sent so far ahead of the tick that the speaker plays."""


class ReplayStage:
    """Publishes a take's frames as soon as the device plays; ticks that the take lacks are concealed as they were."""

    def __init__(self) -> None:
        self._ticks: Iterator[TakenTick] = iter(())
        self._next: TakenTick | None = None
        self._shift: int | None = None
        """What is added to a take's ticks."""
        self._begin_tick = 0
        self._last: int | None = None
        self._has_ended = False

    def setup(self, context: Context) -> None:
        """Open the take.

        Raises:
            UserError: when it cannot be read.
        """
        self._context = context
        take = Take(context.show.take)
        context.info["device"] = f"take of {take.ticks / TICKS_PER_SECOND:g} s"
        self._ticks = iter(take)
        self._next = next(self._ticks, None)
        # A stage that is started again goes on where the sound is.
        if "shift" in context.memo:
            self._shift = int(context.memo["shift"])

    def wake_ns(self) -> int | None:
        """Never by time: the speaker's position wakes it."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Send what is due."""
        position = inputs.latest(Speaker)
        if position is None or not inputs.started:
            return []
        if self._shift is None:
            self._begin_tick = self._begin_tick or position.tick + READY_TICKS
            if position.tick < self._begin_tick:
                return []
        out: list[Message] = []
        while self._next is not None:
            one = self._next
            if self._shift is None:
                # The first tick is heard, whenever the device begins.
                self._shift = self._context.memo["shift"] = max(0, position.tick + LEAD_TICKS) - one.tick
            tick = one.tick + self._shift
            if tick > position.tick + LEAD_TICKS:
                break
            if tick > position.tick:
                frames = np.ascontiguousarray(one.frames)
                out.append(Tokens(tick=tick, frames=frames, gain=one.gain, level_db=one.level_db))
            self._last = tick
            self._next = next(self._ticks, None)
        if self._next is None and not self._has_ended and (self._last is None or position.tick >= self._last):
            self._has_ended = True
            self._context.finish("the take is over")
        return out

    def close(self) -> None:
        """Nothing to release."""


def build() -> ReplayStage:
    """The stage, for the process table."""
    return ReplayStage()
