"""Scores the forward loop: held-out performers are watched, and the music made is compared with what they played.

Everything runs through the live engines, tick by tick: no look-ahead, no teacher forcing. Controls: the same music
scored against other clips (shuffled), and the simplest rule, an onset at each peak of the flow's energy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from tqdm import tqdm

from engines.registry import open_engine
from performers.kinds import MELODIC
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.settings.config import Show
from training.footage.reader import MASTER_RATE, FootageError, camera_frames, examine, sound
from training.loop.pool import open_executor
from training.measures.bootstrap import interval
from training.measures.onsets import (
    ONSET_THRESHOLD,
    correlation,
    detect_onsets,
    level_db,
    match_onsets,
    stillness_drops,
)
from training.measures.pitch import agreement, pitch_track
from training.synthesis.recordings import TEST_SEED, Clip, performer_of, read_motion, watch

ANSWER_TEMPERATURE, ANSWER_GUIDANCE = Show().number("temperature"), Show().number("guidance")
"""Temperature and guidance of a show by default."""
FOOTAGE_RMS, FOOTAGE_THRESHOLD = 0.1, 0.05
"""Level and threshold for finding onsets in a film's own sound.

In a room, with notes that overlap, onsets stand out less than in a rendering: at the usual threshold two of a fast
piano's forty in ten seconds are found.
"""
FILMS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")

PITCHED = (*MELODIC, "footage")
"""Kinds whose pitch is scored; in footage, wherever a single voice is heard."""


@dataclass
class Response:
    """One clip and the music made for it.

    Attributes:
        name: of the clip.
        kind: of performer, or "footage".
        music: what was made, float32 [n].
        reference: what was played, float32 [n].
        onsets: of what was played, in seconds.
        rule: the rule's onsets, in seconds.
        rests: when the player stands still, (start, end) in seconds.
        threshold: for onsets in the reference; see `training.measures.onsets.detect_onsets`.
    """

    name: str
    kind: str
    music: NDArray[np.float32]
    reference: NDArray[np.float32]
    onsets: NDArray[np.float64]
    rule: NDArray[np.float64]
    rests: tuple[tuple[float, float], ...] = ()
    threshold: float = ONSET_THRESHOLD


@dataclass(frozen=True)
class ResponseSettings:
    """How music is made for clips: a bundle's name or folder, and the live controls."""

    bundle: str
    temperature: float = ANSWER_TEMPERATURE
    anticipation_s: float = 0.0
    guidance: float = ANSWER_GUIDANCE


def flow_peaks(clip: Clip) -> NDArray[np.float64]:
    """The rule: an onset at each local maximum of the mean speed above the clip's mean."""
    energy = clip.speed.astype(np.float64).mean((1, 2))
    peak = (energy >= maximum_filter1d(energy, 5)) & (energy > energy.mean())
    return np.flatnonzero(peak) / TICKS_PER_SECOND


def respond(clip: Clip, setting: ResponseSettings, seed: int) -> NDArray[np.float32]:
    """Make a clip's music through the live engines, tick by tick: float32 [n]."""
    sight = open_engine("sight", bundle=setting.bundle)
    translator = open_engine("translator", bundle=setting.bundle, seed=seed)
    decoder = open_engine("decoder", bundle=setting.bundle)
    music = []
    for tick in range(clip.age_s.size):
        age_s = float(clip.age_s[tick])
        video = sight.step(
            flow=clip.flow[tick].astype(np.float32),
            speed=clip.speed[tick].astype(np.float32),
            embedding=clip.embedding[tick].astype(np.float32),
            age_s=age_s,
        )
        frames = translator.step(
            latent=video["latent"],
            age_s=age_s,
            time_s=tick / TICKS_PER_SECOND,
            temperature=setting.temperature,
            anticipation_s=setting.anticipation_s,
            guidance=setting.guidance,
        )["frames"]
        music.append(decoder.step(frames=frames)["pcm"])
    return np.concatenate(music)


