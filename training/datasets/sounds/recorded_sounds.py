"""Recordings as the codec gets them, and those of a corpus as training clips."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from streaming.errors import SourceError

AUDIO = Path("audio")
"""Where a corpus has its recordings."""
TEST_EVERY = 6
"""Of a corpus' recordings every sixth is for tests."""
SPEED_OCTAVES = 0.3
"""A training clip is up to that much faster or slower than its recording."""
SHORTEST_S = 0.1


def read_sound(path: Path, longest_s: float = np.inf) -> NDArray[np.float32] | None:
    """A sound file mixed to mono at 32 kHz, float32 [n], at most `longest_s`; None where there is no readable sound."""
    from streaming.devices.sound.sound_decoder import SoundDecoder

    try:
        decoder = SoundDecoder(str(path))
    except SourceError:
        return None
    parts = list(decoder.pieces())
    if not parts:
        return None
    sound = soxr.resample(np.concatenate(parts), decoder.rate_hz, SAMPLE_RATE, quality="VHQ")
    return np.asarray(sound[: round(min(longest_s * SAMPLE_RATE, sound.size))], np.float32)


def recording_files(corpus: Path, split: str = "train") -> tuple[Path, ...]:
    """The files of a corpus' recordings; every sixth is for tests ("test"), the others for training ("train")."""
    folder = corpus / AUDIO
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return tuple(p for n, p in enumerate(files) if (n % TEST_EVERY == TEST_EVERY - 1) == (split != "train"))


@cache
def recordings_of(corpus: Path, split: str = "train") -> tuple[NDArray[np.float32], ...]:
    """A corpus' recordings, each float32 [n] at 32 kHz and at least `SHORTEST_S` long; read once in each process."""
    sounds = (read_sound(path) for path in recording_files(corpus, split))
    return tuple(sound for sound in sounds if sound is not None and sound.size >= SHORTEST_S * SAMPLE_RATE)


def draw_recorded(
    sounds: tuple[NDArray[np.float32], ...], seconds: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """A clip of a recording, faster or slower: float64 [seconds * 32000]. Long recordings are drawn more often.

    Args:
        sounds: the recordings; at least one.
        seconds: length of the clip; a shorter recording is repeated, with a pause.
        rng: random generator.
    """
    share = np.sqrt([sound.size for sound in sounds])
    sound = sounds[int(rng.choice(len(sounds), p=share / share.sum()))]
    speed = float(2.0 ** rng.uniform(-SPEED_OCTAVES, SPEED_OCTAVES))
    size = round(seconds * SAMPLE_RATE)
    wanted = round(size * speed)
    if sound.size > wanted:
        start = int(rng.integers(sound.size - wanted))
        sound = sound[start : start + wanted]
    moved = soxr.resample(sound.astype(np.float64), SAMPLE_RATE * speed, SAMPLE_RATE, quality="HQ")
    pause = np.zeros(int(rng.uniform(0.0, 0.5) * SAMPLE_RATE))
    repeats = -(-size // (moved.size + pause.size))
    return np.asarray(np.tile(np.concatenate([moved, pause]), repeats)[:size])
