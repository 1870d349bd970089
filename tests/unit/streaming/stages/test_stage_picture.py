"""The picture stage: it draws what the flow says, is the prior image at rest, and lets another scene fade in."""

from __future__ import annotations

from threading import Event
from typing import Any

import numpy as np
import pytest

from streaming.conventions import TICK_NS
from streaming.painting.layer_renderer import LayerRenderer
from streaming.painting.load_shedding import FIRST_REST, LoadShedding
from streaming.painting.paint_step import PaintedPicture
from streaming.painting.paint_worker import NEVER, PaintResult
from streaming.scenes.layered_scene import LayeredScene, pack_scene
from streaming.scenes.plain_scene import make_plain_scene
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import Flow, Picture, Scene, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.picture import FADE_TICKS, PATIENCE_NS, PictureStage
from streaming.telemetry.metrics import Metrics
from tests.scenes.hand_made import two_layer_scene

STILL = np.zeros((128, 128, 3), np.uint8)
SCENE, OTHER_SCENE = two_layer_scene((768, 512)), two_layer_scene((768, 512), level=200)


def scene_of(identity: str, scene: LayeredScene) -> Scene:
    return Scene(identity=identity, image=scene.image, still=STILL, **pack_scene(scene)._asdict())


ONE, OTHER = scene_of("one", SCENE), scene_of("other", OTHER_SCENE)


class PictureShow:
    """A picture stage; it has a scene from the start."""

    def __init__(self, paint_step: Any = None, scene: Scene | None = ONE, **controls: Any) -> None:
        self.metrics, self.notes, self.woken = Metrics(), list[str](), Event()
        self.context = Context(Show(controls=controls), self.metrics, note=self.notes.append, wake=self.woken.set)
        self.now_ns = 1
        self.stage = PictureStage(lambda show: paint_step, shedding=LoadShedding(lambda: 1.0))
        self.stage.setup(self.context)
        if scene is not None:
            assert self.stage.step(Inputs({"scene": [scene]}), 0) == []
        self.tick = -1
        self.scenes = ["one"]

    def step(
        self, amount: float = 0.0, by: int = 1, waited_ns: int = 0, scene: Scene | None = None, **controls: Any
    ) -> Picture | None:
        self.tick += by
        self.now_ns += by * TICK_NS
        message = Flow(
            tick=self.tick,
            flow=np.zeros((2, 16, 16), np.float32),
            scenes=self.scenes,
            mode_counts=[3] * len(self.scenes),
            amplitudes=np.full(3 * len(self.scenes), amount, np.float32),
            capture_ns=5,
            stamps={"flow": self.now_ns - waited_ns},
        )
        changes = [Set(name=name, value=value) for name, value in controls.items()]
        inputs = Inputs({"flow": [message]}, controls=changes)
        if scene is not None:
            inputs.messages["scene"] = [scene]
        found = self.stage.step(inputs, self.now_ns)
        assert all(isinstance(picture, Picture) for picture in found)
        return found[0] if found else None  # type: ignore[return-value]

    def shown(self, amount: float = 0.0, **changes: Any) -> np.ndarray:
        picture = self.step(amount, **changes)
        assert picture is not None
        return picture.image


def test_without_flow_the_prior_is_shown_itself() -> None:
    show = PictureShow()
    picture = show.step()
    assert picture is not None
    assert np.array_equal(picture.image, ONE.image)
    assert (picture.tick, picture.capture_ns, picture.stamps) == (0, 5, {"flow": show.now_ns})
    assert show.context.info["size"] == [768, 512]


def test_before_there_is_a_scene_nothing_is_drawn() -> None:
    show = PictureShow(scene=None)
    assert show.step() is None
    assert np.array_equal(show.shown(scene=ONE), ONE.image)


def drawn(amount: float, scene: LayeredScene = SCENE) -> np.ndarray:
    return LayerRenderer(scene).render(np.full(3, amount))