def respond_to_performer(seed: int, setting: ResponseSettings, *, periodic: bool = False) -> Response:
    """Watch one synthetic performer and make its music."""
    clip = watch(seed, open_engine("embedding", bundle=setting.bundle), steady=True, periodic=periodic)
    score = performer_of(seed, periodic=periodic).score
    music = respond(clip, setting, seed)
    return Response(str(seed), clip.kind, music, clip.sound, score.onsets_s, flow_peaks(clip), score.rests)


def respond_to_footage(path: Path, setting: ResponseSettings) -> Response:
    """Watch a film and make its music; the reference onsets are those in the film's own sound.

    Raises:
        FootageError: when it cannot be used, with the reason.
    """
    footage = examine(path)
    length = footage.ticks * TICK_SAMPLES
    reference = soxr.resample(sound(footage).mean(0), MASTER_RATE, SAMPLE_RATE)[:length].astype(np.float32)
    reference = np.pad(reference, (0, length - reference.size))
    reference *= np.float32(FOOTAGE_RMS / max(float(np.sqrt(np.mean(reference**2))), 1e-4))
    embedding = open_engine("embedding", bundle=setting.bundle)
    clip = Clip(0, "footage", *read_motion(camera_frames(footage), footage.ticks, embedding), reference)
    onsets = detect_onsets(reference, threshold=FOOTAGE_THRESHOLD)
    music = respond(clip, setting, 0)
    return Response(path.name, clip.kind, music, reference, onsets, flow_peaks(clip), threshold=FOOTAGE_THRESHOLD)


def _mean(values: list[float]) -> float | None:
    """The mean without NaN values; None where there are no others."""
    there = [value for value in values if not np.isnan(value)]
    return round(float(np.mean(there)), 4) if there else None


def shift_earlier(one: Response, by_s: float) -> Response:
    """The response beside the same performance so many seconds earlier."""
    samples = round(by_s * SAMPLE_RATE)
    reference = np.concatenate([one.reference[samples:], np.zeros(samples, np.float32)])
    rests = tuple((max(0.0, start - by_s), end - by_s) for start, end in one.rests)
    onsets = one.onsets - by_s
    return replace(one, reference=reference, onsets=onsets[onsets >= 0.0], rests=rests)


def score(answers: list[Response], early_s: float = 0.0) -> dict[str, Any]:
    """All figures of the forward evaluation for at least two responses.

    With anticipation the music is compared with the performance as if it were that much earlier; the signed lag stays
    the one behind the performance itself, so -80 ms is right for 80 ms of anticipation. Clips without onsets do not
    enter the onset figures.
    """
    if early_s:
        answers = [shift_earlier(a, early_s) for a in answers]
    detected = [detect_onsets(a.music) for a in answers]
    own = [match_onsets(a.onsets, h) for a, h in zip(answers, detected, strict=True)]
    with_onsets = [i for i, a in enumerate(answers) if a.onsets.size]
    others = [
        match_onsets(answers[i].onsets, detected[(i + shift) % len(answers)]).f1
        for shift in (1, 2, 3)
        for i in with_onsets
        if shift < len(answers)
    ]
    rule = [match_onsets(answers[i].onsets, answers[i].rule).f1 for i in with_onsets]
    ceiling = [
        match_onsets(answers[i].onsets, detect_onsets(answers[i].reference, threshold=answers[i].threshold)).f1
        for i in with_onsets
    ]
    levels = [(level_db(a.music), level_db(a.reference)) for a in answers]
    loud = [correlation(m, p) for m, p in levels]
    loud_shuffled = [correlation(levels[i][0], levels[(i + 1) % len(levels)][1]) for i in range(len(levels))]
    lags = [(lag - early_s) * 1e3 for match in own for lag in match.lags_s]
    pitched = [(pitch_track(a.music), pitch_track(a.reference)) for a in answers if a.kind in PITCHED]
    in_tune = [agreement(*track) for track in pitched]
    in_tune_shuffled = [agreement(pitched[i][0], pitched[(i + 1) % len(pitched)][1]) for i in range(len(pitched))]
    drops = [d for a in answers for d in stillness_drops(a.music, a.rests)]
    f1 = [own[i].f1 for i in with_onsets]
    return {
        "n_clips": len(answers),
        "n_with_onsets": len(with_onsets),
        "onset_f1_50ms": _mean(f1),
        "onset_f1_50ms_interval": interval(f1),
        "onset_f1_50ms_shuffled": _mean(others),
        "onset_f1_50ms_rule": _mean(rule),
        "onset_f1_50ms_of_true_sound": _mean(ceiling),
        "signed_lag_ms_median": round(float(np.median(lags)), 2) if lags else None,
        "loudness_correlation": _mean(loud),
        "loudness_correlation_interval": interval(loud),
        "loudness_correlation_shuffled": _mean(loud_shuffled),
        "pitch_within_50_cents": _mean(in_tune),
        "pitch_within_50_cents_interval": interval(in_tune),
        "pitch_within_50_cents_shuffled": _mean(in_tune_shuffled),
        "n_pitched": len(pitched),
        "stillness_drop_db": round(float(np.median(drops)), 2) if drops else None,
        "n_rests": len(drops),
    }


