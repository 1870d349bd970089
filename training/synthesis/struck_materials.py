"""The sound of hits: things of many materials are struck, by modal synthesis, in a room.

A struck thing is a set of decaying modes and a burst of noise. A harder hit is louder and brighter, because its contact
is shorter: about the first half of `van den Doel and Pai (1998), The sounds of physical shapes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from performers.hits.performer import HitsTruth
from performers.kinds import DRUM_PIECES
from streaming.conventions import SAMPLE_RATE
from training.synthesis.instruments import drum
from training.synthesis.sound_palette import room

Signal = NDArray[np.float64]
TWO_PI = 2.0 * np.pi
LONGEST_S = 2.5
"""A sound ends after so many seconds."""


@dataclass(frozen=True)
class Material:
    """How things of a material sound; a pair is the range that a thing's own value is drawn from.

    Attributes:
        hertz: lowest mode.
        ratios: "harmonic", "bar", "membrane", "plate" or "dense": how the other modes lie above it.
        modes: their number.
        decay_s: time constant of the lowest mode.
        damping: a mode k times as high decays k ** damping times as fast.
        noise: level of the burst of noise beside the modes.
        noise_s: time constant of the burst.
    """

    hertz: tuple[float, float]
    ratios: str
    modes: tuple[int, int]
    decay_s: tuple[float, float]
    damping: tuple[float, float]
    noise: tuple[float, float]
    noise_s: tuple[float, float]


MATERIALS: dict[str, Material] = {
    "wood": Material((180, 1400), "bar", (4, 10), (0.015, 0.08), (0.5, 1.1), (0.1, 0.7), (0.003, 0.02)),
    "marimba": Material((110, 900), "bar", (3, 6), (0.08, 0.45), (0.6, 1.2), (0.02, 0.2), (0.003, 0.01)),
    "metal bar": Material((300, 2600), "bar", (5, 12), (0.2, 1.6), (0.2, 0.7), (0.02, 0.3), (0.002, 0.01)),
    "sheet metal": Material((90, 700), "plate", (12, 30), (0.08, 0.9), (0.1, 0.6), (0.1, 0.8), (0.005, 0.06)),
    "cymbal": Material((250, 900), "dense", (24, 48), (0.3, 1.5), (0.0, 0.4), (0.3, 1.2), (0.05, 0.4)),
    "skin": Material((55, 350), "membrane", (5, 12), (0.05, 0.35), (0.4, 1.0), (0.1, 0.9), (0.005, 0.09)),
    "glass": Material((700, 3800), "plate", (4, 12), (0.08, 0.8), (0.2, 0.8), (0.02, 0.3), (0.001, 0.006)),
    "ceramic": Material((500, 2400), "plate", (4, 10), (0.03, 0.2), (0.3, 0.9), (0.05, 0.4), (0.002, 0.01)),
    "cardboard": Material((70, 300), "plate", (5, 12), (0.01, 0.05), (0.4, 1.0), (0.4, 1.6), (0.01, 0.05)),
    "plastic": Material((150, 1100), "plate", (5, 12), (0.01, 0.08), (0.3, 0.9), (0.2, 1.0), (0.004, 0.03)),
    "cushion": Material((35, 140), "membrane", (2, 5), (0.01, 0.06), (0.6, 1.4), (0.6, 2.0), (0.01, 0.06)),
    "stone": Material((900, 4500), "plate", (4, 9), (0.005, 0.03), (0.2, 0.8), (0.3, 1.2), (0.002, 0.01)),
    "table": Material((60, 260), "plate", (6, 14), (0.02, 0.1), (0.4, 1.1), (0.2, 1.0), (0.004, 0.03)),
    "string": Material((80, 700), "harmonic", (6, 16), (0.2, 1.4), (0.4, 1.0), (0.02, 0.2), (0.002, 0.01)),
}
MEMBRANE = np.array([1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501, 3.6, 3.652, 4.06, 4.154])
"""Modes of an ideal round membrane."""


@dataclass(frozen=True)
class StruckThing:
    """One thing: its modes, and its noise.

    Attributes:
        hertz, decay_s, gain, phase: of each mode, float64 [M].
        noise, noise_s, noise_hertz: level, time constant and upper edge of the burst.
    """

    hertz: Signal
    decay_s: Signal
    gain: Signal
    phase: Signal
    noise: float
    noise_s: float
    noise_hertz: float


def _ratios(rng: np.random.Generator, how: str, modes: int) -> Signal:
    number = np.arange(modes)
    if how == "bar":
        ratios = ((2.0 * number + 3.0) / 3.011) ** 2
    elif how == "membrane":
        ratios = np.resize(MEMBRANE, modes) * (1.0 + number // MEMBRANE.size)
    elif how == "harmonic":
        ratios = (number + 1.0) * np.sqrt(1.0 + 3e-4 * (number + 1.0) ** 2)
    else:
        step = 0.25 if how == "dense" else 0.6
        ratios = 1.0 + np.concatenate([[0.0], np.cumsum(rng.exponential(step, modes - 1))])
    return np.asarray(ratios * np.exp(rng.normal(0.0, 0.02, modes)))


def draw_thing(rng: np.random.Generator, material: Material) -> StruckThing:
    """Draw one thing of a material."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(max(low, 1e-4)), np.log(high))))

    hertz = between(*material.hertz)
    ratios = _ratios(rng, material.ratios, int(rng.integers(material.modes[0], material.modes[1] + 1)))
    kept = hertz * ratios < 0.45 * SAMPLE_RATE
    ratios = ratios[kept]
    gain = rng.uniform(0.2, 1.0, ratios.size) * ratios ** -float(rng.uniform(0.2, 1.0))
    return StruckThing(
        hertz=hertz * ratios,
        decay_s=between(*material.decay_s) / ratios ** float(rng.uniform(*material.damping)),
        gain=gain / np.abs(gain).sum(),
        phase=rng.uniform(0.0, TWO_PI, ratios.size),
        noise=between(*material.noise),
        noise_s=between(*material.noise_s),
        noise_hertz=float(np.exp(rng.uniform(np.log(600.0), np.log(12_000.0)))),
    )


