"""Scores the codec, streamed tick by tick, beside Opus on the same sounds in the same run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from engines.registry import open_engine
from streaming.conventions import (
    CARDINALITY,
    NUM_CODEBOOKS,
    SAMPLE_RATE,
    TICK_SAMPLES,
    TICKS_PER_SECOND,
    TOKEN_FRAMES_PER_TICK,
)
from training.datasets.codec import TEST_SEED, render_clip
from training.datasets.sounds.recorded_sounds import read_sound, recordings_of
from training.datasets.sounds.sampled_music import render_music
from training.loop.pool import open_executor
from training.measures import mel_distance as mel
from training.measures.bootstrap import interval
from training.measures.opus import through_opus
from training.measures.phrase_ends import CUT_DB, phrase_ends
from training.synthesis.conventions import CLIP_S

OPUS_KBITS = (6, 8, 12, 24)
CODEC_KBITS = TICKS_PER_SECOND * TOKEN_FRAMES_PER_TICK * NUM_CODEBOOKS * math.log2(CARDINALITY) / 1000
"""Bit rate of the tokens: 2.2 kbit/s."""
LONGEST_S = 20.0
ELSEWHERE = (101, 223, 349, 491, 613, 743, 887, 1013, 1151)
"""Samples after a tick's border at which the same jump is measured for comparison."""


@dataclass(frozen=True)
class Sample:
    """A test sound: its name, and float32 [n] at 32 kHz in whole ticks."""

    name: str
    sound: NDArray[np.float32]


