"""What was heard of late is found by its tick, whatever was passed over."""

from __future__ import annotations

import numpy as np
import torch

from models.pose import PAST, recalled
from streaming.past import Past


def latent(value: float) -> np.ndarray:
    return np.full(2, value, np.float32)


def test_it_is_as_training_recalls_it() -> None:
    past, heard = Past(PAST, 2), torch.arange(400.0).view(200, 2)
    for tick in range(200):
        past.hear(tick, heard[tick].numpy())
        want = recalled(heard, torch.tensor([tick]))[0]
        assert np.array_equal(past.recalled(), want.numpy())


def test_a_tick_that_was_passed_over_is_as_the_one_before() -> None:
    past = Past(6, 2)
    for tick in (10, 11, 14):
        past.hear(tick, latent(tick))
    assert past.recalled()[::2].tolist() == [14.0, 11.0, 11.0, 11.0, 10.0, 10.0]
    past.hear(40, latent(40))
    assert past.recalled()[::2].tolist() == [40.0, *5 * [14.0]]


def test_another_show_begins_anew_and_noise_of_another_shape_is_silence() -> None:
    past = Past(2, 2)
    assert past.recalled().tolist() == [0.0] * 4
    past.hear(100, latent(1.0))
    past.hear(5, latent(2.0))
    assert past.recalled().tolist() == [2.0] * 4
    past.hear(5, latent(3.0))
    assert past.recalled().tolist() == [3.0, 3.0, 2.0, 2.0]
    past.hear(6, np.ones(7, np.float32))
    assert past.recalled().tolist() == [0.0, 0.0, 3.0, 3.0]


def test_what_was_forgotten_is_not_recalled() -> None:
    past = Past(2, 2)
    past.hear(7, latent(1.0))
    past.forget()
    assert past.recalled().tolist() == [0.0] * 4
    past.hear(7, latent(2.0))
    assert past.recalled().tolist() == [2.0] * 4
