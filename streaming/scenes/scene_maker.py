"""Makes a scene of a still image, once, when it is loaded: persons first, then things, the ground last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.scenes.layered_scene import (
    MAX_MODES,
    LayeredScene,
    SceneLayer,
    SceneMode,
)
from streaming.scenes.making.layer_plan import plan_drawn_layers, plan_layers
from streaming.scenes.making.layering import TakenLayer, take_layers
from streaming.scenes.making.matting import Floats, box_of
from streaming.scenes.making.modes.ground_modes import make_ground_modes
from streaming.scenes.making.modes.mode_draft import Grid, ModeDraft, cell_cover, finish_mode, make_grid
from streaming.scenes.making.modes.person_modes import make_person_modes, measure_person
from streaming.scenes.making.modes.thing_modes import make_thing_modes, measure_thing
from streaming.scenes.making.people import PeopleFinder

ROOM = 0.06
"""How far a layer may move beyond its place at rest, in longer sides: the margin of its box."""
GROUND_MODES = 8
QUIET_GROUND_MODES, QUIET_GAIN = 4, 0.35
"""The ground's modes and their gain where layers move before it."""
MUCH_COVER = 0.08
"""From this share of the picture on, layers are what is looked at."""


def make_scene(
    image: NDArray[np.uint8], people: PeopleFinder | None = None, mask: NDArray[np.uint8] | None = None
) -> LayeredScene:
    """Make a scene of a still; the same for the same arguments.

    Args:
        image: uint8 [H, W, 3] BGR, at the screen's size.
        people: finds persons; without it all layers are things.
        mask: uint8 [h, w] or [h, w, 3], an artist's layers, see `making.hand_mask`; they are taken as they are.

    Raises:
        EngineError: when the finder cannot go on.
    """
    persons = people.find(image) if people is not None else []
    plans = plan_layers(image, persons) if mask is None else plan_drawn_layers(image, mask, persons)
    ground, taken = take_layers(image, plans)
    drafts = [_layer_drafts(layer, image, len(taken)) for layer in taken]
    covered = np.max([layer.cover for layer in taken], 0) if taken else np.zeros(image.shape[:2], np.float32)
    return _assembled(image, ground, covered, taken, drafts)


def _assembled(
    image: NDArray[np.uint8],
    ground: NDArray[np.uint8],
    covered: Floats,
    taken: Sequence[TakenLayer],
    drafts: Sequence[tuple[tuple[int, int, int, int], tuple[float, float], list[ModeDraft]]],
) -> LayeredScene:
    """The scene of a ground and of layers with their boxes, roots and modes."""
    height, width = image.shape[:2]
    whole = (0, 0, width, height)
    opaque = np.full((height, width, 1), 255, np.uint8)
    modes: list[SceneMode] = []
    first = _ground_drafts(image, covered, make_grid(whole))
    fields = _finished(first, modes, 0, 1 - covered, whole, (width, height))
    layers = [SceneLayer("ground", whole, np.concatenate([ground, opaque], -1), fields)]
    for layer, (box, root, wanted) in zip(taken, drafts, strict=True):
        room = MAX_MODES - len(modes)
        fields = _finished(wanted[:room], modes, len(layers), layer.cover, box, (width, height))
        left, top, right, bottom = box
        pixels = np.ascontiguousarray(layer.pixels[top:bottom, left:right])
        layers.append(SceneLayer(layer.plan.kind, box, pixels, fields, root))
    return LayeredScene(image, tuple(layers), tuple(modes))


def _finished(
    drafts: Sequence[ModeDraft],
    modes: list[SceneMode],
    layer: int,
    cover: Floats,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
) -> Floats:
    """Append the modes of a layer; returns their fields, float32 [M, rows, columns, 2]."""
    grid, cells = make_grid(box), cell_cover(cover, box)
    fields = []
    for draft in drafts:
        finished = finish_mode(draft, layer, cells, grid, size)
        if finished is not None:
            modes.append(finished[0])
            fields.append(finished[1])
    return np.stack(fields) if fields else np.zeros((0, *grid.x.shape, 2), np.float32)


def _ground_drafts(image: NDArray[np.uint8], covered: Floats, grid: Grid) -> list[ModeDraft]:
    """The modes of the ground: quiet ones where layers move before it."""
    if float(covered.mean()) < MUCH_COVER:
        return make_ground_modes(image, covered, grid, GROUND_MODES)
    return make_ground_modes(image, covered, grid, QUIET_GROUND_MODES, QUIET_GAIN)


def _layer_drafts(
    layer: TakenLayer, image: NDArray[np.uint8], count: int
) -> tuple[tuple[int, int, int, int], tuple[float, float], list[ModeDraft]]:
    """A layer's box, its root and its modes; the more layers, the fewer modes for each."""
    height, width = image.shape[:2]
    longer = max(height, width)
    box = box_of(layer.cover > 0.02, round(ROOM * longer))
    assert box is not None
    grid = make_grid(box)
    if layer.plan.person is not None:
        person = measure_person(layer.plan.person.points, layer.plan.person.visibility, layer.cover)
        return box, (float(person.base[0]), float(person.base[1])), make_person_modes(person, grid, (width, height))
    shape = measure_thing(layer.cover)
    most = int(np.clip((MAX_MODES - GROUND_MODES) // max(count, 1), 1, 3))
    drafts = make_thing_modes(shape, grid, longer, most)
    root = shape.root if shape.is_held else shape.middle
    return box, (float(root[0]), float(root[1])), drafts
