"""Reverse loops for tests of scores: one that hears, one that only knows the level and the seed, one that is stiff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.audio.levels import decibels
from streaming.audio.sound_bands import SoundBands
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.scenes.layered_scene import LayeredScene, SceneLayer, SceneMode, grid_of
from streaming.schema.messages import Flow, Hearing, Scene
from training.evaluation.reverse.material import Piece
from training.evaluation.reverse.moved_still import MovedStill, ReverseStages, SceneOfStill

BOX = (48, 32, 144, 96)
"""Of the thing, in a picture of 192 x 128."""
MODES = 4


def picture(seed: int = 0) -> NDArray[np.uint8]:
    """A still of 192 x 128: noise, with a brighter thing."""
    image = np.random.default_rng(seed).integers(40, 120, (128, 192, 3), dtype=np.uint8)
    image[BOX[1] : BOX[3], BOX[0] : BOX[2]] += 100
    return image


def layered(image: NDArray[np.uint8], *, sheet: bool = False) -> LayeredScene:
    """A ground and a thing with four modes that slide; as a sheet, a ground alone, whose modes fade outwards."""
    height, width = image.shape[:2]
    layers, modes = [], []
    for number, box in enumerate(((0, 0, width, height), BOX)[: 1 if sheet else 2]):
        rows, columns = grid_of(box)
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        bump = np.exp(-((x - columns / 2) ** 2 + (y - rows / 2) ** 2) / (0.3 * columns) ** 2)
        moves = (number == 0) == sheet
        fields = np.zeros((MODES if moves else 0, rows, columns, 2), np.float32)
        for index in range(len(fields)):
            way = np.array([np.cos(index), np.sin(index)], np.float32)
            fields[index] = (bump[..., None] if sheet else 1.0) * way
            name = ("swing", "turn", "swell", "slide")[index]
            modes.append(SceneMode(number, name, 1.0 + index, 0.3, 0.03, (0.0, 0.0), (1.0, 0.0), 0.3))
        cover = np.dstack([image, np.full((height, width), 255, np.uint8)])[box[1] : box[3], box[0] : box[2]]
        layers.append(SceneLayer(("ground", "thing")[number], box, np.ascontiguousarray(cover), fields))
    return LayeredScene(image, tuple(layers), tuple(modes))


class HearingStages(ReverseStages):
    """Attacks of four bands kick four modes, which ring; the seed changes a tenth of it."""

    sheet = False

    def hear(self, sound: NDArray[np.float32]) -> list[Hearing]:
        reader = SoundBands()
        heard = []
        for tick, pcm in enumerate(sound[: sound.size // TICK_SAMPLES * TICK_SAMPLES].reshape(-1, TICK_SAMPLES)):
            latent = np.zeros(4, np.float32)
            heard.append(Hearing(tick=tick, latent=latent, level_db=decibels(pcm), bands=reader.hear(pcm)))
        return heard

    def scene(self, image: NDArray[np.uint8]) -> SceneOfStill:
        message = Scene(identity="x", image=image, still=np.zeros((128, 128, 3), np.uint8))
        return SceneOfStill(message, layered(image, sheet=self.sheet))

    def kicks(self, heard: Sequence[Hearing], seed: int) -> NDArray[np.float64]:
        """The kick of each mode in each tick, [T, MODES]."""
        attacks = np.stack([hearing.bands[1].reshape(MODES, 2).max(1) for hearing in heard])
        return np.asarray(attacks * (1.0 + 0.1 * np.random.default_rng(seed).standard_normal(attacks.shape)))

    def move(self, scene: SceneOfStill, heard: Iterable[Hearing], seed: int = 0, **controls: float) -> MovedStill:
        kicks = self.kicks(list(heard), seed) * controls.get("motion", 1.0)
        x, v, course = np.zeros(MODES), np.zeros(MODES), []
        stiff = np.arange(2, 2 + MODES) * 0.06
        for kick in kicks:
            v = 0.75 * v + kick - stiff * x
            x = np.where(np.abs(x) + np.abs(v) < 1e-3, 0.0, x + v)
            course.append(x)
        amplitudes = np.array(course, np.float32)
        speed = np.diff(amplitudes, axis=0, prepend=0.0)
        flow = np.zeros((len(course), 2, 16, 16), np.float32)
        flow[:, 0, :8], flow[:, 1, 8:] = speed[:, :1, None], speed[:, 1:2, None]
        flow[:, 0, 8:], flow[:, 1, :8] = speed[:, 2:3, None], speed[:, 3:4, None]
        flows = [Flow(tick=tick, flow=flow[tick], amplitudes=one) for tick, one in enumerate(amplitudes)]
        return MovedStill(flows, amplitudes, flow)

    def draw(
        self, scene: SceneOfStill, moved: MovedStill, ticks: Sequence[int] | None = None, **controls: float
    ) -> list[NDArray[np.uint8]]:
        """The picture rolled to the side by the first amplitude, in pixels; the painter adds 8 levels."""
        out = []
        for tick in range(len(moved.flows)) if ticks is None else ticks:
            image = np.roll(scene.message.image, round(10.0 * float(moved.amplitudes[tick, 0])), 1)
            levels = round(8 * controls.get("imagination", 0.25)) * bool(moved.amplitudes[tick].any())
            out.append(image + np.uint8(levels))
        return out


class DeafStages(HearingStages):
    """Loudness opens a gate, the seed moves everything: what the controls are there to find out."""

    def kicks(self, heard: Sequence[Hearing], seed: int) -> NDArray[np.float64]:
        level = np.clip((np.array([hearing.level_db for hearing in heard]) + 60.0) / 50.0, 0.0, 1.0)
        return np.asarray(level[:, None] * np.random.default_rng(seed).normal(0.0, 0.5, (len(heard), MODES)))


class SheetStages(HearingStages):
    """The whole picture moves as one rubber sheet."""

    sheet = True


def beats(number: int, seconds: float = 6.0) -> Piece:
    """A piece of decaying tones at random times, in one register; each number another."""
    rng = np.random.default_rng(number)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros(t.size)
    at = 0.3
    while at < seconds - 0.3:
        hertz = 60.0 * 2.0 ** rng.uniform(0.0, 6.5)
        on = t >= at
        sound[on] += np.sin(2 * np.pi * hertz * t[on]) * np.exp(-9.0 * (t[on] - at))
        at += rng.uniform(0.18, 0.6)
    ticks = sound.size // TICK_SAMPLES
    return Piece(f"beats {number}", (0.4 * sound[: ticks * TICK_SAMPLES]).astype(np.float32))
