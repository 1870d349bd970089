"""What is heard in the show's sound, for others to follow: onsets, pitch and level, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.audio.levels import decibels
from streaming.audio.pitch_tracker import PitchTracker, find_pitch
from streaming.audio.sound_bands import SoundBands
from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES
from streaming.schema.messages import Microphone, Sound, Speaker
from streaming.stage import Inputs

LEAST_ATTACK = 0.18
"""The least attack in any band that counts as an onset, 0 to 1."""
APART_TICKS = 2
"""Onsets lie at least so many ticks apart."""
LEAST_FOR_PITCH = 480
"""Samples after an onset, 15 ms, from which its pitch is read."""
LATEST_NS = 1_000_000_000
"""An audio device whose last tick is farther away than this says nothing of the next one."""
_STEP = 80
"""Samples, 2.5 ms: how finely an onset is placed."""


@dataclass(frozen=True)
class SoundEvents:
    """What a tick of sound has.

    Attributes:
        level_db: root mean square, in dB below full scale.
        pitch: MIDI note number with its fraction; None where no single pitch is clear.
        onset_s: where an onset lies, in seconds from the tick's first sample; None for no onset.
        strength: of the onset, 0 to 1.
    """

    level_db: float
    pitch: float | None = None
    onset_s: float | None = None
    strength: float = 0.0


class SoundTimes:
    """Gives the ticks of what is played, each with the time at which it is heard.

    Args:
        hears_only: the show makes no music: what it hears counts.
    """

    def __init__(self, *, hears_only: bool) -> None:
        self._hears_only = hears_only
        self._clock: tuple[int, int] | None = None
        """A tick and when it leaves the audio device."""

    def take(self, inputs: Inputs, now_ns: int) -> list[tuple[Sound | Microphone, int]]:
        """The ticks that have come, each with the time at which its first sample leaves the device, or was heard."""
        for position in inputs.all(Speaker):
            self._clock = position.tick, position.dac_ns
        sounds: list[Sound | Microphone] = [*inputs.all(Sound), *(inputs.all(Microphone) if self._hears_only else ())]
        return [(sound, self._begin_of(sound, now_ns)) for sound in sounds]

    def _begin_of(self, sound: Sound | Microphone, now_ns: int) -> int:
        if self._clock is not None and abs(self._clock[1] - now_ns) < LATEST_NS:
            return self._clock[1] + (sound.tick - self._clock[0]) * TICK_NS
        return sound.capture_ns or now_ns


class SoundEventReader:
    """Reads the events of ticks of sound, one after another."""

    def __init__(self) -> None:
        self._bands, self._pitch = SoundBands(), PitchTracker()
        self._since_onset = APART_TICKS
        self._energy = 0.0

    def hear(self, pcm: NDArray[np.float32]) -> SoundEvents:
        """The events of the next tick, float32 [TICK_SAMPLES]."""
        attack = float(self._bands.hear(pcm)[1].max())
        energies = np.square(pcm.reshape(-1, _STEP), dtype=np.float64).mean(1)
        pitch, level_db = self._pitch.hear(pcm), decibels(pcm)
        before, self._energy = self._energy, float(energies[-4:].mean())
        self._since_onset += 1
        if attack < LEAST_ATTACK or self._since_onset <= APART_TICKS:
            return SoundEvents(level_db, pitch)
        self._since_onset = 0
        onset_s = _place_of_rise(energies, before)
        # What sounded before the onset is not its pitch.
        rest = pcm[round(onset_s * SAMPLE_RATE) :]
        pitch = find_pitch(rest) if len(rest) >= LEAST_FOR_PITCH else None
        return SoundEvents(level_db, pitch, onset_s, min(1.0, attack))


def _place_of_rise(energies: NDArray[np.float64], before: float) -> float:
    """Where energies [TICK_SAMPLES / _STEP] rise most over what was there before them, in seconds."""
    past = np.concatenate([[before], energies[:-1]])
    # Over what the last 10 ms had, so that a slow rise has its place too.
    recent = np.array([past[max(0, k - 3) : k + 1].mean() for k in range(len(energies))])
    rise = energies / (recent + 1e-7)
    loud = energies >= 0.1 * energies.max()
    place = int(np.argmax(np.where(loud, rise, 0.0)))
    return place * _STEP / SAMPLE_RATE


assert TICK_SAMPLES % _STEP == 0
