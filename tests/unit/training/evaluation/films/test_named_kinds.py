"""How often a film's kind is named, beside what was expected."""

from __future__ import annotations

from training.evaluation.films.groups import FilmGroups
from training.evaluation.films.named_kinds import expected_kind, kind_means, named_shares

GROUPS = FilmGroups(kinds={"air": ["bassoon*"], "none": ["hands*"]})


def test_shares_are_of_all_ticks() -> None:
    shares = named_shares(["air"] * 6 + ["none"] * 3 + ["keys"])
    assert (shares["air"], shares["none"], shares["keys"], shares["drums"]) == (0.6, 0.3, 0.1, 0.0)
    assert sum(shares.values()) == 1.0
    assert named_shares([]) == {}


def test_a_film_that_nobody_expects_anything_of_is_not_scored() -> None:
    shares = named_shares(["air", "none"])
    assert expected_kind("bassoon.mp4", shares, GROUPS) == {"kind_expected": "air", "kind_named_right": 0.5}
    assert expected_kind("hands_1.mp4", shares, GROUPS) == {"kind_expected": "none", "kind_named_right": 0.5}
    assert expected_kind("other.mp4", shares, GROUPS) == {}
    assert expected_kind("bassoon.mp4", {}, GROUPS) == {}


def test_films_of_a_kind_and_films_of_none_have_a_mean_each() -> None:
    rows = {
        "a": {"kind_expected": "air", "kind_named_right": 1.0},
        "b": {"kind_expected": "keys", "kind_named_right": 0.5},
        "c": {"kind_expected": "none", "kind_named_right": 0.9},
        "d": {},
    }
    assert kind_means(rows) == {"kind_named_right": 0.75, "no_kind_named_right": 0.9}
    assert kind_means({"d": {}}) == {}
