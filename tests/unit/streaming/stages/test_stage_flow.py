"""The flow stage: a field for every tick, still in silence, the seed's chance, and priors that change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.conventions import TICK_NS
from streaming.painting.warp import WarpMap
from streaming.schema.messages import Flow, Hearing, Scene, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.flow import LOUD_SPREAD, PREVIOUS_TICKS, SOFT_SPREAD, FlowStage
from streaming.telemetry.metrics import Metrics


class FakeNetwork:
    """The still's mean is what it shows; everything moves right with the latent, and a little with the noise."""

    def __init__(self, network: str) -> None:
        self.spec = EngineSpec(network, "fake", config={"latent_dim": 3})
        self.resets = 0
        self.given: dict[str, Any] = {}

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.given = inputs
        if self.spec.network == "still":
            assert inputs["still"].shape == (128, 128, 3)
            return {"shown": np.full((4, 16, 16), inputs["still"].mean(), np.float32)}
        flow = 0.01 * inputs["noise"].copy()
        flow[0] += inputs["latent"][0]
        return {"flow": flow[None]}

    def reset(self) -> None:
        self.resets += 1


def scene_of(identity: str, level: int = 100) -> Scene:
    image = np.full((512, 768, 3), level, np.uint8)
    return Scene(identity=identity, image=image, still=np.full((128, 128, 3), level, np.uint8))


class FlowShow:
    """A flow stage with fake networks; it has a scene from the start."""

    def __init__(self, seed: int = 0, scene: str = "one") -> None:
        self.networks = {name: FakeNetwork(name) for name in ("still", "animator")}
        self.metrics = Metrics()
        self.stage = FlowStage(lambda network, **_: self.networks[network])
        self.context = Context(Show(seed=seed), self.metrics)
        self.stage.setup(self.context)
        if scene:
            assert self.stage.step(Inputs({"scene": [scene_of(scene)]}), 0) == []

    def step(
        self, tick: int, value: float = 0.2, level_db: float = -20.0, scene: Scene | None = None, **controls: Any
    ) -> Flow:
        latent = np.array([value, 0.0, 0.0], np.float32)
        hearing = Hearing(tick=tick, latent=latent, level_db=level_db, capture_ns=9, stamps={"hearing": 1})
        changes = [Set(name=name, value=setting) for name, setting in controls.items()]
        inputs = Inputs({"hearing": [hearing]}, controls=changes)
        if scene is not None:
            inputs.messages["scene"] = [scene]
        (flow,) = self.stage.step(inputs, 0)
        assert isinstance(flow, Flow)
        return flow


def test_every_tick_has_a_field_that_carries_its_origin() -> None:
    show = FlowShow()
    flow = show.step(0)
    assert flow.flow.shape == (2, 16, 16)
    assert flow.flow[0].mean() == pytest.approx(0.2, abs=0.02)
    assert (flow.tick, flow.capture_ns, flow.stamps) == (0, 9, {"hearing": 1})
    given = show.networks["animator"].given
    assert given["where"].shape == given["before"].shape == given["noise"].shape == (2, 16, 16)
    assert not given["where"].any()
    show.step(1)
    given = show.networks["animator"].given
    assert given["time_s"] == pytest.approx(0.04)
    np.testing.assert_array_equal(given["before"], flow.flow)
    assert given["where"][0].mean() == pytest.approx(-0.2 * 0.04 * np.exp(-0.04 * 1.2), rel=0.1)
    show.step(5)
    assert show.metrics.take().counters == {"gaps": 3}


def test_silence_is_stillness_and_a_whisper_moves_less() -> None:
    show = FlowShow()
    assert not show.step(0, level_db=-70.0).flow.any()
    quiet = show.step(1, level_db=-60.0).flow
    loud = show.step(2, level_db=-20.0).flow
    assert 0.3 < quiet[0].mean() / loud[0].mean() < 0.7


def test_the_seed_is_the_chance() -> None:
    first, again, other = (FlowShow(seed) for seed in (1, 1, 2))
    for tick in range(3):
        flows = [show.step(tick).flow for show in (first, again, other)]
    np.testing.assert_array_equal(flows[0], flows[1])
    assert np.abs(flows[0] - flows[2]).max() > 0.0


def test_chance_changes_slowly() -> None:
    show = FlowShow()
    noises = []
    for tick in range(60):
        show.step(tick)
        noises.append(show.networks["animator"].given["noise"].ravel())
    together = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(noises[1:], noises, strict=False)]
    assert np.mean(together) == pytest.approx(0.85, abs=0.05)
    assert np.std(noises) == pytest.approx(LOUD_SPREAD, abs=0.1), "a level that stays is as loud as it gets"


