"""Opus (RFC 6716) at a bit rate, through FFmpeg, in memory: the control of the codec's scores."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

OPUS_RATE = 48_000
BLOCK = 960


def through_opus(sound: NDArray[np.float32], rate: int, bits_per_second: int) -> NDArray[np.float32]:
    """Encode and decode a mono sound, aligned with the original.

    Args:
        sound: float32 [n].
        rate: of the sound, in Hz.
        bits_per_second: at least 500; Opus's variable rate holds it on average.

    Returns:
        float32 [n] at the same rate, without Opus's own delay.
    """
    wide = np.clip(soxr.resample(sound, rate, OPUS_RATE, quality="VHQ"), -1.0, 1.0)
    packed = (np.pad(wide, (0, -wide.size % BLOCK)) * 32767).astype(np.int16)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ogg") as container:
        stream: Any = container.add_stream("libopus", rate=OPUS_RATE, layout="mono")
        stream.bit_rate = bits_per_second
        for first in range(0, packed.size, BLOCK):
            frame = av.AudioFrame.from_ndarray(packed[None, first : first + BLOCK], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = OPUS_RATE, first, Fraction(1, OPUS_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=OPUS_RATE)
    parts = []
    with av.open(buffer) as container:
        for frame in container.decode(audio=0):
            frame.pts = None
            parts += [out.to_ndarray().ravel() for out in resampler.resample(frame)]
    decoded = soxr.resample(np.concatenate(parts).astype(np.float32), OPUS_RATE, rate, quality="VHQ")
    return in_line(decoded, sound, rate // 50)


def in_line(decoded: NDArray[np.float32], sound: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Shift a copy by up to `reach` samples to match the original best, and cut or pad it to the same length."""
    size = 1 << (sound.size + decoded.size).bit_length()
    match = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(sound, size)), size)
    lags = np.r_[0 : reach + 1, -reach:0]
    lag = int(lags[np.argmax(match[lags])])
    shifted = decoded[lag:] if lag >= 0 else np.pad(decoded, (-lag, 0))
    out = np.zeros(sound.size, np.float32)
    out[: min(sound.size, shifted.size)] = shifted[: sound.size]
    return out
