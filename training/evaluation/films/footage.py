"""Watches the films of a folder, makes their music through the live engines and scores it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from engines.registry import open_engine
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.settings.config import Show
from streaming.vision.eyes.eyes import open_eyes
from streaming.vision.instrument_reader import InstrumentReader, open_instrument_reader
from streaming.vision.person_reader import OWN, PersonReader, open_person_reader
from training.evaluation.films.flow_rules import flow_peaks
from training.evaluation.films.groups import read_groups
from training.evaluation.films.reference_onsets import FOOTAGE_THRESHOLD, reference_onsets
from training.evaluation.films.scores import FilmResponse, FilmScores, score_film
from training.evaluation.films.table import film_table
from training.evaluation.forward_loop import Response, ResponseSettings, describe_settings, play, score
from training.footage.reader import MASTER_RATE, Footage, FootageError, camera_frames, examine, sound
from training.loop.pool import open_executor
from training.synthesis.recordings import Clip, read_motion

FOOTAGE_RMS = 0.1
"""The level at which a film's own sound is compared."""
FILMS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")


@dataclass(frozen=True)
class FilmFolder:
    """A folder of films and what is known of them.

    Attributes:
        path: of the folder; films in folders within it are not used.
        groups: a file of groups; None for `groups.toml` in the folder, or the words in the films' names.
        labels: a folder with files of reference onsets; see `reference_onsets`.
    """

    path: Path
    groups: Path | None = None
    labels: Path | None = None


def reference_sound(footage: Footage) -> NDArray[np.float32]:
    """A film's own sound as it is compared: float32 [ticks * 1280], mono at 32 kHz, with an rms of `FOOTAGE_RMS`."""
    length = footage.ticks * TICK_SAMPLES
    reference = soxr.resample(sound(footage).mean(0), MASTER_RATE, SAMPLE_RATE)[:length].astype(np.float32)
    reference = np.pad(reference, (0, length - reference.size))
    return np.asarray(reference * np.float32(FOOTAGE_RMS / max(float(np.sqrt(np.mean(reference**2))), 1e-4)))


def film_person(setting: ResponseSettings) -> PersonReader | None:
    """What reads the hands in films, as in a show; None where the bundle's own network looks alone.

    Raises:
        UserError: when the eyes are asked for and are not here.
    """
    return open_person_reader(Show(eyes=setting.eyes), lambda line: None, partial(open_eyes, "full"))


def film_instrument(setting: ResponseSettings) -> InstrumentReader | None:
    """What names the instrument in films, as in a show, but at once; None where nobody does."""
    return open_instrument_reader(Show(eyes=setting.eyes), lambda line: None)


def respond_to_footage(path: Path, setting: ResponseSettings, labels: Path | None = None) -> FilmResponse:
    """Watch a film and make its music; the reference onsets are those of `reference_onsets`.

    Raises:
        FootageError: when it cannot be used, with the reason.
    """
    footage = examine(path)
    reference = reference_sound(footage)
    embedding = open_engine("embedding", bundle=setting.bundle)
    person = film_person(setting)
    track = read_motion(camera_frames(footage), footage.ticks, embedding, person, film_instrument(setting))
    if person is not None:
        person.close()
    clip = Clip(0, "footage", *track, reference)
    onsets, source = reference_onsets(path, reference, labels)
    played, rule = play(clip, setting, 0), flow_peaks(clip.speed)
    response = Response(path.name, clip.kind, played.music, reference, onsets, rule, threshold=FOOTAGE_THRESHOLD)
    return FilmResponse(response, clip.flow, clip.speed, clip.features, footage.rate_hz, source, played.kinds)


def _respond_and_score(path: Path, setting: ResponseSettings, labels: Path | None) -> tuple[FilmResponse, FilmScores]:
    response = respond_to_footage(path, setting, labels)
    return response, score_film(response, setting.anticipation_s)


def evaluate_footage(
    setting: ResponseSettings, films: FilmFolder, workers: int = 2
) -> tuple[dict[str, Any], list[Response]]:
    """Score every film in a folder; films that cannot be used are named in the figures with the reason.

    Returns:
        The figures, in all, by group and by film; and the responses.

    Raises:
        FileNotFoundError: when fewer than two films can be used.
        UserError: when a file of groups or labels cannot be read.
    """
    groups = read_groups(films.path, films.groups)
    folder = films.path
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in FILMS) if folder.is_dir() else []
    responses: list[Response] = []
    scores: list[FilmScores] = []
    refused: dict[str, str] = {}
    with open_executor(workers) as pool:
        jobs: list[tuple[Path, Future[tuple[FilmResponse, FilmScores]]]] = [
            (path, pool.submit(_respond_and_score, path, setting, films.labels)) for path in paths
        ]
        for path, job in tqdm(jobs, desc="films", mininterval=5):
            try:
                response, film = job.result()
            except FootageError as error:
                refused[path.name] = str(error)
                continue
            responses.append(response.response)
            scores.append(film)
    if len(responses) < 2:
        raise FileNotFoundError(
            f"{folder}: {len(responses)} usable films, but two films or more are needed to compare; add some"
        )
    figures = score(responses, setting.anticipation_s) | film_table(scores, groups)
    figures |= {"refused": refused, "split": "footage of others, never trained on"}
    figures["eyes"] = OWN if (person := film_person(setting)) is None else person.words
    return figures | describe_settings(setting), responses