def test_it_draws_what_the_amplitudes_say_and_comes_back_to_the_bit() -> None:
    show = PictureShow()
    image = show.shown(0.5)
    assert np.array_equal(image, drawn(0.5))
    assert not np.array_equal(image, ONE.image)
    assert np.array_equal(show.shown(), ONE.image)


def test_a_flow_that_was_missed_changes_no_later_picture() -> None:
    whole, holed = PictureShow(), PictureShow()
    for tick in range(6):
        whole.step(0.1 * tick)
        if tick % 3 != 1:  # else a flow that never arrives
            holed.step(0.1 * tick, by=2 if tick % 3 == 2 else 1)
    assert np.array_equal(whole.shown(0.3), holed.shown(0.3))


def test_repeats_are_left_out_and_a_clock_that_begins_anew_is_followed() -> None:
    show = PictureShow()
    show.step(0.5)
    show.step(0.0, by=1000)
    assert show.step(0.5, by=0) is None
    assert show.step(0.5, by=-1) is None
    assert show.metrics.take().counters == {"repeats": 2}
    assert show.step(0.5, by=-900) is not None, "the sound's clock has begun anew"


def test_a_new_scene_fades_in_when_it_is_prepared_and_moved() -> None:
    show = PictureShow()
    show.step()
    assert np.array_equal(show.shown(scene=OTHER), ONE.image), "it is being prepared"
    assert show.woken.wait(10.0)
    assert np.array_equal(show.shown(), ONE.image), "the flow does not move it yet"
    show.scenes = ["other", "one"]
    levels = [float(show.shown()[100, 100].mean()) for _ in range(FADE_TICKS + 4)]
    before = float(ONE.image[100, 100].mean())
    assert np.abs(np.diff([before, *levels])).max() < 20.0, "no jump"
    assert levels[-1] == float(OTHER.image[100, 100].mean()) > before + 50.0
    show.scenes = ["other"]
    assert np.array_equal(show.shown(), OTHER.image)


def test_while_a_scene_is_prepared_the_present_one_moves_on_by_its_own_amplitudes() -> None:
    show = PictureShow()
    show.scenes = ["other", "one"]
    assert np.array_equal(show.shown(0.3), drawn(0.3))
    show.scenes = ["other"]
    assert np.array_equal(show.shown(0.7), drawn(0.3)), "without amplitudes it stays as it is"


def test_both_scenes_move_while_one_fades_into_the_other() -> None:
    show = PictureShow()
    show.step(scene=OTHER)
    assert show.woken.wait(10.0)
    show.scenes = ["other", "one"]
    for _ in range(FADE_TICKS // 2):
        mixed = show.shown(0.4)
    one, other = drawn(0.4).astype(float), drawn(0.4, OTHER_SCENE).astype(float)
    share = float(((mixed - one) * (other - one)).sum() / ((other - one) ** 2).sum())
    assert 0.2 < share < 0.8
    assert np.abs(one + share * (other - one) - mixed).max() <= 2.0


def test_a_scene_without_layers_is_drawn_as_a_plain_one() -> None:
    image = np.random.default_rng(0).integers(0, 255, (128, 192, 3), dtype=np.uint8)
    show = PictureShow(scene=Scene(identity="one", still=STILL, image=image))
    amplitudes = np.array([0.0, 0.8, 0.0, 0.5], np.float32)
    flow = Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), scenes=["one"], mode_counts=[4], amplitudes=amplitudes)
    (picture,) = show.stage.step(Inputs({"flow": [flow]}), 0)
    assert isinstance(picture, Picture)
    assert np.array_equal(picture.image, LayerRenderer(make_plain_scene(image)).render(amplitudes))
    assert not np.array_equal(picture.image, image)


def test_a_malformed_scene_is_said_and_drawn_without_its_layers() -> None:
    bad = scene_of("one", SCENE)
    bad.boxes = bad.boxes[:, ::-1].copy()
    show = PictureShow(scene=bad)
    assert np.array_equal(show.shown(0.5), ONE.image), "its modes are not those of the flow"
    assert "without its layers" in show.notes[-1]
    assert show.metrics.take().counters == {"bad": 1}


