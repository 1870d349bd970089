"""The data set of hits: the motion that a camera sees of the performer "hits", tick by tick, and the truth.

`python -m training.datasets.hits FOLDER --clips N [--corpus DIR]` records it; what is there is kept, so that a run may
be stopped and started again. `--test` records clips that are never trained on. A file holds `CLIPS_PER_FILE` clips.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineSpec
from performers.hits.hand_shapes import LANDMARKS
from performers.hits.performer import HitsPerformer
from streaming.conventions import EMBEDDING_DIM, TICKS_PER_SECOND
from training.loop.pool import make_missing
from training.synthesis.camera_augmentation import recompress
from training.synthesis.conventions import CLIP_S, CLIP_TICKS
from training.synthesis.hits_corpus import HitsCorpus, load_corpus, material_of
from training.synthesis.recordings import read_motion

TRAIN_SEED, TEST_SEED = 4_100_000, 9_700_000
"""Seeds of the first clip; from `TEST_SEED` on nothing is trained on."""
CLIPS_PER_FILE = 20
LAYOUT = 1
"""Version of the performer and of the file format; older files are not used."""
MOST_HITS, MOST_LIMBS = 128, 2
CODEC_SHARE = 0.35
"""Share of the clips whose frames go through a video codec at a low bit rate."""


@dataclass
class HitsClips:
    """Clips as arrays, one row each; T ticks, at most H hits and L limbs.

    Attributes:
        seed: int64 [N].
        flow: float16 [N, T, 2, 16, 16]; speed: float16 [N, T, 16, 16]; features: float16 [N, T, F], see
            `streaming.vision.motion.feature_names.NAMES`; age_s: float32 [N, T], of the newest frame.
        contact_s: float32 [N, H], when the tip touches, in seconds; NaN behind the last hit.
        limb_stop_s: float32 [N, H], when the visible limb stops.
        strength: float32 [N, H], 0..1. visible: bool [N, H], whether the contact lies in the frame.
        sound_delay_s: float32 [N]; onsets in the sound are `contact_s + sound_delay_s`.
        tips: float16 [N, T, L, 2]; hands: float16 [N, T, L, 21, 2]; in sides of the square view, at the time of the
            newest frame; NaN where there is none.
    """

    seed: NDArray[np.int64]
    flow: NDArray[np.float16]
    speed: NDArray[np.float16]
    features: NDArray[np.float16]
    age_s: NDArray[np.float32]
    contact_s: NDArray[np.float32]
    limb_stop_s: NDArray[np.float32]
    strength: NDArray[np.float32]
    visible: NDArray[np.bool_]
    sound_delay_s: NDArray[np.float32]
    tips: NDArray[np.float16]
    hands: NDArray[np.float16]

    def onsets(self, row: int) -> NDArray[np.float64]:
        """Onsets of a clip's sound in seconds: float64 [hits]."""
        contact = self.contact_s[row].astype(np.float64)
        return np.asarray(contact[~np.isnan(contact)] + float(self.sound_delay_s[row]))


class NoEmbedding:
    """Stands in for the visual network where only the flow is wanted."""

    def __init__(self) -> None:
        self.spec = EngineSpec("embedding", "none")
        self._nothing = np.zeros(EMBEDDING_DIM, np.float32)

    def step(self, **inputs: np.ndarray | float) -> dict[str, NDArray[Any]]:
        """Zeros."""
        return {"embedding": self._nothing}

    def reset(self) -> None:
        """There is no state."""


@cache
def _corpus(folder: Path | None, split: str) -> HitsCorpus:
    return load_corpus(folder, split)


def frames_of(performer: HitsPerformer) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """The frames that a show gets of a performer: those of its camera, some of them through a video codec."""
    rng = np.random.default_rng([performer.seed, 265])
    frames = performer.frames()
    if rng.random() >= CODEC_SHARE:
        return frames
    images, times = zip(*frames, strict=True)
    return zip(recompress(list(images), int(rng.integers(22, 36))), times, strict=True)


