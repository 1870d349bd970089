"""The picture stage: it draws what the flow says, is the prior image at rest, and lets another scene fade in."""

from __future__ import annotations

from threading import Event
from typing import Any

import numpy as np
import pytest

from streaming.conventions import TICK_NS
from streaming.painting.load_shedding import FIRST_REST, LoadShedding
from streaming.painting.paint_step import PaintedPicture
from streaming.painting.paint_worker import NEVER, PaintResult
from streaming.painting.warp import Texture, WarpMap
from streaming.schema.messages import Flow, Picture, Scene, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.picture import FADE_TICKS, PATIENCE_NS, PictureStage
from streaming.telemetry.metrics import Metrics

STILL = np.zeros((128, 128, 3), np.uint8)
ONE = Scene(identity="one", still=STILL, image=np.random.default_rng(0).integers(0, 255, (512, 768, 3), dtype=np.uint8))
OTHER = Scene(identity="other", still=STILL, image=np.full((512, 768, 3), 200, np.uint8))


class PictureShow:
    """A picture stage; it has a scene from the start, and a map that is moved for it beside the stage."""

    def __init__(self, paint_step: Any = None, scene: Scene | None = ONE, **controls: Any) -> None:
        self.metrics, self.notes, self.woken = Metrics(), list[str](), Event()
        self.context = Context(Show(controls=controls), self.metrics, note=self.notes.append, wake=self.woken.set)
        self.now_ns = 1
        self.stage = PictureStage(lambda show: paint_step, shedding=LoadShedding(lambda: 1.0))
        self.stage.setup(self.context)
        if scene is not None:
            assert self.stage.step(Inputs({"scene": [scene]}), 0) == []
        self.tick = -1
        self.warp = WarpMap()
        self.scenes = ["one"]

    def step(
        self, speed: float = 0.0, by: int = 1, waited_ns: int = 0, scene: Scene | None = None, **controls: Any
    ) -> Picture | None:
        self.tick += by
        flow = np.zeros((2, 16, 16), np.float32)
        flow[0] = speed
        self.warp.move(flow, TICK_NS / 1e9, 1.2)
        self.now_ns += by * TICK_NS
        message = Flow(
            tick=self.tick,
            flow=flow,
            scenes=self.scenes,
            displacements=np.stack([self.warp.displacement] * len(self.scenes)),
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

    def shown(self, speed: float = 0.0, **changes: Any) -> np.ndarray:
        picture = self.step(speed, **changes)
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


def test_it_draws_what_the_map_of_the_flow_says_and_comes_back_to_the_bit() -> None:
    show, texture = PictureShow(), Texture(ONE.image)
    for _ in range(10):
        image = show.shown(0.3)
    assert np.array_equal(image, texture.render(show.warp.displacement))
    assert not np.array_equal(image, ONE.image)
    for _ in range(250):
        image = show.shown()
    assert np.array_equal(image, ONE.image), "10 s later"


def test_a_flow_that_was_missed_changes_no_later_picture() -> None:
    whole, holed = PictureShow(), PictureShow()
    for tick in range(12):
        whole.step(0.3)
        if tick % 3 == 1:  # a flow that never arrives
            holed.tick += 1
            holed.now_ns += TICK_NS
            holed.warp.move(np.stack([np.full((16, 16), 0.3), np.zeros((16, 16))]).astype(np.float32), 0.04, 1.2)
        else:
            holed.step(0.3)
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
    levels = [float(show.shown()[256, 384].mean()) for _ in range(FADE_TICKS + 4)]
    before = float(ONE.image[256, 384].mean())
    assert np.abs(np.diff([before, *levels])).max() < 20.0, "no jump"
    assert levels[-1] == 200.0
    show.scenes = ["other"]
    assert np.array_equal(show.shown(), OTHER.image)


def test_while_a_scene_is_prepared_the_present_one_moves_on_by_its_own_map() -> None:
    show = PictureShow()
    show.scenes = ["other", "one"]
    for _ in range(5):
        image = show.shown(0.3)
    assert np.array_equal(image, Texture(ONE.image).render(show.warp.displacement))
    show.scenes = ["other"]
    kept = show.warp.displacement
    show.warp = WarpMap()
    assert np.array_equal(show.shown(), Texture(ONE.image).render(kept)), "without a map it stays as it is"


def test_the_same_scene_again_costs_nothing() -> None:
    show = PictureShow()
    first = show.shown()
    assert show.shown(scene=Scene(identity="one", still=STILL, image=ONE.image.copy())) is first
    assert not show.woken.is_set()


@pytest.mark.parametrize("value", [-1.0, 99.0, "loud", True, None])
def test_a_control_beyond_its_range_is_refused(value: Any) -> None:
    painter = Reddening()
    show = PictureShow(painter)
    show.step(0.0, imagination=value)
    assert painter.asked == [(0.25, 1.0)]
    assert show.metrics.take().counters["controls_refused"] == 1


@pytest.mark.parametrize(
    "flow",
    [
        Flow(tick=0, flow=np.zeros((3, 4), np.float32)),
        Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), scenes=[]),
        Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), scenes=["one", "two"]),
        Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), displacements=np.zeros((1, 3, 3, 2), np.float32)),
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


def test_imagination_is_a_live_control_and_without_a_painter_it_is_said() -> None:
    painter = Reddening()
    show = PictureShow(painter)
    shown = show.step(0.1)
    assert shown is not None
    assert shown.image[5, 5].tolist() == [0, 0, 250]
    show.step(0.1, imagination=0.8, chance=0.5)
    show.step(0.1, imagination=7.0)
    assert painter.asked == [(0.25, 1.0), (0.8, 0.5), (0.8, 0.5)]
    assert painter.looked == [(512, 768, 3)]
    assert show.metrics.take().counters["controls_refused"] == 1
    assert show.notes == []
    assert "no painter" in PictureShow().notes[0]


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
