"""The frames of one pass through a video file, with increasing times, whatever its time stamps do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import av.error
import av.stream

from streaming.conventions import TICK_NS
from streaming.errors import SourceError

MAX_BAD_PACKETS = 500
"""Undecodable packets in a row after which the rest of the file is skipped."""
LONGEST_GAP_NS = 10_000_000_000
"""A longer gap between two stamps is a jump of the stamps, as for FFmpeg in a transport stream."""
MOST_REORDERED = 16
"""Frames that a decoder holds back at most, to give them in the order of presentation."""
DISORDER_FRAMES = 30
"""Two stamps that go back within so many frames: the stamps are in no order at all."""


class FrameTimes:
    """Turns the time stamps of frames, in the order in which they are shown, into times that increase.

    Some files stamp frames in the order of decoding (AVI with B-frames): of presentation and decoding stamps those are
    used that have gone back less often, as FFmpeg does. Stamps that jump back or far ahead (two recordings joined)
    go on one interval later; where they are in no order at all, the frames' numbers count.

    Args:
        interval_ns: between two frames as the file states it.

    Attributes:
        interval_ns: between the newest two frames.
        jumps: how often the stamps have jumped.
        disordered: the stamps are in no order, and the frames' numbers count.
    """

    def __init__(self, interval_ns: int) -> None:
        self.interval_ns = self._nominal_ns = interval_ns
        self.jumps = 0
        self.disordered = False
        self._last_ns = -1
        # For presentation and decoding stamps each: the stamp of time 0, the newest one, and how many went back.
        self._offsets: list[int | None] = [None, None]
        self._newest: list[int | None] = [None, None]
        self._faults = [0, 0]
        self._used = 0
        self._settling = 0
        self._since_jump = DISORDER_FRAMES

    def begin_at(self, time_ns: int, *stamps_ns: int | None) -> None:
        """The first frame, with these stamps, has not time 0 but this one: the file was sought."""
        self._offsets = [None if stamp is None else stamp - time_ns for stamp in stamps_ns]

    def time_ns(self, shown_ns: int | None, decoded_ns: int | None, *, skipping: bool = False) -> int | None:
        """The time of the next frame, from 0; None for one that comes no later than the last one.

        Args:
            shown_ns: its presentation stamp.
            decoded_ns: its decoding stamp; at least one of the two is not None.
            skipping: frames before it were skipped, so that a long gap is none of the stamps' doing.

        Raises:
            ValueError: for a frame with neither stamp.
        """
        stamps = (shown_ns, decoded_ns)
        kind = self._choose(stamps)
        if self._offsets == [None, None]:
            self._offsets = list(stamps)
        time_ns = self._time_by(kind, stamps)
        step_ns = time_ns - self._last_ns
        if self._last_ns >= 0:
            self._since_jump += 1
            self._settling = max(0, self._settling - 1)
            if step_ns == 0 or (step_ns < 0 and self._settling):
                return None
            jumped = step_ns < 0 or (step_ns > LONGEST_GAP_NS and not skipping)
            if jumped:
                self.jumps += 1
                self.disordered |= step_ns < 0 and self._since_jump < DISORDER_FRAMES
                self._since_jump = 0
            if jumped or self.disordered:
                time_ns = self._last_ns + self._nominal_ns
                self._offsets = [None if stamp is None else stamp - time_ns for stamp in stamps]
            self.interval_ns = time_ns - self._last_ns
        self._last_ns = time_ns
        return time_ns

    def _choose(self, stamps: tuple[int | None, int | None]) -> int:
        """Which stamps to use: 0, those of presentation, or 1, those of decoding, which have gone back less often."""
        for kind, stamp in enumerate(stamps):
            newest = self._newest[kind]
            if stamp is not None:
                self._faults[kind] += newest is not None and stamp <= newest
                self._newest[kind] = stamp
        shown, decoded = stamps
        kind = 0 if shown is not None and (decoded is None or self._faults[0] <= self._faults[1]) else 1
        if kind != self._used:
            # The two differ by the frames that wait in the decoder, which is no jump.
            self._used, self._settling = kind, MOST_REORDERED
        return kind

    def _time_by(self, kind: int, stamps: tuple[int | None, int | None]) -> int:
        stamp, offset = stamps[kind], self._offsets[kind]
        if stamp is None:
            raise ValueError("a frame has neither stamp")
        if offset is None:
            offset = self._offsets[kind] = stamp - self._last_ns - self._nominal_ns
        return stamp - offset


class FrameReader:
    """The frames of one pass, with increasing times from 0; damaged packets are skipped and counted.

    Args:
        container: the opened file.
        stream: its video stream.
        rate_hz: frames per second, 0 where the file states none.
        path: its name, for errors.
        seek_ns: where to begin, as far as the file can be sought; 0 for the beginning.
        note: says one line to the user.

    Attributes:
        interval_ns: between the newest two frames.
        decoded: frames decoded so far.
        taken: those with a time of their own.
        damaged: packets that could not be decoded.
        sought: it does not begin at the beginning.
        skipping: the decoder leaves out frames, see `skip`.
        jumped: the file's stamps have jumped.
    """

    def __init__(
        self, container: Any, stream: Any, rate_hz: float, path: str, seek_ns: int, note: Callable[[str], None]
    ) -> None:
        self._container, self._stream, self._rate, self._path, self._note = container, stream, rate_hz, path, note
        self._times = FrameTimes(round(1e9 / rate_hz) if rate_hz else TICK_NS)
        self.decoded = self.taken = self.damaged = 0
        self.skipping = ""
        self._start_s = float(stream.start_time * stream.time_base) if stream.start_time is not None else None
        self.sought = seek_ns > 5_000_000_000 and self._start_s is not None and bool(rate_hz)
        if self.sought and self._start_s is not None:
            container.seek(int((self._start_s + seek_ns / 1e9 - 1.0) * 1e6), backward=True)

    @property
    def interval_ns(self) -> int:
        """See the class."""
        return self._times.interval_ns

    @property
    def jumped(self) -> bool:
        """See the class."""
        return self._times.jumps > 0

    def skip(self, frames: str) -> None:
        """Make the decoder leave out frames: "" none, "NONREF" those that no other needs, "NONKEY" all but keys."""
        if frames != self.skipping:
            self.skipping = frames
            self._stream.codec_context.skip_frame = frames or "DEFAULT"

    def __iter__(self) -> Iterator[tuple[int, int, Any]]:
        for frame in self._frames():
            self.decoded += 1
            time_ns = self._time_ns(frame)
            if time_ns is None:
                continue
            by_time = self.sought or self.skipping or self.decoded > self.taken + 1
            index = round(time_ns * self._rate / 1e9) if by_time and self._rate else self.taken
            self.taken += 1
            yield index, time_ns, frame

    def _time_ns(self, frame: Any) -> int | None:
        if frame.time is None and frame.dts is None:
            if not self._rate:
                raise SourceError(
                    "its pictures have no times and it names no rate (0 frames a second)",
                    self._path,
                    "give it a rate: ffmpeg -r 25 -i FILE out.mp4",
                )
            return round((self.decoded - 1) * 1e9 / self._rate)
        shown_ns = None if frame.time is None else round(frame.time * 1e9)
        decoded_ns = None if frame.dts is None else round(float(frame.dts * self._stream.time_base) * 1e9)
        if self.sought and self.taken == 0 and self._start_s is not None and shown_ns is not None:
            self._times.begin_at(max(0, shown_ns - round(self._start_s * 1e9)), shown_ns, decoded_ns)
        jumps, disordered = self._times.jumps, self._times.disordered
        time_ns = self._times.time_ns(shown_ns, decoded_ns, skipping=bool(self.skipping))
        if self._times.disordered and not disordered:
            self._note(f"camera: {self._path}: its time stamps are in no order; the pictures come at its rate")
        elif jumps == 0 and self._times.jumps:
            self._note(f"camera: {self._path}: its time stamps jump; it plays on without a gap")
        return time_ns

    def _frames(self) -> Iterator[Any]:
        bad = 0
        packets = self._container.demux(self._stream)
        while bad < MAX_BAD_PACKETS:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                self.damaged += 1
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                bad += 1
                self.damaged += 1
                continue
            bad = 0
            yield from frames
