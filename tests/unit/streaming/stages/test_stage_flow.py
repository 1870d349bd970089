"""The flow stage: springs that sound drives, rest in silence, the seed's small share, and scenes that change."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.conventions import TICK_NS
from streaming.scenes.layered_scene import LayeredScene, pack_scene
from streaming.scenes.springs import LIMIT, REST_TICKS
from streaming.schema.messages import Flow, Hearing, Scene, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.flow import NO_DRIVE, PREVIOUS_TICKS, FlowStage
from streaming.telemetry.metrics import Metrics
from tests.scenes.hand_made import two_layer_scene

SCENE = two_layer_scene()
SILENCE_DB = -120.0


class FakeDrive:
    """A network that pushes every mode with the latent, and a little with the noise."""

    def __init__(self) -> None:
        self.spec = EngineSpec("drive", "fake", config={"latent_dim": 3})
        self.resets = 0
        self.given: list[dict[str, Any]] = []

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.given.append(inputs)
        forces = np.zeros((3, 36), np.float32)
        forces[0] = inputs["latent"][0] + 0.01 * inputs["noise"][:, 0]
        return {"forces": forces}

    def reset(self) -> None:
        self.resets += 1


def scene_of(identity: str = "one", scene: LayeredScene = SCENE) -> Scene:
    still = np.zeros((128, 128, 3), np.uint8)
    return Scene(identity=identity, image=scene.image, still=still, **pack_scene(scene)._asdict())


def bands_of(level: float = 0.0, attack: float = 0.0) -> np.ndarray:
    return np.stack([np.full(8, level), np.full(8, attack)]).astype(np.float32)


class FlowShow:
    """A flow stage; it has a scene from the start."""

    def __init__(self, seed: int = 0, drive: FakeDrive | None = None, scene: Scene | None = None, **controls: Any):
        self.metrics, self.notes = Metrics(), list[str]()
        self.stage = FlowStage(lambda network, **_: drive, lambda network, bundle: drive is not None)  # type: ignore[arg-type]
        self.context = Context(Show(seed=seed, controls=controls), self.metrics, note=self.notes.append)
        self.stage.setup(self.context)
        assert self.stage.step(Inputs({"scene": [scene or scene_of()]}), 0) == []
        self.tick = -1

    def step(
        self,
        level: float = 0.0,
        attack: float = 0.0,
        value: float = 0.0,
        level_db: float = -20.0,
        by: int = 1,
        scene: Scene | None = None,
        bands: Any = None,
        **controls: Any,
    ) -> Flow:
        self.tick += by
        hearing = Hearing(
            tick=self.tick,
            latent=np.array([value, 0.0, 0.0], np.float32),
            bands=bands_of(level, attack) if bands is None else bands,
            level_db=level_db,
            capture_ns=9,
            stamps={"hearing": 1},
        )
        changes = [Set(name=name, value=setting) for name, setting in controls.items()]
        inputs = Inputs({"hearing": [hearing]}, controls=changes)
        if scene is not None:
            inputs.messages["scene"] = [scene]
        (flow,) = self.stage.step(inputs, 0)
        assert isinstance(flow, Flow)
        return flow

    def play(self, piece: np.ndarray) -> np.ndarray:
        """The amplitudes [T, M] to a piece [T, 2, 8] of bands."""
        return np.stack([self.step(bands=bands).amplitudes for bands in piece])


def piece_of(number: int, ticks: int = 200) -> np.ndarray:
    """Notes at random times in random bands, ringing on."""
    rng, piece = np.random.default_rng([number, 8]), np.zeros((ticks, 2, 8), np.float32)
    at = 0
    while (at := at + int(rng.integers(4, 15))) < ticks:
        band, ring = int(rng.integers(0, 8)), np.exp(-np.arange(ticks - at) / 8.0)
        piece[at, 1, band] = 0.8
        piece[at:, 0, band] = np.maximum(piece[at:, 0, band], 0.9 * ring)
    return piece


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over the modes of the correlation of their time courses."""
    return float(np.mean([np.corrcoef(one[:, mode], other[:, mode])[0, 1] for mode in range(one.shape[1])]))


