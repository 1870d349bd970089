"""LTC is read at every rate, backwards, at other speeds, with noise, at changing levels; noise alone is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.remote.show_control.timecode.ltc_decoder import LtcDecoder, LtcFrame
from streaming.remote.show_control.timecode.ltc_encoder import encode_ltc, frame_bits
from streaming.remote.show_control.timecode.timecode import Timecode

SAMPLERATE = 48_000
RATES = [(24.0, 24, False), (25.0, 25, False), (30_000 / 1_001, 30, True), (30.0, 30, False)]


def timeline(count: int, base: int, *, dropped: bool = False) -> list[Timecode]:
    """Frames from shortly before a full minute on, with the numbers dropped that are."""
    found, hours, minutes, seconds, frames = [], 1, 59, 59, base - 10
    for _ in range(count):
        found.append(Timecode(hours, minutes, seconds, frames))
        frames += 1
        if frames == base:
            frames, seconds = 0, seconds + 1
        if seconds == 60:
            seconds, minutes = 0, minutes + 1
            if dropped and minutes % 10:
                frames = 2
        if minutes == 60:
            minutes, hours = 0, hours + 1
    return found


def read(pcm: NDArray[np.float32], block: int = 960, samplerate: int = SAMPLERATE) -> list[LtcFrame]:
    decoder = LtcDecoder(samplerate)
    return [frame for begin in range(0, len(pcm), block) for frame in decoder.hear(pcm[begin : begin + block])]


@pytest.mark.parametrize("samplerate", [32_000, 44_100, 48_000])
@pytest.mark.parametrize(("rate", "base", "dropped"), RATES)
def test_every_rate_is_read_from_its_second_or_third_frame_on(
    rate: float, base: int, dropped: bool, samplerate: int
) -> None:
    wanted = timeline(40, base, dropped=dropped)
    found = read(encode_ltc([*wanted, wanted[-1]], rate, samplerate, dropped=dropped), samplerate=samplerate)
    assert [frame.timecode for frame in found] == wanted[len(wanted) - len(found) :] or (
        [frame.timecode for frame in found[:-1]] == wanted[len(wanted) + 1 - len(found) :]
    )
    assert len(found) >= 37
    assert all(frame.dropped is dropped and not frame.backward for frame in found)
    length = samplerate / rate
    first = wanted.index(found[0].timecode)
    for index, frame in enumerate(found[:30]):
        assert frame.begin == pytest.approx((first + index) * length, abs=2.0), "where it begins, within two samples"
        assert frame.samples == pytest.approx(length, abs=2.0)


def test_it_is_read_backwards() -> None:
    wanted = timeline(30, 25)
    found = read(encode_ltc(wanted, 25.0, SAMPLERATE)[::-1].copy())
    back = wanted[::-1]
    first = back.index(found[0].timecode)
    assert [frame.timecode for frame in found] == back[first : first + len(found)]
    assert len(found) >= 27
    assert all(frame.backward for frame in found)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
def test_it_is_read_at_other_speeds(speed: float) -> None:
    wanted = timeline(30, 25)
    found = read(encode_ltc(wanted, 25.0 * speed, SAMPLERATE))
    assert len(found) >= 27
    assert [frame.timecode for frame in found] == wanted[-len(found) - 1 :][: len(found)] or (
        [frame.timecode for frame in found] == wanted[-len(found) :]
    )


@pytest.mark.parametrize("snr_db", [20.0, 12.0])
def test_noise_hum_and_an_offset_do_not_matter(snr_db: float) -> None:
    wanted, rng = timeline(60, 30), np.random.default_rng(3)
    clean = encode_ltc(wanted, 30.0, SAMPLERATE, level=0.2)
    # A cable and a recorder have no infinitely steep edges.
    soft = np.convolve(clean, np.ones(3) / 3, "same")
    noise = rng.normal(0.0, 0.2 * 10 ** (-snr_db / 20), len(clean))
    hum = 0.02 * np.sin(2 * np.pi * 50 * np.arange(len(clean)) / SAMPLERATE) + 0.01
    found = read((soft + noise + hum).astype(np.float32))
    assert len(found) >= 55
    assert all(frame.timecode in wanted for frame in found), "never a wrong one"


def test_levels_that_change_and_the_other_way_round() -> None:
    wanted = timeline(150, 25)
    pcm = encode_ltc(wanted, 25.0, SAMPLERATE, level=1.0)
    time_s = np.arange(len(pcm)) / SAMPLERATE
    gain = 0.02 + 0.5 * (1 + np.sin(2 * np.pi * 0.5 * time_s)) / 2
    for sign in (1, -1):
        found = read((sign * pcm * gain).astype(np.float32))
        assert len(found) >= 145
    # 40 dB less from one sample to the next: it is read again within a second.
    steps = np.where(time_s < 2.0, 0.9, 0.009)
    found = read((pcm * steps).astype(np.float32))
    assert found[-1].timecode >= wanted[-3]
    assert len(found) >= 120


@pytest.mark.parametrize("block", [1, 7, 160, 48_000])
def test_blocks_of_any_size_give_the_same(block: int) -> None:
    pcm = encode_ltc(timeline(6, 25), 25.0, SAMPLERATE)
    assert [frame.timecode for frame in read(pcm, block)] == [frame.timecode for frame in read(pcm)]


def test_after_a_gap_it_is_read_again() -> None:
    pcm = encode_ltc(timeline(30, 25), 25.0, SAMPLERATE)
    pcm[20_000:30_000] = 0.0
    found = read(pcm)
    assert found[-1].timecode >= timeline(30, 25)[-2]
    assert 20 <= len(found) <= 25


@pytest.mark.parametrize("seed", range(3))
def test_noise_music_and_silence_are_no_timecode(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.3, 10 * SAMPLERATE).astype(np.float32)
    tone = np.sin(2 * np.pi * (1_000 + 500 * seed) * np.arange(5 * SAMPLERATE) / SAMPLERATE).astype(np.float32)
    assert read(noise) == []
    assert read(tone) == []
    assert read(np.zeros(SAMPLERATE, np.float32)) == []


def test_the_bits_are_those_of_the_standard() -> None:
    bits = frame_bits(Timecode(23, 59, 58, 29), dropped=True)
    assert bits[0:4] == [1, 0, 0, 1], "9 frames, the lowest bit first"
    assert bits[8:11] == [0, 1, 1], "20 frames, numbers dropped"
    assert bits[48:52] == [1, 1, 0, 0]
    assert bits[56:58] == [0, 1]
    assert bits[64:] == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1]
