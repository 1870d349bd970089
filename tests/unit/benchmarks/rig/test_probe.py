"""The probe's work in a cycle: it records every sample with its time, and writes an impulse at its time."""

from __future__ import annotations

import numpy as np

from benchmarks.rig.jack_client import Cycle
from benchmarks.rig.probe import BURST_S, ImpulseQueue, ProbeTrack, burst, impulse

RATE, LENGTH = 48_000, 256


def cycle(index: int, lost: int = 0) -> Cycle:
    begin_ns = index * LENGTH * 1_000_000_000 // RATE
    end_ns = (index + 1) * LENGTH * 1_000_000_000 // RATE
    frame = (2**32 - 300 + index * LENGTH + lost) % 2**32
    return Cycle(frame, begin_ns, end_ns, [], [np.zeros(LENGTH, np.float32)])


def test_every_cycle_is_recorded_also_where_the_server_counts_anew_and_lost_ones_are_counted() -> None:
    track = ProbeTrack(np.zeros(1_000, np.float32))
    sound = np.arange(5 * LENGTH, dtype=np.float32)
    for index in range(5):
        track.take(cycle(index), sound[index * LENGTH : (index + 1) * LENGTH])
    assert (track.written, track.count, track.lost) == (5 * LENGTH, 5, 0)
    newest = np.arange(track.written - 1_000, track.written)
    assert np.array_equal(track.samples[newest % 1_000], sound[-1_000:])
    assert track.cycles[4].tolist() == [4 * LENGTH, cycle(4).begin_ns, LENGTH]
    track.take(cycle(5, lost=64), sound[:LENGTH])
    assert track.lost == 64


def test_an_impulse_is_written_at_its_time_whole_and_once() -> None:
    wave = impulse(RATE)
    due_ns = cycle(3).begin_ns + 5_000_000
    queue = ImpulseQueue(wave, due_ns=[due_ns])
    outs = []
    for index in range(8):
        now = cycle(index)
        queue.write(now, now.outputs[0], index * LENGTH)
        outs.append(now.outputs[0])
    heard = np.concatenate(outs)
    (first,) = queue.positions
    assert np.array_equal(heard[first : first + wave.size], wave)
    assert not heard[:first].any()
    assert not heard[first + wave.size :].any()
    assert abs(first - round(due_ns * RATE / 1e9)) <= 1


def test_a_burst_lights_at_once_and_has_no_mean_that_a_capacitor_would_swallow() -> None:
    wave = burst(RATE)
    assert abs(wave[0]) == 1.0
    assert abs(float(wave.mean())) < 0.01
    assert wave.size == round(BURST_S * RATE)
