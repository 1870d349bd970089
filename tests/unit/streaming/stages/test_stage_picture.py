"""The picture stage: it moves with the flow and with the dials, comes back to the prior, and lets another fade in."""

from __future__ import annotations

from concurrent.futures import wait
from threading import Event
from typing import Any

import numpy as np
import pytest

from streaming.conventions import TICK_NS
from streaming.errors import SourceError
from streaming.painting.load_shedding import FIRST_REST, LoadShedding
from streaming.painting.paint_step import PaintedPicture
from streaming.painting.paint_worker import NEVER, PaintResult
from streaming.schema.messages import Flow, Picture, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.picture import FADE_TICKS, PATIENCE_NS, PictureStage
from streaming.telemetry.metrics import Metrics

PRIORS = {
    "one": np.random.default_rng(0).integers(0, 255, (512, 768, 3), dtype=np.uint8),
    "other": np.full((300, 300, 3), 200, np.uint8),
}


def load(path: str) -> np.ndarray:
    if path not in PRIORS:
        raise SourceError("is no picture that can be read", path, "give another")
    return PRIORS[path]


class Drawing:
    """A stage with priors from memory."""

    def __init__(self, memo: dict[str, Any] | None = None, brush: Any = None, **changes: Any) -> None:
        self.brush = brush
        self.metrics, self.notes = Metrics(), list[str]()
        self.context = Context(
            Show(controls={"prior": "one", **changes}), self.metrics, memo=memo or {}, note=self.notes.append
        )
        self.now_ns = 1
        self.stage = PictureStage(load, lambda show: self.brush, shedding=LoadShedding(lambda: 1.0))
        self.stage.setup(self.context)
        self.tick = -1

    def step(self, speed: float = 0.0, by: int = 1, waited_ns: int = 0, **controls: Any) -> Picture | None:
        self.tick += by
        flow = np.zeros((2, 16, 16), np.float32)
        flow[0] = speed
        self.now_ns += by * TICK_NS
        message = Flow(tick=self.tick, flow=flow, capture_ns=5, stamps={"flow": self.now_ns - waited_ns})
        asked = [Set(name=name, value=value) for name, value in controls.items()]
        found = self.stage.step(Inputs({"flow": [message]}, controls=asked), self.now_ns)
        if self.stage._reader.coming is not None:
            wait([self.stage._reader.coming], 5.0)
        return found[0] if found else None  # type: ignore[return-value]


def test_without_flow_the_prior_is_shown_itself() -> None:
    show = Drawing()
    shown = show.step()
    assert shown is not None
    assert np.array_equal(shown.image, PRIORS["one"])
    assert (shown.tick, shown.capture_ns, shown.stamps) == (0, 5, {"flow": show.now_ns})
    assert show.context.info["size"] == [768, 512]


def test_it_moves_with_the_flow_and_the_dials_and_comes_back() -> None:
    plain, wild, calm = Drawing(), Drawing(), Drawing()
    wild.step(0.0, motion=2.0, anchoring=0.05)
    calm.step(0.0, motion=0.0)
    for _ in range(10):
        for show in (plain, wild, calm):
            show.step(0.3)
    still = calm.step(0.0)
    assert still is not None
    assert np.array_equal(still.image, PRIORS["one"])

    def far(show: Drawing) -> float:
        assert show.stage._still is not None
        return float(np.abs(show.stage._still.drift.where).max())

    assert far(wild) > 1.8 * far(plain) > 0.05
    for _ in range(250):
        last = plain.step(0.0)
    assert last is not None
    assert np.array_equal(last.image, PRIORS["one"]), "10 s later"


def test_ticks_that_were_passed_over_are_made_up_for_and_repeats_left_out() -> None:
    show = Drawing()
    show.step(0.5)
    show.step(0.0, by=1000)
    assert show.stage._still is not None
    assert np.abs(show.stage._still.drift.where).max() < 0.02
    assert show.step(0.5, by=0) is None
    assert show.step(0.5, by=-1) is None
    assert show.metrics.take().counters == {"repeats": 2}
    assert show.step(0.5, by=-900) is not None, "the sound's clock has begun anew"


def test_a_new_prior_fades_in_and_a_bad_one_is_refused() -> None:
    show = Drawing()
    show.step()
    levels = []
    for tick in range(FADE_TICKS + 6):
        shown = show.step(0.0, **({"prior": "other"} if tick == 0 else {}))
        assert shown is not None
        levels.append(float(shown.image[256, 384].mean()) if tick else float("nan"))
    steps = np.abs(np.diff(levels[1:]))
    assert steps.max() < 20.0, "no jump"
    assert levels[-1] == 200.0
    assert shown.image.shape == (512, 768, 3), "the screen keeps its shape"
    show.step(0.0, prior="missing")
    shown = show.step(0.0)
    assert shown is not None
    assert shown.image[256, 384].mean() == 200.0
    assert "no picture" in show.notes[-1]


def test_a_restarted_stage_has_its_prior_and_its_screen_again() -> None:
    show = Drawing()
    show.step(0.0, prior="other", motion=3.0)
    show.step(0.0)
    again = Drawing(dict(show.context.memo), prior="other", motion=3.0)
    shown = again.step()
    assert shown is not None
    assert shown.image.shape == (512, 768, 3)
    assert shown.image[256, 384].mean() == 200.0
    assert again.stage._controls["motion"] == 3.0


