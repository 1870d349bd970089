"""The recorder stage: writes every tick's sound, with the newest pictures and motion, into a film."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.audio.master.master_bus import both_sides
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.devices.films.film import Film, film_path
from streaming.devices.films.film_picture import FilmShot
from streaming.devices.films.take_file import SUFFIX, TakenTick, TakeWriter, sound_of_bundle
from streaming.schema.messages import Camera, Flow, Message, Microphone, Motion, Picture, Sound, Speaker, Tokens
from streaming.settings.device_checks import check_folder
from streaming.stage import Context, Inputs, Stage
from streaming.timing import clock

MOST_HELD = 10
"""Ticks of sound that wait for their pictures, which are made after it; then the newest picture takes their place."""


@dataclass(frozen=True)
class _HeldTick:
    """A tick that waits for its picture."""

    tick: int
    pcm: NDArray[np.float32]
    image: NDArray[np.uint8] | None
    flow: NDArray[np.float32] | None
    latency_ms: float | None


class RecorderStage:
    """Writes a film with one picture per tick, in the order of the ticks; does nothing when nothing is recorded.

    Each tick has the picture that was shown for it: its sound waits until that has been made.
    """

    def __init__(self) -> None:
        self._film: Film | None = None
        self._take: TakeWriter | None = None
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
        self._reverse_only = context.show.direction == "music-to-video"
        self._has_pictures = context.show.direction != "video-to-music"
        folder = context.show.record
        if folder in ("", "none"):
            context.info["film"] = "none"
            return
        check_folder(folder, "--record")
        path = film_path(folder, str(context.memo.setdefault("name", clock.wall_text())))
        metrics = context.metrics
        channels = 2 if not self._reverse_only and context.show.number("width") > 0.0 else 1
        self._film = Film(path, note=metrics.note, count=metrics.count, observe=metrics.observe, channels=channels)
        bundle = context.show.bundle
        self._take = TakeWriter(path.with_suffix(SUFFIX), bundle, sound_of_bundle(bundle), metrics.note)

    def wake_ns(self) -> int | None:
        """None: only messages wake it."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Keep the newest picture and motion, and write every tick whose sound and picture have arrived."""
        for control in inputs.controls:
            if control.name == "still":
                self._save_still(str(control.value))
        if self._film is None:
            return ()
        for tokens in inputs.all(Tokens) if self._take is not None else ():
            self._take_tick(tokens)
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
        self._write(self._film, MOST_HELD if self._has_pictures else 0)
        self._report_path()
        return ()

    def _write(self, film: Film, most_held: int) -> None:
        """Write the ticks whose pictures are there, or cannot come any more; at most `most_held` go on waiting."""
        while self._held:
            held = self._held[0]
            if len(self._held) <= most_held and not any(tick >= held.tick for tick in self._pictures):
                break
            self._held.popleft()
            for tick in sorted(tick for tick in self._pictures if tick <= held.tick):
                self._picture = self._pictures.pop(tick)
            film.add(held.pcm, FilmShot(held.tick, held.image, held.flow, held.latency_ms, self._picture))
        while len(self._pictures) > MOST_HELD:
            self._picture = self._pictures.pop(min(self._pictures))

    def close(self) -> None:
        """Finish the film and the take."""
        if self._take is not None:
            self._take.close()
            self._take = None
        if self._film is not None:
            self._write(self._film, 0)
            self._film.close()
            self._report_path()
            self._film = None

    def _take_tick(self, tokens: Tokens) -> None:
        if self._take is not None and isinstance(tokens.frames, np.ndarray):
            self._take.add(TakenTick(tokens.tick, tokens.frames, tokens.gain, tokens.level_db))
            if self._take.path is not None:
                self._context.info["take"] = str(self._take.path)

    def _report_path(self) -> None:
        """Name the film once there is one."""
        if self._film is not None and self._film.path is not None:
            self._context.info["film"] = str(self._film.path)

    def _save_still(self, path: str) -> None:
        if self._film is None:
            self._context.note("no film is recorded, so no still can be saved; give --record a folder")
        else:
            self._film.still(path)


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
