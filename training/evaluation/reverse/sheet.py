"""A contact sheet of scenes, and a film of them, each still moved by the same sound.

`python -m training.evaluation.reverse.sheet --stills DIR --sound FILE --out sheet.png [--film out.mp4]`. A row for each
still: the still, its layers (red to violet from back to front, the ground grey, a dot where each is held), the picture
at rest, after a click, and where the sound moves it most. Without folders the generated material is used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.films.film import FilmFile
from streaming.devices.sound.inputs import FileInput
from streaming.errors import UserError
from streaming.scenes.layered_scene import LayeredScene
from training.evaluation.contact_sheet import fit_cell
from training.evaluation.reverse.material import ScoredStill, generated_pieces, generated_stills, stills_of
from training.evaluation.reverse.measures.sound_envelopes import click_ticks, click_track
from training.evaluation.reverse.moved_still import ReverseStages, SceneOfStill
from training.evaluation.reverse.scores.edges import strong_ticks

Picture = NDArray[np.uint8]
FILM_SIZE = (768, 512)
FILM_S = 20.0
_AFTER_CLICK = 2
SEED = 5


def layers_picture(scene: LayeredScene) -> Picture:
    """The still in grey with each layer in a colour of its own, its outline, and where it is held."""
    grey = cv2.cvtColor(cv2.cvtColor(scene.image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    out: Picture = np.clip(0.6 * grey + 60, 0, 255).astype(np.uint8)
    count = max(1, len(scene.layers) - 1)
    for number, layer in enumerate(scene.layers[1:]):
        left, top, right, bottom = layer.box
        hue = np.array([[[round(150 * number / count), 220, 255]]], np.uint8)
        colour = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32)
        cover = (layer.cover[..., 3:] / 255.0).astype(np.float32)
        part = out[top:bottom, left:right]
        part[:] = (part * (1.0 - 0.55 * cover) + 0.55 * cover * colour).astype(np.uint8)
        outlines, _ = cv2.findContours((cover[..., 0] > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(part, outlines, -1, [float(c) for c in colour], 2)
        cv2.circle(out, (round(layer.root[0]), round(layer.root[1])), 6, (255, 255, 255), -1)
    return out


def sheet_row(stages: ReverseStages, scene: SceneOfStill, sound: NDArray[np.float32]) -> list[Picture]:
    """The still, its layers, and the pictures at rest, after a click and at the sound's strongest motion."""
    ticks = click_ticks(2.0)
    clicked = stages.move(scene, stages.hear(click_track(2.0)), SEED)
    moved = stages.move(scene, stages.hear(sound), SEED)
    rest, click = stages.draw(scene, clicked, [0, ticks[-1] + _AFTER_CLICK])
    strong = strong_ticks(moved.amplitudes, 1) or [0]
    return [scene.message.image, layers_picture(scene.layers), rest, click, *stages.draw(scene, moved, strong)]


def draw_sheet(stages: ReverseStages, stills: Sequence[ScoredStill], sound: NDArray[np.float32]) -> Picture:
    """A row for each still; uint8 [H, W, 3] BGR."""
    rows = []
    for still in stills:
        scene = stages.scene(still.image)
        rows.append(np.hstack([fit_cell(picture) for picture in sheet_row(stages, scene, sound)]))
    return np.vstack(rows)


def write_film(
    path: Path,
    stages: ReverseStages,
    stills: Sequence[ScoredStill],
    sound: NDArray[np.float32],
    seconds: float = FILM_S,
) -> None:
    """Write a film in which the stills follow each other while the sound goes on.

    Args:
        path: an .mp4 file; an older one is replaced.
        stages: of the bundle.
        stills: each is shown for an equal part.
        sound: float32 [n] at 32 kHz; repeated where it is too short.
        seconds: length of the film.
    """
    ticks = round(seconds * TICKS_PER_SECOND)
    sound = np.resize(sound, ticks * TICK_SAMPLES)
    heard = stages.hear(sound)
    path.unlink(missing_ok=True)
    film = FilmFile(path, FILM_SIZE)
    edges = np.linspace(0, ticks, len(stills) + 1).astype(int)
    try:
        for still, begin, end in zip(stills, edges, edges[1:], strict=False):
            scene = stages.scene(still.image)
            # The springs have heard the second before, so that a still does not begin at rest.
            early = max(0, int(begin) - TICKS_PER_SECOND)
            moved = stages.move(scene, heard[early:end], SEED)
            for tick, picture in enumerate(stages.draw(scene, moved, list(range(begin - early, end - early)))):
                at = (int(begin) + tick) * TICK_SAMPLES
                film.write(sound[at : at + TICK_SAMPLES], _on_screen(picture))
    finally:
        film.close()


def _on_screen(picture: Picture) -> Picture:
    """A picture fitted into the film, before black."""
    width, height = FILM_SIZE
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = min(width, round(picture.shape[1] * scale)), min(height, round(picture.shape[0] * scale))
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    out[top : top + size[1], left : left + size[0]] = fitted
    return out


def main(arguments: list[str] | None = None) -> int:
    """Make the sheet, and the film if it is named; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.reverse.sheet", description=__doc__)
    parser.add_argument("--stills", type=Path, nargs="+", default=[], metavar="DIR", help="folders with pictures")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="stills by their files' names")
    parser.add_argument("--sound", type=Path, metavar="FILE", help="any file with sound that FFmpeg reads")
    parser.add_argument("--seconds", type=float, default=8.0, help="how much of the sound moves the sheet at most")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the sheet, a .png or .jpg file")
    parser.add_argument("--film", type=Path, metavar="FILE", help="a film of 20 s as well, an .mp4 file")
    parser.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    options = parser.parse_args(arguments)
    try:
        stills = stills_of(options.stills) if options.stills else generated_stills(4)
        if options.only:
            stills = [still for name in options.only for still in stills if still.name == name]
            if not stills:
                raise UserError("no still has such a name", " ".join(options.only), "name files without their ending")
        sound = _sound(options.sound, FILM_S)
        stages = ReverseStages(options.bundle)
        image = draw_sheet(stages, stills, sound[: round(options.seconds * SAMPLE_RATE)])
        if options.film:
            write_film(options.film, stages, stills, sound)
    except (UserError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    if not cv2.imwrite(str(options.out), image):
        print(f"{options.out}: cannot be written; name a .png or .jpg in a folder that exists", file=sys.stderr)
        return 2
    return 0


def _sound(path: Path | None, seconds: float) -> NDArray[np.float32]:
    if path is None:
        return generated_pieces(1)[0].sound
    return np.asarray(FileInput(path).samples(round(seconds * SAMPLE_RATE)), np.float32)


if __name__ == "__main__":
    sys.exit(main())
