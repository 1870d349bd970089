"""Scores the reverse loop: groups of figures, each beside controls that could have produced it.

`python -m training.evaluate reverse`. Real stills, sounds and films are used where folders are given, generated ones
otherwise. What each figure means stands in the docstrings of `training.evaluation.reverse.scores`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch

from streaming.conventions import TICK_SAMPLES, TICKS_PER_SECOND
from streaming.errors import UserError
from streaming.schema.messages import Hearing
from streaming.timing.clock import now_ns
from training.datasets.animator import MOBILE_TEST_SEED
from training.evaluation.reverse.finders import open_finders
from training.evaluation.reverse.material import (
    Piece,
    ScoredStill,
    films_of,
    generated_pieces,
    generated_stills,
    pieces_of,
    stills_of,
    take_eight,
)
from training.evaluation.reverse.moved_still import ReverseStages, SceneOfStill
from training.evaluation.reverse.scores.dials import score_dials
from training.evaluation.reverse.scores.drive_share import score_drive
from training.evaluation.reverse.scores.edges import score_edges
from training.evaluation.reverse.scores.figures import Figures
from training.evaluation.reverse.scores.hidden_parts import score_hidden_parts
from training.evaluation.reverse.scores.kept_looks import score_looks, score_silence
from training.evaluation.reverse.scores.music_choice import score_choice, score_retrieval
from training.evaluation.reverse.scores.performers import score_performers
from training.evaluation.reverse.scores.real_films import score_films
from training.evaluation.reverse.scores.rhythm import score_clicks, score_onsets
from training.synthesis.recordings import TEST_SEED

Item = TypeVar("Item")

GROUPS = ("choice", "rhythm", "edges", "looks", "films", "performers", "drive", "hidden", "dials")


@dataclass(frozen=True)
class ReverseMaterial:
    """What is scored.

    Attributes:
        stills: folders with pictures; none for generated ones.
        audio: folders with sounds; none for generated ones.
        films: folders with films; none leaves their figures out.
        masks: a folder with masks of the stills' things, see `material.stills_of`.
        quick: fewer of everything: two minutes of one core in place of ten.
        groups: of `GROUPS`, those that are scored.
    """

    stills: tuple[Path, ...] = ()
    audio: tuple[Path, ...] = ()
    films: tuple[Path, ...] = ()
    masks: Path | None = None
    quick: bool = False
    groups: tuple[str, ...] = GROUPS


@dataclass(frozen=True)
class _Amounts:
    """How much of each is scored."""

    stills: int
    scenes: int
    retrieval_scenes: int
    choice_pieces: int
    recordings: int
    pictures: int
    films: int
    performers: int
    drive_clips: int
    seconds: float


_FULL = _Amounts(40, 4, 4, 6, 16, 6, 12, 6, 16, 8.0)
_QUICK = _Amounts(4, 2, 1, 2, 6, 3, 3, 2, 6, 6.0)


class _Scored:
    """The material once it is loaded, with its scenes."""

    def __init__(self, bundle: str, material: ReverseMaterial) -> None:
        self.amounts = amounts = _QUICK if material.quick else _FULL
        self.material, self.bundle, self.stages = material, bundle, ReverseStages(bundle)
        stills = stills_of(material.stills, material.masks) if material.stills else generated_stills(10)
        pieces = pieces_of(material.audio) if material.audio else generated_pieces(10)
        self.pieces = _spread(pieces, amounts.recordings)
        self.eight = take_eight(pieces, amounts.seconds)
        self._chosen = _spread(stills, amounts.stills)
        self.names = [still.name for still in self._chosen]

    @cached_property
    def stills(self) -> list[tuple[ScoredStill, SceneOfStill]]:
        """All stills with their scenes."""
        few = {id(still): scene for still, scene in self._moved}
        return [(still, few.get(id(still)) or self.stages.scene(still.image)) for still in self._chosen]

    @cached_property
    def _moved(self) -> list[tuple[ScoredStill, SceneOfStill]]:
        few = _spread(self._chosen, self.amounts.scenes)
        return [(still, self.stages.scene(still.image)) for still in few]

    @property
    def scenes(self) -> list[SceneOfStill]:
        """The scenes of a few stills, for what needs many runs of each."""
        return [scene for _, scene in self._moved]

    @cached_property
    def mixed(self) -> list[Hearing]:
        """A stretch of each of the eight pieces, as it is heard."""
        return self.stages.hear(_mixed(self.eight))


def evaluate_reverse(bundle: str, material: ReverseMaterial) -> Figures:
    """Score a bundle's reverse loop.

    Args:
        bundle: name or folder.
        material: what it is scored on.

    Returns:
        The figures, flat but for tables by still, recording, film and dial; None stands for what was not measured.

    Raises:
        UserError: when a folder has nothing to use.
        EngineError: when the bundle cannot be used.
    """
    unknown = set(material.groups) - set(GROUPS)
    if unknown:
        raise UserError("there is no such group", ", ".join(sorted(unknown)), f"use some of {', '.join(GROUPS)}")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    seconds: dict[str, float] = {}
    scored = _timed("load", seconds, lambda: _Scored(bundle, material))
    figures: Figures = {
        "split": "stills, sounds and films as given; generated ones were never trained on",
        "stills": scored.names,
        "sounds": [piece.name for piece in scored.pieces],
    }
    for group, work in _works(scored).items():
        if group in material.groups:
            figures |= _timed(group, seconds, work)
    return figures | {"seconds": seconds}


def _works(scored: _Scored) -> dict[str, Callable[[], Figures]]:
    """Group -> what scores it."""
    amounts, stages = scored.amounts, scored.stages

    def choice() -> Figures:
        scenes = scored.scenes
        pieces = _spread(scored.eight, amounts.choice_pieces)
        few = scenes[: amounts.retrieval_scenes]
        return score_choice(stages, scenes, pieces) | score_retrieval(stages, few, scored.eight)

    def looks() -> Figures:
        figures = score_looks(stages, scored.stills, scored.mixed, open_finders(), amounts.pictures)
        return figures | score_silence(stages, scored.scenes[:3], scored.eight[0])

    def films() -> Figures:
        if not scored.material.films:
            return {"films": None}
        return score_films(stages, _spread(films_of(scored.material.films), amounts.films))

    def performers() -> Figures:
        figures = score_performers(stages, range(TEST_SEED, TEST_SEED + amounts.performers))
        return {f"performers_{name}": value for name, value in figures.items()}

    def hidden() -> Figures:
        seeds = range(MOBILE_TEST_SEED, MOBILE_TEST_SEED + amounts.performers)
        return {f"hidden_{name}": value for name, value in score_hidden_parts(scored.bundle, seeds).items()}

    return {
        "choice": choice,
        "rhythm": lambda: score_clicks(stages, scored.scenes) | score_onsets(stages, scored.scenes, scored.pieces),
        "edges": lambda: score_edges(stages, scored.stills, scored.mixed),
        "looks": looks,
        "films": films,
        "performers": performers,
        "drive": lambda: score_drive(scored.bundle, amounts.drive_clips),
        "hidden": hidden,
        "dials": lambda: score_dials(stages, scored.scenes[:2], scored.mixed),
    }


def _mixed(pieces: Sequence[Piece], seconds: float = 2.0) -> np.ndarray:
    """The loudest stretch of each piece in a row, at one level: everything that can move is moved by something."""
    size = round(seconds * TICKS_PER_SECOND) * TICK_SAMPLES
    parts = []
    for piece in pieces:
        power = np.convolve(piece.sound.astype(np.float64) ** 2, np.ones(TICK_SAMPLES), "same")[::TICK_SAMPLES]
        rows = [float(power[row : row + size // TICK_SAMPLES].sum()) for row in range(piece.ticks)]
        start = min(int(np.argmax(rows)) * TICK_SAMPLES, max(0, piece.sound.size - size))
        part = np.resize(piece.sound[start : start + size], size)
        parts.append(0.1 * part / max(1e-4, float(np.sqrt(np.mean(part**2)))))
    return np.asarray(np.clip(np.concatenate(parts), -1.0, 1.0), np.float32)


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most so many of the items, evenly spread over all."""
    if len(items) <= count:
        return list(items)
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, count)]


def _timed(name: str, seconds: dict[str, float], work: Callable[[], Item]) -> Item:
    """The result of some work; how long it took is noted by its name."""
    begin = now_ns()
    result = work()
    seconds[name] = round((now_ns() - begin) / 1e9, 1)
    print(f"{name}: {seconds[name]} s", file=sys.stderr, flush=True)
    return result
