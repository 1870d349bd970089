"""Scores how the music answers the hands of people in films, silent ones too: strikes, speed, height and stillness.

The pre-trained eyes judge, offline, at the film's own resolution, by the larger networks for hands and without the
filter: other eyes than those that a show uses. The music comes from the show's own networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.contract import EngineError
from engines.eyes.network import open_eye
from engines.registry import open_engine
from streaming.conventions import TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.cameras.frames import MAX_SIDE
from streaming.errors import UserError
from streaming.vision.eyes.eyes import BODY_NETWORKS, HAND_NETWORKS, Eyes
from streaming.vision.eyes.person import MIDDLE_KNUCKLE, WRISTS, Person
from training.evaluation.eyes_sheet import frames_of
from training.evaluation.films.footage import FILMS, film_instrument, film_person
from training.evaluation.forward_loop import ResponseSettings, describe_settings, respond
from training.loop.pool import open_executor
from training.measures.bootstrap import interval
from training.measures.playability import VISIBLE, HandTrack, score_playability
from training.synthesis.recordings import Clip, read_motion

LONGEST_S = 120.0
"""So much of a film is used at most."""
EYES_SIDE = 1920
LEAST_SHARE = 0.3
"""A hand that is seen in a smaller share of the frames is not used; a film without such a hand is refused."""
MEANS = (
    *("strike_f1_50ms", "strike_f1_50ms_fitted", "strike_f1_50ms_fitted_control", "strike_lag_ms"),
    *("strike_lag_spread_ms", "loudness_with_speed", "loudness_with_speed_control", "pitch_with_height"),
    "pitch_with_height_control",
    *("silent_share_of_stillness", "loudest_in_stillness_db"),
)
"""Figures whose mean over films is given."""


class Judge(Protocol):
    """Whatever finds a person in frames, such as `Eyes`."""

    def look(self, frame: NDArray[np.uint8], now_ns: int) -> Person:
        """The person in the next frame."""
        ...


def tracks_of(people: Sequence[Person], times_s: Sequence[float]) -> list[HandTrack]:
    """The tracks of both hands, as far as they are seen in enough frames.

    A hand is followed by the knuckle of its middle finger, or by the body's wrist where that is seen in more frames;
    never by both in turn, whose change would look like motion.
    """
    times, tracks = np.array(times_s, np.float64), []
    for slot in (0, 1):
        choices = [
            np.array([person.hands[slot, MIDDLE_KNUCKLE] for person in people], np.float64),
            np.array([person.body[WRISTS[slot]] for person in people], np.float64),
        ]
        points = max(choices, key=lambda points: float((points[:, 2] >= VISIBLE).mean()))
        if (points[:, 2] >= VISIBLE).mean() >= LEAST_SHARE:
            tracks.append(HandTrack(times, points[:, :2], points[:, 2]))
    return tracks


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame as a camera of the show sends it."""
    scale = MAX_SIDE / max(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return image if scale >= 1.0 else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def score_hands(path: Path, setting: ResponseSettings, eyes: Callable[[], Judge]) -> dict[str, Any]:
    """The playability figures of one film, as JSON values.

    Args:
        path: the film; its sound is not used, and it needs none.
        setting: how music is made.
        eyes: opens the judge.

    Raises:
        UserError: when it cannot be decoded, or no hand is seen in it for long enough.
    """
    judge, first_s = eyes(), 0.0
    people: list[Person] = []
    times: list[float] = []
    frames: list[tuple[NDArray[np.uint8], float]] = []
    for image, time_s in frames_of(path, 0.0, LONGEST_S, EYES_SIDE):
        first_s = time_s if not times else first_s
        times.append(time_s - first_s)
        people.append(judge.look(image, round(time_s * 1e9)))
        frames.append((_reduced(image), times[-1]))
    tracks = tracks_of(people, times) if times else []
    if not tracks:
        raise UserError(
            f"no hand is seen in {LEAST_SHARE:.0%} of its frames", str(path), "name a film that shows a player's hands"
        )
    ticks = int((times[-1] + 1e-6) * TICKS_PER_SECOND)
    person, instrument = film_person(setting), film_instrument(setting)
    track = read_motion(frames, ticks, open_engine("embedding", bundle=setting.bundle), person, instrument)
    if person is not None:
        person.close()
    silence = np.zeros(ticks * TICK_SAMPLES, np.float32)
    music = respond(Clip(0, "footage", *track, silence), setting, 0)
    figures = score_playability(tracks, music)
    shares = [round(float((hand.visibility >= VISIBLE).mean()), 3) for hand in tracks]
    return {"seconds": round(times[-1], 2), "n_hands": len(tracks), "visible_share": shares} | figures


def _score(path: Path, setting: ResponseSettings) -> dict[str, Any]:
    return score_hands(path, setting, open_film_eyes)


def open_film_eyes() -> Eyes:
    """The judge: body and hands by the largest networks, whatever they cost, and as they see them, not filtered.

    Raises:
        UserError: when its networks are not here.
    """
    try:
        engines = {name: open_eye(name) for name in BODY_NETWORKS}
        engines |= {name: open_eye(f"{name}_full") for name in HAND_NETWORKS}
        return Eyes(engines, "full", smooth=False)
    except EngineError as error:
        raise UserError(f"the eyes cannot be opened ({error})", "", "type: make eyes") from error


def evaluate_hands(setting: ResponseSettings, folder: Path, workers: int = 2) -> dict[str, Any]:
    """Score every film of a folder that shows hands; others are named in the figures with the reason.

    Raises:
        UserError: when the eyes are not here.
        FileNotFoundError: when no film can be used.
    """
    open_film_eyes()
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in FILMS) if folder.is_dir() else []
    by_film: dict[str, dict[str, Any]] = {}
    refused: dict[str, str] = {}
    with open_executor(workers) as pool:
        jobs: list[tuple[Path, Future[dict[str, Any]]]] = [(path, pool.submit(_score, path, setting)) for path in paths]
        for path, job in tqdm(jobs, desc="films", mininterval=5):
            try:
                by_film[path.name] = job.result()
            except UserError as error:
                refused[path.name] = error.what
    if not by_film:
        raise FileNotFoundError(f"{folder}: no film shows hands; add one")
    figures: dict[str, Any] = {"n_films": len(by_film)}
    for name in MEANS:
        values = [float(film[name]) for film in by_film.values() if film[name] is not None]
        figures[name] = round(float(np.mean(values)), 4) if values else None
        if not name.endswith("_control"):
            figures[f"{name}_interval"] = interval(values) if len(values) > 1 else None
    figures |= {"by_film": by_film, "refused": refused, "split": "people in films, judged by MediaPipe's networks"}
    return figures | describe_settings(setting)
