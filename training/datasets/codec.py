"""The codec's data set: performances, the sound palette, levels down to -50 dBFS, microphone noise and coloration.

With a soundfont most clips are music of sampled instruments; with a corpus some are its recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from torch import Tensor
from tqdm import tqdm

from performers.kinds import KINDS
from performers.score import draw_score
from streaming.conventions import SAMPLE_RATE
from training.datasets.sounds.recorded_sounds import draw_recorded, recording_files, recordings_of
from training.datasets.sounds.sampled_music import render_music
from training.loop.pool import open_executor
from training.synthesis.conventions import CLIP_S
from training.synthesis.instruments import render_sound
from training.synthesis.sampled.soundfont import open_soundfont
from training.synthesis.sound_palette import draw_sound

TRAIN_SEED = 1_000_000
TEST_SEED = 9_000_000
"""Seeds from here on are never trained on."""
QUIETEST_DB = -50.0
COLOUR_DB, DARK_SHARE, PLAIN_SHARE = 2.5, 0.3, 0.3
"""Spread in dB of each of a recording's four spectral waves; shares of crops without highs, and without coloration."""
CROP = SAMPLE_RATE
"""Samples of a training crop: one second."""
HELD_SEEDS = range(TEST_SEED + 100_000, TEST_SEED + 100_008)
"""Clips for the test curves; the evaluation has others."""
HELD_S = 3
PERFORMANCE_SHARE = 0.4
"""Share of the clips that are the performers' own instruments; the others are of the palette."""


MUSIC_SHARE, RECORDED_SHARE = 0.55, 0.2
"""Shares of the clips that are music of sampled instruments, and recordings, where there are any."""


@dataclass(frozen=True)
class SoundSources:
    """What clips are made of besides what is synthesized.

    Attributes:
        soundfont: a General MIDI soundfont for music; None for no such music.
        corpus: a folder with real scores and recordings; None for none.
        split: of the corpus: "train" or "test".
    """

    soundfont: Path | None = None
    corpus: Path | None = None
    split: str = "train"

    def check(self) -> None:
        """Look whether all of it is there.

        Raises:
            ValueError: one line, when the soundfont cannot be used or the corpus has no recordings.
        """
        if self.soundfont is not None:
            open_soundfont(self.soundfont)
        if self.corpus is not None and not recording_files(self.corpus, self.split):
            raise ValueError(f"{self.corpus}: no recordings in its folder audio; name another with --corpus DIR")


def render_clip(seed: int, sources: SoundSources | None = None) -> NDArray[np.int16]:
    """One clip of `CLIP_S` seconds, int16; it follows from the seed and the sources alone."""
    sources = sources or SoundSources()
    rng = np.random.default_rng(seed)
    other = np.random.default_rng([seed, 316]).random()
    draw = rng.random()
    if draw < 0.02:
        x = np.zeros(round(CLIP_S * SAMPLE_RATE))
    elif sources.soundfont is not None and other < MUSIC_SHARE:
        x = render_music(seed, CLIP_S, sources.soundfont, sources.corpus, sources.split)
    elif sources.corpus is not None and other > 1.0 - RECORDED_SHARE:
        x = draw_recorded(recordings_of(sources.corpus, sources.split), CLIP_S, rng)
    elif draw < 0.02 + PERFORMANCE_SHARE:
        x = _performance(seed, rng)
    else:
        x = draw_sound(CLIP_S, SAMPLE_RATE, rng)
    peak_db = rng.uniform(-9.0, -0.5) if rng.random() < 0.6 else rng.uniform(QUIETEST_DB, -9.0)
    x = x * 10 ** (peak_db / 20) / (np.abs(x).max() + 1e-9)
    if rng.random() < 0.4:
        x = x + _floor(x.size, rng)
    return np.asarray(np.clip(x, -1, 1) * 32767, dtype=np.int16)


def _performance(seed: int, rng: np.random.Generator) -> NDArray[np.float64]:
    kind = KINDS[int(rng.integers(len(KINDS)))]
    variety = float(rng.choice([0.0, 0.0, 0.5, 1.0]))
    x = render_sound(draw_score(kind, seed, CLIP_S), SAMPLE_RATE, variety).astype(np.float64)
    if rng.random() < 0.2:
        other = KINDS[int(rng.integers(len(KINDS)))]
        x = x + render_sound(draw_score(other, seed + 500_000, CLIP_S), SAMPLE_RATE, variety)
    return x


