"""A contact sheet: prior images, and what a piece of music makes of each at five moments.

`python -m training.evaluation.contact_sheet SOUND PRIOR [PRIOR ...] --out sheet.png`. Without a prior the shipped one
is used.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from streaming.audio.levels import decibels
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.devices.sound.inputs import FileInput
from streaming.devices.stills.prior import load_prior
from streaming.errors import UserError
from streaming.settings.config import Show
from training.evaluation.offline_reverse_loop import animate

WIDTH, HEIGHT, GAP = 300, 220, 6
MOMENTS = 5


def moments_of(sound: NDArray[np.float32], count: int) -> list[int]:
    """The loudest tick of each of `count` equal parts, a third of a second later: the picture has moved by then."""
    ticks = sound.size // TICK_SAMPLES
    levels = [decibels(part) for part in sound[: ticks * TICK_SAMPLES].reshape(ticks, TICK_SAMPLES)]
    edges = np.linspace(0, ticks, count + 1).astype(int)
    peaks = [low + int(np.argmax(levels[low:high])) for low, high in pairwise(edges)]
    return [min(ticks - 1, tick + 8) for tick in peaks]


def fit_cell(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture fitted into a cell of the sheet."""
    scale = min(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    out = np.full((HEIGHT + GAP, WIDTH + GAP, 3), 255, np.uint8)
    top, left = (HEIGHT - size[1]) // 2, (WIDTH - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return out


def sheet(sound: NDArray[np.float32], priors: list[str], show: Show) -> NDArray[np.uint8]:
    """A row for each prior: the prior, and its moments; uint8 [H, W, 3] BGR.

    Raises:
        UserError: when a prior cannot be read.
        EngineError: when the bundle cannot be used.
    """
    moment_ticks = moments_of(sound, MOMENTS)
    rows = []
    for path in priors:
        still = load_prior(path)
        pictures = [moment.picture for tick, moment in enumerate(animate(sound, still, show)) if tick in moment_ticks]
        rows.append(np.hstack([fit_cell(still), *(fit_cell(image) for image in pictures if image is not None)]))
    return np.vstack(rows)


def main(arguments: list[str] | None = None) -> int:
    """Make a contact sheet; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.contact_sheet", description=__doc__)
    parser.add_argument("sound", type=Path, help="any file with sound that FFmpeg reads")
    parser.add_argument("prior", nargs="*", default=[""], help="prior images; default: the shipped one")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the sheet, a .png or .jpg file")
    parser.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    parser.add_argument("--imagination", type=float, default=Show().number("imagination"))
    parser.add_argument("--seconds", type=float, default=30.0, help="how much of the sound to use at most")
    options = parser.parse_args(arguments)
    try:
        pieces = FileInput(options.sound).samples(round(options.seconds * SAMPLE_RATE))
        show = Show(bundle=options.bundle, controls={"imagination": options.imagination})
        image = sheet(pieces, options.prior, show)
    except (UserError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    if not cv2.imwrite(str(options.out), image):
        print(f"{options.out}: cannot be written; name a .png or .jpg in a folder that exists", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
