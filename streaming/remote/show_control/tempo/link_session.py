"""A session of Ableton Link, by the optional package LinkPython-extern (extra `link`; Link is under the GPL)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

from streaming.devices.optional import missing
from streaming.timing import clock

QUANTUM = 4.0
"""Beats of a bar."""


class TempoSession(Protocol):
    """A tempo that several programs share."""

    def tempo(self) -> float:
        """Beats a minute."""

    def set_tempo(self, tempo: float) -> None:
        """Set the tempo for all."""

    def peers(self) -> int:
        """How many other programs are there."""

    def phase(self, at_ns: int) -> float:
        """Where a bar of four beats is at a monotonic time: 0 to 4."""

    def close(self) -> None:
        """Leave."""


class LinkSession:
    """A session of Ableton Link.

    Args:
        load: imports a module.
        now_ns: reads the clock.

    Raises:
        UserError: when the package is not here.
    """

    def __init__(
        self,
        load: Callable[[str], Any] = importlib.import_module,
        now_ns: Callable[[], int] = clock.now_ns,
    ) -> None:
        try:
            module = load("link")
        except ImportError as error:
            raise missing("link", "--link", error, "leave --link out") from error
        self._link = module.Link(120.0)
        self._link.enabled = True
        # Link has a clock of its own.
        self._offset_us = self._link.clock().micros() - now_ns() // 1_000

    def tempo(self) -> float:
        """Beats a minute."""
        return float(self._link.captureSessionState().tempo())

    def set_tempo(self, tempo: float) -> None:
        """Set the tempo for all, from now on."""
        state = self._link.captureSessionState()
        state.setTempo(tempo, self._link.clock().micros())
        self._link.commitSessionState(state)

    def peers(self) -> int:
        """How many other programs are there."""
        return int(self._link.numPeers())

    def phase(self, at_ns: int) -> float:
        """Where a bar of four beats is at a monotonic time: 0 to 4."""
        return float(self._link.captureSessionState().phaseAtTime(at_ns // 1_000 + self._offset_us, QUANTUM))

    def close(self) -> None:
        """Leave the session."""
        self._link.enabled = False
