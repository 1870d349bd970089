"""Makes sound and video files with PyAV, in memory; and ways to damage them."""

from __future__ import annotations

import io
import random
import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def tone(rate: int, seconds: float, channels: int = 1) -> NDArray[np.float64]:
    """A quiet sine, the same in every channel: [n, channels]."""
    wave = 0.25 * np.sin(2 * np.pi * 440.0 / rate * np.arange(round(rate * seconds)))
    return np.repeat(wave[:, None], channels, 1)


def riff(data: bytes, channels: int, rate: int, bits: int, tag: int = 1, **wrong: int) -> bytes:
    """A WAV file by hand; `wrong` overwrites fields: align, data_size, riff_size, byte_rate."""
    align = wrong.get("align", channels * bits // 8)
    form = struct.pack(
        "<HHIIHH",
        tag,
        channels & 0xFFFF,
        rate,
        wrong.get("byte_rate", (rate * align) & 0xFFFFFFFF),
        align & 0xFFFF,
        bits,
    )
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", wrong.get("data_size", len(data)))
    return b"RIFF" + struct.pack("<I", wrong.get("riff_size", len(head) + len(data))) + head + data


def wav(channels: int = 1, rate: int = 32_000, seconds: float = 1.0, **wrong: int) -> bytes:
    """A WAV file of 16 bits."""
    samples = np.rint(tone(rate, seconds, channels) * 32_767).astype("<i2")
    return riff(samples.tobytes(), channels, rate, 16, **wrong)


def float_wav(value: float, bits: int = 32) -> bytes:
    """A WAV file of floating point, a tone in which every tenth sample is a given value."""
    samples = tone(32_000, 1.0).ravel().astype("<f4" if bits == 32 else "<f8")
    samples[::10] = value
    return riff(samples.tobytes(), 1, 32_000, bits, tag=3)


def encoded(
    codec: str, container: str, rate: int = 44_100, layout: str = "stereo", seconds: float = 1.0, **options: Any
) -> bytes:
    """A tone in a codec and a container."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, **options)
        stream.layout = layout
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
        channels = av.AudioLayout(layout).nb_channels
        samples = np.ascontiguousarray((tone(rate, seconds, channels) * 32_767).astype(np.int16).reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.rate = rate
        size = stream.codec_context.frame_size or 1024
        fifo = av.AudioFifo()
        for part in resampler.resample(frame):
            part.pts = None
            fifo.write(part)
        while (piece := fifo.read(size) or fifo.read(0, partial=True)) is not None:
            piece.pts, piece.time_base = None, Fraction(1, rate)
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return out.getvalue()


def film(
    codec: str = "mpeg4",
    container: str = "mp4",
    size: tuple[int, int] = (64, 48),
    rate: Fraction | int = 25,
    frames: int = 10,
    form: str = "yuv420p",
    sound: bool = False,
    stamps: list[int] | None = None,
    **options: str,
) -> bytes:
    """A square that moves over a grey ground."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, form
        stream.codec_context.thread_count = 1
        audio: Any = file.add_stream("aac" if container != "avi" else "mp2", rate=48_000) if sound else None
        for number in range(frames):
            image = np.full((size[1], size[0], 3), 90, np.uint8)
            image[: max(1, size[1] // 2), : max(1, (number * 3) % size[0])] = 220
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], Fraction(1, int(rate))
            file.mux(stream.encode(frame))
        if audio is not None:
            silent = av.AudioFrame.from_ndarray(
                np.zeros((audio.codec_context.layout.nb_channels, 1024), np.float32), "fltp", "stereo"
            )
            silent.rate = 48_000
            file.mux(audio.encode(silent))
            file.mux(audio.encode(None))
        file.mux(stream.encode(None))
    return out.getvalue()


def cut(data: bytes, share: float) -> bytes:
    """The first part of a file."""
    return data[: int(len(data) * share)]


def noisy(data: bytes, start: float, end: float, seed: int = 1) -> bytes:
    """A file with random bytes from one share of its length to another."""
    first, last = int(len(data) * start), int(len(data) * end)
    return data[:first] + random.Random(seed).randbytes(last - first) + data[last:]


def flipped(data: bytes, count: int, skip: int = 64, seed: int = 1) -> bytes:
    """A file in which some bits behind its header are flipped."""
    chosen, out = random.Random(seed), bytearray(data)
    for _ in range(count):
        out[chosen.randrange(skip, len(out))] ^= 1 << chosen.randrange(8)
    return bytes(out)
