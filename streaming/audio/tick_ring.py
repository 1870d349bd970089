"""The ring of ticks between the thread that receives sound and the audio callback, with concealment of gaps."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.errors import UserError

FADE_S = 0.060
"""Seconds in which a concealment fades to silence."""
FADE_TAU_S = 0.030
"""Time constant of that fade in seconds: -6 dB after 16 ms, -17 dB at the end of a tick."""
CROSSFADE_S = 0.005
"""Seconds of cross-fade from a concealment to the sound that returns."""
RELEASE_S = 0.005
"""Seconds in which the sound fades out after the last tick."""

_UNKNOWN, _PLAYED, _CONCEALED = 0, 1, 2


def tick_samples_at(samplerate: int) -> int:
    """Samples of a tick at a device's rate.

    Raises:
        UserError: when a tick is not a whole number of samples at this rate.
    """
    if samplerate <= 0 or samplerate * TICK_SAMPLES % SAMPLE_RATE:
        raise UserError(
            f"at {samplerate} Hz a tick of 40 ms is not a whole number of samples",
            "audio device",
            f"choose a device or a setting whose rate is a multiple of {TICKS_PER_SECOND} Hz (32000, 44100, 48000)",
        )
    return samplerate * TICK_SAMPLES // SAMPLE_RATE


class TickRecord(NamedTuple):
    """What happened to one tick.

    Attributes:
        tick: its number.
        played: True when its sound was played, False when it was concealed.
        start_ns: monotonic time at which the device took its first sample.
        arrived_ns: monotonic time at which its sound had arrived; None where it had not.
    """

    tick: int
    played: bool
    start_ns: int
    arrived_ns: int | None


class TickRing:
    """A bounded, preallocated ring of ticks at the device's sample rate.

    One thread calls `put`, `start` and `drain`, the audio callback calls `fill`. No lock is needed: a slot is written
    before its tick number, and a slot that may still be read is never written. `fill` allocates only views.

    A tick that is missing when its first sample is due is concealed as a whole: the sound just played is continued,
    mirrored in time so that there is no jump, and fades to silence. Sound that returns is cross-faded in. A tick that
    does not follow a concealed one is played unchanged to the bit.

    Args:
        samplerate: the device's rate in Hz.
        slots: number of ticks held; a tick may arrive `slots - 1` ticks early.
        records: number of ticks that are logged for `drain`.
        channels: 1, or how many channels a tick has.

    Attributes:
        tick_samples: samples of a tick.
        position: samples that the device has taken so far.
        late: ticks refused because they had begun or had been stored already.
        ahead: ticks refused because they came too early.
        bad: ticks refused for a wrong shape or values that are not finite.

    Raises:
        UserError: when a tick is not a whole number of samples at this rate.
    """

    def __init__(self, samplerate: int, slots: int = 16, records: int = 256, channels: int = 1) -> None:
        self.samplerate, self.channels = samplerate, channels
        self.tick_samples = size = tick_samples_at(samplerate)
        self.position = 0
        self.late = self.ahead = self.bad = 0
        self._slots, self._records = slots, records
        self._shape = (size,) if channels == 1 else (size, channels)
        self._rows = [np.zeros(self._shape, np.float32) for _ in range(slots)]
        self._row_tick = np.full(slots, -1, np.int64)
        self._row_arrived_ns = np.zeros(slots, np.int64)
        self._kind = np.zeros(records, np.uint8)
        self._start_ns = np.zeros(records, np.int64)
        self._arrived_ns = np.zeros(records, np.int64)
        # (position of the first tick's first sample, the first tick, the tick after the last or None): one object,
        # so that the callback sees all of it or nothing.
        self._span: tuple[int, int, int | None] | None = None
        self._playing = -1
        self._drained = 0
        fade = round(FADE_S * samplerate)
        self._cross = round(CROSSFADE_S * samplerate)
        self._silence = np.zeros(self._shape, np.float32)
        self._patch = np.zeros(self._shape, np.float32)
        self._fade = self._for_all_channels(_fade(fade, FADE_TAU_S * samplerate))
        rise = np.sin(0.5 * math.pi * np.arange(1, self._cross + 1) / (self._cross + 1)).astype(np.float32) ** 2
        self._rise = self._for_all_channels(rise)
        self._fall = np.float32(1.0) - self._rise
        self._release = self._fall[: round(RELEASE_S * samplerate)].copy()
        # The concealment's continuation, with room for a cross-fade that begins where it ends.
        self._tail = np.zeros((fade + max(self._cross, size) + 1, *self._shape[1:]), np.float32)
        self._tail_at = fade
        self._fade_len = fade
        self._source = self._silence
        self._concealing = False

    @property
    def playing(self) -> int:
        """The newest tick that has begun; -1 before the first one."""
        return self._playing

    @property
    def started(self) -> bool:
        """True once `start` was called."""
        return self._span is not None

    @property
    def samples_played(self) -> int:
        """Samples that the device has taken from the first tick to the end of the last one."""
        if self._span is None:
            return 0
        origin, first, end = self._span
        count = max(0, self.position - origin)
        return count if end is None else min(count, (end - first) * self.tick_samples)

    def start(self, position: int, first_tick: int = 0, end_tick: int | None = None, *, fade_in: bool = False) -> None:
        """Set when the first tick begins; called once.

        Args:
            position: the `position` of the first tick's first sample, which must lie in the future.
            first_tick: its number.
            end_tick: the tick after the last one; None where the show has no set end.
            fade_in: the first tick is cross-faded in, as after a concealed one: it is not the beginning of the sound.
        """
        self._concealing = fade_in
        self._playing = first_tick - 1
        self._drained = first_tick
        self._span = (position, first_tick, end_tick)

    def end_at(self, end_tick: int) -> None:
        """Fade out after the tick before this one: another ring goes on from here.

        Args:
            end_tick: the tick after the last one; the device must not have begun it.

        Raises:
            ValueError: before `start`.
        """
        if self._span is None:
            raise ValueError("the ring has not started")
        position, first, _ = self._span
        self._span = (position, first, end_tick)

    def put(self, tick: int, pcm: NDArray[np.float32], now_ns: int = 0) -> bool:
        """Store the sound of a tick.

        Args:
            tick: its number, from 0.
            pcm: float32 [tick_samples], or [tick_samples, channels].
            now_ns: time of its arrival.

        Returns:
            False when it is refused because it is late, too early or unusable; each is counted.
        """
        playing = self._playing
        if tick <= playing or tick < 0:
            self.late += 1
            return False
        if tick >= max(playing, 0) + self._slots:
            self.ahead += 1
            return False
        if pcm.shape != self._shape or not np.isfinite(pcm).all():
            self.bad += 1
            return False
        slot = tick % self._slots
        if self._row_tick[slot] == tick:
            self.late += 1
            return False
        self._rows[slot][:] = pcm
        self._row_arrived_ns[slot] = now_ns
        self._row_tick[slot] = tick
        return True

    def start_ns(self, tick: int) -> int | None:
        """When a tick began, None when it has not or is long past."""
        playing = self._playing
        if not playing - self._records // 2 < tick <= playing or self._kind[tick % self._records] == _UNKNOWN:
            return None
        return int(self._start_ns[tick % self._records])

    def drain(self) -> list[TickRecord]:
        """Records of the ticks that have begun since the last call, the newest 256 at most."""
        playing = self._playing
        result: list[TickRecord] = []
        for tick in range(max(self._drained, playing - self._records + 2), playing + 1):
            at = tick % self._records
            played = bool(self._kind[at] == _PLAYED)
            arrived_ns = int(self._arrived_ns[at]) if played else None
            result.append(TickRecord(tick, played, int(self._start_ns[at]), arrived_ns))
        self._drained = max(self._drained, playing + 1)
        return result

    def fill(self, out: NDArray[np.float32], now_ns: int = 0) -> None:
        """Give the device its next samples; for the audio callback only.

        Args:
            out: float32 [n] or [n, channels], any n; filled completely.
            now_ns: time of the call, logged for the ticks that begin in it.
        """
        count = out.shape[0]
        span = self._span
        filled_count = 0
        if span is None:
            out[:] = 0.0
        else:
            origin, first, end = span
            offset = self.position - origin
            if offset < 0:
                filled_count = min(count, -offset)
                out[:filled_count] = 0.0
            size = self.tick_samples
            while filled_count < count:
                at = offset + filled_count
                tick, begin = first + at // size, at % size
                if begin == 0:
                    self._begin(tick, end, now_ns)
                take = min(count - filled_count, size - begin)
                out[filled_count : filled_count + take] = self._source[begin : begin + take]
                filled_count += take
        self.position += count

    def _for_all_channels(self, curve: NDArray[np.float32]) -> NDArray[np.float32]:
        return curve if self.channels == 1 else curve[:, None]

    def _begin(self, tick: int, end: int | None, now_ns: int) -> None:
        """Choose the source of a tick at its first sample: its sound, or a concealment."""
        if end is not None and tick >= end:
            if tick == end:
                self._finish()
            else:
                self._source = self._silence
            return
        slot = tick % self._slots
        has_sound = self._row_tick[slot] == tick
        if has_sound:
            self._return(self._rows[slot])
        else:
            self._conceal()
        at = tick % self._records
        self._kind[at] = _PLAYED if has_sound else _CONCEALED
        self._start_ns[at] = now_ns
        self._arrived_ns[at] = self._row_arrived_ns[slot]
        # Last, because from here on the previous tick's slot may be written again.
        self._playing = tick
        self._concealing = not has_sound

    def _return(self, row: NDArray[np.float32]) -> None:
        if not self._concealing:
            self._source = row
            return
        cross, at, patch = self._cross, self._tail_at, self._patch
        patch[:] = row
        patch[:cross] *= self._rise
        tail = self._tail[at : at + cross]
        tail *= self._fall
        patch[:cross] += tail
        self._source = patch

    def _conceal(self) -> None:
        size, fade, tail = self.tick_samples, self._fade_len, self._tail
        if not self._concealing:
            # Mirrored at its end, then at its beginning, so that 40 ms of history last 60 ms without a jump.
            before = self._source
            first = min(size, fade)
            np.multiply(before[size - first :][::-1], self._fade[:first], out=tail[:first])
            if fade > size:
                np.multiply(before[: fade - size], self._fade[size:fade], out=tail[size:fade])
            tail[fade:] = 0.0
            self._tail_at = 0
        at, patch = self._tail_at, self._patch
        patch[:] = tail[at : at + size]
        self._tail_at = min(at + size, fade)
        self._source = patch

    def _finish(self) -> None:
        """After the last tick: a short mirrored fade, then silence."""
        size, length, patch = self.tick_samples, self._release.shape[0], self._patch
        if self._concealing:
            at = self._tail_at
            np.multiply(self._tail[at : at + length], self._release, out=patch[:length])
        else:
            np.multiply(self._source[size - length :][::-1], self._release, out=self._tail[:length])
            patch[:length] = self._tail[:length]
        patch[length:] = 0.0
        self._source = patch


def _fade(length: int, tau: float) -> NDArray[np.float32]:
    """An exponential fade that ends at exactly zero, float32 [length]."""
    floor = math.exp(-length / tau)
    fade = (np.exp(-np.arange(1, length + 1) / tau) - floor) / (1.0 - floor)
    return fade.astype(np.float32)