def mel_distance(sound: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """The multi-scale mel distance of two sounds [n]; see `training.measures.mel_distance`."""
    a, b = torch.from_numpy(sound)[None], torch.from_numpy(reference)[None]
    return float(mel.mel_distance(a, b))


def si_sdr_db(sound: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019) in dB."""
    target = reference.astype(np.float64)
    estimate = sound.astype(np.float64)
    part = target * float(estimate @ target) / (float(target @ target) + 1e-12)
    return 10.0 * float(np.log10((part @ part + 1e-12) / (((estimate - part) ** 2).sum() + 1e-12)))


def jumps(sound: NDArray[np.float32], off: tuple[int, ...] = (0,)) -> NDArray[np.float64]:
    """Jumps between the last sample of a tick and the first of the next, over the rms of the 10 ms around them.

    Args:
        sound: float32 [n].
        off: distances from the borders in samples, for places where nothing is joined.

    Returns:
        float64 [m], one for each such place with sound (rms above -60 dBFS).
    """
    borders = np.arange(TICK_SAMPLES, sound.size - TICK_SAMPLES, TICK_SAMPLES)
    places = (borders[:, None] + np.array(off)).ravel()
    rms = np.array([np.sqrt(float((sound[p - 160 : p + 160].astype(np.float64) ** 2).mean())) for p in places])
    loud = rms > 1e-3
    return np.asarray(np.abs(sound[places] - sound[places - 1])[loud] / rms[loud], np.float64)


def through_codec(sound: NDArray[np.float32], bundle: str) -> NDArray[np.float32]:
    """Encode and decode through the live engines, tick by tick; their latency is removed."""
    encoder, decoder = open_engine("encoder", bundle=bundle), open_engine("decoder", bundle=bundle)
    late = encoder.spec.latency_samples + decoder.spec.latency_samples
    ticks = np.pad(sound, (0, -(-late // TICK_SAMPLES) * TICK_SAMPLES)).reshape(-1, TICK_SAMPLES)
    pcm = np.concatenate([decoder.step(frames=encoder.step(pcm=tick)["frames"])["pcm"] for tick in ticks])
    return pcm[late : late + sound.size]


@dataclass(frozen=True)
class SampleScores:
    """The figures of one sound.

    Attributes:
        row: each figure by name.
        jumps: its jumps by name: `seam`, `seam_of_original`, `seam_elsewhere`.
        falls_db: the largest fall at each phrase end by name, see `training.measures.phrase_ends`.
    """

    row: dict[str, float]
    jumps: dict[str, NDArray[np.float64]]
    falls_db: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def score_sample(sample: Sample, bundle: str) -> SampleScores:
    """All figures of one sound."""
    torch.set_num_threads(1)
    reconstruction = through_codec(sample.sound, bundle)
    row = {
        "mel": mel_distance(reconstruction, sample.sound),
        "si_sdr_db": si_sdr_db(reconstruction, sample.sound),
    }
    for kbits in OPUS_KBITS:
        opus = through_opus(sample.sound, SAMPLE_RATE, 1000 * kbits)
        row[f"opus_{kbits}_mel"] = mel_distance(opus, sample.sound)
        row[f"opus_{kbits}_si_sdr_db"] = si_sdr_db(opus, sample.sound)
    all_jumps = {
        "seam": jumps(reconstruction),
        "seam_of_original": jumps(sample.sound),
        "seam_elsewhere": jumps(reconstruction, ELSEWHERE),
    }
    falls_db = {
        "cut_phrase_ends": phrase_ends(reconstruction).falls_db,
        "cut_phrase_ends_of_original": phrase_ends(sample.sound).falls_db,
    }
    return SampleScores(row, all_jumps, falls_db)


def held_out_renders(count: int) -> list[Sample]:
    """Held-out renders of every kind."""
    out = []
    for seed in range(TEST_SEED, TEST_SEED + count):
        x = render_clip(seed).astype(np.float32) / 32768.0
        out.append(Sample(f"render {seed}", x[: x.size // TICK_SAMPLES * TICK_SAMPLES]))
    return out


def held_out_music(count: int, soundfont: Path, corpus: Path | None) -> list[Sample]:
    """Music of sampled instruments from scores that are kept for tests, in every voice."""
    out = []
    for seed in range(TEST_SEED, TEST_SEED + count):
        x = render_music(seed, CLIP_S, soundfont, corpus, "test").astype(np.float32)
        out.append(Sample(f"music {seed}", x[: x.size // TICK_SAMPLES * TICK_SAMPLES]))
    return out


def held_out_recordings(corpus: Path) -> list[Sample]:
    """The recordings of a corpus that are kept for tests, at most `LONGEST_S` of each."""
    cuts = [x[: round(LONGEST_S * SAMPLE_RATE)] for x in recordings_of(corpus, "test")]
    return [Sample(f"corpus {n}", cut[: cut.size // TICK_SAMPLES * TICK_SAMPLES]) for n, cut in enumerate(cuts)]


def load_recordings(folder: Path) -> list[Sample]:
    """The sounds in a folder as the codec gets them: mono, 32 kHz, at most 20 s.

    Raises:
        FileNotFoundError: when there is none.
    """
    out = []
    for path in sorted(folder.iterdir()):
        x = read_sound(path, LONGEST_S)
        if x is not None:
            out.append(Sample(path.name, x[: x.size // TICK_SAMPLES * TICK_SAMPLES]))
    if not out:
        raise FileNotFoundError(f"{folder}: no readable sound; give another folder")
    return out


def pool_scores(scores: list[SampleScores]) -> dict[str, Any]:
    """Means over sounds; jumps as mean and median over all borders, so that each border counts the same."""
    figures: dict[str, Any] = {"n_clips": len(scores)}
    for name in scores[0].row:
        values = [one.row[name] for one in scores]
        figures[name] = round(float(np.mean(values)), 4)
        if name in ("mel", "opus_6_mel", "opus_12_mel"):
            figures[f"{name}_interval"] = interval(values)
    for name in scores[0].jumps:
        every = np.concatenate([one.jumps[name] for one in scores])
        if every.size:
            figures[name] = round(float(every.mean()), 4)
            figures[f"{name}_interval"] = interval(every.tolist())
            figures[f"{name}_median"] = round(float(np.median(every)), 4)
    for name in scores[0].falls_db:
        every = np.concatenate([one.falls_db[name] for one in scores])
        figures[name] = round(float((every > CUT_DB).mean()), 4) if every.size else None
        figures[f"{name}_n"] = int(every.size)
    return figures


@dataclass(frozen=True)
class CodecSounds:
    """What a codec is scored on.

    Attributes:
        clips: number of held-out renders, and of pieces of music.
        recordings: a folder of real sounds; None for none.
        soundfont: a General MIDI soundfont for music; None for no music.
        corpus: a folder with real scores and recordings, of which those for tests are used; None for none.
    """

    clips: int
    recordings: Path | None = None
    soundfont: Path | None = None
    corpus: Path | None = None

    def load(self) -> dict[str, list[Sample]]:
        """Group -> its sounds.

        Raises:
            FileNotFoundError: when a folder has no sound.
            ValueError: when the soundfont cannot be used.
        """
        groups = {"renders": held_out_renders(self.clips)}
        if self.soundfont is not None:
            groups["sampled"] = held_out_music(self.clips, self.soundfont, self.corpus)
        if self.corpus is not None:
            groups["corpus"] = held_out_recordings(self.corpus)
        if self.recordings is not None:
            groups["recordings"] = load_recordings(self.recordings)
        return groups


def evaluate_codec(
    bundle: str, sounds: CodecSounds, workers: int = 2
) -> tuple[dict[str, Any], dict[str, list[Sample]]]:
    """Score held-out renders, music, recordings, each where it is given, and silence.

    Returns:
        The figures, and the sounds that they were made with.
    """
    figures: dict[str, Any] = {"kbits_per_s": CODEC_KBITS}
    groups = sounds.load()
    with open_executor(workers) as pool:
        for name, samples in groups.items():
            todo = pool.map(partial(score_sample, bundle=bundle), samples)
            rows = list(tqdm(todo, total=len(samples), desc=name, mininterval=5))
            figures[name] = pool_scores(rows)
            if name == "recordings":
                figures["by_recording"] = {
                    sample.name: {k: round(v, 3) for k, v in one.row.items()}
                    for sample, one in zip(samples, rows, strict=True)
                }
    silence = through_codec(np.zeros(50 * TICK_SAMPLES, np.float32), bundle)
    figures["silence_db"] = round(20.0 * float(np.log10(np.abs(silence).max() + 1e-9)), 1)
    figures["seeds"] = [TEST_SEED, TEST_SEED + sounds.clips - 1]
    figures["split"] = "held-out renders, never trained on"
    return figures, groups