def _floor(length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Microphone noise of -80 to -45 dBFS, more or less dark."""
    dark = rng.uniform(0.0, 0.98)
    hiss = lfilter([1.0], [1, -dark], rng.standard_normal(length))
    return np.asarray(hiss / hiss.std() * 10 ** (rng.uniform(-80, -45) / 20))


def build_corpus(folder: Path, clips: int, workers: int = 2, sources: SoundSources | None = None) -> NDArray[np.int16]:
    """Render the corpus once, or open it: int16 memory map [clips, CLIP_S * SAMPLE_RATE].

    Raises:
        ValueError: when a source cannot be used.
    """
    sources = sources or SoundSources()
    sources.check()
    folder.mkdir(parents=True, exist_ok=True)
    kinds = "music-" * (sources.soundfont is not None) + "recordings-" * (sources.corpus is not None) + "palette"
    path = folder / f"{kinds}-{clips}.npy"
    if not path.exists():
        part_path = path.with_suffix(".part")
        rows = np.lib.format.open_memmap(part_path, "w+", np.int16, (clips, round(CLIP_S * SAMPLE_RATE)))
        with open_executor(workers) as pool:
            seeds = range(TRAIN_SEED, TRAIN_SEED + clips)
            renders = pool.map(partial(render_clip, sources=sources), seeds, chunksize=8)
            for row, sound in enumerate(tqdm(renders, total=clips, desc="corpus", mininterval=5)):
                rows[row] = sound
        rows.flush()
        part_path.replace(path)
    return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]


def colour(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Crops [B, n] with the coloration of rooms, microphones and old recordings: smooth, and for some without highs.

    A recorded drum or piano has few highs; a codec that never heard that adds them. On real recordings it was up to 4
    dB too loud above 9 kHz.
    """
    size, length = x.shape
    hz = np.fft.rfftfreq(length, 1.0 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(hz, 20.0) / 20.0) / 10.0
    waves = np.cos(np.pi * np.arange(1, 5)[:, None] * octaves)
    decibels = rng.normal(0.0, COLOUR_DB, (size, 4)) @ waves
    # A second-order low pass for some, at 1.5 to 12 kHz.
    corner = 1_500.0 * 8.0 ** rng.random((size, 1))
    dark = rng.random((size, 1)) < DARK_SHARE
    decibels = decibels - np.where(dark, 10.0 * np.log10(1.0 + (hz / corner) ** 4), 0.0)
    plain = rng.random((size, 1)) < PLAIN_SHARE
    gain = 10.0 ** (np.where(plain, 0.0, decibels) / 20.0)
    return np.fft.irfft(np.fft.rfft(x) * gain, length).astype(np.float32)


def draw_crops(corpus: NDArray[np.int16], rng: np.random.Generator, size: int) -> Tensor:
    """Random crops, coloured and at random levels, a fifth of them mixed from two: float32 [size, 1, CROP] in -1..1."""

    def crops() -> NDArray[np.float32]:
        rows = rng.integers(0, corpus.shape[0], size)
        starts = rng.integers(0, corpus.shape[1] - CROP, size)
        cuts = np.stack([corpus[r, s : s + CROP] for r, s in zip(rows, starts, strict=True)])
        return np.asarray(cuts / 32768, dtype=np.float32)

    second = np.where(rng.random(size) < 0.2, rng.uniform(0.1, 1.0, size), 0.0)
    x = colour(crops() + crops() * second[:, None], rng)
    gain = 10.0 ** (np.where(rng.random(size) < 0.5, 0.0, rng.uniform(-24, 6, size)) / 20.0)
    gain = gain * rng.choice([-1.0, 1.0], size) / np.maximum(1.0, np.abs(x).max(1))
    return torch.from_numpy(np.clip(x * gain[:, None], -1, 1).astype(np.float32))[:, None]


def held_out_sounds(seeds: range, sources: SoundSources | None = None) -> Tensor:
    """The first `HELD_S` seconds of held-out clips: float32 [clips, HELD_S * SAMPLE_RATE]."""
    clips = np.stack([render_clip(seed, sources)[: HELD_S * SAMPLE_RATE] for seed in seeds])
    return torch.from_numpy(clips.astype(np.float32) / 32768)
