"""Synthesizes the sound of a score in numpy, so that it is free to use.

Additive and modal synthesis. Drums are swept modes and filtered noise; strings are a bowed sawtooth through body
resonances, with the bow's loudness; keys are decaying, slightly inharmonic partials; air is a theremin-like tone with
portamento; dance is steps, claps and bells. `variety` widens the timbre around each instrument's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from performers.kinds import DRUM_PIECES
from performers.score import FOOT, LEFT, Note, Score
from streaming.conventions import SAMPLE_RATE

Signal = NDArray[np.float32]
TWO_PI = 2.0 * np.pi
GOLDEN = 2.399963
"""Phase between neighbouring partials: fixed, as in a real string or pipe, and far from that of a peaky pulse."""


def _time(length: int, rate: int) -> NDArray[np.float64]:
    return np.arange(length, dtype=np.float64) / rate


def _noise(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    return rng.standard_normal(length)


def _band(x: NDArray[np.float64], rate: int, low: float, high: float) -> NDArray[np.float64]:
    """A gentle band-pass: one-pole low-pass at `high` minus one-pole low-pass at `low`."""
    a_high, a_low = np.exp(-TWO_PI * high / rate), np.exp(-TWO_PI * low / rate)
    upper = lfilter([1 - a_high], [1, -a_high], x)
    return np.asarray(upper - lfilter([1 - a_low], [1, -a_low], upper))


def _sweep(t: NDArray[np.float64], start: float, end: float, tau: float) -> NDArray[np.float64]:
    """Sine whose frequency falls exponentially from `start` to `end` Hz with time constant `tau`."""
    phase = TWO_PI * (end * t + (start - end) * tau * (1 - np.exp(-t / tau)))
    return np.asarray(np.sin(phase))


def drum(piece: str, velocity: float, rate: int, rng: np.random.Generator, variety: float = 0.0) -> Signal:
    """One drum hit: float32 [n], peak about `velocity`."""
    tune = float(2.0 ** (rng.normal(0.0, 0.03 + 0.25 * variety)))
    length = int(
        rate * {"kick": 0.35, "snare": 0.28, "hihat": 0.14, "tom_high": 0.35, "tom_low": 0.4, "cymbal": 0.7}[piece]
    )
    t = _time(length, rate)
    noise = _noise(rng, length)
    if piece == "kick":
        body = _sweep(t, 170 * tune, 52 * tune, 0.03) * np.exp(-t / 0.11)
        x = body + 0.25 * _band(noise, rate, 1000, 5000) * np.exp(-t / 0.006)
    elif piece == "snare":
        modes = np.sin(TWO_PI * 185 * tune * t) * np.exp(-t / 0.06) + 0.6 * np.sin(TWO_PI * 331 * tune * t) * np.exp(
            -t / 0.04
        )
        x = 0.55 * modes + 0.8 * _band(noise, rate, 900, 7000) * np.exp(-t / 0.07)
    elif piece == "hihat":
        x = (noise - lfilter([0.35], [1, -0.65], noise)) * np.exp(-t / 0.03) * 0.7
    elif piece == "cymbal":
        ring = sum(
            np.sin(TWO_PI * f * tune * t + p)
            for f, p in zip((3140, 4270, 5390, 6810, 8120), (0, 1, 2, 3, 4), strict=True)
        )
        x = (0.12 * ring + 0.5 * (noise - lfilter([0.3], [1, -0.7], noise))) * np.exp(-t / 0.16)
    else:
        f = (205 if piece == "tom_high" else 128) * tune
        x = _sweep(t, 1.45 * f, f, 0.04) * np.exp(-t / 0.12) + 0.15 * _band(noise, rate, 500, 4000) * np.exp(-t / 0.012)
    attack = np.minimum(1.0, t / 0.0015)
    fade = np.minimum(1.0, (length / rate - t) / 0.02)
    x = x * attack * fade
    brightness = np.exp(-TWO_PI * (2500 + 12000 * velocity) / rate)
    x = lfilter([1 - brightness], [1, -brightness], x)
    return np.asarray(x / (np.abs(x).max() + 1e-9) * velocity**1.4, dtype=np.float32)


def _hz(midi: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(440.0 * 2.0 ** ((np.asarray(midi) - 69.0) / 12.0))


def _formants(freq: NDArray[np.float64], peaks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain of a fixed body: a few resonances on a gentle slope; freq in Hz, peaks [n, 3] of (Hz, width, gain)."""
    gain = 0.4 + sum(g * np.exp(-0.5 * ((freq - f) / w) ** 2) for f, w, g in peaks)
    return np.asarray(gain / (1.0 + (freq / 5500.0) ** 2))


