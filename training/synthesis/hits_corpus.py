"""Real playing for the performer "hits": timing from Groove MIDI, hands and traces from a webcam.

A corpus is a folder with `motion/groove_midi` (Groove MIDI Dataset v1.0.0, CC BY 4.0; Gillick, Roberts, Engel, Eck and
Bamman, "Learning to Groove with Inverse Sequence Transformations", ICML 2019, Google) and
`motion/keypoints_kazuhito00` (Apache-2.0, Kazuhito Takahashi). Whatever is missing is generated instead.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from performers.hits.hand_shapes import LANDMARKS, straighten
from performers.hits.performer import HitsMaterial

GROOVE, KEYPOINTS = Path("motion/groove_midi"), Path("motion/keypoints_kazuhito00")
PLAYED_SHARE = 0.5
"""Share of the clips whose timing is taken from real playing, where there is any."""
LEAST_HITS = 3
TRACE_POINTS = 16


@dataclass(frozen=True)
class HitsCorpus:
    """What is there of real playing.

    Attributes:
        files: MIDI files of one split.
        hands: float64 [M, 21, 2], see `performers.hits.hand_shapes.straighten`; None without any.
        traces: float64 [M, 16, 2], in sides of the frame; None without any.
        missing: what is generated instead, one line each.
    """

    files: tuple[Path, ...] = ()
    hands: NDArray[np.float64] | None = None
    traces: NDArray[np.float64] | None = None
    missing: tuple[str, ...] = field(default=())


def groove_files(folder: Path, split: str = "train") -> tuple[Path, ...]:
    """The MIDI files of a split, by the data set's own `info.csv`; only those that are there.

    Args:
        folder: of the Groove MIDI Dataset.
        split: "train", "validation" or "test".
    """
    with (folder / "info.csv").open(encoding="latin-1", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    paths = [folder.joinpath(*PureWindowsPath(row["midi_filename"]).parts) for row in rows]
    return tuple(path for path in paths if path.is_file())


def load_corpus(folder: Path | None, split: str = "train") -> HitsCorpus:
    """Find what a corpus has for hits.

    Args:
        folder: the corpus; None for none.
        split: of Groove MIDI. Hands and traces have no splits: "train" takes the first four fifths, others the rest.

    Returns:
        What is there; `missing` says what is not.
    """
    if folder is None:
        return HitsCorpus(missing=("no corpus is given: timing, hands and traces of hits are generated",))
    missing = []
    files: tuple[Path, ...] = ()
    if (folder / GROOVE / "info.csv").is_file():
        files = groove_files(folder / GROOVE, split)
    if not files:
        missing.append(f"{folder / GROOVE} has no files of the split {split!r}: timing of hits is generated")
    elif not _has_mido():
        files = ()
        missing.append('mido is not installed (pip install -e ".[train]"): timing of hits is generated')
    hands = _columns(folder / KEYPOINTS / "keypoint.csv", LANDMARKS)
    traces = _columns(folder / KEYPOINTS / "point_history.csv", TRACE_POINTS)
    if hands is None or traces is None:
        missing.append(f"{folder / KEYPOINTS} lacks a file: hands and traces are generated")
    return HitsCorpus(
        files,
        None if hands is None else straighten(_part(hands, split)),
        None if traces is None else _part(traces, split),
        tuple(missing),
    )


def _has_mido() -> bool:
    try:
        import mido  # noqa: F401
    except ImportError:
        return False
    return True


def _columns(path: Path, points: int) -> NDArray[np.float64] | None:
    """A class number and then x and y of points in each row: float64 [M, points, 2]; None without the file."""
    if not path.is_file():
        return None
    table = np.loadtxt(path, delimiter=",", dtype=np.float64, ndmin=2)
    return table[:, 1:].reshape(len(table), points, 2)


def _part(rows: NDArray[np.float64], split: str) -> NDArray[np.float64]:
    kept = np.arange(len(rows)) % 5 < 4
    return rows[kept if split == "train" else ~kept]


@cache
def notes_of(path: Path) -> NDArray[np.float64]:
    """The notes of a MIDI file: float64 [N, 3] of time in seconds, pitch, and velocity 1..127."""
    import mido

    now, notes = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on" and message.velocity > 0:
            notes.append((now, message.note, message.velocity))
    return np.array(notes, dtype=np.float64).reshape(-1, 3)


def draw_played_timing(rng: np.random.Generator, files: tuple[Path, ...], duration_s: float) -> NDArray[np.float64]:
    """A part of a real performance, of some of its drums: float64 [N, 2], times in seconds and strengths 0..1.

    Args:
        rng: random generator.
        files: MIDI files to choose from.
        duration_s: length of the part in seconds.
    """
    notes = notes_of(files[int(rng.integers(len(files)))])
    if not len(notes):
        return np.zeros((0, 2))
    start = rng.uniform(0.0, max(0.1, float(notes[-1, 0]) - duration_s))
    notes = notes[(notes[:, 0] >= start) & (notes[:, 0] < start + duration_s)]
    drums = np.unique(notes[:, 1])
    chosen = drums[rng.random(drums.size) < rng.uniform(0.25, 0.9)]
    loud = notes[:, 2] > rng.uniform(0.0, 60.0)
    notes = notes[np.isin(notes[:, 1], chosen) & loud]
    return np.stack([notes[:, 0] - start, notes[:, 2] / 127.0], axis=-1)


def material_of(corpus: HitsCorpus, seed: int, duration_s: float) -> HitsMaterial:
    """What is real in the clip of a seed."""
    rng = np.random.default_rng([seed, 263])
    timing = None
    if corpus.files and rng.random() < PLAYED_SHARE:
        played = draw_played_timing(rng, corpus.files, duration_s)
        timing = played if len(played) >= LEAST_HITS else None
    return HitsMaterial(timing, corpus.hands, corpus.traces)