def test_the_same_scene_again_costs_nothing() -> None:
    show = PictureShow()
    first = show.shown()
    assert show.shown(scene=Scene(identity="one", still=STILL, image=ONE.image.copy())) is first
    assert not show.woken.is_set()


@pytest.mark.parametrize("value", [-1.0, 99.0, "loud", True, None])
def test_a_control_beyond_its_range_is_refused(value: Any) -> None:
    painter = Reddening()
    show = PictureShow(painter, imagination=0.25)
    show.step(0.0, imagination=value)
    assert painter.asked == [(0.25, 0.3)]
    assert show.metrics.take().counters["controls_refused"] == 1


@pytest.mark.parametrize(
    "flow",
    [
        Flow(tick=0, flow=np.zeros((3, 4), np.float32)),
        Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), scenes=[]),
        Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), scenes=["one", "two"]),
        Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), scenes=["one"], mode_counts=[3]),
        Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), scenes=["one", "other"], mode_counts=[3]),
        Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), scenes=["one"], mode_counts=[-1]),
        Flow(
            tick=0,
            flow=np.zeros((2, 16, 16), np.float32),
            scenes=["one"],
            mode_counts=[3],
            amplitudes=np.full(3, np.nan, np.float32),
        ),
    ],
)
def test_what_is_no_flow_moves_nothing(flow: Flow) -> None:
    show = PictureShow()
    (picture,) = show.stage.step(Inputs({"flow": [flow]}), 0)
    assert isinstance(picture, Picture)
    assert np.array_equal(picture.image, ONE.image)
    assert show.metrics.take().counters == {"bad": 1}


