"""Audio outputs behind one small interface: a sound device through PortAudio, a file paced by the clock, or nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streaming import clock
from streaming.edges.wavfile import WavWriter
from streaming.errors import SourceError, UserError
from streaming.messages import SAMPLE_RATE
from streaming.ring import TickRing

RATES = (SAMPLE_RATE, 48_000, 44_100)
"""Device rates in the order they are tried; at the codec's own there is nothing to resample."""
BLOCK_S = 0.005
"""How often a paced output takes samples; what it takes counts as heard one block later, as from a sound card."""
_MAX_BLOCK = 8_192
_OBSERVATIONS = 256


class Feed:
    """What a device calls for its next samples: fills them from the ring and remembers when that was.

    It computes nothing else, and never raises.

    Args:
        ring: where the samples come from.
        now_ns: reads the clock.
    """

    def __init__(self, ring: TickRing, now_ns: Callable[[], int] = clock.now_ns) -> None:
        self.ring = ring
        self.errors = 0
        self.calls = 0
        self.longest_ns = 0
        self._now_ns = now_ns
        self._log = np.zeros((_OBSERVATIONS, 3), np.int64)
        self._taken = 0

    def __call__(self, out: NDArray[np.float32], delay_ns: int, due_ns: int = 0) -> None:
        """Fill a block.

        Args:
            out: float32 [n], contiguous.
            delay_ns: after how long, from `due_ns`, its first sample leaves the device.
            due_ns: when the device asked; 0 for now.
        """
        try:
            now = self._now_ns()
            row = self._log[self.calls % _OBSERVATIONS]
            row[0], row[1], row[2] = self.ring.position, due_ns or now, delay_ns
            self.ring.fill(out, now)
            self.calls += 1
            self.longest_ns = max(self.longest_ns, self._now_ns() - now)
        except Exception:
            self.errors += 1
            out.fill(0.0)

    def drain(self) -> list[tuple[int, int, int]]:
        """(position, when it was asked for, delay) of the blocks since the last call, the newest 128 at most."""
        calls = self.calls
        first = max(self._taken, calls - _OBSERVATIONS // 2)
        self._taken = calls
        return [
            (int(row[0]), int(row[1]), int(row[2]))
            for row in (self._log[index % _OBSERVATIONS] for index in range(first, calls))
        ]


class Output(Protocol):
    """An open audio output.

    Attributes:
        name: what it is, for the user.
        samplerate: Hz.
        latency_s: from the call for a sample to its leaving, as far as it is known.
        underruns: how often the device ran dry.
    """

    name: str
    samplerate: int
    latency_s: float
    underruns: int

    def start(self, feed: Feed) -> None:
        """Begin to call `feed`."""

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Say which samples are the performance (only a file cares).

        Args:
            position: the position, in samples since `start`, at which it begins or goes on.
            tick_sample: how far into the performance that is, in samples at this output's rate.
            samples: length of the performance in samples, None for open.
        """

    def alive(self) -> bool:
        """False when the device has stopped by itself."""

    def notes(self) -> list[str]:
        """Lines for the user since the last call."""

    def close(self) -> None:
        """Stop and release; may be called twice."""


class NullOutput:
    """An output paced by the clock that throws away what it takes; also the base of the file output.

    A thread takes a block at absolute deadlines. It never drifts against the clock, and catches up when it woke late.

    Args:
        samplerate: Hz.
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.
    """

    def __init__(
        self,
        samplerate: int = SAMPLE_RATE,
        now_ns: Callable[[], int] = clock.now_ns,
        sleep_until: Callable[[int], None] = clock.sleep_until,
    ) -> None:
        self.name = "none"
        self.samplerate = samplerate
        self.latency_s = BLOCK_S
        self.underruns = 0
        self.late_wakes = 0
        self._now_ns, self._sleep_until = now_ns, sleep_until
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, feed: Feed) -> None:
        """Begin to call `feed` every 5 ms."""
        self._thread = threading.Thread(target=self._run, args=(feed,), name="speaker-device", daemon=True)
        self._thread.start()

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Nothing to do."""

    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def notes(self) -> list[str]:
        """Nothing to say."""
        return []

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)

    def _run(self, feed: Feed) -> None:
        block = np.zeros(round(self.samplerate * BLOCK_S), np.float32)
        begun_ns = self._now_ns()
        taken = 0
        while not self._stop.is_set():
            due_ns = begun_ns + taken * 1_000_000_000 // self.samplerate
            self._sleep_until(due_ns)
            if self._now_ns() - due_ns > BLOCK_S * 1e9:
                self.late_wakes += 1
            feed(block, round(BLOCK_S * 1e9), due_ns)
            self._keep(taken, block)
            taken += block.shape[0]

    def _keep(self, position: int, block: NDArray[np.float32]) -> None:
        """What a file output does with a block."""


