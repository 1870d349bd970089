"""Plays one note of a soundfont: the recording at its pitch, with the envelopes, the filter and the LFOs of its region.

As in the SoundFont 2.04 technical specification, with three differences: amplitude follows velocity by `LOUDER`, a
softer note is darker by `DARKER_CENTS` in every region, and an attenuation counts 0.4 times, as in the hardware that
soundfonts are made for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from training.synthesis.sampled.soundfont import SampleData, SampleRegion, Soundfont

Signal = NDArray[np.float64]
MIX_RATE = 44_100
"""Samples a second of the mix; most recordings have this rate."""
DARKER_CENTS = 2_400.0
"""The softest note's filter closes that much further than the hardest's."""
OPEN_CENTS = 13_500
"""A filter from here on (20 kHz) is open."""
ATTENUATION = 0.4
LOUDER = 1.4
"""Amplitude is velocity to this power: 28 dB from 0.1 to 1, as of the synthesized instruments."""
PAN, SIDE_PAN = 17, 250
"""The generator of the pan, and from where on a region counts as one side: half way, in units of 0.1 %."""
LONGEST_RELEASE_S = 2.5
"""A release falls by 100 dB within so many seconds, whatever the file says."""
CHOKE_S = 0.06
"""A note that another of its class ends, such as an open hi-hat, falls by 60 dB in that time."""
SLUR_ATTACK_S = 0.015
"""A recording that is not played from its start fades in over so long."""
FILTER_BLOCK = 256
"""A moving filter moves every so many samples."""


class NoteGesture(NamedTuple):
    """How one note is played.

    Attributes:
        key: MIDI key that chooses the recordings.
        velocity: 0..1.
        hold_s: seconds until it is released.
        pitch: MIDI pitch, constant or for each sample of the mix rate [n]; the last one is held.
        skip_s: seconds of the recording's start that are left out, for a note that is slurred to the one before.
        attack_s: shortest fade-in of a note whose recording's start is left out.
        choke_s: seconds until another note ends it; infinite for none.
    """

    key: int
    velocity: float
    hold_s: float
    pitch: float | Signal
    skip_s: float = 0.0
    attack_s: float = SLUR_ATTACK_S
    choke_s: float = np.inf


def seconds_of(timecents: float) -> float:
    """Seconds of a time in timecents."""
    return float(2.0 ** (timecents / 1200.0))


def hertz_of(cents: float) -> float:
    """Hz of a frequency in absolute cents."""
    return float(8.176 * 2.0 ** (cents / 1200.0))


def regions_of(font: Soundfont, bank: int, program: int, gesture: NoteGesture, side: int) -> tuple[SampleRegion, ...]:
    """The regions that a note plays; of what is panned to both sides only one of them.

    Args:
        font: the soundfont.
        bank: of the preset.
        program: of the preset.
        gesture: how the note is played.
        side: -1 for the left channel of stereo recordings, 1 for the right one.
    """
    velocity = max(1, round(127 * gesture.velocity))
    found = [
        region
        for region in font.regions(bank, program)
        if region.keys[0] <= gesture.key <= region.keys[1] and region.velocities[0] <= velocity <= region.velocities[1]
    ]
    sides = [int(np.sign(region.amount(PAN))) * (abs(region.amount(PAN)) >= SIDE_PAN) for region in found]
    both = -1 in sides and 1 in sides
    return tuple(one for one, where in zip(found, sides, strict=True) if not both or where in (0, side))


def play(font: Soundfont, region: SampleRegion, gesture: NoteGesture, longest_s: float) -> Signal:
    """The sound of a note's region: float64 [n] at `MIX_RATE`, at most `longest_s` seconds.

    Args:
        font: the soundfont.
        region: one of `regions_of`.
        gesture: how the note is played.
        longest_s: where the sound is cut in any case.
    """
    recording = font.recording(region)
    held_s = min(gesture.hold_s, gesture.choke_s)
    release_s = min(seconds_of(region.amount(38)), LONGEST_RELEASE_S)
    time = np.arange(max(1, round(min(longest_s, held_s + release_s, gesture.choke_s + CHOKE_S) * MIX_RATE))) / MIX_RATE
    shape = _modulation(region, time, held_s)
    place = _places(region, recording, gesture, time, shape)
    if region.amount(54) not in (1, 3):
        place = place[: int(np.searchsorted(place, recording.samples.size - 1))]
        time, shape = time[: place.size], shape[: place.size]
    if not place.size:
        return np.zeros(0)
    sound = _interpolate(recording.samples, place)
    sound = _filter(region, sound, gesture.velocity, shape)
    decibels = -ATTENUATION * region.amount(48) / 10.0 - _fall(region, time, held_s, release_s, gesture.key)
    if np.isfinite(gesture.choke_s):
        decibels = decibels - np.maximum(0.0, time - gesture.choke_s) * 60.0 / CHOKE_S
    if region.amount(13):
        decibels = decibels + region.amount(13) / 10.0 * _lfo(region, time, 21, 22)
    sound *= 10.0 ** (decibels / 20.0) * _attack(region, time, gesture) * gesture.velocity**LOUDER
    if region.amount(54) not in (1, 3):
        sound *= np.minimum(1.0, np.arange(sound.size, 0, -1) / (0.01 * MIX_RATE))
    return np.asarray(sound)


def _attack(region: SampleRegion, time: Signal, gesture: NoteGesture) -> Signal:
    delay, attack = seconds_of(region.amount(33)), seconds_of(region.amount(34))
    shortest = gesture.attack_s if gesture.skip_s else 0.001
    return np.asarray(np.clip((time - delay) / max(attack, shortest), 0.0, 1.0))


def _fall(region: SampleRegion, time: Signal, held_s: float, release_s: float, key: int) -> Signal:
    """The volume envelope after its attack, in dB below full."""
    start = seconds_of(region.amount(33)) + seconds_of(region.amount(34))
    hold = seconds_of(region.amount(35)) * 2.0 ** ((60 - key) * region.amount(39) / 1200.0)
    decay = seconds_of(region.amount(36)) * 2.0 ** ((60 - key) * region.amount(40) / 1200.0)
    sustain = min(max(region.amount(37) / 10.0, 0.0), 100.0)
    until = np.minimum(time, held_s)
    fall = np.minimum(np.maximum(0.0, until - start - hold) * 100.0 / decay, sustain)
    return np.asarray(fall + np.maximum(0.0, time - held_s) * 100.0 / release_s)


def _modulation(region: SampleRegion, time: Signal, held_s: float) -> Signal:
    """The modulation envelope, 0..1; zeros where nothing follows it."""
    if not region.amount(7) and not region.amount(11):
        return np.zeros(time.size)
    delay, attack = seconds_of(region.amount(25)), max(seconds_of(region.amount(26)), 0.001)
    hold, decay = seconds_of(region.amount(27)), seconds_of(region.amount(28))
    low = 1.0 - min(max(region.amount(29) / 1000.0, 0.0), 1.0)
    until = np.minimum(time, held_s)
    rise = np.clip((until - delay) / attack, 0.0, 1.0)
    fall = np.clip((until - delay - attack - hold) / decay, 0.0, 1.0 - low)
    release = np.clip(1.0 - (time - held_s) / seconds_of(region.amount(30)), 0.0, 1.0)
    return np.asarray((rise - fall) * release)


def _lfo(region: SampleRegion, time: Signal, delay: int, frequency: int) -> Signal:
    """A slow sine, -1..1, that begins after its delay."""
    after = np.maximum(0.0, time - seconds_of(region.amount(delay)))
    return np.asarray(np.sin(2.0 * np.pi * hertz_of(region.amount(frequency)) * after))


def _places(region: SampleRegion, recording: SampleData, gesture: NoteGesture, time: Signal, shape: Signal) -> Signal:
    """Where in the recording each sample of the mix is read."""
    pitch = np.asarray(gesture.pitch, np.float64)
    tune = region.amount(51) + (region.amount(52) + recording.cents) / 100.0
    above = (pitch - recording.key) * region.amount(56) / 100.0 + tune
    cents = np.zeros(time.size)
    for amount, delay, frequency in ((5, 21, 22), (6, 23, 24)):
        if region.amount(amount):
            cents = cents + region.amount(amount) * _lfo(region, time, delay, frequency)
    if region.amount(7):
        cents = cents + region.amount(7) * shape
    if above.ndim:
        above = above[np.minimum(np.arange(time.size), above.size - 1)]
    speed = recording.rate / MIX_RATE * 2.0 ** ((above + cents / 100.0) / 12.0)
    place = gesture.skip_s * recording.rate + np.cumsum(speed) - speed
    first, last = recording.loop
    if region.amount(54) in (1, 3) and 0 <= first < last:
        place = np.where(place < last, place, first + (place - first) % (last - first))
    return np.asarray(place)


def _interpolate(samples: NDArray[np.int16], place: Signal) -> Signal:
    """The recording between its samples, by cubic Hermite splines: float64, -1..1."""
    index = place.astype(np.int64)
    low = max(0, int(index.min()) - 1)
    near = np.asarray(samples[low : int(index.max()) + 3], np.float64) / 32_768.0
    near = np.concatenate([near[:1] if low == 0 else near[:0], near, np.zeros(4)])
    index = index - low + (1 if low == 0 else 0)
    part = place - np.floor(place)
    before, here, after, beyond = near[index - 1], near[index], near[index + 1], near[index + 2]
    slope, bend = 0.5 * (after - before), 0.5 * (beyond - here)
    gap = after - here
    return np.asarray(here + part * (slope + part * (3 * gap - 2 * slope - bend + part * (slope + bend - 2 * gap))))


def _filter(region: SampleRegion, sound: Signal, velocity: float, shape: Signal) -> Signal:
    """The low-pass of a region, which may follow the modulation envelope."""
    cents = region.amount(8) - DARKER_CENTS * (1.0 - velocity)
    moves = region.amount(11)
    resonance_db = region.amount(9) / 10.0
    if not moves:
        return sound if cents >= OPEN_CENTS else np.asarray(lfilter(*_low_pass(cents, resonance_db), sound))
    out, state = np.empty_like(sound), np.zeros(2)
    for start in range(0, sound.size, FILTER_BLOCK):
        block = slice(start, start + FILTER_BLOCK)
        moved = cents + moves * float(shape[min(start, shape.size - 1)])
        out[block], state = lfilter(*_low_pass(moved, resonance_db), sound[block], zi=state)
    return out


def _low_pass(cents: float, resonance_db: float) -> tuple[Signal, Signal]:
    """A second-order low-pass (Bristow-Johnson, Cookbook formulae for audio equalizer biquad filter coefficients)."""
    angle = 2.0 * np.pi * min(max(hertz_of(cents), 100.0), 0.45 * MIX_RATE) / MIX_RATE
    alpha = np.sin(angle) / (2.0 * 10.0 ** ((resonance_db - 3.01) / 20.0))
    middle = 1.0 - np.cos(angle)
    low = np.array([middle / 2.0, middle, middle / 2.0])
    back = np.array([1.0 + alpha, -2.0 * np.cos(angle), 1.0 - alpha])
    return low / back[0], back / back[0]
