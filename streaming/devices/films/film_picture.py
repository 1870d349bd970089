"""Composes the film's pictures: camera and flow, or camera and shown picture, above a spectrogram of the sound."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import FLOW_GRID, SAMPLE_RATE, TICKS_PER_SECOND

Image = NDArray[np.uint8]

WIDTH, HEIGHT = 960, 540
_MARGIN = 16
_TOP = 40
_PANEL_W, _PANEL_H = 456, 342
_LEFT_X, _RIGHT_X = _MARGIN, WIDTH - _MARGIN - _PANEL_W
_WHEEL = 44
_SOUND_Y = 408
_SOUND_H = 116
_METER_W = 14
_AXIS_W = 30
_SOUND_W = WIDTH - 2 * _MARGIN - _METER_W - _AXIS_W - 10
_METER_X = WIDTH - _MARGIN - _METER_W

_BACKGROUND = (22, 18, 16)
_PANEL = (34, 28, 25)
_DIM = (140, 128, 120)
_BRIGHT = (232, 226, 222)
_FONT = cv2.FONT_HERSHEY_SIMPLEX

FULL_SPEED = 0.3
"""Speed that is drawn at full brightness, in frame sides per second: a quick gesture of one arm."""
_WINDOW = 2_048
_HOP = 320
_LOW_HZ, _HIGH_HZ = 60.0, 15_000.0
_FLOOR_DB, _CEILING_DB = -85.0, -20.0
_METER_FLOOR_DB = -60.0


@dataclass(frozen=True)
class FilmShot:
    """The content of one picture of the film.

    Attributes:
        tick: the tick's number.
        camera: uint8 [H, W, 3] BGR, or None before the first frame.
        flow: float32 [2, 16, 16] in frame sides per second, or None before the first motion.
        latency_ms: motion-to-sound, or sound-to-picture without a camera; None when it is not known.
        picture: the picture on the screen, uint8 [H, W, 3] BGR; None where there is none. Without a camera, `flow` is
            that of this picture.
    """

    tick: int
    camera: Image | None = None
    flow: NDArray[np.float32] | None = None
    latency_ms: float | None = None
    picture: Image | None = None


class Spectrogram:
    """A scrolling spectrogram: logarithmic axis from 60 Hz to 15 kHz, one column per 10 ms.

    Args:
        width: columns.
        height: rows.
    """

    def __init__(self, width: int, height: int) -> None:
        self._past = np.zeros(_WINDOW, np.float32)
        self._window = np.hanning(_WINDOW).astype(np.float32)
        self._weights = _log_bands(height)
        self._picture = np.empty((height, width, 3), np.uint8)
        self._picture[:] = _colour(np.zeros((1, 1), np.uint8))[0, 0]

    def add(self, pcm: NDArray[np.float32]) -> None:
        """Append a tick, float32 [1280]; takes 0.4 ms."""
        sound = np.concatenate((self._past, pcm))
        self._past = sound[-_WINDOW:]
        ends = np.arange(_HOP, pcm.size + 1, _HOP)
        blocks = np.stack([sound[end : end + _WINDOW] for end in ends]) * self._window
        power = np.abs(np.fft.rfft(blocks, axis=1)) * (4.0 / _WINDOW)
        level_db = 20.0 * np.log10(self._weights @ power.T + 1e-6)
        brightness = np.clip((level_db - _FLOOR_DB) / (_CEILING_DB - _FLOOR_DB), 0.0, 1.0) * 255.0
        columns = _colour(brightness[::-1].astype(np.uint8))
        count = columns.shape[1]
        self._picture[:, :-count] = self._picture[:, count:].copy()
        self._picture[:, -count:] = columns

    @property
    def picture(self) -> Image:
        """uint8 [height, width, 3] BGR, newest column at the right; overwritten by `add`."""
        return self._picture


class Composer:
    """Draws the film's pictures; the spectrogram and the meter go on from tick to tick."""

    size = (WIDTH, HEIGHT)

    def __init__(self) -> None:
        self._canvas = _template()
        self._spectrogram = Spectrogram(_SOUND_W, _SOUND_H)
        self._level_db = self._peak_db = -120.0
        self._places: dict[int, tuple[int, int, int, int]] = {}
        self._wheel = _wheel(_WHEEL)
        self._labels = {name: _label(name, 8 * len(name) + 8) for name in ("camera", "flow", "picture")}

    def hear(self, pcm: NDArray[np.float32]) -> None:
        """Feed the sound of a tick, also of one whose picture is dropped."""
        self._spectrogram.add(pcm)
        self._level_db = 20.0 * float(np.log10(np.sqrt(np.mean(np.square(pcm))) + 1e-6))
        peak_db = 20.0 * float(np.log10(np.max(np.abs(pcm)) + 1e-6))
        # The peak mark falls by 20 dB per second, as on a programme meter.
        self._peak_db = max(peak_db, self._peak_db - 20.0 / TICKS_PER_SECOND)

    def compose(self, shot: FilmShot) -> Image:
        """Draw one tick.

        Returns:
            uint8 [540, 960, 3] BGR, overwritten by the next call.
        """
        canvas = self._canvas
        left = canvas[_TOP : _TOP + _PANEL_H, _LEFT_X : _LEFT_X + _PANEL_W]
        right = canvas[_TOP : _TOP + _PANEL_H, _RIGHT_X : _RIGHT_X + _PANEL_W]
        if shot.picture is None:
            self._draw_camera_and_flow(left, right, shot)
        else:
            self._draw_camera_and_picture(left, right, shot, shot.picture)
        canvas[_SOUND_Y : _SOUND_Y + _SOUND_H, _MARGIN + _AXIS_W : _MARGIN + _AXIS_W + _SOUND_W] = (
            self._spectrogram.picture
        )
        self._draw_meter(canvas)
        self._draw_status(canvas, shot)
        return canvas

    def _draw_camera_and_flow(self, left: Image, right: Image, shot: FilmShot) -> None:
        """The camera on the left, its flow on the right."""
        if shot.camera is not None:
            small = self._draw_whole(left, shot.camera)
            if shot.flow is not None:
                self._put(right, flow_picture(shot.flow, small))
        legend = right[-_WHEEL - 10 : -10, -_WHEEL - 10 : -10]
        np.maximum(legend, self._wheel, out=legend)
        self._name(left, "camera")
        self._name(right, "flow")

    def _draw_camera_and_picture(self, left: Image, right: Image, shot: FilmShot, picture: Image) -> None:
        """On the left the camera with its flow in a corner, or the picture's flow; on the right the picture."""
        drawing = self._draw_whole(right, picture)
        if shot.camera is None:
            self._put(left, flow_picture(shot.flow, drawing) if shot.flow is not None else drawing)
        else:
            small = self._draw_whole(left, shot.camera)
            if shot.flow is not None:
                size = _PANEL_W // 3, round(_PANEL_W / 3 * small.shape[0] / small.shape[1])
                corner = flow_picture(shot.flow, cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))
                left[-corner.shape[0] :, -corner.shape[1] :] = corner
        self._name(left, "flow" if shot.camera is None else "camera")
        self._name(right, "picture")

    def _draw_whole(self, panel: Image, image: Image) -> Image:
        """Draw a whole image into a panel; gives it in the size in which it is drawn."""
        height, width, _, _ = _place(image)
        # At a scale of 0.7 linear interpolation is sharp enough; it takes 0.3 ms, INTER_AREA 2 ms.
        small = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        self._put(panel, small)
        return small

    def _put(self, panel: Image, small: Image) -> None:
        height, width = small.shape[:2]
        place = height, width, (_PANEL_W - width) // 2, (_PANEL_H - height) // 2
        which = panel.__array_interface__["data"][0]
        if self._places.get(which) != place:
            # Clearing takes 3 ms, so it is done only when the picture's place has changed.
            panel[:] = _PANEL
            self._places[which] = place
        panel[place[3] : place[3] + height, place[2] : place[2] + width] = small

    def _name(self, panel: Image, name: str) -> None:
        label = self._labels[name]
        panel[: label.shape[0], : label.shape[1]] = label

    def _draw_meter(self, canvas: Image) -> None:
        meter = canvas[_SOUND_Y : _SOUND_Y + _SOUND_H, _METER_X : _METER_X + _METER_W]
        meter[:] = _PANEL
        bar = round(_SOUND_H * _meter_part(self._level_db))
        colour = (96, 200, 120) if self._peak_db < -6.0 else (70, 190, 240) if self._peak_db < -0.5 else (70, 70, 240)
        if bar:
            meter[_SOUND_H - bar :] = colour
        mark = min(_SOUND_H - 2, _SOUND_H - round(_SOUND_H * _meter_part(self._peak_db)))
        meter[mark : mark + 2] = _BRIGHT

    def _draw_status(self, canvas: Image, shot: FilmShot) -> None:
        seconds, tick = divmod(shot.tick, TICKS_PER_SECOND)
        for left, right in ((600, 700), (732, 830), (870, WIDTH)):
            canvas[8:32, left:right] = _BACKGROUND
        clock_text = f"{seconds // 60:02d}:{seconds % 60:02d}.{tick * 4:02d}"
        latency = "--" if shot.latency_ms is None else f"{shot.latency_ms:.0f} ms"
        _text(canvas, latency, 606, 25, _BRIGHT)
        _text(canvas, str(shot.tick), 736, 25, _BRIGHT)
        _text(canvas, clock_text, 886, 25, _BRIGHT)


