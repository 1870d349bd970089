"""Layers are taken off so that they are the still again; cuts with faint outlines are not made."""

from __future__ import annotations

import cv2
import numpy as np

from streaming.scenes.making.layer_plan import LayerPlan, plan_drawn_layers
from streaming.scenes.making.layering import take_layers
from streaming.scenes.making.people import FoundPerson
from tests.unit.streaming.scenes.making.pictures import disc_picture


def test_the_layers_make_the_still_even_where_the_cover_was_too_thin() -> None:
    image, truth = disc_picture()
    thin = cv2.erode(truth.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    ground, (layer,) = take_layers(image, [LayerPlan("thing", thin)])
    cover = layer.pixels.astype(np.int32)
    drawn = cover[..., :3] + (ground.astype(np.int32) * (255 - cover[..., 3:]) + 127) // 255
    assert np.abs(drawn - image).max() <= 3
    assert (layer.cover > thin + 0.2).any(), "it was made denser"


def test_the_front_layer_is_off_before_the_back_one_is_taken() -> None:
    image, _ = disc_picture((180, 150))
    cv2.circle(image, (250, 150), 50, (200, 120, 30), -1)
    front, back = np.zeros((2, *image.shape[:2]), np.float32)
    cv2.circle(front, (250, 150), 50, 1.0, -1)
    cv2.circle(back, (180, 150), 60, 1.0, -1)
    ground, layers = take_layers(image, [LayerPlan("thing", back), LayerPlan("thing", front)])
    assert [layer.plan.cover is back for layer in layers] == [True, False]
    behind = layers[0].pixels[150, 225, :3].astype(int)
    assert behind[2] > behind[0], "red runs on behind the blue one"
    assert np.ptp(ground[120:180, 180:250].astype(int).mean((0, 1))) < 40


def test_a_cut_with_a_faint_outline_is_dropped_unless_it_is_sure() -> None:
    image, truth = disc_picture()
    wrong = np.roll(truth, 40, 1).astype(np.float32)
    ground, layers = take_layers(image, [LayerPlan("thing", np.roll(truth, 170, 1).astype(np.float32))])
    assert layers == []
    assert np.array_equal(ground, image)
    assert len(take_layers(image, [LayerPlan("thing", wrong, is_sure=True)])[1]) == 1


def test_a_drawn_layer_that_is_a_found_person_moves_as_one() -> None:
    image, truth = disc_picture()
    person = FoundPerson(np.zeros((33, 2)), np.ones(33), truth.astype(np.float32), 0.99)
    labels = np.where(truth, 255, 0).astype(np.uint8)
    labels[280:310, 400:470] = 90
    thing, figure = plan_drawn_layers(image, labels, [person])
    assert (thing.kind, thing.person) == ("thing", None)
    assert (figure.kind, figure.person is person) == ("person", True)
