"""Audio outputs through PortAudio, and what `--speaker auto` chooses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.devices.sound.outputs import BLOCK_S, AudioOutput, ChannelPlan, Feed, FileOutput, NullOutput
from streaming.devices.sound.portaudio import DeviceInfo, find_device, load_sounddevice, rates_of
from streaming.devices.sound.search import Pulse, close_stream, rescan
from streaming.errors import SourceError, UserError
from streaming.settings.device_checks import check_folder
from streaming.system.files import reason

FILE_NAME = "speaker.wav"
"""Where the sound goes without a sound device, in the record folder; the second one is `speaker-2.wav`."""
_MAX_BLOCK = 8_192


class SoundDeviceOutput:
    """A sound device through PortAudio: ALSA, JACK, PulseAudio, PipeWire, CoreAudio or WASAPI.

    Args:
        device: a number, a part of a name, or "auto" for the default output.

    Raises:
        SourceError: for a device that does not exist or cannot be used.
        UserError: when PortAudio is missing.
    """

    def __init__(self, device: str = "auto") -> None:
        self._sd = sd = load_sounddevice()
        self._info = info = find_device(sd, "output", device)
        self.name = f"{info.name} ({info.hostapi})"
        self.device = f"{info.name} {info.hostapi}"
        self._pulse = Pulse()
        self.longest_block = 0
        self.underruns = 0
        self.blocks = 0
        self.path: Path | None = None
        self._feed: Feed | None = None
        self._stream, self.samplerate, self.channels = self._open(info)
        self._take_columns(tuple(range(min(2, self.channels))))
        self.latency_s = self._checked_latency()
        self._fallback_ns = round(self.latency_s * 1e9)
        self._started = False

    def arrange(self, plan: ChannelPlan) -> None:
        """Take the channels that the user chose.

        Raises:
            SourceError: when the device has fewer, or refuses so many.
        """
        if not plan.chosen:
            return
        wanted = max(plan.chosen)
        if wanted > self._info.channels:
            what = f"has {self._info.channels} channels, and no channel {wanted}"
            raise SourceError(what, self.name, "give --channels others, or choose another --speaker")
        if wanted != self.channels:
            close_stream(self._sd, self._stream)
            self._stream, self.samplerate, self.channels = self._open(self._info, (wanted,))
            self.latency_s = self._checked_latency()
        self._take_columns(tuple(number - 1 for number in plan.chosen))

    def start(self, feed: Feed) -> None:
        """Begin to call `feed` from the device's own thread.

        Raises:
            SourceError: when the device refuses to start.
        """
        self._feed = feed
        try:
            self._stream.start()
        except self._sd.PortAudioError as error:
            raise SourceError(f"cannot be started ({reason(error)})", self.name, "choose another --speaker") from error
        self._started = True
        self.latency_s = self._checked_latency()
        self._fallback_ns = round(self.latency_s * 1e9)

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Do nothing: a device plays everything."""

    def alive(self) -> bool:
        """False once the device was unplugged, its sound server has ended, or it has asked for nothing for a second."""
        return self._started and bool(self._stream.active) and self._pulse.beats(self.blocks)

    def notes(self) -> list[str]:
        """No lines."""
        return []

    def close(self) -> None:
        """Stop at once and close the device; one that hangs is left to end with the process."""
        dead = self._started and not self.alive()
        self._started = False
        close_stream(self._sd, self._stream, dead=dead)

    def _checked_latency(self) -> float:
        latency = float(self._stream.latency)
        return latency if 0.0 < latency < 2.0 else BLOCK_S

    def _take_columns(self, columns: tuple[int, ...]) -> None:
        """Play the sides in these columns of the device's blocks, counted from 0; one column gets their mix."""
        self._columns, self.sides = columns, len(columns)
        self._block = np.zeros(_MAX_BLOCK if self.sides == 1 else (_MAX_BLOCK, self.sides), np.float32)
        self._plain = columns == tuple(range(self.channels))

    def _open(self, info: DeviceInfo, layouts: tuple[int, ...] = ()) -> tuple[Any, int, int]:
        """Open it at the first rate and channel count that it accepts."""
        sd = self._sd
        rates = rates_of(info)
        # Two channels first: JACK and some other systems play a mono stream on the left only.
        layouts = layouts or tuple(count for count in (2, 1) if count <= info.channels) or (1,)
        refusal = ""
        for rate in rates:
            for channels in layouts:
                try:
                    stream = sd.OutputStream(
                        samplerate=rate,
                        device=info.index,
                        channels=channels,
                        dtype="float32",
                        latency="low",
                        blocksize=0,
                        callback=self._callback,
                        clip_off=True,
                        dither_off=True,
                    )
                except (sd.PortAudioError, ValueError) as error:
                    refusal = reason(error)
                    continue
                return stream, rate, channels
        raise SourceError(
            f"refuses {', '.join(str(rate) for rate in rates)} Hz ({refusal or 'no reason given'})",
            self.name,
            "set the device to one of these rates, close other programs that use it, or choose another --speaker",
        )

    def _callback(self, out: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        try:
            if status and status.output_underflow:
                self.underruns += 1
            self.blocks += 1
            self.longest_block = max(self.longest_block, frames)
            feed = self._feed
            if feed is None:
                out.fill(0.0)
                return
            delay = times.outputBufferDacTime - times.currentTime
            delay_ns = int(delay * 1e9) if 0.0 < delay < 2.0 else self._fallback_ns
            if not self._plain:
                out.fill(0.0)
            for begin in range(0, frames, _MAX_BLOCK):
                count = min(_MAX_BLOCK, frames - begin)
                part, place = self._block[:count], out[begin : begin + count]
                feed(part, delay_ns + begin * 1_000_000_000 // self.samplerate)
                if self.sides == 1:
                    place[:, self._columns[0]] = part
                elif self._plain:
                    place[:] = part
                else:
                    left, right = self._columns
                    place[:, left], place[:, right] = part[:, 0], part[:, 1]
        except Exception:
            # An exception would end the stream, so a silent block is played.
            out.fill(0.0)


def open_device(name: str, record: str, resume: str) -> tuple[AudioOutput, str]:
    """An output by its number, its name or a part of it.

    Raises:
        UserError: when it cannot be used.
    """
    return SoundDeviceOutput(name), ""


def underrun_advice(output: AudioOutput, underruns: int) -> str:
    """What the user can do about underruns, in one line."""
    frames, longer = output.longest_block, 2 * max(64, output.longest_block)
    how = f"jackd -p {longer}" if "JACK" in output.name else f"{longer} frames or more in the sound system's settings"
    block = f"{frames} frames ({1e3 * frames / output.samplerate:.1f} ms)"
    what = f"{underruns} underruns of {output.name}: it asks for {block} at a time, too few for this machine"
    return f"{what}; give it a longer period: {how}"


def find_again(device: str) -> AudioOutput:
    """Look anew for an output that has gone, by its `device`.

    Raises:
        UserError: while it is not there.
    """
    rescan()
    return SoundDeviceOutput(device)


def open_auto(argument: str, record: str, resume: str) -> tuple[AudioOutput, str]:
    """The default output; without one a new file in the record folder, or nothing where nothing is recorded."""
    if resume:
        return FileOutput(Path(resume), "resume"), ""
    try:
        return SoundDeviceOutput("auto"), ""
    except UserError as error:
        if record in ("", "none"):
            return NullOutput(), f"no sound device ({error.what}); the sound is neither played nor recorded"
        check_folder(record, "--record")
        line = f"no sound device ({error.what}); the sound goes to a file in {record}"
        return FileOutput(Path(record) / FILE_NAME, "number"), line
