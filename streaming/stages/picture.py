"""The stage that draws: it carries the prior image along the flow, has it mended, and lets a new prior fade in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import FLOW_GRID, TICK_NS
from streaming.devices.stills.prior import fit_screen, load_prior, screen_size
from streaming.errors import UserError
from streaming.painting.load_shedding import LoadShedding
from streaming.painting.paint_step import PaintStep, PriorFeatures, open_paint_step
from streaming.painting.paint_worker import NEVER
from streaming.painting.prior_loader import PriorLoader, first_prior
from streaming.painting.warp import Texture, WarpMap
from streaming.schema.messages import Flow, Message, Picture
from streaming.settings.control_values import ControlValues
from streaming.stage import Context, Inputs

FADE_TICKS = 25
"""A new prior image takes a second to come."""
MAX_GAP_TICKS = 25
"""After a longer gap the picture goes on from where it was."""
PATIENCE_NS = 34_000_000
"""So long after a flow was published its picture waits for what is being painted for it; then it goes without."""
NO_PAINTER = "the bundle has no painter: the picture is moved, not mended nor imagined"


@dataclass
class _Still:
    """A prior image on the screen, what the painter knows of it, and the map that moves it."""

    prior: Texture
    look: PriorFeatures | None
    drift: WarpMap


class PictureStage:
    """Publishes a picture for every flow; flows that were passed over are made up for by time.

    Args:
        loader: reads a prior image; see `load_prior`.
        brush_opener: opens the painter; with the stage's context.
        patience_ns: how long after a flow was published its picture waits for what is painted for it; None for as long
            as it takes, and every picture is painted.
        shedding: decides which pictures are painted anew; None for one that looks at the cores.
    """

    def __init__(
        self,
        loader: Callable[[str], NDArray[np.uint8]] = load_prior,
        brush_opener: Callable[[Context], PaintStep | None] = open_paint_step,
        patience_ns: int | None = PATIENCE_NS,
        shedding: LoadShedding | None = None,
    ) -> None:
        self._loader, self._open_brush, self._patience_ns = loader, brush_opener, patience_ns
        self._still: _Still | None = None
        self._before: _Still | None = None
        self._fade = 0
        self._reader = PriorLoader(lambda path: self._prepared(loader(path)))
        self._brush: PaintStep | None = None
        self._tick: int | None = None
        self._shedding = shedding or LoadShedding()

    def setup(self, context: Context) -> None:
        """Read the prior image; the screen has its shape from then on.

        Raises:
            UserError: when it cannot be read.
            EngineError: when the painter cannot be opened.
        """
        self._context = context
        cv2.setNumThreads(1)
        memo = context.memo
        metrics = context.metrics
        self._controls = ControlValues("picture", context.show, lambda error: metrics.count("controls_refused"))
        said: list[str] = []

        def note(line: str) -> None:
            said.append(line)
            context.note(line)

        self._brush = self._open_brush(replace(context, note=note))
        if self._brush is None and self._controls["imagination"] and not said:
            note(NO_PAINTER)
        image = first_prior(self._loader, context)
        size = memo.get("size")
        self._size = (int(size[0]), int(size[1])) if size else screen_size(image)
        memo["size"] = list(self._size)
        self._still = _Still(*self._prepared(image), WarpMap(self._size))
        context.info.update(size=list(self._size))

    def wake_ns(self) -> int | None:
        """Only flow makes it step."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Obey the controls, then move and draw."""
        self._arrive()
        if "prior" in self._controls.update(inputs.controls):
            self._reader.ask(self._controls.word("prior"))
        flows = inputs.all(Flow)
        drawn = [self._picture(flow, now_ns, late=flow is not flows[-1], hurried=len(flows) > 1) for flow in flows]
        return [picture for picture in drawn if picture is not None]

    def close(self) -> None:
        """Wait for no prior that is still being read, and for nothing that is still being painted."""
        self._reader.close()
        if self._brush is not None:
            self._brush.close()

    def _picture(self, flow: Flow, now_ns: int, *, late: bool, hurried: bool) -> Picture | None:
        """The picture of a flow, unless it had one.

        Args:
            flow: what was heard, and how it moves.
            now_ns: the time.
            late: the next one is there too.
            hurried: it is not to be painted anew.
        """
        if self._still is None:
            return None
        field = flow.flow
        if not isinstance(field, np.ndarray) or field.shape != (2, FLOW_GRID, FLOW_GRID) or field.dtype.kind != "f":
            self._context.metrics.count("bad")
            field = np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32)
        passed = 1 if self._tick is None else flow.tick - self._tick
        if passed <= 0:
            passed = 1 if passed < -MAX_GAP_TICKS else 0
        if passed == 0:
            self._context.metrics.count("repeats")
            return None
        self._tick = flow.tick
        self._shedding.see(lost=passed > 1 or late)
        self._context.metrics.gauge("rest", self._shedding.rest)
        seconds = min(passed, MAX_GAP_TICKS) * TICK_NS / 1e9
        # A velocity holds for its own tick; what was passed over only decays.
        field = field.astype(np.float32) * np.float32(self._controls["motion"])
        self._still.drift.move(field, TICK_NS / 1e9, self._controls["anchoring"])
        if seconds > TICK_NS / 1e9:
            self._still.drift.move(np.zeros_like(field), seconds - TICK_NS / 1e9, self._controls["anchoring"])
        image = self._painted(self._still, flow, now_ns, hurried=hurried)
        if self._before is not None:
            image = self._faded(field, image)
        return Picture(tick=flow.tick, image=image, capture_ns=flow.capture_ns, stamps=dict(flow.stamps))

    def _painted(self, still: _Still, flow: Flow, now_ns: int, *, hurried: bool) -> NDArray[np.uint8]:
        """The picture of a flow; it is moved while it is painted."""
        brush, look, metrics = self._brush, still.look, self._context.metrics
        if brush is None or look is None:
            return still.drift.render(still.prior)
        controls = self._controls["imagination"], self._controls["chance"]
        anew = self._patience_ns is None or not (hurried or self._shedding.leaves_out(now_ns))
        brush.begin(look, still.drift, flow, *controls, anew=anew)
        moved = still.drift.render(still.prior)
        until_ns = None if self._patience_ns is None else flow.stamps.get("flow", now_ns) + self._patience_ns
        shown = brush.add_to(moved, until_ns if anew else NEVER)
        if not shown.fresh:
            metrics.count("painted_again")
        if shown.painting is not None:
            metrics.observe("painting_ms", shown.painting.took_ns / 1e6)
            self._shedding.painted(shown.painting.took_ns, shown.painting.done_ns)
        return shown.image

    def _prepared(self, image: NDArray[np.uint8]) -> tuple[Texture, PriorFeatures | None]:
        texture = Texture(fit_screen(image, self._size))
        return texture, None if self._brush is None else self._brush.look(texture.image)

    def _faded(self, field: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Between the prior that goes and the one that comes; both move."""
        before = self._before
        if before is None:
            return image
        before.drift.move(field, TICK_NS / 1e9, self._controls["anchoring"])
        share = self._fade / FADE_TICKS
        share = share * share * (3.0 - 2.0 * share)
        mixed = cv2.addWeighted(image, share, before.drift.render(before.prior), 1.0 - share, 0.0)
        self._fade += 1
        if self._fade > FADE_TICKS:
            self._before = None
        return np.asarray(mixed, np.uint8)

    def _arrive(self) -> None:
        """Let a prior that was read fade in; one that cannot be is said, and the present one stays."""
        try:
            arrived = self._reader.arrived()
        except UserError as error:
            self._context.note(str(error))
            self._context.metrics.count("priors_refused")
            return
        if arrived is not None:
            self._context.memo["prior"], (prior, look) = arrived
            self._before, self._fade = self._still, 1
            self._still = _Still(prior, look, WarpMap(self._size))


def build() -> PictureStage:
    """The stage, for the runner."""
    return PictureStage()