def tone(
    pitch: NDArray[np.float64],
    level: NDArray[np.float64],
    rate: int,
    *,
    rolloff: float,
    partials: int,
    peaks: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """A continuous tone from control curves.

    Args:
        pitch: MIDI pitch per sample [n].
        level: amplitude per sample [n], 0..1.
        rate: sample rate in Hz.
        rolloff: amplitude of partial h is h ** -rolloff; louder tones are brighter.
        partials: their number.
        peaks: body resonances for `_formants`, or None.
    """
    freq = _hz(pitch)
    phase = TWO_PI * np.cumsum(freq) / rate
    top = float(np.median(freq))
    out = np.zeros_like(phase)
    bright = 0.35 * (1.0 - np.clip(level, 0, 1))
    for h in range(1, partials + 1):
        if top * h > 0.45 * rate or top * h > 11_000:
            break
        gain = h ** -(rolloff + bright)
        if peaks is not None:
            gain = gain * _formants(np.asarray(top * h), peaks)
        out += gain * np.sin(h * phase + GOLDEN * h)
    return np.asarray(out * level)


def _swell(length: int, rate: int, velocity: float, attack: float, release: float) -> NDArray[np.float64]:
    """Loudness of a bowed or sung note: quick attack, slight swell, quick release inside its length."""
    t = _time(length, rate)
    total = length / rate
    shape = 0.75 + 0.25 * np.sin(np.pi * np.clip(t / total, 0, 1))
    return np.asarray(velocity * shape * np.minimum(1, t / attack) * np.clip((total - t) / release, 0, 1))


def _melody(score: Score, rate: int, rng: np.random.Generator, variety: float, *, bowed: bool) -> NDArray[np.float64]:
    """Strings (bowed) or air: one continuous voice whose pitch glides and whose loudness follows the gesture."""
    n = round(score.duration_s * rate)
    level, pitch = np.zeros(n), np.full(n, 60.0)
    glide = (0.02 if bowed else 0.07) * (1 + variety * rng.uniform(-0.5, 1))
    attack, release = (0.03, 0.07) if bowed else (0.05, 0.16)
    bow = np.zeros(n)
    previous = score.notes[0].pitch if score.notes else 60.0
    for note in score.notes:
        start, stop = int(note.onset_s * rate), min(n, int((note.end_s) * rate))
        if stop - start < 64:
            continue
        t = _time(n - start, rate)
        pitch[start:] = note.pitch + (previous - note.pitch) * np.exp(-t / glide)
        level[start:stop] = _swell(stop - start, rate, note.velocity**1.3, attack, release)
        bow[start:stop] += note.velocity * np.exp(-_time(stop - start, rate) / 0.03)
        previous = note.pitch
    t = _time(n, rate)
    depth = (0.18 if bowed else 0.25) * (1 + variety * rng.uniform(-0.7, 0.7))
    pitch = pitch + depth * np.sin(TWO_PI * (5.4 + variety * rng.uniform(-1, 1)) * t) * np.clip(level * 2, 0, 1)
    if bowed:
        shift = float(2.0 ** rng.normal(0, 0.02 + 0.3 * variety))
        peaks = np.array([(280, 60, 1.0), (460, 80, 1.2), (1000, 250, 0.8), (2600, 700, 0.9)]) * np.array([shift, 1, 1])
        x = tone(pitch, level, rate, rolloff=0.75 + 0.3 * variety * rng.uniform(-1, 1), partials=24, peaks=peaks)
        x += 0.06 * level * _band(_noise(rng, n), rate, 1500, 5000) + 0.35 * bow * _band(
            _noise(rng, n), rate, 1200, 6000
        )
        return np.asarray(x * 0.5)
    x = tone(pitch, level, rate, rolloff=1.7 + variety * rng.uniform(-0.6, 0.6), partials=9, peaks=None)
    return np.asarray(x * 1.3 + 0.3 * bow * _band(_noise(rng, n), rate, 300, 2500))


def struck_note(
    note: Note, rate: int, rng: np.random.Generator, variety: float, *, ring_s: float, bright: float
) -> Signal:
    """A piano-like note: decaying, slightly inharmonic partials, a hammer, damped when released."""
    held_s = min(note.duration_s, ring_s)
    length = int((held_s + 0.12) * rate)
    t = _time(length, rate)
    f0 = float(_hz(note.pitch))
    stiffness = 2e-4 * (1 + 4 * variety * rng.random())
    x = np.zeros(length)
    for h in range(1, 15):
        f = f0 * h * np.sqrt(1 + stiffness * h * h)
        if f > 11_000:
            break
        decay = 1.6 / (1 + 0.35 * h) * (220.0 / f0) ** 0.35
        amp = h ** -(1.25 - bright * note.velocity) * abs(np.sin(np.pi * h * 0.125) + 0.15)
        x += amp * np.exp(-t / decay) * np.sin(TWO_PI * f * t + GOLDEN * h)
    x += 0.5 * _band(_noise(rng, length), rate, 700, 4500) * np.exp(-t / 0.008)
    damper = np.where(t > held_s, np.exp(-(t - held_s) / 0.03), 1.0) * np.minimum(1.0, (length / rate - t) / 0.02)
    x = x * damper * np.minimum(1, t / 0.002)
    return np.asarray(x / (np.abs(x).max() + 1e-9) * note.velocity**1.4, dtype=np.float32)


def _add(out: NDArray[np.float64], start_s: float, sound: Signal, rate: int) -> None:
    start = round(start_s * rate)
    if start < 0 or start >= out.size:
        return
    stop = min(out.size, start + sound.size)
    out[start:stop] += sound[: stop - start]


def render_sound(score: Score, rate: int = SAMPLE_RATE, variety: float = 0.0) -> Signal:
    """The sound of a performance.

    Args:
        score: what is played.
        rate: sample rate in Hz.
        variety: 0 for each instrument's own voice, up to 1 for widely different ones.

    Returns:
        float32 [round(duration_s * rate)], peak below 1; silent in the score's rests.
    """
    rng = np.random.default_rng([score.seed, 77])
    n = round(score.duration_s * rate)
    out = np.zeros(n)
    if score.kind in ("strings", "air"):
        out += _melody(score, rate, rng, variety, bowed=score.kind == "strings")
        gain = 0.6
    else:
        gain = {"drums": 0.55, "keys": 0.5, "dance": 0.55}[score.kind]
        for note in score.notes:
            if score.kind == "drums":
                _add(out, note.onset_s, drum(DRUM_PIECES[int(note.pitch)], note.velocity, rate, rng, variety), rate)
            elif score.kind == "keys":
                _add(out, note.onset_s, struck_note(note, rate, rng, variety, ring_s=3.0, bright=0.5), rate)
            elif note.effector == FOOT:
                _add(out, note.onset_s, drum("kick", note.velocity, rate, rng, variety), rate)
            elif note.effector == LEFT:
                _add(out, note.onset_s, drum("snare", 0.8 * note.velocity, rate, rng, variety), rate)
            else:
                _add(out, note.onset_s, struck_note(note, rate, rng, variety, ring_s=0.5, bright=0.8), rate)
    out *= gain
    return np.tanh(out).astype(np.float32)
