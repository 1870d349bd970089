"""A change of the audio output while it plays: the new one is opened beside the old one, which plays on until then."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streaming.conventions import TICK_NS
from streaming.devices.sound.output_line import OutputLine
from streaming.errors import UserError
from streaming.schema.messages import Set
from streaming.system.files import reason

OPENING_NS = 10_000_000_000
"""The new output must be open, and ask for samples, within this time."""
SETTLING_NS = 200_000_000
"""For so long the new output plays silence, until its clock is known."""
DRAINING_NS = 200_000_000
"""The old output is closed so long after its last tick began: the tick, its fade and what the device holds are over."""
CLOSE_S = 0.5
"""At the end of a stage it waits so long for an old output that is being closed."""


class Changeover:
    """One change: opens an output in a thread of its own, and follows it until it plays.

    Args:
        control: what asks for it.
        opens: opens the output and starts it; gives a line for the user too.
        now_ns: the time.

    Attributes:
        control: what asked for it.
        line: the new output, once it is open.
        words: the opener's line.
        tick: the first tick that the new output plays; -1 before that is known.
    """

    def __init__(self, control: Set, opens: Callable[[], tuple[OutputLine, str]], now_ns: int) -> None:
        self.control, self.words, self.tick = control, "", -1
        self.line: OutputLine | None = None
        self._old: OutputLine | None = None
        self._leave_ns: int | None = None
        self._retirement: Retirement | None = None
        self._opens, self._begun_ns, self._open_ns = opens, now_ns, 0
        self._found: tuple[OutputLine, str] | None = None
        self._refusal: UserError | None = None
        self._lock = threading.Lock()
        self._abandoned = False
        threading.Thread(target=self._run, name="open-device", daemon=True).start()

    def step(self, now_ns: int) -> bool:
        """Follow the new output; True once it is open and its time is known.

        Raises:
            UserError: when it cannot be opened, or does not answer in time.
        """
        with self._lock:
            found, refusal = self._found, self._refusal
        if refusal is not None:
            raise refusal
        if self.line is None and found is not None:
            (self.line, self.words), self._open_ns = found, now_ns
        if self.line is not None:
            self.line.observe()
            if not self.line.output.alive():
                raise UserError("has stopped by itself", self.line.output.name, "choose another --speaker")
            if self.line.clock.ready and now_ns - self._open_ns >= SETTLING_NS:
                return True
        if now_ns - self._begun_ns > OPENING_NS:
            what = f"does not answer within {OPENING_NS / 1e9:g} s"
            raise UserError(what, f"--speaker {self.control.value}", "choose another --speaker")
        return False

    def first_tick(self, playing: OutputLine, newest: int, now_ns: int) -> int:
        """The first tick that the new output can play: neither has taken it, and its sound is yet to come.

        Args:
            playing: the output that plays.
            newest: the newest tick whose sound has come.
            now_ns: the time.
        """
        line = self.line
        if line is None:
            raise ValueError("the output is not open")
        ring = playing.ring
        # The old output may take whole blocks before it learns where it ends.
        ahead = 2 + -(-playing.output.longest_block // ring.tick_samples)
        tick = max(newest + 1, ring.playing + 1 + ahead)
        late_ns = max(line.earliest_ns(), now_ns) - playing.dac_ns(tick)
        return tick + max(0, -(-late_ns // TICK_NS))

    @property
    def has_changed(self) -> bool:
        """Whether the new output is in the old one's place."""
        return self._leave_ns is not None

    def begin_to_leave(self, old: OutputLine | None, at_ns: int) -> None:
        """The new output is in the old one's place, which is closed later; None where there was none."""
        self._old, self._leave_ns = old, at_ns

    def leave(self, now_ns: int, note: Callable[[str], None]) -> bool:
        """Close the old output when all of it has been heard; True once that is done."""
        if self._old is None:
            return True
        if self._retirement is None and self._leave_ns is not None and now_ns >= self._leave_ns:
            self._retirement = Retirement(self._old)
        if self._retirement is None or not self._retirement.over:
            return False
        for line in self._old.output.notes():
            note(line)
        return True

    def close(self) -> None:
        """Let go of the output that is not in use: the old one, or the new one, which may yet be opened."""
        with self._lock:
            self._abandoned = not self.has_changed
            found = self._found
        if self.has_changed:
            if self._old is not None:
                (self._retirement or Retirement(self._old)).wait()
        elif found is not None:
            retirement = Retirement(found[0])
            if self.tick >= 0:
                # It may be a file that has begun.
                retirement.wait()

    def _run(self) -> None:
        found: tuple[OutputLine, str] | None = None
        refusal: UserError | None = None
        try:
            found = self._opens()
        except UserError as error:
            refusal = error
        except Exception as error:
            # Drivers raise all kinds of errors.
            where = f"--speaker {self.control.value}"
            refusal = UserError(f"cannot be opened ({reason(error)})", where, "choose another --speaker")
        with self._lock:
            self._found, self._refusal = found, refusal
            abandoned = self._abandoned
        if abandoned and found is not None:
            found[0].output.close()


class Retirement:
    """Closes an output in a thread of its own: a device that hangs holds nobody up.

    Args:
        line: the output.
    """

    def __init__(self, line: OutputLine) -> None:
        self._thread = threading.Thread(target=line.output.close, name="close-device", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it is closed."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Wait a little for its end: a file must be complete."""
        self._thread.join(CLOSE_S)