def _padded(values: NDArray[Any], fill: float) -> NDArray[np.float32]:
    out = np.full(MOST_HITS, fill, np.float32)
    out[: min(len(values), MOST_HITS)] = values[:MOST_HITS]
    return out


def record_clip(seed: int, corpus: HitsCorpus) -> dict[str, NDArray[Any]]:
    """One row of `HitsClips`: render a clip and read its motion through the live path's own code.

    Args:
        seed: of the clip.
        corpus: real playing to take its timing, hands and traces from.
    """
    performer = HitsPerformer(seed, CLIP_S, material_of(corpus, seed, CLIP_S))
    track = read_motion(frames_of(performer), CLIP_TICKS, NoEmbedding())
    truth = performer.truth
    tips = np.full((CLIP_TICKS, MOST_LIMBS, 2), np.nan, np.float16)
    hands = np.full((CLIP_TICKS, MOST_LIMBS, LANDMARKS, 2), np.nan, np.float16)
    for tick in range(CLIP_TICKS):
        captured = tick / TICKS_PER_SECOND - float(track.age_s[tick])
        tips[tick, : len(performer.limbs)] = performer.tips(captured)
        hands[tick, : len(performer.limbs)] = performer.hands(captured)
    return {
        "seed": np.array(seed),
        "flow": track.flow,
        "speed": track.speed,
        "features": track.features,
        "age_s": track.age_s,
        "contact_s": _padded(truth.contact_s, np.nan),
        "limb_stop_s": _padded(truth.limb_stop_s, np.nan),
        "strength": _padded(truth.strength, 0.0),
        "visible": _padded(truth.visible, 0.0) > 0,
        "sound_delay_s": np.array(truth.sound_delay_s, np.float32),
        "tips": tips,
        "hands": hands,
    }


def _record_file(path: Path, corpus: Path | None, clips: int) -> Path:
    first = int(path.stem.split("-")[1])
    split = "test" if first >= TEST_SEED else "train"
    rows = [record_clip(seed, _corpus(corpus, split)) for seed in range(first, first + clips)]
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})
    part.replace(path)
    return path


def record_hits(
    folder: Path,
    clips: int,
    corpus: Path | None = None,
    *,
    test: bool = False,
    workers: int = 2,
    per_file: int = CLIPS_PER_FILE,
) -> list[Path]:
    """Record clips; files that exist are kept.

    Args:
        folder: of the data set.
        clips: how many; rounded up to whole files.
        corpus: real playing, see `training.synthesis.hits_corpus`; None to generate everything.
        test: record from `TEST_SEED` on, with the corpus' test split.
        workers: processes.
        per_file: clips in a file.

    Returns:
        The files, in order of their seeds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = TEST_SEED if test else TRAIN_SEED
    source = "played" if corpus is not None else "drawn"
    paths = [folder / f"hits-{seed}-{source}-v{LAYOUT}.npz" for seed in range(start, start + clips, per_file)]
    make_missing(paths, partial(_record_file, corpus=corpus, clips=per_file), workers, "hits")
    return paths


def load_hits(paths: list[Path]) -> HitsClips:
    """Stack the clips of some files."""
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in HitsClips.__dataclass_fields__}
    for path in paths:
        with np.load(path) as file:
            for name, rows in columns.items():
                rows.append(file[name])
    return HitsClips(**{name: np.concatenate(rows) for name, rows in columns.items()})


def main(arguments: list[str] | None = None) -> int:
    """Record the data set from the command line."""
    parser = argparse.ArgumentParser(description="Record the data set of hits.")
    parser.add_argument("folder", type=Path, help="of the data set")
    parser.add_argument("--clips", type=int, default=1000, help="how many clips of 8 s (default 1000)")
    parser.add_argument("--corpus", type=Path, help="folder with real playing; without it everything is generated")
    parser.add_argument("--test", action="store_true", help="clips that are never trained on")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    options = parser.parse_args(arguments)
    for line in load_corpus(options.corpus, "test" if options.test else "train").missing:
        print(line)
    paths = record_hits(options.folder, options.clips, options.corpus, test=options.test, workers=options.workers)
    print(f"{len(paths) * CLIPS_PER_FILE} clips in {len(paths)} files in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
