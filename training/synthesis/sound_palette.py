"""A broad palette of sounds to train a codec on: the sixteen General MIDI families, voices, drums, noises.

Everything is synthesized from random parameters, so that no two clips share a timbre. A `Timbre` is an additive tone
(partials, envelopes, vibrato, unison, moving formants, frequency modulation) with its own noise (hammer, bow, breath).
`FAMILIES` has the ranges of each family's parameters. Drums are modes and noise, effects are sweeps and textures, a
voice is a tone whose formants walk from vowel to vowel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter

Signal = NDArray[np.float64]
TWO_PI = 2.0 * np.pi
CONTROL_HZ = 200
"""Rate of the curves that shape a tone."""
VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (440, 1020, 2240),
)
"""First three formants of six vowels in Hz (Peterson and Barney 1952, men)."""
FORMANTS = ((80.0, 1.0), (110.0, 0.7), (160.0, 0.4))
"""Their widths in Hz and heights."""


@dataclass(frozen=True)
class Timbre:
    """How one instrument sounds; a pair of numbers in `FAMILIES` is the range that a value is drawn from.

    Attributes:
        pitch: MIDI pitch.
        rolloff: partial h has amplitude h ** -rolloff.
        even: amplitude of the even partials, 0 for a closed pipe, 1 for a string.
        stiffness: partial h lies at h * sqrt(1 + stiffness * h * h).
        attack_s: time to full level.
        decay_s: time constant of the fundamental; 0 for a tone that is held.
        damping: how much faster higher partials decay.
        release_s: fading once the key is let go.
        vibrato: depth in semitones.
        noise: level of the noise beside the tone.
        noise_hz: centre of that noise.
        noise_s: time constant of the noise; 0 for as long as the tone.
        unison: voices beside each other.
        detune: how far they lie apart, in semitones.
        modulation: index of frequency modulation at the start.
        ratio: frequency of the modulator over the tone's.
        formants: 1 for a body of fixed resonances, 2 for vowels that change, 0 for neither.
        chord: notes at once.
        length_s: length of a note.
        drive: how hard the sum is driven into a soft clipper; 0 for not at all.
    """

    pitch: float = 60.0
    rolloff: float = 1.0
    even: float = 1.0
    stiffness: float = 0.0
    attack_s: float = 0.005
    decay_s: float = 0.0
    damping: float = 0.3
    release_s: float = 0.08
    vibrato: float = 0.0
    noise: float = 0.05
    noise_hz: float = 2000.0
    noise_s: float = 0.0
    unison: float = 1.0
    detune: float = 0.0
    modulation: float = 0.0
    ratio: float = 1.0
    formants: float = 0.0
    chord: float = 1.0
    length_s: float = 0.4
    drive: float = 0.0


Range = tuple[float, float]
FAMILIES: dict[str, dict[str, Range]] = {
    "piano": {
        "pitch": (28, 96), "rolloff": (0.9, 1.8), "stiffness": (5e-5, 8e-4), "attack_s": (0.001, 0.004),
        "decay_s": (0.4, 3.0), "damping": (0.2, 0.5), "noise": (0.02, 0.2), "noise_s": (0.005, 0.02),
        "chord": (1, 4), "length_s": (0.1, 1.5), "unison": (1, 3), "detune": (0.0, 0.03),
    },
    "chromatic percussion": {
        "pitch": (55, 100), "rolloff": (0.8, 2.5), "stiffness": (0.0, 0.4), "attack_s": (0.001, 0.003),
        "decay_s": (0.15, 2.5), "damping": (0.1, 0.8), "noise": (0.02, 0.3), "noise_s": (0.003, 0.02),
        "modulation": (0.0, 3.0), "ratio": (1.4, 5.4), "chord": (1, 2), "length_s": (0.1, 1.0),
    },
    "organ": {
        "pitch": (36, 96), "rolloff": (0.2, 1.4), "even": (0.3, 1.0), "attack_s": (0.005, 0.05), "noise": (0.0, 0.05),
        "vibrato": (0.0, 0.3), "unison": (1, 3), "detune": (0.0, 0.1), "chord": (2, 5), "length_s": (0.2, 2.5),
    },
    "guitar": {
        "pitch": (40, 84), "rolloff": (0.6, 1.6), "stiffness": (0.0, 3e-4), "attack_s": (0.001, 0.004),
        "decay_s": (0.2, 1.8), "damping": (0.2, 1.0), "noise": (0.03, 0.2), "noise_s": (0.003, 0.015),
        "formants": (0, 1), "chord": (1, 6), "length_s": (0.1, 1.2), "drive": (0.0, 3.0),
    },
    "bass": {
        "pitch": (24, 50), "rolloff": (0.7, 2.0), "stiffness": (0.0, 3e-4), "attack_s": (0.001, 0.01),
        "decay_s": (0.2, 2.0), "damping": (0.3, 1.0), "noise": (0.01, 0.15), "noise_s": (0.003, 0.02),
        "length_s": (0.1, 0.9), "drive": (0.0, 1.5),
    },
    "strings": {
        "pitch": (36, 96), "rolloff": (0.6, 1.3), "attack_s": (0.02, 0.15), "noise": (0.02, 0.15),
        "noise_hz": (1500, 6000), "vibrato": (0.0, 0.4), "formants": (1, 1), "length_s": (0.15, 2.5),
    },
    "ensemble": {
        "pitch": (40, 90), "rolloff": (0.6, 1.5), "attack_s": (0.05, 0.3), "release_s": (0.1, 0.5),
        "noise": (0.02, 0.1), "vibrato": (0.05, 0.3), "unison": (3, 6), "detune": (0.05, 0.25), "formants": (0, 2),
        "chord": (2, 4), "length_s": (0.5, 3.0),
    },
    "brass": {
        "pitch": (36, 84), "rolloff": (0.4, 1.4), "attack_s": (0.015, 0.08), "noise": (0.01, 0.08),
        "vibrato": (0.0, 0.25), "formants": (0, 1), "chord": (1, 3), "length_s": (0.1, 1.5), "unison": (1, 2),
        "detune": (0.0, 0.1),
    },
    "reed": {
        "pitch": (40, 90), "rolloff": (0.5, 1.5), "even": (0.0, 1.0), "attack_s": (0.01, 0.06), "noise": (0.02, 0.2),
        "noise_hz": (1500, 6000), "vibrato": (0.0, 0.4), "formants": (1, 1), "length_s": (0.1, 1.8),
    },
    "pipe": {
        "pitch": (55, 100), "rolloff": (1.2, 3.0), "even": (0.0, 1.0), "attack_s": (0.02, 0.1), "noise": (0.05, 0.5),
        "noise_hz": (1000, 6000), "vibrato": (0.0, 0.5), "length_s": (0.1, 2.0),
    },
    "synth lead": {
        "pitch": (40, 96), "rolloff": (0.3, 1.5), "even": (0.0, 1.0), "attack_s": (0.001, 0.02), "noise": (0.0, 0.02),
        "decay_s": (0.0, 1.0), "damping": (0.0, 1.5), "unison": (1, 4), "detune": (0.0, 0.3), "vibrato": (0.0, 0.4),
        "length_s": (0.08, 0.8), "drive": (0.0, 2.0),
    },
    "synth pad": {
        "pitch": (36, 84), "rolloff": (0.7, 2.0), "attack_s": (0.1, 0.8), "release_s": (0.2, 0.8),
        "noise": (0.0, 0.2), "unison": (2, 5), "detune": (0.03, 0.3), "formants": (0, 2), "chord": (2, 4),
        "length_s": (1.0, 4.0),
    },
    "synth effects": {
        "pitch": (30, 96), "rolloff": (0.3, 2.0), "stiffness": (0.0, 0.5), "attack_s": (0.001, 0.5),
        "decay_s": (0.0, 2.0), "modulation": (0.5, 8.0), "ratio": (0.2, 7.0), "noise": (0.0, 0.5),
        "vibrato": (0.0, 3.0), "length_s": (0.2, 3.0), "drive": (0.0, 3.0),
    },
    "ethnic": {
        "pitch": (40, 90), "rolloff": (0.2, 1.2), "stiffness": (0.0, 1e-3), "attack_s": (0.001, 0.01),
        "decay_s": (0.15, 1.5), "damping": (0.1, 0.6), "noise": (0.05, 0.4), "noise_s": (0.004, 0.03),
        "vibrato": (0.0, 0.8), "formants": (1, 1), "length_s": (0.1, 0.8),
    },
    "voice": {
        "pitch": (38, 80), "rolloff": (0.4, 1.1), "attack_s": (0.02, 0.1), "noise": (0.02, 0.25),
        "noise_hz": (2000, 7000), "vibrato": (0.0, 0.6), "formants": (2, 2), "length_s": (0.12, 1.2),
        "unison": (1, 1.5), "detune": (0.02, 0.2),
    },
}  # fmt: skip


def draw_timbre(family: str, rng: np.random.Generator) -> Timbre:
    """An instrument of a family."""
    values: dict[str, float] = {"noise_hz": float(np.exp(rng.uniform(np.log(600), np.log(9000))))}
    for name, (low, high) in FAMILIES[family].items():
        values[name] = float(rng.uniform(low, high))
    return Timbre(**values)


def _curve(points: Signal, length: int) -> Signal:
    """A curve at the control rate, drawn out to `length` samples."""
    return np.interp(np.linspace(0, points.size - 1, length), np.arange(points.size), points)


def _band(x: Signal, rate: int, centre: float, width: float) -> Signal:
    """A resonance: centre and width in Hz, gain one at its centre."""
    radius = np.exp(-np.pi * min(width, 0.4 * rate) / rate)
    angle = TWO_PI * min(centre, 0.48 * rate) / rate
    return np.asarray(lfilter([1 - radius, 0, -(1 - radius)], [1, -2 * radius * np.cos(angle), radius**2], x))


def _resonances(freq: Signal, peaks: Signal) -> Signal:
    """Gain at frequencies [...] of resonances [n, 3] of (Hz, width, gain)."""
    gain = np.full(freq.shape, 0.12)
    for centre, width, height in peaks:
        gain = gain + height * np.exp(-0.5 * ((freq - centre) / width) ** 2)
    return gain


def _vowel_path(rng: np.random.Generator, points: int) -> Signal:
    """Formants that walk between vowels: [points, 3] in Hz."""
    stops = max(2, round(points / CONTROL_HZ / rng.uniform(0.1, 0.5)) + 1)
    size = rng.uniform(0.85, 1.3)
    targets = np.array([VOWELS[int(i)] for i in rng.integers(len(VOWELS), size=stops)], dtype=np.float64) * size
    return np.stack([_curve(targets[:, i], points) for i in range(3)], axis=1)


def note(timbre: Timbre, pitch: float, held_s: float, velocity: float, rate: int, rng: np.random.Generator) -> Signal:
    """One note of an instrument: float64 [n], about `velocity` loud."""
    tail_s = min(2.0, 3 * timbre.release_s)
    length = round((held_s + tail_s) * rate)
    t = np.arange(length) / rate
    points = max(2, round((held_s + tail_s) * CONTROL_HZ))
    seconds = np.arange(points) / CONTROL_HZ
    wobble = timbre.vibrato * np.sin(TWO_PI * rng.uniform(4.5, 6.5) * seconds + rng.uniform(0, 6))
    wobble = wobble * np.clip(seconds / 0.25, 0, 1)
    drift = 0.03 * np.cumsum(rng.standard_normal(points)) / np.sqrt(points)
    f0 = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    bend = _curve(2.0 ** ((wobble + drift) / 12.0), length)
    peaks = np.zeros((0, 3))
    walk = np.zeros((0, 3))
    if timbre.formants >= 1.5:
        walk = _vowel_path(rng, points)
    elif timbre.formants >= 0.5:
        hz = np.exp(rng.uniform(np.log(200), np.log(6000), 5))
        peaks = np.stack([hz, hz * rng.uniform(0.1, 0.5, 5), rng.uniform(0.3, 1.5, 5)], axis=1)
    out = np.zeros(length)
    for voice in range(max(1, int(timbre.unison))):
        detuned_f0 = f0 * 2.0 ** (rng.normal(0, timbre.detune) / 12.0 if voice else 0.0)
        out += _partials(timbre, detuned_f0, bend, t, peaks, walk, velocity, rng, rate)
    level = np.abs(out).max() + 1e-9
    out /= level
    if timbre.noise:
        hiss = _band(rng.standard_normal(length), rate, timbre.noise_hz, timbre.noise_hz * 0.8)
        if timbre.noise_s:
            hiss *= np.exp(-t / timbre.noise_s)
        out += timbre.noise * hiss / (np.abs(hiss).max() + 1e-9)
    if timbre.drive > 0.5:
        out = np.tanh(timbre.drive * 2.0 * out)
    gate = np.minimum(1.0, t / timbre.attack_s) * np.where(t > held_s, np.exp(-(t - held_s) / timbre.release_s), 1.0)
    gate *= np.minimum(1.0, (length - np.arange(length)) / (0.01 * rate))
    return np.asarray(out * gate * velocity)


def _partials(
    timbre: Timbre,
    f0: float,
    bend: Signal,
    t: Signal,
    peaks: Signal,
    walk: Signal,
    velocity: float,
    rng: np.random.Generator,
    rate: int,
) -> Signal:
    """The tone of one voice; partials end below 0.47 of the sample rate."""
    phase = TWO_PI * np.cumsum(f0 * bend) / rate
    if timbre.modulation > 0.3:
        fall = np.exp(-t / max(0.1, timbre.decay_s or 0.8))
        phase = phase + timbre.modulation * fall * np.sin(timbre.ratio * phase)
        return np.asarray(np.sin(phase) * (fall if timbre.decay_s else 1.0))
    out = np.zeros_like(t)
    turn = np.exp(1j * phase)
    spin = turn.copy()
    top = 0.47 * rate * rng.uniform(0.4, 1.0)
    brightness = 0.6 * (1.0 - velocity)
    for h in range(1, 64):
        stretch = np.sqrt(1.0 + timbre.stiffness * h * h)
        f = f0 * h * stretch
        if f * float(bend.max()) > top:
            break
        gain = h ** -(timbre.rolloff + brightness) * (timbre.even if h % 2 == 0 else 1.0)
        if gain < 2e-4:
            break
        offset = np.exp(1j * rng.uniform(0, TWO_PI))
        if timbre.stiffness > 0.0:
            wave = np.sin(phase * (h * stretch) + float(np.angle(offset)))
        else:
            wave = (spin * offset).real
            spin *= turn
        if walk.shape[0]:
            heights = sum(
                height * np.exp(-0.5 * ((f - walk[:, i]) / width) ** 2) for i, (width, height) in enumerate(FORMANTS)
            )
            wave = wave * _curve(0.02 + np.asarray(heights), t.size)
        elif peaks.shape[0]:
            gain *= float(_resonances(np.asarray(f), peaks))
        if timbre.decay_s > 0.0:
            wave = wave * np.exp(-t * (1.0 + timbre.damping * (h - 1)) / timbre.decay_s)
        out += gain * wave
    return out


def phrase(family: str, duration_s: float, rate: int, rng: np.random.Generator) -> Signal:
    """An instrument of a family plays for `duration_s`: float64 [n]."""
    timbre = draw_timbre(family, rng)
    n = round(duration_s * rate)
    out = np.zeros(n)
    at = float(rng.exponential(0.2))
    pitch = timbre.pitch
    legato = rng.uniform(0.6, 1.3)
    loud = rng.uniform(0.4, 1.0)
    while at < duration_s - 0.1:
        pitch = float(np.clip(pitch + rng.normal(0, 4), *FAMILIES[family]["pitch"]))
        length = timbre.length_s * float(np.exp(rng.normal(0, 0.4)))
        for k in range(max(1, int(timbre.chord))):
            one = note(timbre, pitch + k * rng.integers(3, 6), length * legato, loud * rng.uniform(0.5, 1.0), rate, rng)
            begin = round((at + k * rng.uniform(0, 0.02)) * rate)
            take = min(one.size, n - begin)
            if take > 0:
                out[begin : begin + take] += one[:take]
        at += length
        if rng.random() < 0.12:
            at += float(rng.exponential(0.6))
    return out


def drums(duration_s: float, rate: int, rng: np.random.Generator) -> Signal:
    """A kit of drawn drums in a drawn rhythm: modes that may fall in pitch, and bands of noise."""
    n = round(duration_s * rate)
    out = np.zeros(n)
    pieces = []
    for _ in range(int(rng.integers(2, 7))):
        size = round(rng.uniform(0.08, 1.2) * rate)
        t = np.arange(size) / rate
        one = np.zeros(size)
        base = np.exp(rng.uniform(np.log(45), np.log(900)))
        for _ in range(int(rng.integers(0, 9))):
            f = min(base * rng.uniform(1, 8), 0.4 * rate)
            sweep = f * rng.uniform(0, 1.5) * 0.03 * (1 - np.exp(-t / 0.03))
            one += rng.uniform(0.1, 1) * np.exp(-t / rng.uniform(0.02, 0.4)) * np.sin(TWO_PI * (f * t + sweep))
        noise = rng.standard_normal(size)
        hiss = _band(noise, rate, np.exp(rng.uniform(np.log(300), np.log(13000))), rng.uniform(500, 9000))
        one += rng.uniform(0, 1.5) * hiss / (np.abs(hiss).max() + 1e-9) * np.exp(-t / rng.uniform(0.005, 0.25))
        one *= np.minimum(1, t / 0.001) * np.minimum(1, (size - np.arange(size)) / (0.01 * rate))
        pieces.append(one / (np.abs(one).max() + 1e-9))
    step = rng.uniform(0.09, 0.3)
    density = rng.uniform(0.1, 0.5, len(pieces))
    for k in range(int(duration_s / step)):
        for piece, often in zip(pieces, density, strict=True):
            if rng.random() < often:
                begin = max(0, round((k * step + rng.normal(0, 0.004)) * rate))
                take = min(piece.size, n - begin)
                if take > 0:
                    out[begin : begin + take] += rng.uniform(0.2, 1.0) * piece[:take]
    return out


def textures(duration_s: float, rate: int, rng: np.random.Generator) -> Signal:
    """Noise of a drawn colour: steady, swelling, grained as rain or applause, through moving resonances."""
    n = round(duration_s * rate)
    x = rng.standard_normal(n)
    colour = rng.uniform(0.0, 0.995)
    x = np.asarray(lfilter([1 - colour], [1, -colour], x))
    shape = int(rng.integers(4))
    if shape == 0:
        x *= _curve(rng.uniform(0, 1, 3 + int(duration_s * rng.uniform(0.5, 6))) ** 2, n)
    elif shape == 1:
        grains = (rng.random(n) < rng.uniform(10, 2000) / rate) * rng.uniform(0.2, 1, n)
        tail = np.exp(-np.arange(round(0.03 * rate)) / (rng.uniform(0.0005, 0.006) * rate))
        x = fftconvolve(grains, tail * rng.standard_normal(tail.size))[:n]
    elif shape == 2:
        centre = np.exp(rng.uniform(np.log(200), np.log(8000)))
        x = _band(x, rate, centre, centre * rng.uniform(0.05, 0.8))
    return np.asarray(x / (np.abs(x).max() + 1e-9))


def effects(duration_s: float, rate: int, rng: np.random.Generator) -> Signal:
    """Sweeps, sirens, ring modulation, hum, clicks, a sine that does not move."""
    n = round(duration_s * rate)
    t = np.arange(n) / rate
    kind = int(rng.integers(5))
    if kind == 0:
        stops = np.exp(rng.uniform(np.log(60), np.log(12000), 2 + int(duration_s * rng.uniform(0.2, 3))))
        x = np.sin(TWO_PI * np.cumsum(_curve(stops, n)) / rate)
    elif kind == 1:
        f, depth, speed = np.exp(rng.uniform(np.log(150), np.log(3000))), rng.uniform(0.05, 0.5), rng.uniform(0.2, 9)
        x = np.sin(TWO_PI * f * t + f * depth / speed * np.sin(TWO_PI * speed * t))
    elif kind == 2:
        x = np.sin(TWO_PI * np.exp(rng.uniform(3.5, 8)) * t) * np.sin(TWO_PI * np.exp(rng.uniform(1, 7)) * t)
    elif kind == 3:
        hum = float(rng.choice([50.0, 60.0]))
        x = np.asarray(sum(rng.uniform(0, 1) / h * np.sin(TWO_PI * hum * h * t + h * h) for h in range(1, 14)))
    else:
        x = np.zeros(n)
        x[rng.integers(0, n, int(rng.integers(3, 60)))] = rng.choice([-1.0, 1.0])
    return np.asarray(x / (np.abs(x).max() + 1e-9))


def room(x: Signal, rate: int, rng: np.random.Generator) -> Signal:
    """The same in a room: a few early reflections, then noise that dies away, darker as it does."""
    decay_s = float(np.exp(rng.uniform(np.log(0.1), np.log(1.5))))
    size = round(min(1.5, 1.2 * decay_s) * rate)
    t = np.arange(size) / rate
    tail = rng.standard_normal(size) * np.exp(-6.9 * t / decay_s)
    colour = rng.uniform(0.2, 0.8)
    tail = np.asarray(lfilter([1 - colour], [1, -colour], tail))
    tail[: round(rng.uniform(0.002, 0.03) * rate)] = 0.0
    for delay in rng.uniform(0.002, 0.04, 6):
        tail[round(delay * rate)] += rng.uniform(-0.5, 0.5)
    tail /= np.sqrt((tail**2).sum()) + 1e-9
    return np.asarray(x + rng.uniform(0.05, 0.8) * fftconvolve(x, tail)[: x.size])


def draw_sound(duration_s: float, rate: int, rng: np.random.Generator) -> Signal:
    """One to three sources of any family, perhaps in a room: float64 [n], peak one."""
    out = np.zeros(round(duration_s * rate))
    others: tuple[Callable[[float, int, np.random.Generator], Signal], ...] = (drums, textures, effects)
    for _ in range(int(rng.choice([1, 2, 3], p=[0.65, 0.25, 0.1]))):
        names = list(FAMILIES)
        choice = int(rng.integers(len(names) + 3))
        if choice < len(names):
            x = phrase(names[choice], duration_s, rate, rng)
        else:
            x = others[int(rng.choice(3, p=[0.6, 0.2, 0.2]))](duration_s, rate, rng)
        out += 10 ** (rng.uniform(-12, 0) / 20) * x / (np.abs(x).max() + 1e-9)
    if rng.random() < 0.5:
        out = room(out, rate, rng)
    return np.asarray(out / (np.abs(out).max() + 1e-9))
