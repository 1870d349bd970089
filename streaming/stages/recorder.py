"""The recorder stage: writes every tick's sound, with the newest pictures and motion, into a film."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.audio.master.master_bus import both_sides
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.films.film import Film, film_path
from streaming.devices.films.film_picture import FilmShot
from streaming.devices.films.take_file import SUFFIX, TakenTick, TakeWriter, sound_of_bundle
from streaming.devices.films.take_shelf import MB, TakeShelf
from streaming.schema.messages import Camera, Flow, Message, Microphone, Motion, Picture, Sound, Speaker, Tokens
from streaming.schema.processes import PROCESSES
from streaming.settings.control_values import ControlValues
from streaming.settings.device_checks import check_folder
from streaming.settings.values.take_limit import read_limit
from streaming.stage import Context, Inputs, Stage
from streaming.timing import clock

MOST_HELD = 10
"""Ticks of sound that wait for their pictures, which are made after it; then the newest picture takes their place."""
INPUTS = frozenset(PROCESSES["recorder"].inputs)
LOOK_NS = 100_000_000
"""A film that is being finished is looked at this often."""
MEASURE_TICKS, ROOM_TICKS = TICKS_PER_SECOND, 60 * TICKS_PER_SECOND
"""Every so many ticks the film's size is said, and room is made on the shelf."""


@dataclass(frozen=True)
class _HeldTick:
    """A tick that waits for its picture."""

    tick: int
    pcm: NDArray[np.float32]
    image: NDArray[np.uint8] | None
    flow: NDArray[np.float32] | None
    latency_ms: float | None


@dataclass
class _OpenTake:
    """A take that is being written: its film and its tokens, and how many ticks of sound it has."""

    film: Film
    take: TakeWriter
    ticks: int = 0

    @property
    def name(self) -> str:
        """What its files are called, without a suffix; "" before the first."""
        return "" if self.film.path is None else self.film.path.stem