def evaluate_forward(
    setting: ResponseSettings, clips: int, *, periodic: bool = False, workers: int = 2
) -> tuple[dict[str, Any], list[Response]]:
    """Score the first `clips` held-out clips, or as many performers that repeat one gesture.

    Returns:
        The figures, in all and by kind, with the seeds and settings; and the responses.
    """
    seeds = range(TEST_SEED, TEST_SEED + clips)
    with open_executor(workers) as pool:
        jobs = pool.map(partial(respond_to_performer, setting=setting, periodic=periodic), seeds)
        answers = list(tqdm(jobs, total=clips, desc="clips", mininterval=5))
    kinds = sorted({a.kind for a in answers})
    groups = {kind: [a for a in answers if a.kind == kind] for kind in kinds}
    early = setting.anticipation_s
    gestures = "one gesture at every beat" if periodic else "never trained on"
    figures = score(answers, early) | {
        "by_kind": {kind: score(group, early) for kind, group in groups.items() if len(group) > 1},
        "seeds": [seeds.start, seeds.stop - 1],
        "split": f"held-out synthetic performances, {gestures}",
    }
    return figures | _settings(setting), answers


def evaluate_footage(
    setting: ResponseSettings, folder: Path, workers: int = 2
) -> tuple[dict[str, Any], list[Response]]:
    """Score every film in a folder; films that cannot be used are named in the figures with the reason.

    Returns:
        The figures, in all and by film; and the responses.

    Raises:
        FileNotFoundError: when fewer than two films can be used.
    """
    films = sorted(path for path in folder.iterdir() if path.suffix.lower() in FILMS) if folder.is_dir() else []
    answers, refused = [], {}
    with open_executor(workers) as pool:
        jobs = [(path, pool.submit(respond_to_footage, path, setting)) for path in films]
        for path, job in tqdm(jobs, desc="films", mininterval=5):
            try:
                answers.append(job.result())
            except FootageError as error:
                refused[path.name] = str(error)
    if len(answers) < 2:
        raise FileNotFoundError(
            f"{folder}: {len(answers)} usable films, but two films or more are needed to compare; add some"
        )
    figures = score(answers, setting.anticipation_s) | {
        "by_film": {a.name: _film_figures(a) for a in answers},
        "refused": refused,
        "split": "footage of others, never trained on; the onsets are those heard in its own sound",
    }
    return figures | _settings(setting), answers


def _film_figures(one: Response) -> dict[str, Any]:
    """The figures of one film; None where its sound has nothing to compare with."""
    match = match_onsets(one.onsets, detect_onsets(one.music))
    rule = match_onsets(one.onsets, one.rule)
    loud = correlation(level_db(one.music), level_db(one.reference))
    return {
        "n_onsets": int(one.onsets.size),
        "onset_f1_50ms": round(match.f1, 4) if one.onsets.size else None,
        "onset_f1_50ms_rule": round(rule.f1, 4) if one.onsets.size else None,
        "loudness_correlation": _mean([loud]),
        "level_db_of_music": round(float(10 * np.log10(np.mean(one.music**2) + 1e-12)), 1),
    }


def _settings(setting: ResponseSettings) -> dict[str, Any]:
    return {
        "temperature": setting.temperature,
        "guidance": setting.guidance,
        "anticipation_ms": round(setting.anticipation_s * 1e3),
    }
