"""Trials of recordings whose latency is known: every one is found, to the sample, and none is left out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.latency.trials import DeviceRecording, find_answer, forward_trials, reverse_trials, smooth_cycles
from benchmarks.rig.trial_plan import Flash, PictureStamps, TickStamps

RATE, PERIOD = 48_000, 256
BEGIN_NS = 5_000_000_000
DEVICE_NS = 5_000_000
MS = 1_000_000


def recording(answers_ns: list[int], seconds: float = 3.0, level: float = 0.5, noise: float = 0.0) -> DeviceRecording:
    """Silence, and a click that leaves the device at each time; a cycle that comes late holds up what follows."""
    count = round(seconds * RATE / PERIOD)
    cycles = np.zeros((count, 3), np.int64)
    cycles[:, 0] = np.arange(count) * PERIOD
    cycles[:, 1] = BEGIN_NS + np.round(cycles[:, 0] * 1e9 / RATE)
    cycles[count // 2 :, 1] += 20 * MS
    cycles[:, 2] = PERIOD
    samples = np.random.default_rng(1).uniform(-noise, noise, count * PERIOD).astype(np.float32)
    found = DeviceRecording(samples, cycles, RATE, DEVICE_NS)
    for time_ns in answers_ns:
        at = found.position_at(time_ns)
        samples[at] = 1e-6
        samples[at + 480 : at + 960] = level
    return found


def test_a_known_latency_is_found_to_the_sample_also_after_the_server_was_held_up() -> None:
    events = [BEGIN_NS + 300 * MS, BEGIN_NS + 2_100 * MS]
    found = recording([event + 73 * MS for event in events])
    flashes = [Flash(event_ns=event, frame_ns=event + 20 * MS) for event in events]
    stamps = [TickStamps(event + 20 * MS, event + 75 * MS) for event in events]
    for trial in forward_trials(flashes, found, stamps):
        assert trial["changed_ms"] == pytest.approx(73.0, abs=0.03)
        assert trial["onset_ms"] == pytest.approx(83.0, abs=0.05), "10 ms later it is loud"
        assert trial["frame_to_sound_ms"] == pytest.approx(53.0, abs=0.03)
        assert trial["stamps_ms"] == pytest.approx(55.0)
        assert trial["external_minus_stamps_ms"] == pytest.approx(-2.0, abs=0.03)
        assert trial["wait_ms"] == 20.0
        assert trial["silent_before"] is True


def test_a_flash_without_an_answer_is_a_trial_too() -> None:
    event = BEGIN_NS + 300 * MS
    (trial,) = forward_trials([Flash(event_ns=event, frame_ns=event)], recording([]), [])
    assert trial["changed_ms"] is None
    assert trial["onset_ms"] is None
    assert trial["stamps_ms"] is None


def test_an_answer_in_noise_has_an_onset_but_no_first_changed_sample() -> None:
    event = BEGIN_NS + 300 * MS
    found = recording([event + 50 * MS], noise=0.001)
    (trial,) = forward_trials([Flash(event_ns=event, frame_ns=event)], found, [])
    assert trial["changed_ms"] is None
    assert trial["silent_before"] is False
    assert trial["onset_ms"] == pytest.approx(60.0, abs=0.05)


def test_sound_that_goes_on_from_before_is_no_answer_at_once() -> None:
    event = BEGIN_NS + 300 * MS
    found = recording([event - 25 * MS, event + 60 * MS])
    _, onset_ns, silent, _ = find_answer(found, event, event + 600 * MS)
    assert silent is False
    assert onset_ns is None, "the sound of before is as loud as the answer"


def test_the_stamps_of_the_first_tick_that_answers_the_frame_or_a_later_one_count() -> None:
    event = BEGIN_NS + 300 * MS
    flash = Flash(event_ns=event, frame_ns=event + 10 * MS)
    stamps = [
        TickStamps(event - 30 * MS, event + 20 * MS),
        TickStamps(event + 50 * MS, event + 100 * MS),
        TickStamps(event + 90 * MS, event + 140 * MS),
    ]
    (trial,) = forward_trials([flash], recording([event + 99 * MS]), stamps)
    assert trial["external_minus_stamps_ms"] == pytest.approx(-1.0, abs=0.03)


def pictures(changes_ns: list[int], rest_ms: int = 800) -> np.ndarray:
    """A picture every 40 ms for 4 s, another one for a while after each change."""
    rows = []
    for tick in range(100):
        shown_ns = BEGIN_NS + tick * 40 * MS
        moved = any(change <= shown_ns < change + rest_ms * MS for change in changes_ns)
        rows.append((tick, shown_ns, tick if moved else -1))
    return np.array(rows, np.int64)


def test_the_first_picture_with_another_checksum_is_the_answer() -> None:
    impulse = BEGIN_NS + 1_015 * MS
    shown = [PictureStamps(tick, BEGIN_NS + tick * 40 * MS, BEGIN_NS + tick * 40 * MS - 56 * MS) for tick in range(100)]
    (trial,) = reverse_trials([impulse], pictures([BEGIN_NS + 1_020 * MS]), shown)
    assert trial["changed_ms"] == pytest.approx(25.0), "1,040 is the first picture after 1,020"
    assert trial["stamps_ms"] == pytest.approx(25.0)
    assert trial["tick_to_picture_ms"] == pytest.approx(56.0)
    assert trial["external_minus_stamps_ms"] == 0.0
    assert trial["at_rest_before"] is True


def test_an_impulse_that_nothing_answers_and_one_into_a_moving_picture_are_told() -> None:
    first, second = BEGIN_NS + 415 * MS, BEGIN_NS + 2_015 * MS
    still, moving = reverse_trials([first, second], pictures([BEGIN_NS + 1_600 * MS]), [])
    assert still["changed_ms"] is None
    assert still["at_rest_before"] is True
    assert moving["at_rest_before"] is False
    assert moving["changed_ms"] is None, "it would have changed anyway"
    assert moving["stamps_ms"] is None


def test_without_any_picture_every_impulse_is_missed() -> None:
    (trial,) = reverse_trials([BEGIN_NS], np.zeros((0, 3), np.int64), [])
    assert trial["changed_ms"] is None


def test_the_answer_to_the_next_flash_is_none_to_this_one() -> None:
    events = [BEGIN_NS + 300 * MS, BEGIN_NS + 700 * MS]
    found = recording([events[1] + 50 * MS])
    first, second = forward_trials([Flash(event_ns=event, frame_ns=event) for event in events], found, [])
    assert (first["changed_ms"], first["onset_ms"]) == (None, None)
    assert second["changed_ms"] == pytest.approx(50.0, abs=0.03)


def test_late_calls_and_stalls_do_not_shift_the_times_of_cycles_and_a_pause_of_the_device_does() -> None:
    count = 2_000
    cycles = np.zeros((count, 3), np.int64)
    cycles[:, 0], cycles[:, 2] = np.arange(count) * PERIOD, PERIOD
    true_ns = BEGIN_NS + np.round(cycles[:, 0] * 1e9 / RATE).astype(np.int64)
    true_ns[1_200:] += 20 * MS
    late_ns = np.random.default_rng(4).exponential(0.3 * MS, count).astype(np.int64)
    late_ns[500:540] += np.linspace(200, 5, 40).astype(np.int64) * MS
    cycles[:, 1] = true_ns + late_ns
    error_ns = smooth_cycles(cycles, RATE)[:, 1] - true_ns
    assert np.median(abs(error_ns)) < 0.01 * MS
    assert abs(error_ns).max() < 1.0 * MS, "the last calls before the pause have few neighbours"
    assert smooth_cycles(cycles[:0], RATE).shape == (0, 3)
