"""The hearing stage: order, gaps, and sound or latents that are not what they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.schema.messages import Hearing, Microphone
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.hearing import HearingStage
from streaming.telemetry.metrics import Metrics


class FakeNetwork:
    """The encoder gives the mean of a tick as frames, the other network their sum over time as the latent."""

    def __init__(self, network: str) -> None:
        self.spec = EngineSpec(network, "fake")
        self.total = 0.0
        self.broken = False

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        if self.spec.network == "encoder":
            assert inputs["pcm"].shape == (1280,)
            return {"frames": np.full((4, 2), inputs["pcm"].mean(), np.float32)}
        self.total += float(inputs["frames"][0, 0])
        return {"latent": np.full((1, 8), np.nan if self.broken else self.total, np.float32)}

    def reset(self) -> None:
        self.total = 0.0


@pytest.fixture
def ready() -> tuple[HearingStage, dict[str, FakeNetwork], Metrics]:
    networks = {name: FakeNetwork(name) for name in ("encoder", "hearing")}
    metrics = Metrics()
    stage = HearingStage(lambda network, **_: networks[network])
    stage.setup(Context(Show(), metrics))
    return stage, networks, metrics


def tick(number: int, value: float = 0.5, **kwargs: Any) -> Microphone:
    return Microphone(tick=number, pcm=np.full(1280, value, np.float32), **kwargs)


def step(stage: HearingStage, *messages: Microphone) -> list[Hearing]:
    found = stage.step(Inputs({"microphone": list(messages)}), 0)
    assert all(isinstance(message, Hearing) for message in found)
    return list(found)  # type: ignore[arg-type]


def test_every_tick_is_heard_in_order_and_carries_its_origin(ready: Any) -> None:
    stage, _, metrics = ready
    first, second = step(stage, tick(0, level_db=-6.0, capture_ns=77, stamps={"microphone": 1}), tick(1))
    assert (first.tick, first.level_db, first.capture_ns, first.stamps) == (0, -6.0, 77, {"microphone": 1})
    assert first.latent.shape == (8,)
    assert (first.latent[0], second.latent[0]) == (0.5, 1.0)
    (later,) = step(stage, tick(5))
    assert later.latent[0] == 1.5
    assert metrics.take().counters == {"gaps": 3}


def test_bad_sound_is_left_out_and_a_bad_state_forgotten(ready: Any) -> None:
    stage, networks, metrics = ready
    odd = [Microphone(tick=0, pcm=np.zeros(5, np.float32)), Microphone(tick=1, pcm=np.zeros(1280, np.int16))]
    assert step(stage, *odd) == []
    (quiet,) = step(stage, tick(2, np.nan))
    assert quiet.latent[0] == 0.0, "what is no number is silence"
    step(stage, tick(3))
    networks["hearing"].broken = True
    (lost,) = step(stage, tick(4))
    assert not lost.latent.any()
    networks["hearing"].broken = False
    (anew,) = step(stage, tick(5))
    assert anew.latent[0] == 0.5
    assert metrics.take().counters == {"bad": 2, "nan": 1}


def test_what_an_encoder_that_looks_ahead_says_was_heard_earlier() -> None:
    networks = {name: FakeNetwork(name) for name in ("encoder", "hearing")}
    networks["encoder"].spec = EngineSpec("encoder", "fake", latency_samples=2560)
    stage = HearingStage(lambda network, **_: networks[network])
    stage.setup(Context(Show(), Metrics()))
    (heard,) = step(stage, tick(0, capture_ns=1_000_000_000))
    assert heard.capture_ns == 920_000_000


def test_the_bands_of_every_tick_are_told(ready: Any) -> None:
    stage, _, _ = ready
    seconds = np.arange(1280) / 32_000
    low, high = (np.float32(0.5) * np.sin(2 * np.pi * hz * seconds).astype(np.float32) for hz in (120.0, 4000.0))
    first, second, third = step(stage, *(Microphone(tick=n, pcm=pcm) for n, pcm in enumerate((low, high, 0.0 * low))))
    assert first.bands.shape == (2, 8)
    assert first.bands.dtype == np.float32
    assert first.bands[:, 1].min() > 0.5
    assert not first.bands[:, 4:].any()
    assert second.bands[:, 6].min() > 0.5
    assert not second.bands[1, :3].any()
    assert not third.bands.any()


def test_samples_that_are_no_numbers_do_not_reach_the_bands(ready: Any) -> None:
    stage, _, _ = ready
    broken = np.full(1280, np.nan, np.float32)
    broken[::2] = np.inf
    first, second = step(stage, Microphone(tick=0, pcm=broken), tick(1))
    assert not first.bands.any()
    assert np.isfinite(second.bands).all()
