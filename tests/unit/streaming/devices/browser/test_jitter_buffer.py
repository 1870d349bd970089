"""Sound that arrives unevenly is played evenly: no click, no growing delay."""

from __future__ import annotations

import numpy as np

from streaming.devices.browser.jitter_buffer import MOST_S, TARGET_S, PlayoutBuffer

RATE = 32_000
BLOCK, PIECE = 160, 640


def tone(first: int, count: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 200.0 * np.arange(first, first + count) / RATE)).astype(np.float32)


def played(arrivals: list[int], blocks: int) -> tuple[np.ndarray, PlayoutBuffer]:
    """Blocks of 5 ms, where piece n of 20 ms of a tone arrives before block `arrivals[n]`."""
    buffer = PlayoutBuffer(RATE)
    out = []
    for block in range(blocks):
        for piece, at in enumerate(arrivals):
            if at == block:
                buffer.put(tone(piece * PIECE, PIECE))
        out.append(buffer.take(BLOCK))
    return np.concatenate(out), buffer


def steepest(sound: np.ndarray) -> float:
    return float(np.abs(np.diff(sound)).max())


STEEP = float(np.abs(np.diff(tone(0, RATE))).max()) + 0.5 / (0.005 * RATE) + 1e-4
"""The tone's own slope and that of a fade over 5 ms."""


def test_sound_begins_when_the_target_waits_and_is_then_whole() -> None:
    sound, _ = played([4 * n for n in range(20)], 60)
    begin = int(np.flatnonzero(sound)[0]) // BLOCK * BLOCK
    assert begin == 4 * BLOCK, "with the second piece of 20 ms"
    assert np.array_equal(sound[begin + 200 : begin + 200 + 6_000], tone(200, 6_000))
    assert steepest(sound) < STEEP


def test_jitter_within_the_target_changes_nothing() -> None:
    late = [0, 4, 8, 15, 16, 20, 27, 28, 32, 36, 43, 44, 48]
    sound, _ = played(late, 48)
    whole, _ = played([4 * n for n in range(13)], 48)
    assert np.array_equal(sound, whole)


def test_a_gap_fades_out_and_in() -> None:
    sound, _ = played([0, 4, 8, 40, 44, 48, 52], 70)
    assert steepest(sound) < STEEP
    assert not sound[18 * BLOCK : 44 * BLOCK].any()
    assert sound[46 * BLOCK : 50 * BLOCK].any()


def test_what_waits_all_the_time_is_left_out_without_a_click() -> None:
    # Twelve pieces at once, then one every 20 ms: 240 ms wait, of which 40 are needed.
    sound, buffer = played([0] * 12 + [4 * n for n in range(1, 160)], 600)
    assert TARGET_S - 0.006 <= buffer.waiting_s <= TARGET_S + 0.05
    assert steepest(sound) < STEEP
    assert np.abs(sound[100 * BLOCK :]).reshape(-1, BLOCK).max(1).min() > 0.2, "it never falls silent"


def test_it_never_holds_more_than_half_a_second() -> None:
    buffer = PlayoutBuffer(RATE)
    for piece in range(200):
        buffer.put(tone(piece * PIECE, PIECE))
    assert buffer.waiting_s <= MOST_S