def flow_picture(flow: NDArray[np.float32], under: Image) -> Image:
    """Draw a flow grid in colour (hue is direction, brightness is speed) over the dimmed picture.

    Args:
        flow: float32 [2, 16, 16] of the frame fitted into a square.
        under: uint8 [H, W, 3], the picture that the flow belongs to.

    Returns:
        uint8 [H, W, 3] BGR.
    """
    height, width = under.shape[:2]
    longest = max(height, width)
    # Coloured at 4 times the grid's size, then enlarged: it looks like colouring every pixel and takes 4 ms less.
    # Linear, because cubic interpolation overshoots and draws halos.
    side = 4 * FLOW_GRID
    grid_w, grid_h = max(2, round(side * width / longest)), max(2, round(side * height / longest))
    top, left = (side - grid_h) // 2, (side - grid_w) // 2
    planes = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR) for plane in flow]
    x, y = (np.ascontiguousarray(plane[top : top + grid_h, left : left + grid_w]) for plane in planes)
    colours = cv2.resize(_flow_colours(x, y), (width, height), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(under, cv2.COLOR_BGR2GRAY)
    dim = cv2.convertScaleAbs(grey, alpha=0.22, beta=12)
    picture = cv2.add(cv2.merge((dim, dim, dim)), colours)
    _draw_arrows(picture, flow, longest)
    return np.asarray(picture, np.uint8)


def _draw_arrows(picture: Image, flow: NDArray[np.float32], longest: int) -> None:
    height, width = picture.shape[:2]
    cell = longest / FLOW_GRID
    speed = np.hypot(flow[0], flow[1])
    for row, column in np.argwhere(speed > 0.06 * FULL_SPEED):
        x = (column + 0.5) * cell - (longest - width) / 2
        y = (row + 0.5) * cell - (longest - height) / 2
        if not (0 <= x < width and 0 <= y < height):
            continue
        length = 0.9 * cell * min(1.0, float(speed[row, column]) / FULL_SPEED + 0.25) / float(speed[row, column])
        tip = (round(x + flow[0, row, column] * length), round(y + flow[1, row, column] * length))
        cv2.arrowedLine(picture, (round(x), round(y)), tip, _BRIGHT, 1, cv2.LINE_AA, 0, 0.3)


def _flow_colours(x: NDArray[np.float32], y: NDArray[np.float32]) -> Image:
    speed, degrees = cv2.cartToPolar(x, y, angleInDegrees=True)
    hsv = np.empty((*x.shape, 3), np.uint8)
    hsv[..., 0] = degrees / 2.0
    hsv[..., 1] = 190
    hsv[..., 2] = 255.0 * np.sqrt(np.minimum(speed / FULL_SPEED, 1.0))
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.uint8)


