"""A corpus' folder of recordings, of sines, for tests."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from training.datasets.sounds.recorded_sounds import AUDIO


def write_recordings(corpus: Path, count: int = 7, seconds: float = 2.0) -> Path:
    """Recordings `sms_0.wav` and so on: stereo, 44.1 kHz, sines of 200 Hz, 300 Hz and so on."""
    folder = corpus / AUDIO
    folder.mkdir(parents=True)
    time = np.arange(round(seconds * 44_100)) / 44_100
    for number in range(count):
        sine = 8_000 * np.sin(2.0 * np.pi * (200 + 100 * number) * time)
        with wave.open(str(folder / f"sms_{number}.wav"), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(44_100)
            file.writeframes(np.stack([sine, sine], -1).astype("<i2").tobytes())
    return corpus
