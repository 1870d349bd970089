"""Scores the forward loop: held-out performers are watched, and the music made is compared with what they played.

Everything runs through the live path's own engines, one tick at a time: no look-ahead, no teacher. Controls: the same
music scored against another clip's score (videos shuffled), and the simplest rule, an onset at each flow-energy peak.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from tqdm import tqdm

from engines.registry import open_engine
from streaming.messages import TICKS_PER_SECOND
from training.onsets import correlation, detect_onsets, level_db, match_onsets, stillness_drops
from training.performances import TEST_SEED, Clip, performer_of, watch
from training.pitch import agreement, pitch_track
from training.statistics import interval

ANSWER_TEMPERATURE = 0.8
"""What a show uses when nothing is said."""


PITCHED = ("strings", "keys", "air")
"""Kinds whose pitch is scored."""


@dataclass
class Answer:
    """One clip, answered: its seed and kind, the music made, what was played, and the rule's onsets in seconds."""

    seed: int
    kind: str
    music: NDArray[np.float32]
    played: NDArray[np.float32]
    rule: NDArray[np.float64]


def flow_peaks(clip: Clip) -> NDArray[np.float64]:
    """The rule: an onset at each local maximum of the mean speed that is above its clip's mean."""
    energy = clip.speed.astype(np.float64).mean((1, 2))
    peak = (energy >= maximum_filter1d(energy, 5)) & (energy > energy.mean())
    return np.flatnonzero(peak) / TICKS_PER_SECOND


def answer(seed: int, bundle: str, temperature: float, anticipation_s: float = 0.0, guidance: float = 1.0) -> Answer:
    """Watch one clip and make its music through the causal path."""
    clip = watch(seed, open_engine("embedding", bundle=bundle), steady=True)
    sight = open_engine("sight", bundle=bundle)
    translator = open_engine("translator", bundle=bundle, seed=seed)
    decoder = open_engine("decoder", bundle=bundle)
    music = []
    for tick in range(clip.age_s.size):
        age_s = float(clip.age_s[tick])
        seen = sight.step(
            flow=clip.flow[tick].astype(np.float32),
            speed=clip.speed[tick].astype(np.float32),
            embedding=clip.embedding[tick].astype(np.float32),
            age_s=age_s,
        )
        codes = translator.step(
            latent=seen["latent"],
            age_s=age_s,
            time_s=tick / TICKS_PER_SECOND,
            temperature=temperature,
            anticipation_s=anticipation_s,
            guidance=guidance,
        )["frames"]
        music.append(decoder.step(frames=codes)["pcm"])
    return Answer(seed, clip.kind, np.concatenate(music), clip.sound, flow_peaks(clip))


def _mean(values: list[float]) -> float | None:
    """The mean of the values that are not NaN."""
    there = [value for value in values if not np.isnan(value)]
    return round(float(np.mean(there)), 4) if there else None


def score(answers: list[Answer]) -> dict[str, Any]:
    """All figures of the forward evaluation for a list of answered clips (at least two)."""
    scores = [performer_of(a.seed).score for a in answers]
    heard = [detect_onsets(a.music) for a in answers]
    own = [match_onsets(s.onsets_s, h) for s, h in zip(scores, heard, strict=True)]
    others = [
        match_onsets(scores[i].onsets_s, heard[(i + shift) % len(answers)]).f1
        for shift in (1, 2, 3)
        for i in range(len(answers))
        if shift < len(answers)
    ]
    rule = [match_onsets(s.onsets_s, a.rule).f1 for s, a in zip(scores, answers, strict=True)]
    ceiling = [match_onsets(s.onsets_s, detect_onsets(a.played)).f1 for s, a in zip(scores, answers, strict=True)]
    levels = [(level_db(a.music), level_db(a.played)) for a in answers]
    loud = [correlation(m, p) for m, p in levels]
    loud_shuffled = [correlation(levels[i][0], levels[(i + 1) % len(levels)][1]) for i in range(len(levels))]
    lags = [lag * 1e3 for match in own for lag in match.lags_s]
    tracks = [(pitch_track(a.music), pitch_track(a.played)) if a.kind in PITCHED else None for a in answers]
    pitched = [track for track in tracks if track is not None]
    in_tune = [agreement(*track) for track in pitched]
    in_tune_shuffled = [agreement(pitched[i][0], pitched[(i + 1) % len(pitched)][1]) for i in range(len(pitched))]
    drops = [d for a, s in zip(answers, scores, strict=True) for d in stillness_drops(a.music, s.rests)]
    f1 = [match.f1 for match in own]
    return {
        "n_clips": len(answers),
        "onset_f1_50ms": round(float(np.mean(f1)), 4),
        "onset_f1_50ms_interval": interval(f1),
        "onset_f1_50ms_shuffled": round(float(np.mean(others)), 4),
        "onset_f1_50ms_rule": round(float(np.mean(rule)), 4),
        "onset_f1_50ms_of_true_sound": round(float(np.mean(ceiling)), 4),
        "signed_lag_ms_median": round(float(np.median(lags)), 2) if lags else None,
        "loudness_correlation": round(float(np.mean(loud)), 4),
        "loudness_correlation_interval": interval(loud),
        "loudness_correlation_shuffled": round(float(np.mean(loud_shuffled)), 4),
        "pitch_within_50_cents": _mean(in_tune),
        "pitch_within_50_cents_interval": interval(in_tune),
        "pitch_within_50_cents_shuffled": _mean(in_tune_shuffled),
        "n_pitched": len(pitched),
        "stillness_drop_db": round(float(np.median(drops)), 2) if drops else None,
        "n_rests": len(drops),
    }


def evaluate_forward(
    bundle: str, clips: int, temperature: float, anticipation_s: float, guidance: float = 1.0, workers: int = 2
) -> tuple[dict[str, Any], list[Answer]]:
    """Answer and score the first `clips` held-out clips.

    Returns:
        The figures, whole and by kind, with the seeds and settings used; and the answers.
    """
    seeds = range(TEST_SEED, TEST_SEED + clips)
    job = partial(answer, bundle=bundle, temperature=temperature, anticipation_s=anticipation_s, guidance=guidance)
    with ProcessPoolExecutor(workers) as pool:
        answers = list(tqdm(pool.map(job, seeds), total=clips, desc="clips", mininterval=5))
    kinds = sorted({a.kind for a in answers})
    groups = {kind: [a for a in answers if a.kind == kind] for kind in kinds}
    figures = score(answers) | {
        "by_kind": {kind: score(group) for kind, group in groups.items() if len(group) > 1},
        "seeds": [seeds.start, seeds.stop - 1],
        "split": "held-out synthetic performances, never trained on",
        "temperature": temperature,
        "guidance": guidance,
        "anticipation_ms": round(anticipation_s * 1e3),
    }
    return figures, answers
