"""MIDI clock out: 24 pulses a beat, on the beat of what is heard, and start and stop."""

from __future__ import annotations

from streaming.remote.show_control.tempo.beat_finder import BeatFinder

START, STOP, PULSE = bytes([0xFA]), bytes([0xFC]), bytes([0xF8])
PULSES = 24
LOST_S = 8.0
"""A tempo that is not clear any more goes on for so long."""
PULL = 0.15
"""Part of the distance to the heard beat that is made up for with each beat."""
LONGEST_PULL = 0.02
"""Of a beat: it is moved no farther at once, so that who follows hears no jump."""


class MidiClock:
    """Gives the pulses that are due.

    Attributes:
        tempo: beats a minute that are sent; None while none is.
    """

    def __init__(self) -> None:
        self._finder = BeatFinder()
        self.tempo: float | None = None
        self._next_s = 0.0
        self._number = 0
        self._clear_s = 0.0

    def hear(self, at_s: float, strength: float) -> None:
        """Take in an onset that is heard at a monotonic time, in seconds."""
        self._finder.hear(at_s, strength)

    def due(self, until_s: float, fixed: float | None) -> list[tuple[float, bytes]]:
        """The messages from the last ones on until a time, each with its time, in seconds.

        Args:
            until_s: the time.
            fixed: beats a minute where a hand has set them, None where they are to be heard.
        """
        tempo = fixed if fixed is not None else self._finder.tempo_at(until_s)
        if tempo is not None:
            self._clear_s = until_s
        elif self.tempo is not None and until_s - self._clear_s > LOST_S:
            self.tempo = None
            return [(until_s, STOP)]
        out: list[tuple[float, bytes]] = []
        if self.tempo is None:
            if tempo is None:
                return []
            beat_s = self._finder.beat_near(until_s, tempo)
            self._next_s, self._number = until_s if beat_s is None else beat_s, 0
            while self._next_s < until_s:
                self._next_s += 60.0 / tempo
            self.tempo = tempo
            out.append((until_s, START))
        self.tempo = tempo if tempo is not None else self.tempo
        while self._next_s <= until_s:
            out.append((self._next_s, PULSE))
            self._next_s += 60.0 / (PULSES * self.tempo)
            self._number = (self._number + 1) % PULSES
            if self._number == 0:
                self._pull()
        return out

    def _pull(self) -> None:
        """Move the next beat a little towards the one that is heard."""
        assert self.tempo is not None
        heard_s = self._finder.beat_near(self._next_s, self.tempo)
        if heard_s is not None:
            most = LONGEST_PULL * 60.0 / self.tempo
            self._next_s += min(max(PULL * (heard_s - self._next_s), -most), most)
