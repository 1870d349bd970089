"""Scores the latent space: which sound belongs to a video, and how far picture and sound are shifted in time.

Held-out performances go through the live engines, tick by tick. Controls: other clips' sound (chance), and the simplest
rule, the correlation of the flow's energy with the rise of the loudness.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.registry import open_engine
from streaming.conventions import TICK_SAMPLES
from training.loop.pool import open_executor
from training.measures.bootstrap import interval
from training.measures.onsets import level_db
from training.synthesis.recordings import TEST_SEED, watch

Table = NDArray[np.float64]
LARGEST_SHIFT = 12
"""Largest shift between picture and sound, in ticks either way."""
GROUP = 32
"""Number of clips among which the right one is searched."""


@dataclass(frozen=True)
class LatentPair:
    """A clip: video and audio latents [T, D], and the rule's two series [T, 1]."""

    kind: str
    video: Table
    audio: Table
    energy: Table
    rise: Table


def _standard(x: Table) -> Table:
    return np.asarray((x - x.mean(0)) / (x.std(0) + 1e-9))


def observe(seed: int, bundle: str) -> LatentPair:
    """See and hear one held-out clip."""
    clip = watch(seed, open_engine("embedding", bundle=bundle), steady=True)
    sight, encoder = open_engine("sight", bundle=bundle), open_engine("encoder", bundle=bundle)
    hearing = open_engine("hearing", bundle=bundle)
    video, audio = [], []
    for tick, pcm in enumerate(clip.sound.reshape(-1, TICK_SAMPLES)):
        video.append(
            sight.step(
                flow=clip.flow[tick].astype(np.float32),
                speed=clip.speed[tick].astype(np.float32),
                embedding=clip.embedding[tick].astype(np.float32),
                age_s=float(clip.age_s[tick]),
            )["latent"]
        )
        audio.append(hearing.step(frames=encoder.step(pcm=pcm)["frames"])["latent"])
    energy = np.log(clip.speed.astype(np.float64).mean((1, 2)) + 1e-3)[:, None]
    rise = np.maximum(0.0, np.diff(level_db(clip.sound), prepend=-60.0))[:, None]
    return LatentPair(
        clip.kind,
        np.stack(video).astype(np.float64),
        np.stack(audio).astype(np.float64),
        _standard(energy),
        _standard(rise),
    )


def match(video: Table, audio: Table, shift: int = 0) -> float:
    """Mean similarity of the video at t and the audio at t + shift."""
    total = video.shape[0]
    first, last = max(0, -shift), min(total, total - shift)
    return float((video[first:last] * audio[first + shift : last + shift]).sum(1).mean())


def retrieval_hits(video: list[Table], audio: list[Table]) -> list[float]:
    """For each video 1.0 if its own sound is the most similar of its group of `GROUP`, else 0.0."""
    hits = []
    for begin in range(0, len(video), GROUP):
        rows = range(begin, min(begin + GROUP, len(video)))
        for i in rows:
            scores = [match(video[i], audio[j]) for j in rows]
            hits.append(float(int(np.argmax(scores)) + begin == i))
    return hits


def shift_errors(video: list[Table], audio: list[Table], seed: int = 0) -> list[int]:
    """Shift each sound by a random number of ticks; returns how far the shift that is found is off, in ticks."""
    rng = np.random.default_rng(seed)
    errors = []
    span = range(-LARGEST_SHIFT, LARGEST_SHIFT + 1)
    for one, other in zip(video, audio, strict=True):
        true = int(rng.integers(-LARGEST_SHIFT // 2, LARGEST_SHIFT // 2 + 1))
        shifted_audio = np.roll(other, true, axis=0)
        compared_ticks = slice(LARGEST_SHIFT, len(one) - LARGEST_SHIFT)
        scores = [
            match(one[compared_ticks], shifted_audio[compared_ticks.start + s : compared_ticks.stop + s]) for s in span
        ]
        errors.append(int(np.argmax(scores)) - LARGEST_SHIFT - true)
    return errors


def score_pairs(pairs: list[LatentPair]) -> dict[str, Any]:
    """All figures, each beside its controls."""
    video, audio = [p.video for p in pairs], [p.audio for p in pairs]
    energy, rise = [p.energy for p in pairs], [p.rise for p in pairs]
    others = [*audio[1:], audio[0]]
    first = retrieval_hits(video, audio)
    shift_hits = [float(abs(error) <= 1) for error in shift_errors(video, audio)]
    return {
        "n_clips": len(pairs),
        "group": min(GROUP, len(pairs)),
        "found_first": round(float(np.mean(first)), 4),
        "found_first_interval": interval(first),
        "found_first_chance": round(1.0 / min(GROUP, len(pairs)), 4),
        "found_first_rule": round(float(np.mean(retrieval_hits(energy, rise))), 4),
        "shift_within_1": round(float(np.mean(shift_hits)), 4),
        "shift_within_1_interval": interval(shift_hits),
        "shift_within_1_shuffled": round(float(np.mean([abs(e) <= 1 for e in shift_errors(video, others)])), 4),
        "shift_within_1_rule": round(float(np.mean([abs(e) <= 1 for e in shift_errors(energy, rise)])), 4),
        "shift_range_ticks": LARGEST_SHIFT,
    }


def evaluate_latent(bundle: str, clips: int, workers: int = 2) -> tuple[dict[str, Any], list[LatentPair]]:
    """Score the first `clips` held-out clips; returns the figures, in all and by kind, and the clips."""
    seeds = range(TEST_SEED, TEST_SEED + clips)
    with open_executor(workers) as pool:
        pairs = list(tqdm(pool.map(partial(observe, bundle=bundle), seeds), total=clips, desc="clips", mininterval=5))
    kinds = sorted({pair.kind for pair in pairs})
    groups = {kind: [pair for pair in pairs if pair.kind == kind] for kind in kinds}
    figures = score_pairs(pairs) | {
        "by_kind": {kind: score_pairs(group) for kind, group in groups.items() if len(group) > 1},
        "seeds": [seeds.start, seeds.stop - 1],
        "split": "held-out synthetic performances, never trained on",
    }
    return figures, pairs
