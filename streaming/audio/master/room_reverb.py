"""A small room: a feedback delay network of eight lines (Jot and Chaigne 1991), behind a few early echoes.

Each line is a delay; what leaves the lines is mixed by a Hadamard matrix, which keeps its energy, and goes back into
them, lower by as much as the line is long. High notes fall faster, by an average of two neighbouring samples in each
line. Two sums of the lines, with signs that have nothing in common, are the two sides of the room.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.audio.master.sparse_echoes import SparseEchoes
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES

DELAYS = (653, 761, 887, 1019, 1171, 1321, 1487, 1669)
"""Lengths of the lines in samples: primes, 20 to 52 ms."""
SHORTEST_S, LONGEST_S = 0.3, 2.5
"""Seconds in which the smallest and the largest room falls by 60 dB."""
DAMPING = 0.22
"""Share of the sample before in each line's average: a note of 8 kHz falls by 2 dB more at each turn."""
GLIDE_S = 0.1
"""Seconds in which the room changes its size."""
_LINES = len(DELAYS)
_MOST, _LEAST = max(DELAYS), min(DELAYS)
_SPAN = 8 * TICK_SAMPLES
_FLOOR = np.float32(1e-18)
"""Added to what comes in, so that no number becomes so small that it is slow to compute with."""
_LEFT, _RIGHT = 1, 4
"""The rows of the mixed lines that are heard: sums of the lines with signs that have nothing in common."""
_INTO = np.array([1, -1, -1, 1, 1, -1, -1, 1], np.float32)[:, None]


def decay_s(room: float) -> float:
    """Seconds in which a room of a size, 0 to 1, falls by 60 dB."""
    return float(SHORTEST_S * (LONGEST_S / SHORTEST_S) ** room)


def line_gains(room: float) -> NDArray[np.float32]:
    """By what each line's sound is multiplied at each turn, float32 [8, 1]."""
    turns = np.array(DELAYS, np.float64)[:, None] / (SAMPLE_RATE * decay_s(room))
    return np.asarray(10.0 ** (-3.0 * turns), np.float32)


def make_up(room: float) -> float:
    """The gain that makes a room's two sides each as loud as a steady sound in the middle of the range."""
    # Of what goes into the lines, this share comes round again at each turn: an average over lines, and over 200 Hz to
    # 6 kHz of the damping.
    kept = float(np.mean(line_gains(room).astype(np.float64) ** 2)) * 0.955
    return float(np.sqrt((1.0 - kept) / kept))


class RoomReverb:
    """Reverberates a sound block by block; the result does not depend on the blocks.

    Args:
        room: its size, 0 to 1.
    """

    def __init__(self, room: float = 0.0) -> None:
        self._early = SparseEchoes(24, 0.018, seed=11)
        self._lines = np.zeros((_LINES, _MOST + 1 + _SPAN), np.float32)
        self._out = np.zeros((_LINES, _LEAST + 1), np.float32)
        self._from = self._to = (line_gains(room), make_up(room))
        self._room = room
        self._glide = self._glided = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew with silence."""
        self._early.reset()
        self._lines[:] = 0.0
        self._at = _MOST + 1

    def resize(self, room: float) -> None:
        """Change its size, 0 to 1, within `GLIDE_S` from the next sample on."""
        if room == self._room:
            return
        self._from = self._present(1)[0][:, -1:].copy(), float(np.ravel(self._present(1)[1])[-1])
        self._to, self._room = (line_gains(room), make_up(room)), room
        self._glide, self._glided = round(GLIDE_S * SAMPLE_RATE), 0

    def step(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """The room's sound of the next samples.

        Args:
            pcm: float32 [n], finite.

        Returns:
            float32 [2, n]: its two sides, each about as loud as the sound.
        """
        sound = self._early.step(pcm) + _FLOOR
        sides = np.empty((2, pcm.shape[0]), np.float32)
        for begin in range(0, pcm.shape[0], _LEAST):
            part = sound[begin : begin + _LEAST]
            self._turn(part, sides[:, begin : begin + part.shape[0]])
        return sides

    def _turn(self, sound: NDArray[np.float32], sides: NDArray[np.float32]) -> None:
        """The next samples, no more than the shortest line has."""
        count = sound.shape[0]
        if self._at + count > self._lines.shape[1]:
            self._lines[:, : _MOST + 1] = self._lines[:, self._at - _MOST - 1 : self._at].copy()
            self._at = _MOST + 1
        gains, level = self._present(count)
        late = self._out[:, : count + 1]
        for line, delay in enumerate(DELAYS):
            late[line] = self._lines[line, self._at - delay - 1 : self._at - delay + count]
        damped = late[:, 1:] * np.float32(1.0 - DAMPING)
        damped += late[:, :-1] * np.float32(DAMPING)
        damped *= gains
        mixed = _hadamard(damped)
        np.multiply(mixed[_LEFT], level, out=sides[0])
        np.multiply(mixed[_RIGHT], level, out=sides[1])
        mixed += sound * _INTO
        self._lines[:, self._at : self._at + count] = mixed
        self._at += count
        self._glided += count

    def _present(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The gains of the lines and the level of the next samples: [8, 1] or [8, count], and [1] or [count]."""
        (old, old_level), (new, new_level) = self._from, self._to
        if self._glided >= self._glide:
            return new, np.full(1, new_level, np.float32)
        place = np.arange(self._glided + 1, self._glided + 1 + count, dtype=np.float32) / np.float32(self._glide)
        share = np.minimum(place, np.float32(1.0))
        return old + (new - old) * share, np.asarray(old_level + (new_level - old_level) * share, np.float32)


def _hadamard(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix eight lines, float32 [8, n], by the Hadamard matrix: sums and differences, the energy as before."""
    mixed = lines
    for half in (4, 2, 1):
        pairs = mixed.reshape(_LINES // (2 * half), 2, half, -1)
        turned = np.empty_like(pairs)
        np.add(pairs[:, 0], pairs[:, 1], out=turned[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=turned[:, 1])
        mixed = turned.reshape(_LINES, -1)
    mixed *= np.float32(_LINES**-0.5)
    return mixed
