"""Levels on a way of their own: taken out and given back at every loudness, the same in blocks as at once."""

from __future__ import annotations

import torch

from models.codec import GiveLevel, TakeLevel
from models.streaming import verify_contract


def test_what_is_loud_and_what_is_quiet_come_nearer() -> None:
    torch.manual_seed(0)
    take = TakeLevel(4)
    torch.nn.init.zeros_(take.mix.weight)
    torch.nn.init.zeros_(take.mix.bias)
    sound = torch.randn(1, 4, 400)
    loud, quiet = take(sound)[..., 100:].std(), take(1e-3 * sound)[..., 100:].std()
    assert 60.0 * (1 - TakeLevel.POWER) - 1.0 < float(20 * (loud / quiet).log10()) < 60.0 * (1 - TakeLevel.POWER) + 1.0


def test_levels_are_told_as_logarithms() -> None:
    take = TakeLevel(1)
    torch.nn.init.ones_(take.mix.weight)
    torch.nn.init.zeros_(take.mix.bias)
    tone = torch.sin(torch.arange(400) * 0.9)[None, None]
    told = [float(take(gain * tone)[0, 0, 200:].mean()) for gain in (1.0, 0.1, 0.01)]
    assert abs((told[0] - told[1]) - (told[1] - told[2])) < 0.02
    assert told[0] > told[1] > told[2]


def test_given_levels_are_bounded() -> None:
    give = GiveLevel(2)
    torch.nn.init.constant_(give.mix.bias, 100.0)
    x = torch.ones(1, 2, 3)
    assert float(give(x).max()) <= torch.tensor(GiveLevel.LOUDEST).exp() + 1e-3
    torch.nn.init.constant_(give.mix.bias, -100.0)
    assert float(give(x).min()) > 0.0


def test_silence_stays_finite_and_quiet() -> None:
    assert torch.isfinite(TakeLevel(3)(torch.zeros(1, 3, 100))).all()


def test_taking_levels_obeys_the_law() -> None:
    torch.manual_seed(1)
    take = TakeLevel(3)
    verify_contract(
        lambda i: take(i[0]),
        lambda i, s: take.step(i[0], s),
        take.init_state,
        [torch.randn(2, 3, 200)],
        time_dims=[2],
        out_dim=2,
    )