def test_a_restarted_stage_whose_newest_prior_is_none_shows_the_last_that_was() -> None:
    show = Drawing()
    show.step(0.0, prior="other")
    show.step(0.0)
    again = Drawing(dict(show.context.memo), prior="missing")
    shown = again.step()
    assert shown is not None
    assert shown.image[256, 384].mean() == 200.0
    assert "no picture" in again.notes[-1]
    with pytest.raises(SourceError):
        Drawing(prior="missing")


@pytest.mark.parametrize("value", [-1.0, 99.0, "loud", True, None])
def test_a_dial_beyond_its_range_is_not_turned(value: Any) -> None:
    show = Drawing()
    show.step(0.0, motion=value)
    assert show.stage._controls["motion"] == 1.0
    assert show.metrics.take().counters == {"controls_refused": 1}


def test_what_is_no_flow_moves_nothing() -> None:
    show = Drawing()
    found = show.stage.step(Inputs({"flow": [Flow(tick=0, flow=np.zeros((3, 4), np.float32))]}), 0)
    assert len(found) == 1
    assert show.metrics.take().counters == {"bad": 1}


def test_a_prior_that_takes_long_to_read_holds_up_no_picture() -> None:
    show = Drawing()
    gate = Event()
    show.stage._loader = lambda path: load(path) if gate.wait(10.0) else load("missing")
    show.stage.step(Inputs(controls=[Set(name="prior", value="other")]), 0)
    coming = show.stage._reader.coming
    assert coming is not None
    show.stage._reader.coming = None
    assert show.step() is not None, "while it is being read"
    show.stage._reader.coming = coming
    gate.set()
    wait([coming], 5.0)
    show.step()
    assert show.context.memo["prior"] == "other"
    show.stage.close()


class Reddening:
    """A brush that makes everything red, and remembers with how much imagination and until when it was waited for.

    A painting takes `took_ns`; it is done when its picture is shown if that is in time.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[float, ...]] = []
        self.looked: list[tuple[int, ...]] = []
        self.anew: list[bool] = []
        self.until: list[int | None] = []
        self.took_ns = self.now_ns = 0
        self.closed = False

    def look(self, still: np.ndarray) -> np.ndarray:
        self.looked.append(still.shape)
        return still

    def begin(self, still: np.ndarray, drift: Any, flow: Flow, *dials: float, anew: bool = True) -> None:
        self.asked.append(dials)
        self.anew.append(anew)
        self.now_ns = flow.stamps.get("flow", 0)

    def add_to(self, image: np.ndarray, until_ns: int | None = None) -> PaintedPicture:
        self.until.append(until_ns)
        done = PaintResult(np.zeros(1, np.float32), self.took_ns, self.now_ns + self.took_ns) if self.anew[-1] else None
        return PaintedPicture(np.full_like(image, (0, 0, 250)), self.anew[-1], done)

    def close(self) -> None:
        self.closed = True


def test_imagination_is_a_live_dial_and_without_a_painter_it_is_said() -> None:
    brush = Reddening()
    show = Drawing(brush=brush)
    shown = show.step(0.1)
    assert shown is not None
    assert shown.image[5, 5].tolist() == [0, 0, 250]
    show.step(0.1, imagination=0.8, chance=0.5)
    show.step(0.1, imagination=7.0)
    assert brush.asked == [(0.25, 1.0), (0.8, 0.5), (0.8, 0.5)]
    assert brush.looked == [(512, 768, 3)]
    assert show.metrics.take().counters["controls_refused"] == 1
    assert show.notes == []
    assert "no painter" in Drawing().notes[0]


def test_a_picture_is_waited_for_until_its_flow_has_waited_long_enough() -> None:
    brush = Reddening()
    show = Drawing(brush=brush)
    for waited_ns in (0, 10_000_000):
        show.step(0.1, waited_ns=waited_ns)
        assert brush.until[-1] == show.now_ns - waited_ns + PATIENCE_NS
    show.stage.close()
    assert brush.closed


def test_flows_that_come_together_each_get_a_picture_but_are_not_painted_anew() -> None:
    brush = Reddening()
    show = Drawing(brush=brush)
    show.step(0.1)
    flows = [Flow(tick=tick, flow=np.full((2, 16, 16), 0.1, np.float32), capture_ns=tick) for tick in (1, 2)]
    pictures = show.stage.step(Inputs({"flow": [*flows]}), show.now_ns + 2 * TICK_NS)
    assert [(picture.tick, picture.capture_ns) for picture in pictures if isinstance(picture, Picture)] == [
        (1, 1),
        (2, 2),
    ]
    show.tick = 2
    show.step(0.1)
    assert brush.anew == [True, False, False, True]
    assert brush.until[1:3] == [NEVER, NEVER]
    assert show.metrics.take().counters["painted_again"] == 2


def test_a_painting_that_takes_long_is_not_made_for_every_picture() -> None:
    brush = Reddening()
    show = Drawing(brush=brush)
    brush.took_ns = TICK_NS // 2 + 1
    for _ in range(8):
        show.step(0.1)
    assert brush.anew == [True, False] * 4
    taken = show.metrics.take()
    assert taken.gauges["rest"] == FIRST_REST
    assert sum(taken.histograms["painting_ms"].values()) == 4
