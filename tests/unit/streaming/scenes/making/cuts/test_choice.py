"""Of the candidates the clear ones are chosen: not panels, not what hangs from above, not two for one place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streaming.scenes.making.cuts.candidates import Candidate, find_candidates, small_copy
from streaming.scenes.making.cuts.choice import choose_things, is_panel
from streaming.scenes.making.cuts.likelihood import rate_candidates
from streaming.scenes.making.cuts.superpixels import to_lab
from tests.unit.streaming.scenes.making.pictures import disc_picture, shared


def candidate(left: int, top: int, right: int, bottom: int, score: float = 20.0) -> Candidate:
    y, x = np.mgrid[:200, :300]
    middle, half = ((left + right) / 2, (top + bottom) / 2), ((right - left) / 2, (bottom - top) / 2)
    mask = ((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 < 1
    return Candidate(mask, "merged", score, float(mask.mean()), 1.0, 0.0, 1.5, (0.0, 0.0, 0.0, 0.0), 0.8)


def test_the_disc_is_the_best_candidate() -> None:
    image, truth = disc_picture()
    small = small_copy(image)
    best = choose_things(rate_candidates(find_candidates(small), to_lab(small)), [], [], 15).things
    assert len(best) == 1
    assert best[0].likelihood > 0.7
    assert shared(best[0].mask, small_copy(np.dstack([truth * 255] * 3).astype(np.uint8))[..., 0] > 127) > 0.9


def test_what_overlaps_a_chosen_one_is_not_chosen() -> None:
    whole, part, other = candidate(50, 50, 150, 150), candidate(80, 80, 120, 120), candidate(200, 60, 260, 120)
    chosen = choose_things([whole, part, other], [], [], 15).things
    assert {id(one) for one in chosen} == {id(whole), id(other)}


def test_what_is_faint_hangs_from_above_or_touches_three_sides_is_no_thing() -> None:
    good = candidate(50, 50, 150, 150)
    assert len(choose_things([good], [], [], 15).things) == 1
    for bad in (
        replace(good, likelihood=0.5, score=12.0),
        replace(good, weak=0.3),
        replace(good, sides=(0.0, 0.0, 0.4, 0.0)),
        replace(good, sides=(0.1, 0.1, 0.0, 0.1)),
    ):
        assert choose_things([bad], [], [], 15).things == ()


def test_a_compact_whole_before_an_even_ground_needs_no_likelihood() -> None:
    whole = replace(candidate(50, 50, 150, 150), source="grabcut", likelihood=0.3, score=4.0)
    assert len(choose_things([whole], [], [], 15).things) == 1
    ragged = replace(whole, solidity=0.6)
    assert choose_things([ragged], [], [], 15).things == ()
    assert len(choose_things([replace(ragged, source="key")], [], [], 15).things) == 1


def test_what_several_segmentations_agree_on_is_likelier() -> None:
    image, _ = disc_picture()
    lab = to_lab(small_copy(image))
    candidates = find_candidates(small_copy(image))
    together = rate_candidates(candidates, lab)
    assert together[0].likelihood == max(one.likelihood for one in together)
    alone = rate_candidates([replace(together[0], likelihood=0.0)], lab)
    assert alone[0].likelihood < together[0].likelihood
    assert rate_candidates([], lab) == []


def test_a_person_is_no_thing_and_what_lies_at_a_hand_is_held() -> None:
    person = candidate(20, 20, 120, 190).mask
    body, tool = candidate(30, 30, 110, 180), candidate(122, 90, 200, 118, 3.0)
    wall = candidate(122, 60, 190, 140, 6.0)
    choice = choose_things([body, tool], [person], [[(118.0, 105.0)]], 15)
    assert choice.things == ()
    assert [(found is tool, owner) for found, owner in choice.held] == [(True, 0)]
    assert choose_things([body, tool], [person], [[(20.0, 20.0)]], 15).held == ()
    assert choose_things([wall], [person], [[(118.0, 105.0)]], 15).held == (), "what is not long is no tool"


def test_there_are_no_more_than_wanted() -> None:
    many = [
        candidate(20 + 60 * column, 20 + 60 * row, 50 + 60 * column, 50 + 60 * row)
        for column in range(4)
        for row in (0, 1)
    ]
    assert len(choose_things(many, [], [], 3).things) == 3


def test_a_rectangle_is_a_panel_and_a_disc_or_a_pole_is_none() -> None:
    box, pole = np.zeros((2, 200, 300), bool)
    box[40:110, 60:200] = True
    pole[20:180, 100:112] = True
    assert is_panel(box)
    assert not is_panel(pole)
    assert not is_panel(candidate(50, 50, 150, 150).mask)
    assert not is_panel(np.zeros((10, 10), bool))
