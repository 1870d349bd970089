"""Turns a video into music, and that music with the video's first frame back into pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.registry import open_engine
from streaming.conventions import TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.films.film import FilmFile
from streaming.devices.films.film_picture import flow_picture
from streaming.errors import UserError
from streaming.settings.config import Show
from training.evaluation.forward_loop import ResponseSettings, respond
from training.evaluation.html_page import Page, compare
from training.evaluation.offline_reverse_loop import Moment, animate
from training.evaluation.reverse.measures.looks import psnr
from training.evaluation.reverse.measures.motion_energy import (
    best_constant,
    end_point_error,
    energy_of,
    series_correlation,
)
from training.footage.reader import Footage, camera_frames, examine
from training.measures.onsets import level_db
from training.synthesis.recordings import Clip, read_motion

Image = NDArray[np.uint8]
PANEL = (480, 360)
"""Width and height of each of the film's four panels."""
FILM = "roundtrip.mp4"
SHEET = 5
"""Moments on the contact sheet."""
SCORED_SIZE = (128, 96)
"""Width and height at which pictures are compared."""


def pictures_at_ticks(frames: Iterable[tuple[Image, float]], ticks: int) -> Iterator[Image]:
    """The newest frame at each tick; before the first one, that one."""
    newest: Image | None = None
    tick = 0
    for image, at_s in frames:
        while newest is not None and tick < ticks and tick / TICKS_PER_SECOND + 1e-6 < at_s:
            yield newest
            tick += 1
        newest = image
    if newest is not None:
        yield from repeat(newest, ticks - tick)


def panel(image: Image, name: str) -> Image:
    """A picture fitted into a panel, with its name."""
    scale = min(PANEL[0] / image.shape[1], PANEL[1] / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    out = np.full((PANEL[1], PANEL[0], 3), 24, np.uint8)
    top, left = (PANEL[1] - size[1]) // 2, (PANEL[0] - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    cv2.putText(out, name, (8, PANEL[1] - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235, 235, 235), 1, cv2.LINE_AA)
    return out


def _four_panels(frames: Image, flow: NDArray[np.float32], moment: Moment) -> Image:
    picture = frames if moment.picture is None else moment.picture
    above = np.hstack([panel(frames, "video"), panel(flow_picture(flow, frames), "its flow")])
    below = np.hstack([panel(picture, "picture"), panel(flow_picture(moment.flow, picture), "flow heard in the music")])
    return np.vstack([above, below])


@dataclass(frozen=True)
class _ClipAnimation:
    """The pictures that the music made of a clip's first frame.

    Attributes:
        flow: float32 [T, 2, G, G], the motion heard in the music, longer sides per second.
        psnr_db, psnr_still_db: mean distance to the video of the pictures, and of the first frame held still.
        moments: a few frames of the film, uint8 [H, W, 3] each.
    """

    flow: NDArray[np.float32]
    psnr_db: float
    psnr_still_db: float
    moments: list[Image]


def _animate(footage: Footage, clip: Clip, music: NDArray[np.float32], bundle: str, film: FilmFile) -> _ClipAnimation:
    """Animate the footage's first frame with the music, and write the film of four panels."""
    first = next(camera_frames(footage))[0]
    ticks = len(clip.flow)
    moments = animate(music, first, Show(bundle=bundle, controls={"chance": 0.0}))
    frames = zip(pictures_at_ticks(camera_frames(footage), ticks), moments, strict=False)
    fields, sheet, psnrs = [], [], []
    for tick, (frame, moment) in enumerate(frames):
        four = _four_panels(frame, clip.flow[tick].astype(np.float32), moment)
        film.write(music[tick * TICK_SAMPLES : (tick + 1) * TICK_SAMPLES], four)
        fields.append(moment.flow)
        if tick % max(1, ticks // SHEET) == ticks // SHEET // 2:
            sheet.append(four)
        reference, picture, still = (
            cv2.resize(image, SCORED_SIZE, interpolation=cv2.INTER_AREA) for image in (frame, moment.picture, first)
        )
        psnrs.append((psnr(picture, reference), psnr(still, reference)))
    mean, mean_still = np.mean(psnrs, 0)
    return _ClipAnimation(np.stack(fields), float(mean), float(mean_still), sheet)


def _figures(result: _ClipAnimation, clip: Clip, music: NDArray[np.float32]) -> dict[str, float]:
    """How the pictures move beside how the video did, each figure with its controls."""
    flow = result.flow
    true, loud = clip.flow.astype(np.float32)[: len(flow)], level_db(music)[: len(flow)]
    return {
        "flow_error": end_point_error(flow, true),
        "flow_error_still": end_point_error(np.zeros_like(true), true),
        "flow_error_constant": end_point_error(best_constant(true, loud), true),
        "energy_correlation": series_correlation(energy_of(flow), energy_of(true)),
        "energy_correlation_shuffled": series_correlation(energy_of(np.roll(flow, len(flow) // 2, 0)), energy_of(true)),
        "psnr_db": result.psnr_db,
        "psnr_db_still": result.psnr_still_db,
        "seconds": len(flow) / TICKS_PER_SECOND,
    }


def roundtrip(video: Path, out: Path, bundle: str, seconds: float = 30.0) -> Path:
    """Turn a video into music and that music back into pictures, and write a page about it.

    Args:
        video: any file that FFmpeg reads.
        out: the folder of the page and the film, made if need be.
        bundle: name or folder.
        seconds: how much of the video to use at most.

    Returns:
        The page.

    Raises:
        FootageError: when the video cannot be used, with the reason.
        UserError: when the film would be written over the video.
        EngineError: when the bundle cannot be used.
    """
    if (out / FILM).exists() and video.exists() and (out / FILM).samefile(video):
        raise UserError("the film would be written over the video", str(video), "give another folder with --out")
    footage = examine(video)
    ticks = min(footage.ticks, round(seconds * TICKS_PER_SECOND))
    motion = read_motion(camera_frames(footage), ticks, open_engine("embedding", bundle=bundle))
    clip = Clip(0, "footage", *motion, np.zeros(ticks * TICK_SAMPLES, np.float32))
    music = respond(clip, ResponseSettings(bundle), 0)
    out.mkdir(parents=True, exist_ok=True)
    (out / FILM).unlink(missing_ok=True)
    film = FilmFile(out / FILM, (2 * PANEL[0], 2 * PANEL[1]))
    try:
        result = _animate(footage, clip, music, bundle, film)
    finally:
        film.close()
    page = Page(out, f"Round trip: {video.name}")
    page.text(
        "The video was turned into music. That music and the video's first frame were turned back into pictures. The "
        "figures compare the motion of the pictures with that of the video. The controls are a picture that stands "
        "still, one motion field scaled by the loudness, and the same motion shifted by half its length."
    )
    page.film(FILM, "above: the video and its flow; below: the picture and the flow that the music made")
    page.scores(_figures(result, clip, music))
    moments = [np.hstack([np.hsplit(row, 2)[0] for row in np.vsplit(frame, 2)]) for frame in result.moments]
    page.picture(np.vstack(moments), "moments: the video at the left, the picture at the right")
    page.plot(compare(np.zeros_like(music), music, np.zeros(0)), "the music")
    page.sounds({"the music": music})
    return page.write()
