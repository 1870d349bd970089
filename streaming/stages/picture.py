"""The stage that draws: it moves the scene's layers, has the painter work, and fades from one prior to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import FLOW_GRID
from streaming.painting.load_shedding import LoadShedding
from streaming.painting.paint_step import MovedPicture, PaintStep, open_paint_step
from streaming.painting.paint_worker import NEVER
from streaming.painting.picture_desk import PictureDesk
from streaming.painting.still_preparer import Still, StillPreparer, prepare_still
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import Flow, Message, Picture, Scene
from streaming.settings.control_values import ControlValues
from streaming.stage import Context, Inputs

FADE_TICKS = 25
"""A new prior image fades in within a second."""
MAX_GAP_TICKS = 25
"""A flow that is further behind the last one belongs to a clock that has begun anew."""
PATIENCE_NS = 34_000_000
"""A picture waits for its painter until this long after its flow was published; then it is shown without."""
NO_PAINTER = "the bundle has no painter: the picture is moved, and not reimagined"


class PictureStage:
    """Publishes a picture for every flow. It integrates nothing: a flow that was missed changes no later picture.

    A new scene fades in once it has been prepared and the flow stage moves it.

    Args:
        paint_step_opener: opens the painter; with the stage's context.
        patience_ns: how long after a flow was published its picture waits for the painter; None for as long as it
            takes, and then every picture is painted.
        shedding: decides which pictures are painted anew; None for one that watches the CPU time.
    """

    def __init__(
        self,
        paint_step_opener: Callable[[Context], PaintStep | None] = open_paint_step,
        patience_ns: int | None = PATIENCE_NS,
        shedding: LoadShedding | None = None,
    ) -> None:
        self._open_paint_step, self._patience_ns = paint_step_opener, patience_ns
        self._still: Still | None = None
        self._next: Still | None = None
        self._previous: Still | None = None
        self._fade_ticks = 0
        self._paint_step: PaintStep | None = None
        self._tick: int | None = None
        self._left_out = 0
        self._newest_identity = ""
        self._shedding = shedding or LoadShedding()
        self._desk = PictureDesk()

    def setup(self, context: Context) -> None:
        """Open the painter.

        Raises:
            EngineError: when it cannot be opened.
        """
        self._context = context
        cv2.setNumThreads(1)
        metrics = context.metrics
        self._controls = ControlValues("picture", context.show, lambda error: metrics.count("controls_refused"))
        notes: list[str] = []

        def note(line: str) -> None:
            notes.append(line)
            context.note(line)

        self._paint_step = self._open_paint_step(replace(context, note=note))
        if self._paint_step is None and self._controls["imagination"] and not notes:
            note(NO_PAINTER)
        self._preparer = StillPreparer(lambda scene: prepare_still(scene, self._paint_step), context.wake)

    def wake_ns(self) -> int | None:
        """Never by time: flow wakes it, and a scene."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Take a new scene and the controls, then draw a picture for every flow."""
        scene = inputs.latest(Scene)
        if scene is not None and scene.identity != self._newest_identity:
            self._take_scene(scene)
        self._next = self._note_error(self._preparer.take()) or self._next
        self._controls.update(inputs.controls)
        flows = inputs.all(Flow)
        pictures = [self._draw(flow, now_ns, late=flow is not flows[-1], hurried=len(flows) > 1) for flow in flows]
        return [picture for picture in pictures if picture is not None]

    def close(self) -> None:
        """End, without waiting for a still that is being prepared or a picture that is being painted."""
        self._preparer.close()
        if self._paint_step is not None:
            self._paint_step.close()

    def _take_scene(self, scene: Scene) -> None:
        """Prepare a scene: the first one at once, a later one beside the pictures."""
        self._newest_identity = scene.identity
        if self._still is None:
            self._still = self._note_error(prepare_still(scene, self._paint_step))
            self._context.info.update(size=[scene.image.shape[1], scene.image.shape[0]])
        else:
            self._preparer.request(scene)

    def _note_error(self, still: Still | None) -> Still | None:
        """Say why a still has no layers."""
        if still is not None and still.error:
            self._context.metrics.count("bad")
            self._context.note(f"the prior image is drawn without its layers ({still.error})")
        return still

    def _draw(self, flow: Flow, now_ns: int, *, late: bool, hurried: bool) -> Picture | None:
        """The picture of a flow, unless it had one.

        Args:
            flow: the tick's flow, and the modes' amplitudes.
            now_ns: the time.
            late: the next flow is there too.
            hurried: the picture is not to be painted anew.
        """
        if self._still is None:
            return None
        passed = 1 if self._tick is None else flow.tick - self._tick
        if passed <= 0:
            passed = 1 if passed < -MAX_GAP_TICKS else 0
        if passed == 0:
            self._context.metrics.count("repeats")
            return None
        self._tick = flow.tick
        if self._context.load_level >= LoadLevel.PICTURE_RATE and flow.tick % 2:
            self._context.metrics.count("given_up")
            self._left_out += passed
            return None
        left_out, self._left_out = self._left_out, 0
        flow = self._check(flow)
        self._switch(flow)
        self._shedding.update(lost=passed > 1 or late)
        self._context.metrics.gauge("rest", self._shedding.rest)
        for still in (self._still, self._previous):
            if still is not None:
                still.follow(flow)
        image = self._paint(self._still, flow, now_ns, hurried=hurried)
        if self._previous is not None:
            image = self._fade(self._previous, image)
        image = self._desk.step(
            image,
            frozen=self._controls.is_on("freeze"),
            dark=self._controls.is_on("blackout"),
            fade_s=self._controls["fade"],
            ticks=passed + left_out,
        )
        return Picture(tick=flow.tick, image=image, capture_ns=flow.capture_ns, stamps=dict(flow.stamps))

    def _check(self, flow: Flow) -> Flow:
        """A flow whose arrays are what they must be; one that moves nothing in place of a bad one."""
        counts = flow.mode_counts
        good = (
            len(flow.scenes) == len(counts) > 0
            and min(counts) >= 0
            and _is_float_array(flow.flow, (2, FLOW_GRID, FLOW_GRID))
            and _is_float_array(flow.amplitudes, (max(1, sum(counts)),))
        )
        if good:
            return flow
        self._context.metrics.count("bad")
        return Flow(
            tick=flow.tick,
            flow=np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32),
            capture_ns=flow.capture_ns,
            stamps=dict(flow.stamps),
        )

    def _switch(self, flow: Flow) -> None:
        """Let the next still fade in as soon as the flow stage moves it."""
        if self._next is not None and self._next.identity == flow.scenes[0]:
            self._previous, self._still, self._fade_ticks = self._still, self._next, 1
            self._next = None

    def _paint(self, still: Still, flow: Flow, now_ns: int, *, hurried: bool) -> NDArray[np.uint8]:
        """The picture of a flow, painted as far as the painter is ready."""
        step, features, metrics = self._paint_step, still.features, self._context.metrics
        image = still.draw(coarse=self._is_coarse)
        if step is None or features is None:
            return image
        imagination, chance = self._controls["imagination"], self._controls["chance"]
        anew = self._patience_ns is None or not (hurried or self._is_coarse or self._shedding.skips(now_ns))
        step.start(features, MovedPicture(image, still.where, still.reach), flow, imagination, chance, anew=anew)
        until_ns = None if self._patience_ns is None else flow.stamps.get("flow", now_ns) + self._patience_ns
        painted = step.finish(image, until_ns if anew else NEVER)
        if not painted.fresh:
            metrics.count("painted_again")
        if painted.result is not None:
            metrics.observe("painting_ms", painted.result.took_ns / 1e6)
            self._shedding.record(painted.result.took_ns, painted.result.done_ns)
        return painted.image

    @property
    def _is_coarse(self) -> bool:
        """Whether the show gives up picture quality at present."""
        return self._context.load_level >= LoadLevel.PICTURE_QUALITY

    def _fade(self, previous: Still, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A mixture of the prior image that goes and the one that comes; both move."""
        share = self._fade_ticks / FADE_TICKS
        share = share * share * (3.0 - 2.0 * share)
        mixed = cv2.addWeighted(image, share, previous.draw(coarse=self._is_coarse), 1.0 - share, 0.0)
        self._fade_ticks += 1
        if self._fade_ticks > FADE_TICKS:
            self._previous = None
        return np.asarray(mixed, np.uint8)


def _is_float_array(value: object, shape: tuple[int, ...]) -> bool:
    if not isinstance(value, np.ndarray) or value.shape != shape or value.dtype.kind != "f":
        return False
    return bool(np.isfinite(value).all())


def build() -> PictureStage:
    """The stage, for the process table."""
    return PictureStage()
