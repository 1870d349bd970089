"""The reader of pitches: odds, and what a camera does not change."""

from __future__ import annotations

import math

import torch

from models.vision.pitch_reader import READ_INSTRUMENTS, TAUGHT_POINTS, PitchReader


def test_every_instrument_has_odds_that_sum_to_one() -> None:
    torch.manual_seed(0)
    reader = PitchReader(20, 16, 10)
    odds, state = reader.step(torch.rand(2, 5, 48) * 2.0 - 1.0, reader.init_state(2))
    assert state == ()
    assert odds.shape == (2, 5, len(READ_INSTRUMENTS) * 10)
    torch.testing.assert_close(
        odds.view(2, 5, len(READ_INSTRUMENTS), 10).sum(-1), torch.ones(2, 5, len(READ_INSTRUMENTS))
    )


def test_an_instrument_without_length_is_read_without_a_nan() -> None:
    reader = PitchReader(TAUGHT_POINTS, 16, 10)
    assert torch.isfinite(reader.step(torch.zeros(1, 1, 2 * TAUGHT_POINTS), ())[0]).all()


def test_memory_is_of_what_was_seen_before_and_adds_nothing_until_taught() -> None:
    torch.manual_seed(2)
    reader = PitchReader(TAUGHT_POINTS, 16, 10, memory=6)
    x, y = torch.rand(2, 2, 7, TAUGHT_POINTS) * 2.0 - 1.0
    at_once, (state,) = reader.follow(x, y, reader.init_state(2))
    alone = reader.logits(x.flatten(0, 1), y.flatten(0, 1)).view(at_once.shape)
    torch.testing.assert_close(at_once, alone)
    assert state.shape == (2, 6)
    assert reader.recall is not None
    torch.nn.init.normal_(reader.recall.weight)
    other = x.clone()
    other[:, 0] += 0.3
    before, after = (reader.follow(seen, y, reader.init_state(2))[0] for seen in (x, other))
    assert not torch.equal(before[:, -1], after[:, -1])


def test_only_the_places_themselves_change_when_the_camera_turns() -> None:
    torch.manual_seed(1)
    reader = PitchReader(TAUGHT_POINTS, 16, 10)
    with torch.no_grad():
        # Nothing is read from where in the picture the points are, nor from the offsets that turn with it.
        first = reader.layers[0]
        assert isinstance(first, torch.nn.Linear)
        first.weight[:, : 4 * TAUGHT_POINTS] = 0.0
    places = torch.rand(4, TAUGHT_POINTS, 2) - 0.5
    turned = places @ torch.tensor([[math.cos(0.4), math.sin(0.4)], [-math.sin(0.4), math.cos(0.4)]]) * 0.8 + 0.1
    before, after = (reader.logits(at[..., 0], at[..., 1]) for at in (places, turned))
    torch.testing.assert_close(before, after, atol=2e-3, rtol=1e-3)