def test_before_there_is_a_scene_nothing_moves_and_nothing_fails() -> None:
    show = FlowShow(scene="")
    hearing = Hearing(tick=0, latent=np.ones(3, np.float32))
    assert show.stage.step(Inputs({"hearing": [hearing]}), 0) == []
    assert show.step(1, scene=scene_of("one")).scenes == ["one"]


def test_the_map_is_the_integral_of_the_flow_and_lost_ticks_only_decay() -> None:
    show, own = FlowShow(), WarpMap()
    for tick in range(4):
        flow = show.step(tick, motion=2.0)
        own.move(np.float32(2.0) * flow.flow, TICK_NS / 1e9, 1.2)
        np.testing.assert_array_equal(flow.displacements, own.displacement[None])
    flow = show.step(7)
    own.move(np.float32(2.0) * flow.flow, TICK_NS / 1e9, 1.2)
    own.move(np.zeros((2, 16, 16), np.float32), 3 * TICK_NS / 1e9, 1.2)
    np.testing.assert_array_equal(flow.displacements, own.displacement[None])
    far = show.step(10_000).displacements
    assert 0.0 < np.abs(far).max() < 0.5 * np.abs(flow.displacements).max(), "a long gap decays for a second"


def test_another_scene_begins_at_rest_and_the_one_before_moves_on_while_it_fades() -> None:
    show = FlowShow()
    before = show.step(0)
    flow = show.step(1, scene=scene_of("other", 200))
    given = show.networks["animator"].given
    assert given["shown"].mean() == 200.0
    assert not given["where"].any()
    assert flow.scenes == ["other", "one"]
    own = WarpMap()
    own.displacement = before.displacements[0]
    own.move(flow.flow, TICK_NS / 1e9, 1.2)
    np.testing.assert_array_equal(flow.displacements[1], own.displacement)
    assert 0.0 < np.abs(flow.displacements[0]).max() < np.abs(flow.displacements[1]).max()
    for tick in range(2, PREVIOUS_TICKS + 2):
        flow = show.step(tick)
    assert flow.scenes == ["other"]
    assert flow.displacements.shape == (1, 64, 64, 2)


def test_the_same_scene_again_changes_nothing() -> None:
    show = FlowShow()
    show.step(0)
    flow = show.step(1, scene=scene_of("one"))
    assert flow.scenes == ["one"]
    assert show.networks["animator"].given["where"].any()


def test_a_flow_that_was_published_is_not_changed_any_more() -> None:
    show = FlowShow()
    flow = show.step(0)
    kept = flow.displacements.copy()
    show.step(1)
    np.testing.assert_array_equal(flow.displacements, kept)


def test_a_state_that_has_gone_bad_is_forgotten() -> None:
    show = FlowShow()
    resets = show.networks["animator"].resets
    assert not show.step(0, value=float("nan")).flow.any()
    assert show.networks["animator"].resets == resets + 1
    assert show.step(1).flow.any()
    assert show.metrics.take().counters == {"nan": 1}


def test_its_map_is_moved_as_far_and_drawn_back_as_fast_as_the_screens() -> None:
    def reached(**controls: Any) -> float:
        show = FlowShow()
        for tick in range(10):
            show.step(tick, **(controls if tick == 0 else {}))
        return float(np.abs(show.networks["animator"].given["where"]).mean())

    usual = reached()
    assert reached(motion=0.0) == 0.0
    assert reached(motion=2.0) > 1.5 * usual
    assert reached(anchoring=10.0) < 0.5 * usual
    assert reached(anchoring=99.0) == usual, "out of its range"


def test_without_chance_it_says_what_is_likeliest() -> None:
    show = FlowShow()
    show.step(0, chance=0.0)
    assert not show.networks["animator"].given["noise"].any()
    show.step(1, chance=0.5)
    half = np.abs(show.networks["animator"].given["noise"]).mean()
    show.step(2, chance=1.0)
    assert np.abs(show.networks["animator"].given["noise"]).mean() == pytest.approx(2.0 * half, rel=0.3)


def test_what_is_soft_for_the_piece_is_moved_by_less_chance() -> None:
    show = FlowShow()
    spreads = []
    for tick in range(60):
        show.step(tick, level_db=-20.0 if tick % 2 else -50.0)
        spreads.append(np.abs(show.networks["animator"].given["noise"]).mean())
    ratio = np.mean(spreads[2::2]) / np.mean(spreads[3::2])
    assert ratio == pytest.approx(SOFT_SPREAD / LOUD_SPREAD, rel=0.1)