def test_every_tick_has_a_field_that_carries_its_origin() -> None:
    show = FlowShow()
    flow = show.step(attack=0.9)
    assert flow.flow.shape == (2, 16, 16)
    assert (flow.tick, flow.capture_ns, flow.stamps) == (0, 9, {"hearing": 1})
    assert (flow.scenes, flow.mode_counts) == (["one"], [3])
    assert flow.amplitudes.dtype == np.float32
    assert np.abs(flow.amplitudes).min() > 0.0
    assert show.notes == [NO_DRIVE]


def test_the_field_is_the_velocity_of_what_is_seen() -> None:
    show = FlowShow()
    show.step(attack=0.9)
    flow = show.step()
    # The ground's part of the field, far from the disc: the ground moves right as a whole.
    later = show.step().amplitudes[0]
    seen = flow.flow[0, 8, 1]
    assert 0.5 < seen / (0.02 * (later - flow.amplitudes[0]) / (TICK_NS / 1e9)) < 1.5
    assert abs(flow.flow[0, 8, 8] - seen) > 1e-4, "the disc has its own motion"
    assert not flow.flow[:, :2].any(), "nothing is seen above a wide picture"


def test_silence_is_exact_rest_within_two_seconds() -> None:
    show = FlowShow()
    for _ in range(50):
        assert not show.step(level=0.9, attack=0.5, level_db=-70.0).amplitudes.any(), "a microphone's noise"
    for _ in range(20):
        flow = show.step(level=0.9, attack=0.3)
    assert np.abs(flow.amplitudes).max() > 0.1
    for _ in range(REST_TICKS):
        flow = show.step(level_db=SILENCE_DB)
    assert not flow.amplitudes.any()
    assert not flow.flow.any()
    assert REST_TICKS * TICK_NS < 2_000_000_000


def test_a_click_moves_a_thing_at_once_and_what_it_set_off_decays() -> None:
    show = FlowShow(lead=0.0)
    course = []
    for _ in range(4):
        show.step(attack=0.9, level=0.9)
        course.append([show.step(level=0.9**tick).amplitudes for tick in range(12)])
    pixels = np.abs(np.array(course)[:, :, 1]) * 0.05 * 768
    assert (pixels[:, :3].max(1) > 3.0).all(), "within 120 ms"
    assert (pixels[:, 9:].max(1) < 0.6 * pixels[:, :4].max(1)).all()


def test_a_held_tone_moves_things_visibly_and_not_as_attacks_do() -> None:
    show = FlowShow()
    held = np.stack([show.step(level=0.8).amplitudes for _ in range(150)])[50:, 1:] * 0.05 * 768
    assert np.abs(np.diff(held, axis=0)).mean() > 0.5
    hit = FlowShow()
    struck = np.stack([hit.step(attack=0.9 * (tick % 25 == 0)).amplitudes for tick in range(150)])[50:, 1:]
    evenness = [float(np.std(np.abs(x).max(1)) / np.abs(x).max(1).mean()) for x in (held, struck)]
    assert evenness[0] < 0.7 * evenness[1], "a held tone goes on, a hit dies away"


