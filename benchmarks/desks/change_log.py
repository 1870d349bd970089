"""What was changed when, and when it was heard: figures from what the clients saw."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from streaming.conventions import TICK_NS

SAME_DB = 0.05
"""A fader within this of a sent volume has it; sent ones differ by half a decibel."""
SOON_TICKS = 2.0
CLOSE_MS = 10.0
LONGEST_NS = 1_000_000_000
"""A change that takes longer is lost."""
LOST_MS = 100.0
"""A note farther from every onset than this belongs to none."""


class VolumeChange(NamedTuple):
    """A volume that was sent: when, by the monotonic clock, and which, in dB."""

    sent_ns: int
    volume_db: float


class FaderAt(NamedTuple):
    """Where the fader was at a tick's end, as a gain, and when the tick's first sample left the device."""

    tick: int
    gain: float
    dac_ns: int


def times_of(ticks: Sequence[int], dac_ns: Mapping[int, int]) -> dict[int, int]:
    """When the first samples of some ticks leave the device, in ns: where it was not heard, as the ticks around it say.

    The speaker tells the time of the newest tick only, where it has begun two.

    Args:
        ticks: in order.
        dac_ns: of those ticks whose time was heard; not empty.
    """
    known = np.asarray(sorted(dac_ns))
    first_ns = dac_ns[int(known[0])]
    # Relative times are exact as floats.
    told = [float(dac_ns[int(tick)] - first_ns) for tick in known]
    inside = [tick for tick in ticks if known[0] <= tick <= known[-1]]
    return {tick: first_ns + round(float(np.interp(tick, known, told))) for tick in inside}


def heard_after_ms(changes: Sequence[VolumeChange], faders: Sequence[FaderAt]) -> list[float | None]:
    """For each change, the time until the first sample left the device that had it or a later one; None for never.

    Two changes within one tick are heard as the later of them.

    Args:
        changes: in the order in which they were sent; neighbours differ.
        faders: in the order of the ticks.
    """
    after: list[float | None] = [None] * len(changes)
    reached = 0
    for fader in faders:
        if reached == len(changes):
            break
        level_db = 20.0 * math.log10(max(fader.gain, 1e-9))
        for index in range(reached, len(changes)):
            if changes[index].sent_ns > fader.dac_ns:
                break
            if abs(changes[index].volume_db - level_db) <= SAME_DB:
                for one in range(reached, index + 1):
                    after[one] = (fader.dac_ns - changes[one].sent_ns) / 1e6
                reached = index + 1
                break
    return after


def told_after_ms(sent: Sequence[tuple[int, float]], told: Sequence[tuple[int, float]]) -> list[float | None]:
    """For each value that was sent, the time until it was told to all; None where the same value was sent again before.

    Args:
        sent: times in ns with their values, in order.
        told: the same of what was told.
    """
    after: list[float | None] = []
    next_ns: dict[float, int] = {}
    times = [at_ns for at_ns, _ in told]
    for sent_ns, value in reversed(sent):
        key = round(value, 3)
        until_ns = next_ns.get(key, sent_ns + LONGEST_NS)
        near = told[bisect.bisect_left(times, sent_ns) : bisect.bisect_left(times, until_ns)]
        at_ns = next((at_ns for at_ns, one in near if round(one, 3) == key), None)
        after.append(None if at_ns is None else (at_ns - sent_ns) / 1e6)
        next_ns[key] = sent_ns
    return after[::-1]


def delay_figures(delays_ms: Sequence[float | None]) -> dict[str, Any]:
    """Median, tail and largest of some delays in ms, how many there were and how many came within two ticks."""
    known = [delay for delay in delays_ms if delay is not None]
    soon = sum(delay <= SOON_TICKS * TICK_NS / 1e6 for delay in known)
    p50, p99 = np.percentile(known, (50, 99)) if known else (None, None)
    return {
        "n": len(delays_ms),
        "lost": len(delays_ms) - len(known),
        "p50_ms": None if p50 is None else round(float(p50), 1),
        "p99_ms": None if p99 is None else round(float(p99), 1),
        "max_ms": round(max(known), 1) if known else None,
        "within_two_ticks": soon,
    }


def note_figures(onsets_ns: Sequence[int], notes_ns: Sequence[int]) -> dict[str, Any]:
    """How far the MIDI notes are from the onsets of the sound that leaves the device: later ones are positive."""
    notes = np.sort(np.asarray(notes_ns, np.int64))
    away: list[float] = []
    missing = 0
    for onset_ns in onsets_ns:
        if not notes.size:
            missing += 1
            continue
        nearest = int(notes[np.argmin(np.abs(notes - onset_ns))])
        gap_ms = (nearest - onset_ns) / 1e6
        if abs(gap_ms) > LOST_MS:
            missing += 1
        else:
            away.append(gap_ms)
    sizes = np.abs(away)
    return {
        "onsets": len(onsets_ns),
        "without_a_note": missing,
        "p50_ms": round(float(np.median(away)), 2) if away else None,
        "p99_ms": round(float(np.percentile(sizes, 99)), 2) if away else None,
        "max_ms": round(float(sizes.max()), 2) if away else None,
        "within_10_ms": int((sizes <= CLOSE_MS).sum()) if away else 0,
    }