class FileOutput(NullOutput):
    """A 16-bit WAV file that plays the part of the device, paced by the clock.

    The file holds the performance and nothing else: it begins with tick 0, and what passed while the output was away
    is silence. Its header is kept valid, so a kill leaves a readable file. Writing is done in a thread of its own: a
    slow disk does not hold up the pace, a full one ends the file and not the show.

    Args:
        path: the file; an existing one is replaced.
        resume: go on with an existing file of the same rate.
        samplerate: Hz.
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.

    Raises:
        SourceError: when the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        resume: bool = False,
        samplerate: int = SAMPLE_RATE,
        now_ns: Callable[[], int] = clock.now_ns,
        sleep_until: Callable[[int], None] = clock.sleep_until,
    ) -> None:
        super().__init__(samplerate, now_ns, sleep_until)
        self.name = f"file:{path}"
        self.path = path
        self._writer = WavWriter(path, samplerate, resume=resume)
        # (position of the first sample, its place in the file, the file's length or None), replaced as one object
        self._span: tuple[int, int, int | None] | None = None

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Say which samples go into the file, and where."""
        self._span = (position, tick_sample, samples)

    def notes(self) -> list[str]:
        """What went wrong with the file since the last call."""
        return self._writer.take_problems()

    def close(self) -> None:
        """Stop, write what is left, and close the file."""
        super().close()
        self._writer.close()

    def _keep(self, position: int, block: NDArray[np.float32]) -> None:
        if self._span is None:
            return
        origin, place, length = self._span
        first = max(0, origin - position)
        at = place + position + first - origin
        count = block.shape[0] - first
        if length is not None:
            count = min(count, length - at)
        if count > 0:
            self._writer.write(at, block[first : first + count])


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
        info = _find(sd, device)
        self.name = f"{info.name} ({info.hostapi})"
        self.underruns = 0
        self.blocks = 0
        self._feed: Feed | None = None
        self._mono = np.zeros(_MAX_BLOCK, np.float32)
        self._stream, self.samplerate, self.channels = self._open(info)
        self.latency_s = self._checked_latency()
        self._fallback_ns = round(self.latency_s * 1e9)
        self._started = False

    def start(self, feed: Feed) -> None:
        """Begin to call `feed` from the device's own thread.

        Raises:
            SourceError: when the device refuses to start.
        """
        self._feed = feed
        try:
            self._stream.start()
        except self._sd.PortAudioError as error:
            raise SourceError(f"cannot be started ({_reason(error)})", self.name, "choose another --speaker") from error
        self._started = True
        self.latency_s = self._checked_latency()
        self._fallback_ns = round(self.latency_s * 1e9)

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Nothing to do: a device plays everything."""

    def alive(self) -> bool:
        """False when the device was unplugged or its server has ended."""
        return self._started and bool(self._stream.active)

    def notes(self) -> list[str]:
        """Nothing to say."""
        return []

    def close(self) -> None:
        """Stop at once and close the device."""
        try:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
        except self._sd.PortAudioError:
            # A server that is gone refuses even this; there is nothing left to release.
            self._started = False

    def _checked_latency(self) -> float:
        latency = float(self._stream.latency)
        return latency if 0.0 < latency < 2.0 else BLOCK_S

    def _open(self, info: OutputInfo) -> tuple[Any, int, int]:
        """Open at the first rate and channel count that the device takes."""
        sd = self._sd
        rates = [*RATES, *((info.samplerate,) if info.samplerate not in RATES and info.samplerate % 25 == 0 else ())]
        # Two channels first: a mono stream is heard on the left only with JACK and some others.
        layouts = [count for count in (2, 1) if count <= info.channels] or [1]
        refused = ""
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
                    refused = _reason(error)
                    continue
                return stream, rate, channels
        raise SourceError(
            f"refuses {', '.join(str(rate) for rate in rates)} Hz ({refused or 'no reason given'})",
            self.name,
            "set the device to one of these rates, end what else is using it, or choose another --speaker",
        )

    def _callback(self, out: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        try:
            if status and status.output_underflow:
                self.underruns += 1
            self.blocks += 1
            feed = self._feed
            if feed is None:
                out.fill(0.0)
                return
            delay = times.outputBufferDacTime - times.currentTime
            delay_ns = int(delay * 1e9) if 0.0 < delay < 2.0 else self._fallback_ns
            mono = self._mono
            for begin in range(0, frames, _MAX_BLOCK):
                count = min(_MAX_BLOCK, frames - begin)
                part = mono[:count]
                feed(part, delay_ns + begin * 1_000_000_000 // self.samplerate)
                out[begin : begin + count] = part[:, None]
        except Exception:
            # An exception would end the stream; a silent block does not.
            out.fill(0.0)


@dataclass(frozen=True)
class OutputInfo:
    """An audio output of this machine.

    Attributes:
        index: PortAudio's number of it.
        name: the device's name.
        hostapi: the audio system it belongs to.
        channels: output channels.
        samplerate: its default rate in Hz.
        default: True for the default output.
    """

    index: int
    name: str
    hostapi: str
    channels: int
    samplerate: int
    default: bool


def load_sounddevice() -> ModuleType:
    """Import sounddevice.

    Raises:
        UserError: when it or the PortAudio library is missing.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise UserError(
            f"the PortAudio library cannot be loaded ({_reason(error)})",
            "audio",
            "install it: 'sudo apt install libportaudio2' on Debian and Ubuntu, 'brew install portaudio' on macOS, "
            "'pip install --force-reinstall sounddevice' on Windows; or use --speaker file:out.wav",
        ) from error
    module: ModuleType = sounddevice
    return module


