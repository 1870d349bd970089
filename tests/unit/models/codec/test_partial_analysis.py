"""Every partial lights the channel of its own frequency, and silence lights none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.codec.partial_analysis import (
    FEATURES,
    HOP,
    LOW_CHANNELS,
    QUIET,
    SAMPLE_RATE,
    WINDOW,
    PartialAnalysis,
    ReassignedSpectrum,
    angle_of,
    frequencies,
)


def places_of(sound: Tensor) -> tuple[Tensor, Tensor]:
    places = ReassignedSpectrum(torch.hann_window(WINDOW, dtype=torch.float64))
    found: tuple[Tensor, Tensor] = places(torch.nn.functional.pad(sound, (WINDOW // 2, WINDOW // 2)))
    return found


def sine(hz: float, seconds: float = 0.5) -> Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)[None]


@pytest.mark.parametrize("hz", [82.4, 110.0, 261.6, 440.0, 445.0, 880.0, 1975.5, 3000.0])
def test_a_sine_is_in_its_own_channel_and_nearly_nowhere_else(hz: float) -> None:
    places, level = places_of(0.5 * sine(hz))
    middle = places[0, 25]
    best = float(frequencies()[int(middle.argmax())])
    assert abs(1200 * torch.log2(torch.tensor(best / hz))) <= 12.6  # half a channel, and the tenth of a cent
    assert float(level[0, 25, 0]) == pytest.approx(0.5, rel=0.05)
    near = (frequencies()[:LOW_CHANNELS] / hz).log2().abs() < 1.1 / 24
    assert float((middle[~near] ** 2).sum()) < 0.05


def test_two_notes_a_tone_apart_are_two() -> None:
    places, _ = places_of(0.3 * sine(440.0) + 0.3 * sine(493.88))
    loud = places[0, 10:40].mean(0)
    names = frequencies()[:LOW_CHANNELS]
    at = [int((names - hz).abs().argmin()) for hz in (440.0, 493.88)]
    between = loud[at[0] + 2 : at[1] - 1].max()
    assert all(float(loud[one - 1 : one + 2].max()) > 2 * float(between) for one in at)


def test_features_are_finite_for_silence_and_full_scale_and_say_the_level() -> None:
    listening = PartialAnalysis()
    said = []
    for gain in (0.0, 0.001, 0.1, 1.0):
        features, _ = listening.step(gain * sine(440.0)[None, :, : 640 * 20], listening.init_state(1))
        assert features.shape == (1, 20, FEATURES)
        assert torch.isfinite(features).all()
        assert float(features.abs().max()) < 2.0
        said.append(float(features[0, -1, -1]))
    assert said == sorted(said)
    silence, _ = listening.step(torch.zeros(1, 1, 640 * 20), listening.init_state(1))
    assert float(silence[..., :LOW_CHANNELS].max()) < 0.1
    assert QUIET < 1e-3


def test_frequencies_advance_by_whole_phases_in_a_hop() -> None:
    turns = frequencies() * HOP / SAMPLE_RATE * 4096
    assert torch.equal(turns, turns.round())
    assert bool((frequencies()[1:] > frequencies()[:-1]).all())


def testangle_ofs_are_those_of_atan2_and_silence_has_none() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2, 10_000)
    want = torch.atan2(y, x)
    torch.testing.assert_close(angle_of(x, y), want, atol=5e-3, rtol=1e-4)
    # Near half a turn the half angle's tangent has no end; a partial so far away is not let through anyway.
    near = want.abs() < 3.0
    torch.testing.assert_close(angle_of(1e-12 * x, 1e-12 * y)[near], want[near], atol=2e-3, rtol=1e-4)
    assert float(angle_of(torch.zeros(1), torch.zeros(1))) == 0.0
