"""Width and room: what they leave alone, their level, their decay, their mono sum, and that blocks do not matter."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.audio.master.room_reverb import LONGEST_S, SHORTEST_S, RoomReverb, decay_s
from streaming.audio.master.sparse_echoes import SparseEchoes
from streaming.audio.master.stereo_space import StereoSpace, width_gains
from streaming.audio.stillness_gate import GainRamp, StillnessGate

RATE, TICK = 32_000, 1_280
Sound = NDArray[np.float32]


def music(seconds: float, seed: int = 0) -> Sound:
    """Noise in the middle of the range with a pulse, at -18 dBFS."""
    rng, count = np.random.default_rng(seed), round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    spectrum *= ((hertz > 150) & (hertz < 6_000)) / np.sqrt(np.maximum(hertz, 150))
    pulse = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(count) / RATE)
    sound = np.fft.irfft(spectrum, count) * pulse
    return np.asarray(sound * (10 ** (-18 / 20) / sound.std()), np.float32)


def in_blocks(space: StereoSpace, sound: Sound, sizes: tuple[int, ...] = (TICK,)) -> Sound:
    """Left and right, [2, n]."""
    parts: list[Sound] = []
    at = 0
    while at < sound.size:
        size = sizes[len(parts) % len(sizes)]
        got = space.step(sound[at : at + size])
        parts.append(np.stack([got, got]) if got.ndim == 1 else np.stack([got[0] + got[1], got[0] - got[1]]))
        at += size
    return np.concatenate(parts, axis=1)


def db(sound: Sound) -> float:
    return float(10 * np.log10(np.mean(sound.astype(np.float64) ** 2) + 1e-30))


def test_without_width_and_room_it_is_the_very_sound() -> None:
    space, sound = StereoSpace(), music(0.2)
    assert space.step(sound) is sound
    assert not space.is_wide


@pytest.mark.parametrize(("width", "room"), [(0.0, 0.7), (0.8, 0.0), (1.0, 1.0)])
def test_the_blocks_do_not_matter_to_the_bit(width: float, room: float) -> None:
    sound = music(1.5)
    whole = in_blocks(StereoSpace(width, room), sound, (sound.size,))
    for sizes in ((TICK,), (1, 7, 640, 1_281, 3_000), (653, 654)):
        np.testing.assert_array_equal(in_blocks(StereoSpace(width, room), sound, sizes), whole)


@pytest.mark.parametrize("width", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("room", [0.0, 0.2, 0.5, 1.0])
def test_each_side_stays_as_loud_as_the_sound(width: float, room: float) -> None:
    sound = music(8.0)
    sides = in_blocks(StereoSpace(width, room), sound)[:, 4 * RATE :]
    for side in sides:
        assert abs(db(side) - db(sound[4 * RATE :])) < 2.0


def test_width_leaves_the_mono_sum_and_parts_the_sides_but_not_the_bass() -> None:
    sound = music(6.0)
    left, right = in_blocks(StereoSpace(width=1.0), sound)
    np.testing.assert_allclose((left + right) / 2, sound * np.float32(width_gains(1.0)[0]), atol=1e-6)
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.35
    partly = in_blocks(StereoSpace(width=0.3), sound)
    assert 0.7 < np.corrcoef(*partly)[0, 1] < 0.97
    bass = np.sin(2 * np.pi * 45 * np.arange(2 * RATE) / RATE).astype(np.float32)
    left, right = in_blocks(StereoSpace(width=1.0), bass)[:, RATE:]
    assert np.corrcoef(left, right)[0, 1] > 0.9


def test_the_echoes_hold_the_energy_and_cancel_in_the_sum() -> None:
    echoes = SparseEchoes(24, 0.02, seed=5)
    click = np.zeros(1_000, np.float32)
    click[0] = 1.0
    answer = echoes.step(click)
    assert answer[0] == 0.0
    assert float((answer.astype(np.float64) ** 2).sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(answer.sum()) == pytest.approx(0.0, abs=1e-5)
    assert not echoes.step(np.zeros(1_000, np.float32)).any()
    echoes.hear(click[::-1])
    np.testing.assert_array_equal(echoes.step(np.zeros(999, np.float32)), answer[1:])


@pytest.mark.parametrize(("room", "seconds"), [(0.0, SHORTEST_S), (0.5, decay_s(0.5)), (1.0, LONGEST_S)])
def test_the_room_falls_by_60_db_in_its_time(room: float, seconds: float) -> None:
    click = np.zeros(4 * RATE, np.float32)
    click[0] = 1.0
    answer = RoomReverb(room).step(click)
    left_over = np.cumsum((answer.astype(np.float64) ** 2).sum(0)[::-1])[::-1]
    fallen = 10 * np.log10(left_over / left_over[0])
    measured = 2 * (np.argmax(fallen < -35) - np.argmax(fallen < -5)) / RATE
    assert measured == pytest.approx(seconds, rel=0.2)
    assert abs(np.corrcoef(*answer)[0, 1]) < 0.2


def test_a_change_while_it_plays_does_not_click() -> None:
    tone = (0.3 * np.sin(2 * np.pi * 220 * np.arange(4 * RATE) / RATE)).astype(np.float32)

    def high_part(sides: Sound) -> float:
        """The energy above 4 kHz, beside that of the tone, in dB; a step of 1 % has -80."""
        spectrum = np.abs(np.fft.rfft(sides * np.hanning(sides.shape[1]), axis=1)) ** 2
        hertz = np.fft.rfftfreq(sides.shape[1], 1 / RATE)
        return float(10 * np.log10(spectrum[:, hertz > 4_000].sum() / spectrum.sum()))

    stepped = np.stack([tone[:RATE], np.where(np.arange(RATE) < RATE // 2 + 30, 1.0, 0.99) * tone[:RATE]])
    assert high_part(stepped) > -90.0, "the measure hears a step of 1 %"
    space = StereoSpace(0.2, 0.3)
    heard = [in_blocks(space, tone[: 2 * RATE])]
    space.place(1.0, 0.9)
    heard.append(in_blocks(space, tone[2 * RATE : 3 * RATE]))
    space.place(0.0, 0.0)
    heard.append(in_blocks(space, tone[3 * RATE :]))
    for before, after in itertools.pairwise(heard):
        assert high_part(np.concatenate([before[:, -RATE // 2 :], after[:, : RATE // 2]], axis=1)) < -100.0
    assert all(one.dtype == np.float32 for one in heard)
    np.testing.assert_array_equal(heard[-1][0, RATE // 2 :], tone[3 * RATE + RATE // 2 :])


@pytest.mark.parametrize("room", [0.2, 1.0])
def test_a_second_after_the_player_stands_still_there_is_silence_however_large_the_room(room: float) -> None:
    space, gate, ramp, sound = StereoSpace(1.0, room), StillnessGate(), GainRamp(), music(6.0)
    parts = []
    for tick in range(sound.size // TICK):
        still_s = max(0.0, (tick - 74) * 0.04)
        gain = gate.step(still_s)
        got = space.step(ramp.step(sound[tick * TICK : (tick + 1) * TICK], gain), gain)
        parts.append(np.stack([got[0] + got[1], got[0] - got[1]]))
    sides = np.concatenate(parts, axis=1)
    after = 3 * RATE + RATE
    for begin in range(after, sides.shape[1] - TICK, TICK):
        assert db(sides[:, begin : begin + TICK]) <= -60.0
    assert not sides[:, after + RATE :].any()
    assert db(sides[:, 2 * RATE : 3 * RATE]) > -20.0


def test_after_stillness_the_room_begins_empty() -> None:
    space, sound = StereoSpace(0.0, 1.0), music(1.0)
    for tick in range(20):
        space.step(sound[tick * TICK : (tick + 1) * TICK], 1.0)
    silence = np.zeros(TICK, np.float32)
    assert space.step(silence, 1.0).any(), "it rings"
    space.step(silence, 0.0)
    assert not space.step(silence, 0.0).any()
    assert not np.abs(space.step(silence, 1.0)).max() > 1e-9