def strike(thing: StruckThing, strength: float, rng: np.random.Generator, rate: int = SAMPLE_RATE) -> Signal:
    """The sound of one hit: float64 [n], peak strength ** 1.4.

    Args:
        thing: what is struck.
        strength: 0..1.
        rng: random generator; no two hits on a thing are quite the same.
        rate: sample rate in Hz.
    """
    longest = max(float(thing.decay_s.max()), thing.noise_s)
    t = np.arange(round(min(LONGEST_S, 7.0 * longest + 0.02) * rate)) / rate
    where = np.exp(rng.normal(0.0, 0.25, thing.gain.size))
    waves = np.sin(TWO_PI * thing.hertz[:, None] * t + thing.phase[:, None]) * np.exp(-t / thing.decay_s[:, None])
    burst = rng.standard_normal(t.size) * np.exp(-t / thing.noise_s)
    edge = np.exp(-TWO_PI * thing.noise_hertz / rate)
    burst = np.asarray(lfilter([1.0 - edge], [1.0, -edge], burst))
    out = (thing.gain * where) @ waves + 0.5 * thing.noise * burst / (np.abs(burst).max() + 1e-9)
    bright = np.exp(-TWO_PI * (800.0 + 11_000.0 * strength) / rate)
    out = np.asarray(lfilter([1.0 - bright], [1.0, -bright], out))
    out *= np.minimum(1.0, t / 0.001) * np.minimum(1.0, (t[-1] - t) / 0.01)
    return np.asarray(out / (np.abs(out).max() + 1e-9) * strength**1.4)


def hits_sound(truth: HitsTruth, seed: int, duration_s: float) -> NDArray[np.float32]:
    """The sound of a clip, late by the clip's own delay: float32 [round(duration_s * 32000)], peak below 1.

    Args:
        truth: of the clip.
        seed: draws what is struck, and the room.
        duration_s: length of the clip in seconds.
    """
    rng = np.random.default_rng([seed, 264])
    out = np.zeros(round(duration_s * SAMPLE_RATE))
    names = list(MATERIALS)
    things = [draw_thing(rng, MATERIALS[names[int(rng.integers(len(names)))]]) for _ in range(int(rng.integers(1, 4)))]
    kit = rng.random() < 0.2
    for number, (onset, strength) in enumerate(zip(truth.onset_s, truth.strength, strict=True)):
        which = int(rng.integers(len(things))) if rng.random() < 0.5 else int(truth.limb[number]) % len(things)
        if kit:
            piece = DRUM_PIECES[(which * 2 + 1) % len(DRUM_PIECES)]
            sound: Signal = drum(piece, float(strength), SAMPLE_RATE, rng, 0.5).astype(np.float64)
        else:
            sound = strike(things[which], float(strength), rng)
        start = round(float(onset) * SAMPLE_RATE)
        length = min(sound.size, out.size - start)
        if length > 0:
            out[start : start + length] += sound[:length]
    if rng.random() < 0.8:
        out = room(out, SAMPLE_RATE, rng)
    return np.tanh(0.6 * out).astype(np.float32)