def list_outputs() -> list[OutputInfo]:
    """The audio outputs of this machine, empty when there are none.

    Raises:
        UserError: when PortAudio is missing.
    """
    return _outputs(load_sounddevice())


def _outputs(sd: ModuleType) -> list[OutputInfo]:
    try:
        devices, hosts = sd.query_devices(), sd.query_hostapis()
        default = int(sd.default.device[1])
    except sd.PortAudioError:
        return []
    if default < 0 and hosts:
        default = next((int(host["default_output_device"]) for host in hosts if host["default_output_device"] >= 0), -1)
    return [
        OutputInfo(
            index,
            str(device["name"]),
            str(hosts[device["hostapi"]]["name"]),
            int(device["max_output_channels"]),
            round(device["default_samplerate"]),
            index == default,
        )
        for index, device in enumerate(devices)
        if device["max_output_channels"] > 0
    ]


def _find(sd: ModuleType, device: str) -> OutputInfo:
    """The output that a user means.

    Raises:
        SourceError: when there is none; it lists what there is.
    """
    outputs = _outputs(sd)
    listing = ", ".join(f"{info.index}: {info.name}" for info in outputs) or "no audio output at all"
    if device == "auto":
        found = [info for info in outputs if info.default] or outputs[:1]
    elif device.isdigit():
        found = [info for info in outputs if info.index == int(device)]
    else:
        wanted = device.casefold()
        exact = [info for info in outputs if info.name.casefold() == wanted]
        found = exact or [info for info in outputs if wanted in f"{info.name} {info.hostapi}".casefold()]
    if not found:
        raise SourceError(
            f"there is no such audio output; this machine has {listing}",
            f"--speaker {device}",
            "choose one of these by number or name, or file:PATH.wav, or none",
        )
    return found[0]


def open_output(spec: str, record: str = "", resume: str = "") -> tuple[Output, str]:
    """Open what `--speaker` says.

    Args:
        spec: "auto", a device's name or number, "file:PATH.wav" or "none".
        record: the record folder, where "auto" puts a file when there is no sound device; "" or "none" for nowhere.
        resume: the file that an earlier incarnation of the stage had been writing, to be gone on with.

    Returns:
        The output, and a line for the user ("" for none).

    Raises:
        UserError: when it cannot be used.
    """
    if spec == "none":
        return NullOutput(), ""
    if resume:
        return FileOutput(Path(resume), resume=True), ""
    if spec.startswith("file:"):
        path = Path(spec.removeprefix("file:"))
        if path.suffix.lower() != ".wav":
            raise SourceError("is not a .wav file", f"--speaker {spec}", "write file:NAME.wav")
        return FileOutput(path), ""
    if spec != "auto":
        return SoundDeviceOutput(spec), ""
    try:
        return SoundDeviceOutput("auto"), ""
    except UserError as error:
        if record in ("", "none"):
            return NullOutput(), f"no sound device ({error.what}); the sound is not heard and not kept"
        path = _free_name(Path(record))
        return FileOutput(path), f"no sound device ({error.what}); the sound goes to {path}"


def _free_name(folder: Path) -> Path:
    """The first name in a folder that is not taken: an earlier performance is not overwritten."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise SourceError(
            f"cannot be written ({_reason(error)})", f"--record {folder}", "choose another folder or free this one"
        ) from error
    number = next(number for number in range(1, len(taken) + 2) if f"speaker-{number:03d}.wav" not in taken)
    return folder / f"speaker-{number:03d}.wav"


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200]
