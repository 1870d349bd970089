"""Scores the forward loop: held-out performers are watched, and the music made is compared with what they played.

Everything runs through the live engines, tick by tick: no look-ahead, no teacher forcing. Controls: the same music
scored against other clips (shuffled), and the simplest rule, an onset at each peak of the flow's energy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.registry import has_network, open_engine
from performers.kinds import MELODIC
from streaming.audio.fader import Fader
from streaming.audio.stillness_gate import GainRamp, StillnessGate
from streaming.audio.true_peak_limiter import TruePeakLimiter
from streaming.audio.voice_levels import LEVEL_FADE_S, VoiceLevels, level_gain
from streaming.conventions import INSTRUMENT_KINDS, SAMPLE_RATE, TICKS_PER_SECOND
from streaming.schema.messages import NO_INSTRUMENT
from streaming.settings.config import Show
from streaming.stages.tokens import voice_names_of, voice_number
from streaming.vision.gestures.gesture_reader import PlayerMotion
from streaming.vision.gestures.named_instrument import guidance_of_tick, kind_of_player, voice_of_tick
from streaming.vision.gestures.tick_gestures import TickGestures
from training.evaluation.films.flow_rules import flow_peaks
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
from training.synthesis.recordings import TEST_SEED, Clip, performer_of, watch

ANSWER_TEMPERATURE, ANSWER_GUIDANCE = Show().number("temperature"), Show().number("guidance")
"""Temperature and guidance of a show by default."""
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
    """How music is made for clips: a bundle's name or folder, and the live controls.

    Attributes:
        voice: an instrument's name, or "auto".
        eyes: whether the pre-trained eyes look at films, where they are here: "auto", "mediapipe" or "bundle".
        by_gestures: whether every player is played by gestures, as one of no known kind is.
    """

    bundle: str
    temperature: float = ANSWER_TEMPERATURE
    anticipation_s: float = 0.0
    guidance: float = ANSWER_GUIDANCE
    voice: str = "auto"
    eyes: str = "auto"
    by_gestures: bool = False


@dataclass(frozen=True)
class Played:
    """What is played to a clip.

    Attributes:
        music: float32 [n].
        kinds: for each tick the kind of player that was named, by the bundle or by the eyes, or "none".
    """

    music: NDArray[np.float32]
    kinds: tuple[str, ...]


def respond(clip: Clip, setting: ResponseSettings, seed: int) -> NDArray[np.float32]:
    """The music of `play`: float32 [n]."""
    return play(clip, setting, seed).music


def play(clip: Clip, setting: ResponseSettings, seed: int) -> Played:
    """Make a clip's music through the live engines, tick by tick, with gate and limiter as it is heard."""
    sight = open_engine("sight", bundle=setting.bundle)
    translator = open_engine("translator", bundle=setting.bundle, seed=seed)
    decoder = open_engine("decoder", bundle=setting.bundle)
    gate, ramp, level, limiter = StillnessGate(), GainRamp(), Fader(), TruePeakLimiter()
    levels = VoiceLevels(translator.spec.config)
    knows = has_network("kind", setting.bundle)
    gestures = TickGestures(open_engine("kind", bundle=setting.bundle) if knows else None)
    gestures.ignores_kind = setting.by_gestures
    voice = voice_number(setting.voice, translator.spec)
    voice_names = voice_names_of(translator.spec)
    music, kinds = [], []
    for tick in range(clip.age_s.size):
        age_s = float(clip.age_s[tick])
        video = sight.step(
            flow=clip.flow[tick].astype(np.float32),
            speed=clip.speed[tick].astype(np.float32),
            embedding=clip.embedding[tick].astype(np.float32),
            age_s=age_s,
        )
        still_s = float(clip.still_s[tick])
        moved = PlayerMotion(clip.flow[tick], clip.features[tick], clip.hands_motion[tick], still_s)
        gesture = gestures.step(moved, clip.embedding[tick], patient=setting.anticipation_s < 0.0)
        instrument = INSTRUMENT_KINDS[clip.instrument[tick]] if clip.instrument[tick] >= 0 else NO_INSTRUMENT
        tick_voice = voice_of_tick(voice, gesture, instrument, voice_names)
        kinds.append(kind_of_player(gestures.player.kind, instrument))
        frames = translator.step(
            gesture=gesture,
            latent=video["latent"],
            age_s=age_s,
            time_s=tick / TICKS_PER_SECOND,
            temperature=setting.temperature,
            anticipation_s=max(0.0, setting.anticipation_s),
            guidance=guidance_of_tick(setting.guidance, gesture),
            voice=tick_voice,
        )["frames"]
        pcm = np.asarray(decoder.step(frames=frames)["pcm"], np.float32).reshape(-1)
        level.move(level_gain(levels.gain_db(gestures.player.kind, tick_voice)), LEVEL_FADE_S)
        music.append(limiter.step(level.step(ramp.step(pcm, gate.step(still_s)))))
    return Played(np.concatenate(music), tuple(kinds))


def respond_to_performer(seed: int, setting: ResponseSettings, *, periodic: bool = False) -> Response:
    """Watch one synthetic performer and make its music."""
    clip = watch(seed, open_engine("embedding", bundle=setting.bundle), steady=True, periodic=periodic)
    score = performer_of(seed, periodic=periodic).score
    music = respond(clip, setting, seed)
    return Response(str(seed), clip.kind, music, clip.sound, score.onsets_s, flow_peaks(clip.speed), score.rests)


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
    loud = [correlation(m, p) if np.ptp(p) else float("nan") for m, p in levels]
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
    return figures | describe_settings(setting), answers


def describe_settings(setting: ResponseSettings) -> dict[str, Any]:
    """The settings as figures."""
    return {
        "temperature": setting.temperature,
        "guidance": setting.guidance,
        "anticipation_ms": round(setting.anticipation_s * 1e3),
        "voice": setting.voice,
    }