class Reddening:
    """A paint step that makes everything red, and remembers with how much imagination and until when it was waited for.

    A painting takes `took_ns`; it is done when its picture is shown if that is in time.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[float, ...]] = []
        self.looked: list[tuple[int, ...]] = []
        self.anew: list[bool] = []
        self.until: list[int | None] = []
        self.took_ns = self.now_ns = 0
        self.closed = False

    def analyse_prior(self, still: np.ndarray) -> np.ndarray:
        self.looked.append(still.shape)
        return still

    def start(self, still: np.ndarray, warp: Any, flow: Flow, *dials: float, anew: bool = True) -> None:
        self.asked.append(dials)
        self.anew.append(anew)
        self.now_ns = flow.stamps.get("flow", 0)

    def finish(self, image: np.ndarray, until_ns: int | None = None) -> PaintedPicture:
        self.until.append(until_ns)
        done = PaintResult(np.zeros(1, np.float32), self.took_ns, self.now_ns + self.took_ns) if self.anew[-1] else None
        return PaintedPicture(np.full_like(image, (0, 0, 250)), self.anew[-1], done)

    def close(self) -> None:
        self.closed = True


def test_freeze_and_blackout_are_live_controls() -> None:
    show = PictureShow()
    seen = show.shown(5.0)
    np.testing.assert_array_equal(show.shown(0.0, freeze=1.0), seen)
    np.testing.assert_array_equal(show.shown(-5.0), seen)
    for _ in range(12):
        thawed = show.shown(0.0, freeze=0.0)
    np.testing.assert_array_equal(thawed, drawn(0.0), "it goes on from where it would be")
    dark = [show.shown(0.0, blackout=1.0, fade=0.4) for _ in range(11)]
    assert 0 < dark[4].max() < thawed.max()
    assert not dark[-1].any()
    for _ in range(11):
        back = show.shown(0.0, blackout=0.0)
    np.testing.assert_array_equal(back, drawn(0.0))


def test_imagination_is_a_live_control_and_without_a_painter_it_is_said() -> None:
    painter = Reddening()
    show = PictureShow(painter, imagination=0.25)
    shown = show.step(0.1)
    assert shown is not None
    assert shown.image[5, 5].tolist() == [0, 0, 250]
    show.step(0.1, imagination=0.8, chance=0.5)
    show.step(0.1, imagination=7.0)
    assert painter.asked == [(0.25, 0.3), (0.8, 0.5), (0.8, 0.5)]
    assert painter.looked == [(512, 768, 3)]
    assert show.metrics.take().counters["controls_refused"] == 1
    assert show.notes == []
    assert PictureShow().notes == [], "nobody asked for one"
    assert "no painter" in PictureShow(imagination=0.25).notes[0]


def test_a_picture_is_waited_for_until_its_flow_has_waited_long_enough() -> None:
    painter = Reddening()
    show = PictureShow(painter)
    for waited_ns in (0, 10_000_000):
        show.step(0.1, waited_ns=waited_ns)
        assert painter.until[-1] == show.now_ns - waited_ns + PATIENCE_NS
    show.stage.close()
    assert painter.closed


def test_flows_that_come_together_each_get_a_picture_but_are_not_painted_anew() -> None:
    painter = Reddening()
    show = PictureShow(painter)
    show.step(0.1)
    moved = np.full((2, 16, 16), 0.1, np.float32)
    flows = [Flow(tick=tick, flow=moved, scenes=["one"], capture_ns=tick) for tick in (1, 2)]
    pictures = show.stage.step(Inputs({"flow": [*flows]}), show.now_ns + 2 * TICK_NS)
    assert [(picture.tick, picture.capture_ns) for picture in pictures if isinstance(picture, Picture)] == [
        (1, 1),
        (2, 2),
    ]
    show.tick = 2
    show.step(0.1)
    assert painter.anew == [True, False, False, True]
    assert painter.until[1:3] == [NEVER, NEVER]
    assert show.metrics.take().counters["painted_again"] == 2


def test_a_painting_that_takes_long_is_not_made_for_every_picture() -> None:
    painter = Reddening()
    show = PictureShow(painter)
    painter.took_ns = TICK_NS // 2 + 1
    for _ in range(8):
        show.step(0.1)
    assert painter.anew == [True, False] * 4
    taken = show.metrics.take()
    assert taken.gauges["rest"] == FIRST_REST
    assert sum(taken.histograms["painting_ms"].values()) == 4


def test_under_load_pictures_are_drawn_coarsely_then_for_every_second_tick_and_fine_again_after_it() -> None:
    show = PictureShow()
    fine = show.shown(0.5)
    show.context.load_level = LoadLevel.PICTURE_QUALITY
    coarse = show.shown(0.5)
    assert np.array_equal(coarse, LayerRenderer(SCENE).render(np.full(3, 0.5), coarse=True))
    assert not np.array_equal(coarse, fine)
    show.context.load_level = LoadLevel.PICTURE_RATE
    pictures = [show.step(0.5) for _ in range(6)]
    assert [picture.tick for picture in pictures if picture is not None] == [2, 4, 6]
    assert show.metrics.take().counters["given_up"] == 3
    show.context.load_level = LoadLevel.FULL
    assert np.array_equal(show.shown(0.5), fine)
    assert np.array_equal(show.shown(), ONE.image)


def test_after_a_thousand_hours_a_picture_has_its_tick_and_every_second_one_is_still_the_even_one() -> None:
    show = PictureShow()
    show.tick = 1_000 * 3_600 * 25 - 1
    first = show.step(0.5)
    assert first is not None
    assert first.tick == 90_000_000
    assert np.array_equal(first.image, drawn(0.5))
    show.context.load_level = LoadLevel.PICTURE_RATE
    assert [picture.tick for picture in (show.step(), show.step(), show.step(), show.step()) if picture] == [
        90_000_002,
        90_000_004,
    ]


def test_a_blackout_takes_its_time_also_where_every_second_picture_is_left_out() -> None:
    def after(level: LoadLevel, ticks: int) -> np.ndarray:
        show = PictureShow()
        show.shown()
        show.context.load_level = level
        show.step(blackout=1.0, fade=0.4)
        pictures = [show.step() for _ in range(ticks)]
        return [picture.image for picture in pictures if picture is not None][-1]

    assert np.array_equal(after(LoadLevel.PICTURE_RATE, 5), after(LoadLevel.PICTURE_QUALITY, 5))
    assert not after(LoadLevel.PICTURE_RATE, 11).any()
