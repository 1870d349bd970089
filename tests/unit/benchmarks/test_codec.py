"""The codec that is timed says something of what it hears, and what is compared gets the same ticks in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.codec import compare, decibels, seeded_codec, time_codec_runners
from engines.tick_engines import Runner
from models.codec.encodec_layers import EncodecConfig

SMALL = EncodecConfig(num_filters=4, latent_dim=16)


def sound(seed: int) -> torch.Tensor:
    return 0.1 * torch.randn(4, 1, 32_000, generator=torch.Generator().manual_seed(seed))


def test_a_seeded_codec_hears_and_speaks() -> None:
    codec = seeded_codec(SMALL, sound(0))
    codes = codec.encode(sound(1))
    assert all(len(codes[:, k].unique()) > 20 for k in range(4))
    said = codec.decode(codes)
    assert 0.03 < said.std() < 0.3
    assert torch.equal(seeded_codec(SMALL, sound(0)).encode(sound(1)), codes)


def test_runners_take_turns() -> None:
    told: list[str] = []

    class Counter:
        def __init__(self, name: str) -> None:
            self.name, self.count = name, 0

        def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
            told.append(self.name)
            self.count += 1
            return np.array([self.count])

        def blank(self) -> dict[str, NDArray[Any]]:
            return {}

        def state(self) -> list[NDArray[Any]]:
            return []

        def load(self, state: Sequence[NDArray[Any]]) -> None:
            raise AssertionError("nothing is taken over")

        def state_sizes(self) -> list[int]:
            return []

        def state_peak(self, index: int) -> float:
            return 0.0

        def reset(self) -> None:
            self.count = 0

    compared: dict[str, Runner] = {name: Counter(name) for name in "ab"}
    spent, gave = time_codec_runners(compared, [{}] * 4, lambda number: number == 2)
    assert told == ["a", "b"] * 4
    assert [len(took) for took in spent.values()] == [4, 4]
    assert [int(given[0]) for given in gave["a"]] == [1, 2, 1, 2]


def test_the_table_names_what_it_measures() -> None:
    lines = compare(seeded_codec(SMALL, sound(0)), 8)
    assert len(lines) == 10
    assert all("p50" in line and "p99" in line for line in lines)
    assert sum("int8" in line and "SNR" in line for line in lines) == 2
    assert decibels(0.01) == 40.0