class RecorderStage:
    """Writes a film with one picture per tick, in the order of the ticks; does nothing when nothing is recorded.

    Each tick has the picture that was shown for it: its sound waits until that has been made. The control `record`
    begins and ends takes; between two of them no topic is read.
    """

    def __init__(self) -> None:
        self._recording: _OpenTake | None = None
        self._ending: _OpenTake | None = None
        """It is being finished; the next one waits for it."""
        self._shelf: TakeShelf | None = None
        self._wake_ns: int | None = None
        self._image: NDArray[np.uint8] | None = None
        self._flow: NDArray[np.float32] | None = None
        self._pictures: dict[int, NDArray[np.uint8]] = {}
        self._picture: NDArray[np.uint8] | None = None
        self._held: deque[_HeldTick] = deque()
        self._speaker: Speaker | None = None
        self._latency_ms: float | None = None

    def setup(self, context: Context) -> None:
        """Check that a film can be written into the record folder; its file is made with the first tick.

        Raises:
            UserError: when none can be written there.
        """
        self._context = context
        self._controls = ControlValues("recorder", context.show)
        self._reverse_only = context.show.direction == "music-to-video"
        self._has_pictures = context.show.direction != "video-to-music"
        folder = context.show.record
        if folder in ("", "none"):
            context.info["film"] = "none"
            return
        check_folder(folder, "--record")
        self._shelf = TakeShelf(Path(folder), read_limit(context.show.keep_takes), context.note)
        self._begin_or_end(context.now_ns)

    def wake_ns(self) -> int | None:
        """While a film is being finished, ten times a second; else only messages wake it."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Keep the newest picture and motion, and write every tick whose sound and picture have arrived."""
        for control in inputs.controls:
            if control.name == "still":
                self._save_still(str(control.value))
        names = self._controls.update(inputs.controls)
        if "bundle" in names and self._recording is not None:
            # The tokens of another bundle make no sound with this one.
            self._finish(self._recording)
            self._context.memo["name"] = ""
        if names or self._ending is not None:
            self._begin_or_end(now_ns)
        recording = self._recording
        if recording is None:
            return ()
        for tokens in inputs.all(Tokens):
            self._take_tick(recording.take, tokens)
        camera = inputs.latest(Camera)
        if camera is not None:
            self._image = camera.image
        for picture in inputs.all(Picture):
            self._pictures[picture.tick] = picture.image
        # The flow of the camera, or that of the picture without a camera.
        motion = inputs.latest(Flow) if self._reverse_only else inputs.latest(Motion)
        if motion is not None:
            self._flow = motion.flow
        self._speaker = inputs.latest(Speaker) or self._speaker
        sounds = inputs.all(Microphone) if self._reverse_only else inputs.all(Sound)
        for sound in sounds:
            if isinstance(sound, Sound) and sound.fresh:
                latency = latency_ms(sound, self._speaker)
                self._latency_ms = self._latency_ms if latency is None else latency
            side = sound.side if isinstance(sound, Sound) else None
            pcm = sound.pcm if side is None else both_sides(sound.pcm, side)
            self._held.append(_HeldTick(sound.tick, pcm, self._image, self._flow, self._latency_ms))
        self._write(recording, MOST_HELD if self._has_pictures else 0)
        self._report_path(recording)
        return ()

    def _begin_or_end(self, now_ns: int) -> None:
        """Begin a take or end it, as the control says; one that has ended is named with its size."""
        shelf = self._shelf
        if shelf is None:
            return
        wanted = self._controls.is_on("record")
        if self._recording is not None and not wanted:
            self._finish(self._recording)
            # The next take has a name of its own.
            self._context.memo["name"] = ""
        if self._ending is not None and self._ending.film.done:
            self._tell_size(shelf, self._ending)
            self._ending = None
        if wanted and self._recording is None and self._ending is None:
            self._begin(shelf)
        self._wake_ns = None if self._ending is None else now_ns + LOOK_NS
        self._context.unwanted = INPUTS if self._recording is None else frozenset()

    def _begin(self, shelf: TakeShelf) -> None:
        shelf.make_room(coming=1)
        context = self._context
        # A stage that was started again goes on with the same name, and a number.
        name = context.memo["name"] = str(context.memo.get("name") or clock.wall_text())
        path = film_path(str(shelf.folder), name)
        metrics, bundle = context.metrics, self._controls.word("bundle")
        channels = 2 if not self._reverse_only and context.show.number("width") > 0.0 else 1
        film = Film(path, note=metrics.note, count=metrics.count, observe=metrics.observe, channels=channels)
        take = TakeWriter(path.with_suffix(SUFFIX), bundle, sound_of_bundle(bundle), metrics.note)
        self._recording = _OpenTake(film, take)

    def _finish(self, recording: _OpenTake) -> None:
        """Have a take finished in the film's own thread."""
        self._write(recording, 0)
        recording.take.close()
        recording.film.finish()
        self._report_path(recording)
        self._recording, self._ending = None, recording
        self._image = self._flow = self._picture = self._latency_ms = None
        self._pictures.clear()

    def _tell_size(self, shelf: TakeShelf, recording: _OpenTake) -> None:
        self._report_path(recording)
        if recording.name:
            shelf.make_room(recording.name)
            self._context.note(shelf.line_of(recording.name, recording.ticks / TICKS_PER_SECOND))

    def _write(self, recording: _OpenTake, most_held: int) -> None:
        """Write the ticks whose pictures are there, or cannot come any more; at most `most_held` go on waiting."""
        while self._held:
            held = self._held[0]
            if len(self._held) <= most_held and not any(tick >= held.tick for tick in self._pictures):
                break
            self._held.popleft()
            for tick in sorted(tick for tick in self._pictures if tick <= held.tick):
                self._picture = self._pictures.pop(tick)
            shot = FilmShot(held.tick, held.image, held.flow, held.latency_ms, self._picture)
            recording.film.add(held.pcm, shot)
            recording.ticks += 1
            if self._shelf is not None and recording.ticks % ROOM_TICKS == 0:
                self._shelf.make_room(recording.name)
        while len(self._pictures) > MOST_HELD:
            self._picture = self._pictures.pop(min(self._pictures))

    def close(self) -> None:
        """Finish the film and the take."""
        if self._recording is not None:
            self._finish(self._recording)
        if self._ending is not None:
            self._ending.film.close()
            if self._shelf is not None:
                self._tell_size(self._shelf, self._ending)
            self._ending = None

    def _take_tick(self, take: TakeWriter, tokens: Tokens) -> None:
        if isinstance(tokens.frames, np.ndarray):
            take.add(TakenTick(tokens.tick, tokens.frames, tokens.gain, tokens.level_db))
            if take.path is not None:
                self._context.info["take"] = str(take.path)

    def _report_path(self, recording: _OpenTake) -> None:
        """Name the film once there is one, and say how large it is."""
        path = recording.film.path
        if path is None:
            return
        self._context.info["film"] = str(path)
        if recording.ticks % MEASURE_TICKS == 0 or recording is not self._recording:
            with contextlib.suppress(OSError):
                self._context.metrics.gauge("film_mb", path.stat().st_size / MB)

    def _save_still(self, path: str) -> None:
        if self._recording is None:
            self._context.note("no film is recorded, so no still can be saved; give --record a folder")
        else:
            self._recording.film.still(path)


def latency_ms(sound: Sound, speaker: Speaker | None) -> float | None:
    """From the capture of the frame behind a tick to the tick's first sample leaving the device; None when unknown."""
    if speaker is None or not sound.capture_ns:
        return None
    ahead = (sound.tick - speaker.tick) * TICK_SAMPLES
    dac_ns = speaker.dac_ns + ahead * 1e9 / (speaker.rate_hz or SAMPLE_RATE)
    return (dac_ns - sound.capture_ns) / 1e6


def build() -> Stage:
    """Make the stage, for the process table."""
    return RecorderStage()
