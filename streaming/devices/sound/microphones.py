"""Microphones and line inputs through PortAudio."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.devices.sound.inputs import BLOCK_S, AudioInput, Intake, PacedInput
from streaming.devices.sound.portaudio import DeviceInfo, find_device, load_sounddevice, rates_of
from streaming.devices.sound.search import Pulse, close_stream, rescan
from streaming.errors import SourceError, UserError
from streaming.system.files import reason

_MAX_BLOCK = 8_192


class SoundDeviceInput:
    """A microphone or line input through PortAudio: ALSA, JACK, PulseAudio, PipeWire, CoreAudio or WASAPI.

    Args:
        device: a number, a part of a name, or "auto" for the default input.
        channel: the one that is heard, counted from 1; 0 for the mean of all that are opened.

    Raises:
        SourceError: for a device that does not exist or cannot be used.
        UserError: when PortAudio is missing.
    """

    def __init__(self, device: str = "auto", channel: int = 0) -> None:
        self._sd = sd = load_sounddevice()
        info = find_device(sd, "input", device)
        self.name = f"{info.name} ({info.hostapi})"
        self.device = f"{info.name} {info.hostapi}"
        self._pulse = Pulse()
        self.blocks = 0
        self.overruns = 0
        self.ended = self.waits = False
        self.loss = ""
        self.away: bool | None = None
        self._intake: Intake | None = None
        self._channel = channel
        self._mono = np.zeros(_MAX_BLOCK, np.float32)
        self._stream, self.samplerate = self._open(info)
        latency = float(self._stream.latency)
        self._fallback_ns = round((latency if 0.0 < latency < 2.0 else BLOCK_S) * 1e9)
        self._started = False

    def start(self, intake: Intake, skip_s: float = 0.0) -> None:
        """Begin to deliver samples from the device's own thread.

        Raises:
            SourceError: when the device refuses to start.
        """
        self._intake = intake
        try:
            self._stream.start()
        except self._sd.PortAudioError as error:
            raise SourceError(
                f"cannot be started ({reason(error)})", self.name, "choose another --microphone"
            ) from error
        self._started = True

    def alive(self) -> bool:
        """False once the device was unplugged, its sound server has ended, or it has given nothing for a second."""
        return self._started and bool(self._stream.active) and self._pulse.beats(self.blocks)

    def close(self) -> None:
        """Stop at once and close the device; one that hangs is left to end with the process."""
        dead = self._started and not self.alive()
        self._started = False
        close_stream(self._sd, self._stream, dead=dead)

    def _open(self, info: DeviceInfo) -> tuple[Any, int]:
        """Open it at the first rate and channel count that it accepts."""
        sd = self._sd
        rates = rates_of(info)
        refusal = ""
        for rate in rates:
            for channels in (self._channel,) if self._channel else (1, 2)[: info.channels]:
                try:
                    stream = sd.InputStream(
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
                return stream, rate
        raise SourceError(
            f"refuses {', '.join(str(rate) for rate in rates)} Hz ({refusal or 'no reason given'})",
            self.name,
            "set the device to one of these rates, close other programs that use it, or choose another --microphone",
        )

    def _callback(self, data: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        if status and status.input_overflow:
            self.overruns += 1
        self.blocks += 1
        intake = self._intake
        if intake is None:
            return
        age = times.currentTime - times.inputBufferAdcTime
        age_ns = int(age * 1e9) if 0.0 < age < 2.0 else self._fallback_ns
        for begin in range(0, frames, _MAX_BLOCK):
            part = data[begin : begin + _MAX_BLOCK]
            mono = self._mono[: part.shape[0]]
            if self._channel:
                mono[:] = part[:, self._channel - 1]
            else:
                np.mean(part, axis=1, out=mono)
            intake(mono, age_ns - begin * 1_000_000_000 // self.samplerate)


def open_device(name: str) -> tuple[AudioInput, str]:
    """An input by its number, its name or a part of it.

    Raises:
        UserError: when it cannot be used.
    """
    return SoundDeviceInput(name), ""


def find_again(device: str, channel: int = 0) -> AudioInput:
    """Look anew for an input that has gone, by its `device`; `channel` as in `SoundDeviceInput`.

    Raises:
        UserError: while it is not there.
    """
    rescan()
    return SoundDeviceInput(device, channel)


def open_auto(argument: str) -> tuple[AudioInput, str]:
    """The default input; silence where there is none, which is said."""
    try:
        return SoundDeviceInput("auto"), ""
    except UserError as error:
        return PacedInput(), f"no microphone ({error.what}); nothing is heard"
