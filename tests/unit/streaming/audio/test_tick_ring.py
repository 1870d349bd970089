"""The ring: bit-exact when all is in time, without a click when it is not."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.audio.tick_ring import CROSSFADE_S, FADE_S, TickRing, tick_samples_at
from streaming.errors import UserError

RATES = [32_000, 44_100, 48_000]


def sine(rate: int, ticks: int, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(ticks * tick_samples_at(rate)) / rate)).astype(np.float32)


def music(rate: int, ticks: int, seed: int) -> np.ndarray:
    """Noise with the falling spectrum of music, -1..1."""
    noise = np.random.default_rng(seed).standard_normal(ticks * tick_samples_at(rate))
    spectrum = np.fft.rfft(noise)
    hz = np.fft.rfftfreq(noise.shape[0], 1 / rate)
    spectrum *= np.where((hz > 100) & (hz < 12_000), 1.0 / np.sqrt(hz + 100.0), 0.0)
    wave = np.fft.irfft(spectrum, noise.shape[0])
    return np.asarray(0.8 * wave / np.abs(wave).max(), np.float32)


def play(ring: TickRing, wave: np.ndarray, lost: set[int], seed: int, origin: int = 100, extra: int = 2) -> np.ndarray:
    """Play a whole wave through a started ring in blocks of random size, each tick handed in just before its time."""
    size = ring.tick_samples
    ticks = wave.shape[0] // size
    rng = np.random.default_rng(seed)
    out, at, handed = [], 0, 0
    total = origin + (ticks + extra) * size
    while at < total:
        count = int(min(rng.integers(1, 3000), total - at))
        while handed < ticks and origin + handed * size < at + count + size:
            if handed not in lost:
                assert ring.put(handed, wave[handed * size : (handed + 1) * size], now_ns=at) or handed <= ring.playing
            handed += 1
        block = np.full(count, 9.0, np.float32)
        ring.fill(block, now_ns=at)
        out.append(block)
        at += count
    return np.concatenate(out)


@pytest.mark.parametrize("rate", RATES)
def test_everything_in_time_is_bit_exact(rate: int) -> None:
    ring = TickRing(rate)
    wave = music(rate, 40, 1)
    ring.start(100, end_tick=40)
    out = play(ring, wave, set(), seed=2)
    np.testing.assert_array_equal(out[:100], 0.0)
    np.testing.assert_array_equal(out[100 : 100 + wave.shape[0]], wave)
    tail = out[100 + wave.shape[0] :]
    assert abs(tail[0] - wave[-1]) <= np.abs(np.diff(wave)).max()
    np.testing.assert_array_equal(tail[rate // 100 :], 0.0)
    records = ring.drain()
    assert [record.tick for record in records] == list(range(40))
    assert all(record.played and record.arrived_ns is not None for record in records)
    assert ring.samples_played == wave.shape[0]
    assert ring.drain() == []


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", ["sine", "music"])
@pytest.mark.parametrize("seed", range(6))
def test_no_click_at_any_seam_for_random_losses(rate: int, kind: str, seed: int) -> None:
    ticks = 60
    wave = sine(rate, ticks, 200.0 + 170.0 * seed) if kind == "sine" else music(rate, ticks, seed)
    rng = np.random.default_rng(seed + 100)
    lost = set(np.flatnonzero(rng.random(ticks) < 0.3).tolist()) | {20, 21, 22, 23}
    lost.discard(ticks - 1)
    ring = TickRing(rate)
    ring.start(100, end_tick=ticks)
    out = play(ring, wave, lost, seed)
    largest = np.abs(np.diff(wave)).max()
    assert np.abs(np.diff(out)).max() <= largest * 1.0001
    assert np.abs(out).max() <= np.abs(wave).max() * 1.0001
    size = ring.tick_samples
    for tick in range(1, ticks):
        if tick not in lost and tick - 1 not in lost:
            begin = 100 + tick * size
            np.testing.assert_array_equal(out[begin : begin + size], wave[tick * size : (tick + 1) * size])
    assert {record.tick for record in ring.drain() if not record.played} == lost


def test_a_hard_cut_would_be_seen_by_the_click_test() -> None:
    wave = sine(32_000, 10, 430.0)
    cut = wave.copy()
    cut[5 * 1280 : 6 * 1280] = 0.0
    assert np.abs(np.diff(cut)).max() > 1.5 * np.abs(np.diff(wave)).max()


def test_a_missing_tick_is_the_mirror_of_what_was_played_and_fades_to_silence() -> None:
    rate, size = 32_000, 1280
    wave = music(rate, 10, 3)
    ring = TickRing(rate)
    ring.start(0)
    out = play(ring, wave, {4, 5, 6, 7}, seed=1, origin=0, extra=0)
    gap = out[4 * size : 8 * size]
    assert abs(gap[0] - wave[4 * size - 1]) < 0.01
    mirrored = wave[4 * size - 200 : 4 * size][::-1]
    assert np.corrcoef(gap[:200], mirrored)[0, 1] > 0.99
    assert np.sqrt((gap[:size] ** 2).mean()) > 0.2 * np.sqrt((wave[3 * size : 4 * size] ** 2).mean())
    np.testing.assert_array_equal(gap[round(FADE_S * rate) :], 0.0)
    back = 8 * size + round(CROSSFADE_S * rate)
    np.testing.assert_array_equal(out[back : 10 * size], wave[back:])
    assert abs(out[8 * size]) < 1e-3


def test_silence_before_the_start_and_after_the_end_is_not_concealment() -> None:
    ring = TickRing(48_000)
    block = np.ones(5000, np.float32)
    ring.fill(block)
    np.testing.assert_array_equal(block, 0.0)
    assert ring.samples_played == 0
    ring.start(6000, first_tick=7, end_tick=9)
    for _ in range(10):
        ring.fill(block)
    assert [(record.tick, record.played) for record in ring.drain()] == [(7, False), (8, False)]
    assert ring.samples_played == 2 * 1920
    np.testing.assert_array_equal(block, 0.0)


def test_what_is_refused() -> None:
    ring = TickRing(32_000, slots=4)
    ring.start(0)
    pcm = np.ones(1280, np.float32) * 0.1
    assert ring.put(0, pcm, 5)
    assert not ring.put(0, pcm, 6), "twice"
    assert ring.put(3, pcm)
    assert not ring.put(4, pcm), "too far ahead"
    assert not ring.put(1, pcm[:5])
    assert not ring.put(1, pcm * np.nan)
    block = np.zeros(1, np.float32)
    ring.fill(block, 77)
    assert not ring.put(0, pcm), "it has begun"
    assert ring.start_ns(0) == 77
    assert ring.start_ns(1) is None
    assert (ring.late, ring.ahead, ring.bad) == (2, 1, 2)
    ring.fill(np.zeros(1279 + 1, np.float32), 99)
    assert ring.put(4, pcm), "the window has moved on"
    assert not ring.put(1, pcm), "a concealed tick stays concealed"
    first, second = ring.drain()
    assert (first.tick, first.played, first.start_ns, first.arrived_ns) == (0, True, 77, 5)
    assert (second.tick, second.played, second.start_ns, second.arrived_ns) == (1, False, 99, None)


def test_a_rate_without_whole_ticks_is_refused_with_a_fix() -> None:
    with pytest.raises(UserError, match=r"22051 Hz.*48000"):
        TickRing(22_051)
    assert [tick_samples_at(rate) for rate in RATES] == [1280, 1764, 1920]


def test_records_stay_bounded_when_nobody_drains() -> None:
    ring = TickRing(32_000, records=16)
    ring.start(0)
    block = np.zeros(1280, np.float32)
    for _ in range(100):
        ring.fill(block)
    records = ring.drain()
    assert len(records) < 16
    assert records[-1].tick == 99


@pytest.mark.parametrize("rate", RATES)
def test_after_a_thousand_hours_it_is_as_exact_as_in_the_first_minute(rate: int) -> None:
    first = 1_000 * 3_600 * 25
    ring = TickRing(rate)
    size = ring.tick_samples
    origin = ring.position = first * size + 7
    wave = music(rate, 20, 3)
    ring.start(origin + 100, first, first + 20)
    out, handed = [], 0
    for at in range(0, 100 + 22 * size, 997):
        while handed < 20 and 100 + handed * size < at + 997 + size:
            if handed != 11:
                assert ring.put(first + handed, wave[handed * size : (handed + 1) * size], now_ns=origin * 1_000 + at)
            handed += 1
        block = np.full(997, 9.0, np.float32)
        ring.fill(block, now_ns=origin * 1_000 + at)
        out.append(block)
    sound = np.concatenate(out)[100:]
    np.testing.assert_array_equal(sound[: 11 * size], wave[: 11 * size])
    np.testing.assert_array_equal(sound[13 * size : 20 * size], wave[13 * size :])
    assert ring.samples_played == 20 * size
    records = ring.drain()
    assert [record.tick - first for record in records] == list(range(20))
    assert [record.tick - first for record in records if not record.played] == [11]
    assert all(record.start_ns >= origin * 1_000 for record in records)
    assert (ring.late, ring.ahead, ring.bad) == (0, 0, 0)
