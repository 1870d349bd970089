"""A room rings on after the sound and no longer than it should; the limiter keeps peaks down and little else."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from training.synthesis.sampled.room import SmallRoom, draw_room, impulse_response, in_room, limit, true_peak


def test_a_room_has_its_reverberation_time_and_energy() -> None:
    room = SmallRoom(0.6, -12.0, 0.01, 4_000.0)
    tail = impulse_response(room, np.random.default_rng(0))
    assert float((tail**2).sum()) == pytest.approx(1.0)
    left = 10.0 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] + 1e-20)
    time = np.arange(tail.size) / SAMPLE_RATE
    first, last = int(np.argmax(left < -5.0)), int(np.argmax(left < -25.0))
    assert 3.0 * (time[last] - time[first]) == pytest.approx(0.6, rel=0.35)


def test_a_click_comes_first_and_then_the_room() -> None:
    click = np.zeros(SAMPLE_RATE)
    click[100] = 1.0
    out = in_room(click, SmallRoom(0.5, -10.0, 0.02, 4_000.0), np.random.default_rng(1))
    assert out.size == click.size
    assert np.abs(out[:100]).max() < 1e-9
    assert out[100] == pytest.approx(1.0)
    assert np.abs(out[101:700]).max() < 1e-9
    assert float((out[101:] ** 2).sum()) == pytest.approx(0.1, rel=0.1)


def test_rooms_differ() -> None:
    rooms = [draw_room(np.random.default_rng(seed)) for seed in range(40)]
    assert max(room.reverberation_s for room in rooms) > 4.0 * min(room.reverberation_s for room in rooms)


def test_the_limiter_holds_the_true_peak_and_leaves_soft_sounds_alone() -> None:
    rng = np.random.default_rng(2)
    sound = 0.1 * rng.standard_normal(SAMPLE_RATE)
    sound[10_000:10_200] *= 30.0
    out = limit(sound)
    assert 20.0 * np.log10(true_peak(out)) <= -0.999
    scale = out[:9_000] / sound[:9_000]
    assert float(scale.min()) > 0.9
    assert np.array_equal(limit(0.1 * sound / np.abs(sound).max()), 0.1 * sound / np.abs(sound).max())


def test_the_limiter_does_not_bend_the_wave() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    out = limit(4.0 * np.sin(2.0 * np.pi * 440.0 * time))
    spectrum = np.abs(np.fft.rfft(out * np.hanning(out.size)))
    assert np.sort(spectrum)[-6] < 0.01 * spectrum.max()
