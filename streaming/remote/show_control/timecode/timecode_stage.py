"""The stage that hears linear timecode on an audio input, and plays the cues that it reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from streaming.conventions import TICK_NS
from streaming.devices.sound.inputs import AudioInput, Intake
from streaming.devices.sound.microphones import SoundDeviceInput, find_again
from streaming.errors import UserError
from streaming.remote.control_desk import ControlDesk
from streaming.remote.show_control.timecode.cue_player import CuePlayer
from streaming.remote.show_control.timecode.ltc_decoder import LtcDecoder, LtcFrame
from streaming.remote.show_control.timecode.timecode import RATES, TimecodeReading
from streaming.schema.device_kinds import MICROPHONE
from streaming.schema.messages import Message
from streaming.settings.values.timecode_source import read_timecode_source
from streaming.stage import Context, Inputs
from streaming.transport.bus import ControlLink

BLOCK_S = 0.005
LOOK_NS = 2_000_000_000
"""An input that has gone is looked for this often."""


def open_input(source: str, channel: int) -> tuple[AudioInput, str]:
    """Open the input that a user has named.

    Raises:
        UserError: when it cannot be used.
    """
    if channel:
        return SoundDeviceInput(source, channel), ""
    opened: tuple[AudioInput, str] = MICROPHONE.open(source)
    return opened


class RateFinder:
    """Finds the frames a second of a timecode: by its length, and surely once its numbers begin anew."""

    def __init__(self) -> None:
        self._base: int | None = None
        self._last: int | None = None

    def rate(self, frame: LtcFrame, samplerate: int) -> float:
        """Frames a second, with this frame taken in."""
        number, last = frame.timecode.frames, self._last
        self._last = number
        if last in (23, 24, 29) and number == 0 and not frame.backward:
            self._base = last + 1
        if frame.dropped:
            return RATES[2]
        measured = samplerate / frame.samples
        return float(self._base or min((24, 25, 30), key=lambda base: abs(base - measured)))


class TimecodeStage:
    """Reads LTC and goes through the cues.

    Args:
        opener: opens the input.
        again: opens an input that has gone.
        link: opens the control link that requests go by.
        cues: the file of presets and cues; None for the user's.
    """

    def __init__(
        self,
        opener: Callable[[str, int], tuple[AudioInput, str]] = open_input,
        again: Callable[[str, int], AudioInput] = find_again,
        link: Callable[..., ControlLink] = ControlLink,
        cues: Path | None = None,
    ) -> None:
        self._opener, self._again, self._open_link, self._file = opener, again, link, cues
        self._input: AudioInput | None = None
        self._desk: ControlDesk | None = None
        self._wake_ns: int | None = None
        self._look_ns = 0
        self._device = ""
        self._has_begun = False

    def setup(self, context: Context) -> None:
        """Open the input; without it the show goes on without timecode."""
        self._context = context
        self._wake_ns = context.now_ns + TICK_NS
        source, self._channel = read_timecode_source(context.show.timecode)
        try:
            self._input, line = self._opener(source, self._channel)
        except UserError as error:
            context.note(f"no timecode: {error}")
            context.info["device"] = "none"
            return
        if line:
            context.note(line)
        self._device = self._input.device
        context.info["device"] = self._input.name
        self._desk = ControlDesk("timecode", context, self._open_link)
        self._player = CuePlayer(self._desk, context.note, context.metrics, self._file)
        self._prepare(self._input)

    def wake_ns(self) -> int | None:
        """Once a tick."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Read what has come, and do what is due."""
        self._wake_ns = now_ns + TICK_NS
        if self._desk is None:
            return []
        self._desk.take(inputs.controls)
        self._desk.replies()
        if self._input is None:
            self._look(now_ns)
        elif not self._has_begun:
            if inputs.started or not self._input.waits:
                self._has_begun = True
                self._input.start(self._intake)
        elif not self._input.alive():
            self._input.close()
            self._input = None
            self._context.note("the timecode's input has gone; it is looked for")
        else:
            self._read(now_ns, self._input.samplerate)
        self._player.beat(now_ns, "LTC")
        return []

    def close(self) -> None:
        """Close the input."""
        if self._input is not None:
            self._input.close()
        if self._desk is not None:
            self._desk.close()

    def _prepare(self, source: AudioInput) -> None:
        self._intake, self._has_begun = Intake(source.samplerate), False
        self._decoder, self._rates = LtcDecoder(source.samplerate), RateFinder()
        self._heard = 0

    def _look(self, now_ns: int) -> None:
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + LOOK_NS
        self._context.expect_pause(5.0)
        try:
            self._input = self._again(self._device, self._channel)
        except UserError:
            return
        self._context.note("the timecode's input is back")
        self._prepare(self._input)

    def _read(self, now_ns: int, samplerate: int) -> None:
        block = round(BLOCK_S * samplerate)
        while (taken := self._intake.take(block)) is not None:
            position, pcm = taken
            self._heard += len(pcm)
            behind = self._intake.written - position - len(pcm)
            for frame in self._decoder.hear(pcm):
                age = self._heard - frame.begin + behind
                began_ns = now_ns - round(1e9 * age / samplerate)
                rate = self._rates.rate(frame, samplerate)
                reading = TimecodeReading(frame.timecode, rate, began_ns, -1 if frame.backward else 1)
                self._player.hear(reading, now_ns)
                self._context.metrics.count("timecode_frames")
        if self._player.position_s is not None:
            self._context.metrics.gauge("timecode_s", self._player.position_s)


def build() -> TimecodeStage:
    """The stage with its default devices."""
    return TimecodeStage()
