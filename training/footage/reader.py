"""Reads any video that FFmpeg reads on one time base: upright frames at exactly 25 fps, and sound at 44.1 kHz.

Time 0 is the first moment for which the file has both frames and sound. Start times, gaps in the sound and variable
frame rates of the container are honoured, so that what belongs together stays together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICKS_PER_SECOND
from streaming.devices.cameras.frames import fitted_size, upright
from streaming.system.files import absolute

MASTER_RATE = 44_100
"""Sample rate of the stored sound, in Hz."""
MASTER_TICK = MASTER_RATE // TICKS_PER_SECOND
SHORTEST_S = 2.0
"""A file with less than this many seconds of both is refused."""
GAP_S = 0.02
"""A larger jump of the sound's time stamps, in seconds, is real: silence is inserted, or overlapping sound dropped."""
VARIABLE = 0.1
"""A frame rate is variable when more than 2 % of the intervals differ from the median by more than this share."""


class FootageError(Exception):
    """A file that cannot be used, and why, in one line."""


@dataclass
class Footage:
    """A readable file: what it holds and where its time 0 is.

    Attributes:
        path: the video.
        sound_path: the file with its sound, mostly the same.
        ticks: length in ticks of 40 ms.
        start_s: time 0 on the video's own clock, in seconds.
        sound_start_s: the same on the sound's clock.
        width, height: of the stored frames, before rotating and shrinking.
        rotation: degrees counterclockwise by which a player rotates the frames.
        rate_hz: mean frames per second; `variable`: they are not evenly spaced.
        samplerate, channels: of the sound as stored.
        notes: what is unusual, one line each.
    """

    path: Path
    sound_path: Path
    ticks: int = 0
    start_s: float = 0.0
    sound_start_s: float = 0.0
    width: int = 0
    height: int = 0
    rotation: int = 0
    rate_hz: float = 0.0
    variable: bool = False
    samplerate: int = 0
    channels: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.ticks / TICKS_PER_SECOND


def examine(path: Path, sound_path: Path | None = None) -> Footage:
    """Find out what a file holds, from its packets and its first decodable frame.

    Args:
        path: the video.
        sound_path: another file with its sound, which starts with it.

    Raises:
        FootageError: when it cannot be used, with the reason.
    """
    av.logging.set_level(None)
    footage = Footage(path, sound_path or path)
    if not path.exists():
        raise FootageError("there is no such file")
    if path.stat().st_size == 0:
        raise FootageError("the file is empty")
    pictures = _packet_times(path, "video")
    if pictures is None:
        raise FootageError("it has no picture")
    sounds = _packet_times(footage.sound_path, "audio")
    if sounds is None:
        raise FootageError("it has no sound")
    _describe(footage)
    times = np.unique(pictures.times)
    if times.size < 2:
        raise FootageError("it has a single picture" if times.size else "no picture in it can be read")
    _align(footage, times, sounds)
    if footage.seconds < SHORTEST_S:
        raise FootageError(f"picture and sound together last {footage.seconds:.2f} s; {SHORTEST_S:.0f} s are needed")
    if footage.variable:
        footage.notes.append(f"its frame rate varies (about {footage.rate_hz:.2f} fps)")
    if footage.rotation:
        footage.notes.append(f"its pictures are stored turned by {footage.rotation} degrees")
    for name, track in (("picture", pictures), ("sound", sounds)):
        if track.declared_s and track.end - float(track.times.min()) < 0.95 * track.declared_s - 0.5:
            lasts = track.end - float(track.times.min())
            footage.notes.append(f"it is cut short: {lasts:.1f} of {track.declared_s:.1f} s of its {name} are there")
    return footage


def _align(footage: Footage, times: NDArray[np.float64], sounds: _Packets) -> None:
    """Fill in the frame rate, where picture and sound start, and the ticks that both cover.

    Args:
        footage: what is filled in.
        times: the pictures' distinct presentation times in seconds, at least two.
        sounds: the packets of the sound.
    """
    steps = np.diff(times)
    typical = float(np.median(steps))
    footage.rate_hz = round((times.size - 1) / float(times[-1] - times[0]), 3)
    footage.variable = float((np.abs(steps - typical) > VARIABLE * typical).mean()) > 0.02
    start, sound_start = float(times[0]), float(sounds.times.min())
    if footage.sound_path == footage.path:
        footage.start_s = footage.sound_start_s = max(start, sound_start)
        if abs(start - sound_start) > 0.1:
            late = "sound" if sound_start > start else "picture"
            footage.notes.append(f"the {late} starts {abs(start - sound_start):.2f} s after the rest; kept together")
    else:
        footage.start_s, footage.sound_start_s = start, sound_start
    end = min(float(times[-1]) + typical - footage.start_s, sounds.end - footage.sound_start_s)
    footage.ticks = max(0, int((end + 1e-6) * TICKS_PER_SECOND))


@dataclass(frozen=True)
class _Packets:
    times: NDArray[np.float64]
    end: float
    declared_s: float


def _packet_times(path: Path, kind: str) -> _Packets | None:
    """Presentation times of a stream's packets in seconds; None when the file has no such stream."""
    try:
        with av.open(absolute(path)) as container:
            stream = _stream(container, kind)
            if stream is None:
                return None
            base = float(stream.time_base or 0) or 1e-6
            stated_s = float(stream.duration * base) if stream.duration else (container.duration or 0) / 1e6
            times, end = [], 0.0
            try:
                for packet in container.demux(stream):
                    stamp = packet.pts if packet.pts is not None else packet.dts
                    if stamp is None or packet.is_corrupt:
                        continue
                    times.append(stamp * base)
                    end = max(end, (stamp + (packet.duration or 0)) * base)
            except (av.error.FFmpegError, OSError):
                if not times:
                    raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise FootageError(f"it cannot be read ({reason(error)})") from error
    if not times:
        raise FootageError(f"its {'picture' if kind == 'video' else 'sound'} holds nothing")
    return _Packets(np.array(times), end, stated_s)


