"""Small films for tests: a picture that flashes and a sound that clicks at the same known moments."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

FLASH_S = 0.12
CLICK_HZ = 2_000.0


def write_film(
    path: Path,
    events: Sequence[float],
    *,
    seconds: float = 4.0,
    rate: float = 25.0,
    size: tuple[int, int] = (96, 64),
    picture: bool = True,
    sound: bool = True,
    samplerate: int = 48_000,
    channels: int = 1,
    picture_from: float = 0.0,
    sound_from: float = 0.0,
    jitter: float = 0.0,
    codec: str = "mpeg4",
    sound_codec: str = "pcm_s16le",
) -> Path:
    """Write a film; its left half is white for 120 ms from each event on, and a click begins there.

    The scene lasts `seconds`; `picture_from` and `sound_from` say how much of it had passed when each began to be
    recorded. `jitter` moves frames by up to that share of their interval, as a variable rate does. The container
    follows the file's ending; `codec` and `sound_codec` are FFmpeg's names.
    """
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        video: Any = None
        audio: Any = None
        if picture:
            video = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            video.codec_context.time_base = Fraction(1, 90_000) if codec != "mpeg4" else Fraction(1, 60_000)
        if sound:
            layout = "mono" if channels == 1 else "stereo"
            audio = container.add_stream(sound_codec, rate=samplerate, layout=layout)
        if picture:
            times = picture_from + np.arange(int((seconds - picture_from) * rate)) / rate
            times[1:] += rng.uniform(-jitter, jitter, times.size - 1) / rate
            for time in times:
                image = np.full((size[1], size[0], 3), 40, np.uint8)
                if any(0.0 <= time - event < FLASH_S for event in events):
                    image[:, : size[0] // 2] = 230
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.time_base = video.codec_context.time_base
                frame.pts = round(time / frame.time_base)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if sound:
            first = round(sound_from * samplerate)
            wave = clicks(events, seconds, samplerate)[first:]
            packed = (wave * 32767).astype(np.int16)
            for begin in range(0, packed.size, 1024):
                block = np.repeat(packed[begin : begin + 1024], channels).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout=layout)
                frame.sample_rate, frame.time_base = samplerate, Fraction(1, samplerate)
                frame.pts = first + begin
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def clicks(events: Sequence[float], seconds: float, samplerate: int) -> np.ndarray:
    """A quiet hum with a sharp, decaying click at each event: float32 [n]."""
    t = np.arange(int(seconds * samplerate)) / samplerate
    wave = 0.004 * np.sin(2 * np.pi * 110 * t)
    for event in events:
        after = np.maximum(0.0, t - event)
        wave += np.where(t >= event, 0.7 * np.exp(-after / 0.03) * np.sin(2 * np.pi * CLICK_HZ * after + 1.5), 0.0)
    return wave.astype(np.float32)


def turn_mp4(path: Path) -> None:
    """Mark an MP4's pictures as stored turned by 90 degrees (the matrix of its first track's header)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    matrix = (0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join(value.to_bytes(4, "big") for value in matrix)
    path.write_bytes(data)
