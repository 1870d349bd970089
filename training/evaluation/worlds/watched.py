"""What is compared: the motion and the onsets of films, of clips of hits, and of the five kinds of performer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICKS_PER_SECOND
from training.datasets.hits import HitsClips, NoEmbedding
from training.evaluation.films.groups import read_groups
from training.evaluation.films.reference_onsets import reference_onsets
from training.footage.reader import MASTER_RATE, FootageError, camera_frames, examine, sound
from training.synthesis.conventions import CLIP_KINDS
from training.synthesis.recordings import TEST_SEED, performer_of, read_motion, watch

FILMS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")
LEVEL = 0.1
"""Root mean square at which a film's onsets are found."""
LONGEST_S = 30.0
"""Of a longer film only the beginning is watched."""


@dataclass(frozen=True)
class WatchedClip:
    """The motion of a clip, and its onsets.

    Attributes:
        name: of the clip.
        group: what it is compared as.
        flow: float16 [T, 2, 16, 16]; speed: float16 [T, 16, 16]; features: float16 [T, F], the live motion features.
        onsets_s: in its sound, float64 [N], in seconds.
    """

    name: str
    group: str
    flow: NDArray[np.float16]
    speed: NDArray[np.float16]
    features: NDArray[np.float16]
    onsets_s: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.speed) / TICKS_PER_SECOND


def watch_films(folder: Path) -> Iterator[WatchedClip]:
    """Watch the films of a folder that have picture and sound, by group and name; see `films.groups`."""
    groups = read_groups(folder)
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in FILMS):
        try:
            footage = examine(path)
        except FootageError:
            continue
        ticks = min(footage.ticks, int(LONGEST_S * TICKS_PER_SECOND))
        heard = soxr.resample(sound(footage).mean(0), MASTER_RATE, SAMPLE_RATE).astype(np.float32)
        heard *= np.float32(LEVEL / max(float(np.sqrt(np.mean(heard**2))), 1e-4))
        onsets, _ = reference_onsets(path, heard)
        track = read_motion(camera_frames(footage), ticks, NoEmbedding())
        within = onsets[onsets < ticks / TICKS_PER_SECOND]
        group = groups.of(path.name)[0]
        yield WatchedClip(path.stem, f"films: {group}", track.flow, track.speed, track.features, within)


def watch_hits(clips: HitsClips, *, contacts: bool = False) -> Iterator[WatchedClip]:
    """The clips of a data set of hits.

    Args:
        clips: of `training.datasets.hits.load_hits`.
        contacts: take the moments of contact as onsets, not those in the delayed sound.
    """
    for row in range(len(clips.seed)):
        onsets = clips.onsets(row) - (float(clips.sound_delay_s[row]) if contacts else 0.0)
        group = "hits (contacts)" if contacts else "hits (sound)"
        features = clips.features[row]
        yield WatchedClip(str(clips.seed[row]), group, clips.flow[row], clips.speed[row], features, onsets)


def watch_performers(clips: int, kinds: tuple[str, ...] = CLIP_KINDS, world: str = "rendered") -> Iterator[WatchedClip]:
    """Render and watch clips of the kinds of performer; none is of the training set.

    Args:
        clips: of each kind.
        kinds: of `performers.kinds.KINDS`.
        world: of `performers.body.WORLDS`.
    """
    for kind in kinds:
        for number in range(clips):
            seed = TEST_SEED + number * len(CLIP_KINDS) + CLIP_KINDS.index(kind)
            clip = watch(seed, NoEmbedding(), world=world)
            onsets = performer_of(seed).score.onsets_s
            yield WatchedClip(str(seed), f"{world} {kind}", clip.flow, clip.speed, clip.features, onsets)
