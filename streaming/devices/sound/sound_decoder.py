"""Decodes a user's sound file piece by piece, as far as FFmpeg plays it, and says what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from streaming.devices.media import MediaError, open_media
from streaming.errors import SourceError
from streaming.system.files import reason

MAX_RATE_HZ = 768_000
"""A file of a higher sample rate, or of none, is none."""
MAX_CHANNELS = 64
"""More cannot be mixed by FFmpeg's resampler."""
MAX_READ_ERRORS = 100
"""Reads that may fail one after the other; a file on a broken disk ends after them."""

Samples = NDArray[np.float32]


class SoundDecoder:
    """A file's sound, mixed to mono at one rate. Damaged packets are skipped; rate and channels may change within it.

    Args:
        path: the file.
        rate_hz: of the samples; 0 for that of the file's first frame.
        option: the option that names the file, for errors.

    Attributes:
        damaged: packets that could not be decoded so far.
        changes: how often rate, channels or sample format have changed so far.
        path: as given.
        rate_hz: of the samples; 0 before the first one where it is that of the file.
        problem: why nothing of it can be used, in words; "" while unknown.

    Raises:
        SourceError: when it cannot be opened, or has no sound.
    """

    def __init__(self, path: str, rate_hz: int = 0, option: str = "--microphone") -> None:
        self.path, self.rate_hz = path, rate_hz
        self.damaged = self.changes = 0
        self.problem = ""
        self._fix = f"give {option} a sound file, a device, self or none"
        self._resampler: Any = None
        self._format: tuple[str, str, int] | None = None
        try:
            self._container = open_media(path)
        except MediaError as error:
            raise SourceError(f"cannot be read as sound ({reason(error)})", path, self._fix) from error
        if not self._container.streams.audio:
            self._container.close()
            raise SourceError("has no sound", path, self._fix)

    def pieces(self) -> Iterator[Samples]:
        """The sound, piece by piece: float32 [n], -1..1. It ends where the file ends or cannot be read on."""
        with self._container:
            for frame in self._frames():
                try:
                    yield from self._convert(frame)
                except MediaError:
                    self.damaged += 1
                    self._resampler = self._format = None
            yield from self._flush()

    def loss(self) -> str:
        """What was lost so far, in words; "" for nothing."""
        if not self.damaged:
            return ""
        return f"{self.path}: parts of it are damaged and cannot be decoded; the rest is played"

    def _frames(self) -> Iterator[Any]:
        stream = self._container.streams.audio[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        packets = self._container.demux(stream)
        errors = 0
        while errors < MAX_READ_ERRORS:
            try:
                packet = next(packets, None)
            except MediaError:
                self.damaged += 1
                errors += 1
                # A generator that has raised is over: reading goes on behind the error.
                packets = self._container.demux(stream)
                continue
            if packet is None:
                return
            errors = 0
            try:
                frames = packet.decode()
            except av.error.EOFError:
                return
            except MediaError:
                self.damaged += 1
                continue
            yield from frames

    def _convert(self, frame: Any) -> Iterator[Samples]:
        channels, rate = frame.layout.nb_channels, frame.sample_rate
        if not 0 < rate <= MAX_RATE_HZ or not 0 < channels <= MAX_CHANNELS:
            self.problem = f"has {channels} channels at {rate} Hz; {MAX_CHANNELS} and {MAX_RATE_HZ} can be read"
            self.damaged += 1
            return
        self.rate_hz = self.rate_hz or rate
        form = (frame.format.name, frame.layout.name, rate)
        if self._resampler is None or form != self._format:
            yield from self._flush()
            self.changes += self._format is not None
            # Interleaved: PyAV reads beyond the planes of a planar frame with eight channels or more. Mixed to mono
            # here, because FFmpeg's mix of equal channels is 3 dB louder.
            self._resampler, self._format = av.AudioResampler(format="flt", rate=self.rate_hz), form
        frame.pts = None
        for part in self._resampler.resample(frame):
            yield _mono(part)

    def _flush(self) -> Iterator[Samples]:
        """What the resampler still holds."""
        resampler, self._resampler = self._resampler, None
        if resampler is None:
            return
        try:
            for part in resampler.resample(None):
                yield _mono(part)
        except MediaError:
            return


def _mono(part: Any) -> Samples:
    channels = part.layout.nb_channels
    plane = np.frombuffer(part.planes[0], np.float32)[: part.samples * channels]
    with np.errstate(over="ignore", invalid="ignore"):
        mono = plane.reshape(-1, channels).mean(1, dtype=np.float64)
    finite = np.nan_to_num(mono, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(finite.clip(-1.0, 1.0), np.float32)
