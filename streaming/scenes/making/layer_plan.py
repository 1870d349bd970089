"""Which layers a still gets: persons and things that are found, or those of a mask that an artist drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.layered_scene import MAX_LAYERS
from streaming.scenes.making.cuts.candidates import Candidate, find_candidates, small_copy
from streaming.scenes.making.cuts.choice import choose_things
from streaming.scenes.making.cuts.likelihood import rate_candidates
from streaming.scenes.making.cuts.superpixels import to_lab
from streaming.scenes.making.hand_mask import split_mask
from streaming.scenes.making.matting import cut_in_band, soften
from streaming.scenes.making.people import FoundPerson, with_arms

Floats = NDArray[np.float32]
LEAST_PERSON = 0.004
"""The least share of the picture of a person that becomes a layer."""
SURE_PERSON = 0.05
"""From this share of the picture on, a person's outline need not prove itself: dark clothes lie before dark walls."""
HANDS = (15, 16, 17, 18, 19, 20)
"""Points of the wrists, little and index fingers."""
OWN = 0.4
"""A layer of an artist's mask is a person where it shares so much of its union with a found person."""


@dataclass(frozen=True)
class LayerPlan:
    """A layer that a still may get.

    Attributes:
        kind: "thing" or "person".
        cover: float32 [H, W], 0 to 1.
        person: whose layer it is, None for a thing.
        is_sure: whether the outline need not prove itself.
    """

    kind: str
    cover: Floats = field(repr=False)
    person: FoundPerson | None = field(default=None, repr=False)
    is_sure: bool = False


def plan_layers(image: NDArray[np.uint8], persons: Sequence[FoundPerson]) -> list[LayerPlan]:
    """The layers of a still from back to front, without the ground.

    Args:
        image: uint8 [H, W, 3] BGR.
        persons: that were found in it.
    """
    small = small_copy(image)
    scale = small.shape[1] / image.shape[1]
    covers: list[Floats] = []
    people: list[FoundPerson] = []
    for person in sorted(persons, key=lambda one: -float(one.mask.sum())):
        cover = soften(image, cut_in_band(image, with_arms(person)), 6, 1e-4)
        # The larger one is taken for the nearer one.
        for other in covers:
            cover = cover * (1 - other)
        if float((cover > 0.5).mean()) >= LEAST_PERSON:
            covers.append(cover)
            people.append(person)
    masks = [_resized(cover, (small.shape[1], small.shape[0])) > 0.5 for cover in covers]
    hands = [
        [tuple(scale * person.points[hand]) for hand in HANDS if person.visibility[hand] > 0.5] for person in people
    ]
    candidates = rate_candidates(find_candidates(small), to_lab(small))
    choice = choose_things(candidates, masks, hands, MAX_LAYERS - 1 - len(people))
    plans = []
    for thing in sorted(choice.things, key=lambda one: -one.area):
        cover = _thing_cover(image, thing)
        for other in covers:
            cover = cover * (1 - other)
        plans.append(LayerPlan("thing", cover))
    for thing, owner in choice.held:
        free = _thing_cover(image, thing)
        for other in covers:
            free = free * (1 - other)
        covers[owner] = np.maximum(covers[owner], free)
    for cover, person in zip(covers[::-1], people[::-1], strict=True):
        plans.append(LayerPlan("person", cover, person, is_sure=float(cover.mean()) > SURE_PERSON))
    return plans


def plan_drawn_layers(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], persons: Sequence[FoundPerson]
) -> list[LayerPlan]:
    """The layers of an artist's mask, see `split_mask`, in its order.

    Args:
        image: uint8 [H, W, 3] BGR.
        labels: uint8 [H, W] or [H, W, 3].
        persons: that were found in the image; a layer that is one of them moves as a person.
    """
    plans = []
    for mask in split_mask(labels, (image.shape[1], image.shape[0])):
        hard = mask > 0.5
        person = max(persons, key=lambda one: _shared(hard, one.mask > 0.5), default=None)
        if person is not None and _shared(hard, person.mask > 0.5) < OWN:
            person = None
        cover = cv2.GaussianBlur(mask, (0, 0), 0.8)
        plans.append(LayerPlan("person" if person else "thing", cover, person, is_sure=True))
    return plans[: MAX_LAYERS - 1]


def _thing_cover(image: NDArray[np.uint8], thing: Candidate) -> Floats:
    """A candidate's mask at the picture's size, with its soft edges."""
    large = _resized(thing.mask.astype(np.float32), (image.shape[1], image.shape[0]))
    return soften(image, np.asarray(cv2.GaussianBlur(large, (0, 0), 1.5), np.float32))


def _resized(mask: Floats, size: tuple[int, int]) -> Floats:
    how = cv2.INTER_AREA if size[0] < mask.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask, size, interpolation=how), np.float32)


def _shared(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """The share of two masks' union that both have."""
    return float((one & other).sum()) / max(float((one | other).sum()), 1.0)
