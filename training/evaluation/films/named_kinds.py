"""How often the kind of what is played in a film is named, and named right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from streaming.schema.messages import NO_INSTRUMENT
from training.evaluation.films.groups import FilmGroups
from training.synthesis.conventions import CLIP_KINDS

NAMES = (*CLIP_KINDS, NO_INSTRUMENT)


def named_shares(kinds: Sequence[str]) -> dict[str, float]:
    """The share of ticks in which each kind was named, "none" among them; empty without ticks."""
    counts = Counter(kinds)
    return {name: round(counts[name] / len(kinds), 4) for name in NAMES} if kinds else {}


def expected_kind(name: str, shares: Mapping[str, float], groups: FilmGroups) -> dict[str, Any]:
    """What a film was expected to be named, and the share of ticks in which it was; empty where nobody said.

    Args:
        name: of the film.
        shares: see `named_shares`.
        groups: have the expected kinds.
    """
    kind = groups.kind_of(name)
    return {} if kind is None or not shares else {"kind_expected": kind, "kind_named_right": shares.get(kind, 0.0)}


def kind_means(films: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Means over films that are of a kind, and over those that are of none; what is not there is left out.

    Args:
        films: name -> the film's figures, with those of `expected_kind`.
    """
    means = {}
    for key, is_none in (("kind_named_right", False), ("no_kind_named_right", True)):
        shares = [
            float(film["kind_named_right"])
            for film in films.values()
            if "kind_expected" in film and (film["kind_expected"] == NO_INSTRUMENT) == is_none
        ]
        if shares:
            means[key] = round(sum(shares) / len(shares), 4)
    return means
