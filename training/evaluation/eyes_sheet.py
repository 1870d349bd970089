"""Shows what the eyes find in a film: frames with body and hands drawn in, and how often, how steadily and how fast.

`python -m training.evaluation.eyes_sheet VIDEO --out sheet.png`. The figures are shares of frames with a body and with
each hand, jitter before and after the filter, and milliseconds of one core a frame.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from engines.eyes.network import open_eye
from streaming.devices.cameras.frames import upright
from streaming.devices.media import MediaError, open_media
from streaming.errors import UserError
from streaming.timing.clock import now_ns
from streaming.vision.eyes.eyes import BODY_NETWORKS, HAND_NETWORKS, Eyes, Mode
from streaming.vision.eyes.person import Person
from streaming.vision.eyes.smoothing import PersonFilter

CELL_WIDTH, COLUMNS = 420, 3
STEADY_VISIBILITY = 0.8
"""Points that are surer than this count for the jitter."""
BODY_LINES = (
    *((11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24)),
    *((23, 25), (25, 27), (24, 26), (26, 28), (0, 2), (0, 5), (2, 7), (5, 8), (9, 10)),
)
HAND_LINES = tuple(pair for base in (1, 5, 9, 13, 17) for pair in itertools.pairwise((0, *range(base, base + 4))))
BODY_COLOUR, HAND_COLOURS = (255, 200, 0), ((60, 60, 255), (60, 220, 60))
"""BGR: the body blue, the left hand red, the right one green."""


@dataclass
class Sighting:
    """What the eyes found in a film.

    Attributes:
        raw: the person in each frame, not filtered.
        smooth: the same, filtered.
        costs_ms: what each look took.
        pictures: frames that are shown, by their number.
        times_s: of the frames, from the film's start.
    """

    raw: list[Person] = field(default_factory=list)
    smooth: list[Person] = field(default_factory=list)
    costs_ms: list[float] = field(default_factory=list)
    pictures: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    times_s: list[float] = field(default_factory=list)


def frames_of(path: Path, begin_s: float, seconds: float, side: int) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """The frames of a part of a film, uint8 [H, W, 3] BGR, with their times in seconds, which rise.

    A frame that is not later than the one before is left out, as `training.footage.reader` does.

    Args:
        path: the film.
        begin_s: where the part begins.
        seconds: its length.
        side: longest side of the frames in pixels; larger ones are reduced.

    Raises:
        UserError: when it cannot be decoded.
    """
    last = float("-inf")
    try:
        with open_media(str(path)) as container:
            for frame in container.decode(video=0):
                time_s = float(frame.time or 0.0)
                if time_s <= last:
                    continue
                last = time_s
                if time_s >= begin_s + seconds:
                    return
                if time_s >= begin_s:
                    scale = min(1.0, side / max(frame.width, frame.height))
                    width, height = round(frame.width * scale), round(frame.height * scale)
                    image = frame.reformat(width, height, format="bgr24", interpolation="AREA").to_ndarray()
                    yield upright(image, int(getattr(frame, "rotation", 0))), time_s
    except (*MediaError, IndexError) as error:
        raise UserError(f"cannot be decoded ({error})", str(path), "name a film that FFmpeg reads") from error


def watch_film(frames: Iterator[tuple[NDArray[np.uint8], float]], eyes: Eyes, every: int) -> Sighting:
    """Look at each frame in turn.

    Args:
        frames: with their times in seconds.
        eyes: that do not filter.
        every: so many frames lie between two that are kept for the sheet.
    """
    sighting, smoother = Sighting(), PersonFilter()
    for number, (frame, time_s) in enumerate(frames):
        taken_ns = round(time_s * 1e9)
        start = now_ns()
        person = eyes.look(frame, taken_ns)
        sighting.costs_ms.append((now_ns() - start) / 1e6)
        sighting.raw.append(person)
        sighting.smooth.append(smoother.smooth(person, taken_ns))
        sighting.times_s.append(time_s)
        if number % every == every // 2:
            sighting.pictures[number] = frame
    return sighting


def draw(frame: NDArray[np.uint8], person: Person) -> NDArray[np.uint8]:
    """A frame with the points that were found in it, reduced to a cell of the sheet."""
    height, width = frame.shape[:2]
    scale = CELL_WIDTH / width
    cell: NDArray[np.uint8] = cv2.resize(frame, (CELL_WIDTH, max(1, round(height * scale))))
    side = max(cell.shape[:2])
    corner = np.array([(side - cell.shape[1]) / 2, (side - cell.shape[0]) / 2])

    def lines(points: NDArray[np.float32], pairs: tuple[tuple[int, int], ...], colour: tuple[int, ...]) -> None:
        places = np.round(points[:, :2] * side - corner).astype(int)
        for one, other in pairs:
            if min(points[one, 2], points[other, 2]) > 0.5:
                cv2.line(cell, places[one].tolist(), places[other].tolist(), colour, 2, cv2.LINE_AA)

    if person.body_score > 0:
        lines(person.body, BODY_LINES, BODY_COLOUR)
    for hand, colour in zip(person.hands, HAND_COLOURS, strict=True):
        if hand[0, 2] > 0:
            lines(hand, HAND_LINES, colour)
    return cell


def label(cell: NDArray[np.uint8], person: Person, time_s: float) -> NDArray[np.uint8]:
    """A cell with a line above it: time, how sure the body and both hands are, and the scale."""
    left, right = person.presence
    text = f"{time_s:.2f} s  body {person.body_score:.2f}  L {left:.2f}  R {right:.2f}  scale {person.scale:.2f}"
    out = cv2.copyMakeBorder(cell, 20, 4, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    cv2.putText(out, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    found: NDArray[np.uint8] = out
    return found


def sheet(sighting: Sighting) -> NDArray[np.uint8]:
    """The kept frames in rows; uint8 [H, W, 3] BGR."""
    cells = [
        label(draw(frame, sighting.smooth[number]), sighting.smooth[number], sighting.times_s[number])
        for number, frame in sighting.pictures.items()
    ]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[first : first + COLUMNS]) for first in range(0, len(cells), COLUMNS)]
    return np.vstack(rows)


def jitter(people: list[Person], of: str) -> float:
    """How much sure points tremble: the deviation of white noise with the same second differences.

    Args:
        people: in a row of frames.
        of: "body" or "hands".

    Returns:
        In thousandths of a side, the median of the points; NaN where nothing is seen in three frames on end. Of a
        player who moves it holds the motion's acceleration too.
    """
    points = np.stack([person.body if of == "body" else person.hands.reshape(-1, 3) for person in people])
    if len(points) < 3:
        return float("nan")
    sure = points[..., 2] > STEADY_VISIBILITY
    sure = sure[:-2] & sure[1:-1] & sure[2:]
    second = points[:-2, :, :2] - 2 * points[1:-1, :, :2] + points[2:, :, :2]
    # Two coordinates, six variances in each second difference; the median of such squares is ln 2 of their mean.
    squares = (second**2).sum(-1) / (2 * 6 * np.log(2))
    each = [
        float(np.sqrt(np.median(squares[sure[:, row], row]))) for row in range(points.shape[1]) if sure[:, row].any()
    ]
    return 1e3 * float(np.median(each)) if each else float("nan")


def figures(sighting: Sighting) -> str:
    """One line of what was found."""
    raw = sighting.raw
    shares = [np.mean([person.body_score > 0 for person in raw])]
    shares += [np.mean([person.presence[slot] > 0 for person in raw]) for slot in (0, 1)]
    trembling = {of: (jitter(raw, of), jitter(sighting.smooth, of)) for of in ("body", "hands")}
    words = "  ".join(f"{of} {before:.2f} -> {after:.2f}" for of, (before, after) in trembling.items())
    p50, p95 = np.percentile(sighting.costs_ms, (50, 95))
    return (
        f"{len(raw)} frames: body {shares[0]:.0%}, left hand {shares[1]:.0%}, right hand {shares[2]:.0%}; jitter in "
        f"thousandths of a side, raw -> filtered: {words}; {p50:.1f} ms a frame, p95 {p95:.1f}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Make a sheet; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.eyes_sheet", description=__doc__)
    parser.add_argument("video", type=Path, help="any film that FFmpeg reads")
    parser.add_argument("--out", type=Path, required=True, help="a .png or .jpg")
    parser.add_argument("--frames", type=int, default=12, help="in the sheet; default: 12")
    parser.add_argument("--begin", type=float, default=0.0, help="where to begin, in seconds")
    parser.add_argument("--seconds", type=float, default=6.0, help="of the film; default: 6")
    parser.add_argument("--side", type=int, default=1920, help="longest side of the frames in pixels; default: 1920")
    parser.add_argument("--mode", choices=("full", "body"), default="full", help="body and hands, or the body alone")
    parser.add_argument("--slow", action="store_true", help="the slower, larger networks of the hands")
    options = parser.parse_args(arguments)
    mode: Mode = options.mode
    try:
        names = (*BODY_NETWORKS, *HAND_NETWORKS)
        engines = {name: open_eye(f"{name}_full" if options.slow and name in HAND_NETWORKS else name) for name in names}
        frames = list(frames_of(options.video, options.begin, options.seconds, options.side))
        if not frames:
            raise UserError("no frame lies in this part of it", str(options.video), "name another --begin")
        every = max(1, len(frames) // max(1, options.frames))
        sighting = watch_film(iter(frames), Eyes(engines, mode, smooth=False), every)
    except (UserError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    if not cv2.imwrite(str(options.out), sheet(sighting)):
        print(f"{options.out}: cannot be written; name a .png or .jpg in a folder that exists", file=sys.stderr)
        return 2
    print(f"{options.video.name}: {figures(sighting)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