def test_the_same_seed_gives_the_same_and_another_seed_nearly_the_same() -> None:
    first, again, other = (FlowShow(seed).play(piece_of(0)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    assert likeness(first, other) >= 0.7
    np.testing.assert_array_equal(FlowShow(1, chance=0.0).play(piece_of(0)), FlowShow(2, chance=0.0).play(piece_of(0)))


def test_another_piece_moves_the_same_still_otherwise() -> None:
    courses = [FlowShow(0).play(piece_of(number)) for number in range(4)]
    others = [likeness(courses[a], courses[b]) for a in range(4) for b in range(a)]
    assert np.mean(others) <= 0.3


def test_low_sounds_move_what_is_slow_and_high_sounds_what_is_fast() -> None:
    def moved(band: int) -> np.ndarray:
        bands = np.zeros((2, 8), np.float32)
        bands[1, band] = 0.9
        # A kick of the same strength moves a mode as much faster as its frequency is higher.
        return np.asarray(np.abs(FlowShow(chance=0.0).step(bands=bands).amplitudes) / [0.9, 1.5, 2.4])

    low, high = moved(0), moved(7)
    assert low[0] > 2.0 * low[2]
    assert high[2] > 2.0 * high[0]


def test_before_there_is_a_scene_nothing_moves_and_nothing_fails() -> None:
    stage = FlowStage(network_finder=lambda network, bundle: False)
    stage.setup(Context(Show(), Metrics()))
    hearing = Hearing(tick=0, latent=np.ones(3, np.float32))
    assert stage.step(Inputs({"hearing": [hearing]}), 0) == []


def test_lost_ticks_are_ticks_without_force() -> None:
    show = FlowShow(chance=0.0)
    show.step(attack=0.9)
    after = show.step(by=4)
    whole = FlowShow(chance=0.0)
    whole.step(attack=0.9)
    for _ in range(4):
        quiet = whole.step()
    np.testing.assert_allclose(after.amplitudes, quiet.amplitudes, atol=1e-6)
    assert show.metrics.take().counters == {"gaps": 3}
    assert not show.step(by=10**9).amplitudes.any(), "a gap of a year is silence"


def test_another_scene_begins_at_rest_and_the_one_before_moves_on_while_it_fades() -> None:
    show = FlowShow()
    before = show.step(attack=0.9)
    flow = show.step(scene=scene_of("other", two_layer_scene(level=200)))
    assert flow.scenes == ["other", "one"]
    assert flow.mode_counts == [3, 3]
    assert not flow.amplitudes[:3].any()
    springs = FlowShow()
    springs.step(attack=0.9)
    np.testing.assert_allclose(flow.amplitudes[3:], springs.step().amplitudes, atol=1e-6)
    assert np.abs(flow.amplitudes[3:] - before.amplitudes).max() > 0.01
    flow = show.step(attack=0.9)
    assert (np.abs(flow.amplitudes) > 0.05).all(), "both are driven"
    for _ in range(PREVIOUS_TICKS):
        flow = show.step(attack=0.1)
    assert (flow.scenes, flow.mode_counts) == (["other"], [3])
    assert flow.amplitudes.shape == (3,)


def test_the_same_scene_again_changes_nothing() -> None:
    show = FlowShow()
    show.step(attack=0.9)
    flow = show.step(scene=scene_of())
    assert flow.scenes == ["one"]
    assert flow.amplitudes.any()


def test_a_flow_that_was_published_is_not_changed_any_more() -> None:
    show = FlowShow()
    flow = show.step(attack=0.9)
    kept = flow.amplitudes.copy()
    show.step(attack=0.9)
    np.testing.assert_array_equal(flow.amplitudes, kept)


def test_a_scene_without_layers_moves_as_a_plain_one() -> None:
    image = np.full((256, 384, 3), 90, np.uint8)
    plain = Scene(identity="plain", image=image, still=np.zeros((128, 128, 3), np.uint8))
    show = FlowShow(scene=plain)
    flow = show.step(attack=0.9)
    assert flow.mode_counts == [4]
    assert (np.abs(flow.amplitudes) > 0.05).all()
    assert show.notes == [NO_DRIVE]


def test_a_malformed_scene_is_noted_and_moves_as_a_plain_one() -> None:
    bad = scene_of()
    bad.covers = bad.covers[:-1]
    show = FlowShow(scene=bad)
    assert show.step(attack=0.9).mode_counts == [4]
    assert "is not used" in show.notes[-1]
    assert show.metrics.take().counters == {"bad": 1}


@pytest.mark.parametrize(
    "bands", [np.full((2, 8), np.nan, np.float32), np.zeros((2, 7), np.float32), np.zeros(1), np.array("x")]
)
def test_bands_that_are_none_move_nothing(bands: Any) -> None:
    show = FlowShow()
    assert not show.step(bands=bands).amplitudes.any()
    assert show.metrics.take().counters == {"bad": 1}
    assert show.step(attack=0.9).amplitudes.any()


def test_a_network_gets_the_sound_the_modes_and_the_chance() -> None:
    drive = FakeDrive()
    show = FlowShow(drive=drive)
    flow = show.step(level=0.5, attack=0.25, value=0.4)
    given = drive.given[-1]
    np.testing.assert_array_equal(given["bands"], bands_of(0.5, 0.25))
    assert given["latent"][0] == np.float32(0.4)
    assert given["noise"].shape == (36, 2)
    assert given["modes"].shape[0] == 36
    assert given["modes"][:3].any(1).all()
    assert not given["modes"][3:].any()
    assert (flow.amplitudes > 0.0).all()
    assert show.notes == []
    assert drive.resets >= 1, "it was run warm"
    show.step(chance=0.0)
    assert not drive.given[-1]["noise"].any()


def test_chance_changes_slowly_and_its_control_scales_it() -> None:
    drive = FakeDrive()
    show = FlowShow(drive=drive, chance=1.0)
    for _ in range(80):
        show.step()
    noises = [given["noise"].ravel() for given in drive.given[-80:]]
    together = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(noises[1:], noises, strict=False)]
    assert np.mean(together) == pytest.approx(0.9, abs=0.05)
    assert np.std(noises) == pytest.approx(1.0, abs=0.15)
    show.step(chance=0.5)
    assert np.std(drive.given[-1]["noise"]) == pytest.approx(0.5, abs=0.15)


def test_a_state_that_has_gone_bad_is_forgotten() -> None:
    drive = FakeDrive()
    show = FlowShow(drive=drive)
    show.step(value=0.5)
    resets = drive.resets
    flow = show.step(value=float("nan"))
    assert np.isfinite(flow.amplitudes).all()
    assert flow.amplitudes.any(), "the springs swing on"
    assert drive.resets == resets + 1
    assert show.step(value=0.5).amplitudes.any()
    assert show.metrics.take().counters == {"nan": 1}


def test_a_given_tempo_is_foreseen_from_its_second_beat_on() -> None:
    def ahead(**controls: Any) -> float:
        drive = FakeDrive()
        show = FlowShow(drive=drive, lead=80.0, **controls)
        for tick in range(24):
            changes: dict[str, Any] = {"tempo": 100.0} if tick == 1 and controls else {}
            show.step(attack=0.9 if tick in (2, 17) else 0.0, **changes)
        return float(max(np.max(given["bands"][1]) for given in drive.given[-24:][14:17]))

    assert ahead(tempo=60.0) > 0.5
    assert ahead() == 0.0


def test_panic_makes_the_drive_forget() -> None:
    drive = FakeDrive()
    show = FlowShow(drive=drive)
    show.step(value=0.5)
    resets = drive.resets
    show.step(value=0.5, panic=1.0)
    show.step(value=0.5, panic=0.0)
    assert drive.resets == resets + 1


def test_the_network_drives_the_new_scene_alone() -> None:
    drive = FakeDrive()
    show = FlowShow(drive=drive)
    show.step(value=0.5)
    steps = len(drive.given)
    show.step(value=0.5, scene=scene_of("other"))
    assert len(drive.given) == steps + 1, "it hears a tick once"


def test_its_controls_act() -> None:
    def swing(**controls: Any) -> float:
        show = FlowShow(chance=0.0, **controls)
        return float(np.abs(show.play(piece_of(3))).mean())

    usual = swing()
    assert swing(motion=0.0) == 0.0
    sizes = [swing(motion=motion) for motion in (0.5, 1.0, 2.0, 4.0)]
    assert all(a < b for a, b in itertools.pairwise(sizes))
    assert sizes[-1] < 2.0 * LIMIT
    assert np.diff(sizes, prepend=0.0).min() > 0.3 * sizes[1], "it acts over its whole range"
    sizes = [swing(anchoring=anchoring) for anchoring in (0.1, 0.5, 1.2, 4.0, 10.0)]
    assert all(a > b for a, b in itertools.pairwise(sizes))
    show = FlowShow(chance=0.0)
    show.step(anchoring=99.0)
    assert float(np.abs(show.play(piece_of(3))).mean()) == pytest.approx(usual, rel=0.1), "out of its range"


def test_a_restarted_stage_begins_at_rest_and_goes_on_with_the_ticks() -> None:
    show, again = FlowShow(), FlowShow()
    for _ in range(30):
        show.step(attack=0.3, level=0.5)
    again.tick = show.tick
    flow = again.step()
    assert flow.tick == 30
    assert not flow.amplitudes.any()
    assert again.step(attack=0.9).amplitudes.any()
    assert "gaps" not in again.metrics.take().counters


def test_attacks_of_a_steady_beat_reach_the_network_ahead_of_it_and_without_lead_as_they_come() -> None:
    def places(**controls: Any) -> set[int]:
        drive = FakeDrive()
        show = FlowShow(drive=drive, **controls)
        for tick in range(400):
            show.step(attack=0.9 if tick % 25 == 20 else 0.0)
        attacks = np.array([given["bands"][1].max() for given in drive.given])[-150:]
        return {int(place) % 25 for place in np.flatnonzero(attacks > 0.3) + 250}

    assert places(lead=0.0) == {20}
    assert places(lead=80.0) == {18}
    assert places() == {18}