def _wheel(side: int) -> Image:
    """The legend of the colours: each direction in its hue."""
    axis = np.linspace(-1.0, 1.0, side, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    colours = _flow_colours(x * FULL_SPEED, y * FULL_SPEED)
    edge = np.clip((1.0 - np.hypot(x, y)) * side / 2, 0.0, 1.0)[..., None]
    return (colours * edge).astype(np.uint8)


def _place(image: Image) -> tuple[int, int, int, int]:
    """Height, width, x and y of a picture fitted whole into a panel."""
    scale = min(_PANEL_W / image.shape[1], _PANEL_H / image.shape[0])
    height, width = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    return height, width, (_PANEL_W - width) // 2, (_PANEL_H - height) // 2


def _meter_part(level_db: float) -> float:
    return min(1.0, max(0.0, 1.0 - level_db / _METER_FLOOR_DB))


def _log_bands(height: int) -> NDArray[np.float32]:
    """Weights [height, bins] of triangular bands spaced evenly in log frequency; each at least one bin wide."""
    bins = np.arange(_WINDOW // 2 + 1)
    edges = np.geomspace(_LOW_HZ, _HIGH_HZ, height + 2) * _WINDOW / SAMPLE_RATE
    centre = edges[1:-1, None]
    half = np.maximum((edges[2:] - edges[:-2]) / 2.0, 1.0)[:, None]
    weights = np.maximum(0.0, 1.0 - np.abs(bins - centre) / half)
    # The mean of a wide band would hide a single partial; dividing by the square root lies between mean and sum.
    return np.asarray(weights / np.sqrt(weights.sum(axis=1, keepdims=True)), np.float32)


def _colour(values: Image) -> Image:
    return np.asarray(cv2.applyColorMap(values, cv2.COLORMAP_MAGMA), np.uint8)


def _text(image: Image, text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    cv2.putText(image, text, (x, y), _FONT, 0.42, colour, 1, cv2.LINE_AA)


def _label(text: str, width: int) -> Image:
    label = np.empty((24, width, 3), np.uint8)
    label[:] = _PANEL
    _text(label, text, 8, 17, _BRIGHT)
    return label


def _template() -> Image:
    """The constant part of the picture: background, labels, axes."""
    canvas = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    canvas[:] = _BACKGROUND
    for x in (_LEFT_X, _RIGHT_X):
        canvas[_TOP : _TOP + _PANEL_H, x : x + _PANEL_W] = _PANEL
    _text(canvas, "ANTIPHON", _MARGIN, 25, _BRIGHT)
    _text(canvas, "motion to sound", 488, 25, _DIM)
    _text(canvas, "tick", 704, 25, _DIM)
    _text(canvas, "sound", _MARGIN, _SOUND_Y - 9, _DIM)
    span = np.log(_HIGH_HZ / _LOW_HZ)
    for hertz, label in ((100, "100"), (1_000, "1k"), (10_000, "10k")):
        y = _SOUND_Y + round(_SOUND_H * (1.0 - float(np.log(hertz / _LOW_HZ) / span)))
        cv2.putText(canvas, label, (_MARGIN, y + 4), _FONT, 0.32, _DIM, 1, cv2.LINE_AA)
    return canvas
