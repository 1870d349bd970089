"""Plays the console's cues where the console does not: by timecode, and by MIDI's program changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streaming.errors import UserError
from streaming.remote.console.cue_fades import CueFades
from streaming.remote.console.preset_book import FILE_NAME, BookPages, PresetBook
from streaming.remote.control_desk import ControlDesk
from streaming.remote.show_control.timecode.cue_chase import CueChase
from streaming.remote.show_control.timecode.timecode import TimecodeReading, read_timecode
from streaming.system.user_folders import config_folder
from streaming.telemetry.metrics import Metrics
from streaming.telemetry.status import CUE_PLACE, CUES_GONE

READ_NS = 1_000_000_000
"""The file of cues is looked at this often while a timecode runs."""


class CuePlayer:
    """Goes through the cues, with their fades.

    Args:
        desk: by which controls are turned.
        note: says one line to the user.
        metrics: count the cues that go, so that the console's next one is the one after.
        file: of the presets and cues; None for the user's.
    """

    def __init__(
        self, desk: ControlDesk, note: Callable[[str], None], metrics: Metrics, file: Path | None = None
    ) -> None:
        self._desk, self._note, self._metrics = desk, note, metrics
        self._file = file or config_folder() / FILE_NAME
        self._fades, self._chase = CueFades(), CueChase()
        self._pages: BookPages | None = None
        self._read_ns = 0

    @property
    def busy(self) -> bool:
        """Whether a fade runs."""
        return self._fades.running

    @property
    def position_s(self) -> float | None:
        """Where the timecode was last, in seconds as they are shown; None before anything was heard."""
        return self._chase.position_s

    def hear(self, reading: TimecodeReading, now_ns: int) -> None:
        """Take in a timecode."""
        self._chase.hear(reading, now_ns)

    def go(self, place: int, now_ns: int, why: str) -> None:
        """Go to a cue, counted from 0; one that there is not is said.

        Args:
            place: of the cue.
            now_ns: the time.
            why: what asks for it, for the user: "MIDI program 3".
        """
        pages = self._book(now_ns, anew=True)
        try:
            cue = pages.cues[place]
            preset = pages.presets[cue.preset]
        except (IndexError, KeyError):
            self._note(str(UserError(f"there is no cue {place + 1}", why, f"there are {len(pages.cues)}")))
            return
        self._note(f"cue {place + 1}, {cue.preset}, by {why}")
        self._metrics.gauge(CUE_PLACE, place + 1)
        self._metrics.count(CUES_GONE)
        for wish in self._fades.begin(self._desk.values, preset, cue.fade_s, now_ns):
            self._desk.request(wish.name, wish.value, passing=wish.passing)

    def beat(self, now_ns: int, why: str = "timecode") -> None:
        """Do what is due: cues that the timecode has reached, and fades."""
        if self._chase.hears(now_ns):
            rate, cues = self._chase.rate, self._book(now_ns).cues
            times = [found.shown_s(rate) if (found := read_timecode(cue.at)) else None for cue in cues]
            for place in self._chase.due(times, now_ns):
                self.go(place, now_ns, f"{why} {cues[place].at}")
        for wish in self._fades.step(now_ns):
            self._desk.request(wish.name, wish.value, passing=wish.passing)

    def _book(self, now_ns: int, *, anew: bool = False) -> BookPages:
        if self._pages is None or anew or now_ns - self._read_ns >= READ_NS:
            self._pages, self._read_ns = PresetBook(self._file).pages, now_ns
        return self._pages