def _stream(container: Any, kind: str) -> Any:
    for stream in container.streams:
        # A cover picture in a sound file is a video stream of one frame.
        if stream.type == kind and not (kind == "video" and "attached_pic" in str(stream.disposition).lower()):
            return stream
    return None


def _describe(footage: Footage) -> None:
    """Fill in sizes, rotation and rates from the first frame that can be decoded."""
    try:
        with av.open(absolute(footage.path)) as container:
            for frame in _decode(container, _stream(container, "video")):
                footage.width, footage.height = frame.width, frame.height
                footage.rotation = round(float(frame.rotation) / 90) % 4 * 90
                break
            else:
                raise FootageError("no picture in it can be decoded")
        with av.open(absolute(footage.sound_path)) as container:
            for frame in _decode(container, _stream(container, "audio")):
                footage.samplerate, footage.channels = frame.sample_rate, frame.layout.nb_channels
                break
            else:
                raise FootageError("no sound in it can be decoded")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise FootageError(f"it cannot be decoded ({reason(error)})") from error


def _decode(container: Any, stream: Any) -> Iterator[Any]:
    """The frames that can be decoded; damaged packets are skipped, the first read error ends the stream."""
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except (av.error.InvalidDataError, av.error.EOFError):
                continue
    except (av.error.FFmpegError, OSError):
        return


@dataclass(frozen=True)
class TickPicture:
    """The frame of a tick.

    Attributes:
        image: uint8 [H, W, 3], BGR, upright, longest side at most 640.
        time_s: when it was taken, from time 0.
        fresh: False where the previous tick had the same frame.
    """

    image: NDArray[np.uint8]
    time_s: float
    fresh: bool


def pictures(footage: Footage) -> Iterator[TickPicture]:
    """One frame per tick: the one nearest to the tick's start, so that the mean delay is zero.

    Raises:
        FootageError: when the file ends more than a second before its last tick.
    """
    with av.open(absolute(footage.path)) as container:
        source = _upright(footage, container)
        before = next(source, None)
        if before is None:
            raise FootageError("no picture in it can be decoded")
        after = next(source, None)
        previous: NDArray[np.uint8] | None = None
        for tick in range(footage.ticks):
            at = tick / TICKS_PER_SECOND
            while after is not None and abs(after[1] - at) <= abs(before[1] - at):
                before, after = after, next(source, None)
            if at - before[1] > 1.0 and after is None:
                raise FootageError(f"its pictures end at {before[1]:.1f} of {footage.seconds:.1f} s")
            image = before[0]
            yield TickPicture(image, before[1], previous is not image)
            previous = image


def camera_frames(footage: Footage) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Every frame as a camera would send it, uint8 [H, W, 3] BGR upright, with its time in seconds from time 0."""
    with av.open(absolute(footage.path)) as container:
        yield from _upright(footage, container)


def _upright(footage: Footage, container: Any) -> Iterator[tuple[NDArray[np.uint8], float]]:
    stream = _stream(container, "video")
    aspect = float(stream.codec_context.sample_aspect_ratio or 1)
    last = -np.inf
    for frame in _decode(container, stream):
        if frame.time is None or frame.time <= last:
            continue
        last = frame.time
        width, height = fitted_size(frame.width, frame.height, aspect)
        image = frame.reformat(width, height, format="bgr24", interpolation="AREA").to_ndarray()
        yield upright(image, footage.rotation), frame.time - footage.start_s


def sound(footage: Footage) -> NDArray[np.float32]:
    """The sound at 44.1 kHz from time 0 on: float32 [1 or 2, ticks * 1764].

    Raises:
        FootageError: when it cannot be decoded.
    """
    length = footage.ticks * MASTER_TICK
    out = np.zeros((min(2, max(1, footage.channels)), length), np.float32)
    layout = "mono" if out.shape[0] == 1 else "stereo"
    resampler: Any = None
    form: tuple[str, str, int] | None = None
    place = 0
    any_sound = False
    with av.open(absolute(footage.sound_path)) as container:
        for frame in _decode(container, _stream(container, "audio")):
            at = place if frame.time is None else round((frame.time - footage.sound_start_s) * MASTER_RATE)
            new_form = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or form != new_form or abs(at - place) > GAP_S * MASTER_RATE:
                if resampler is not None:
                    place = _put(out, place, resampler.resample(None))
                # A new one for each stretch: it begins at this frame's time, not where the last stretch ended.
                resampler = av.AudioResampler(format="fltp", layout=layout, rate=MASTER_RATE)
                place, form = at, new_form
            frame.pts = None
            place = _put(out, place, resampler.resample(frame))
            any_sound = True
            if place >= length:
                break
        if resampler is not None and place < length:
            _put(out, place, resampler.resample(None))
    if not any_sound:
        raise FootageError("no sound in it can be decoded")
    return out


def _put(out: NDArray[np.float32], place: int, frames: list[Any]) -> int:
    for frame in frames:
        block = frame.to_ndarray()
        first, last = max(0, -place), min(block.shape[1], out.shape[1] - place)
        if last > first:
            out[:, place + first : place + last] = block[:, first:last]
        place += block.shape[1]
    return place


def reason(error: BaseException) -> str:
    """An error's text as one short line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200]
