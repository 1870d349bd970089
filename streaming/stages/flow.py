"""The stage that moves: what is heard, and what the prior image shows, become a flow field for every tick."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.registry import open_engine
from streaming.audio.levels import Loudness, gate_opening
from streaming.conventions import FLOW_GRID, STILL_SIDE, TICK_NS
from streaming.devices.stills.prior import load_prior
from streaming.errors import UserError
from streaming.painting.prior_loader import PriorLoader, first_prior
from streaming.painting.warp import WarpMap
from streaming.schema.messages import Flow, Hearing, Message
from streaming.settings.control_values import ControlValues
from streaming.stage import Context, Inputs
from streaming.vision.frame_features import fit_square

SOFT_SPREAD, LOUD_SPREAD = 0.5, 1.25
"""How far chance leads when nothing is heard, and when what is heard is as loud as it gets; 1 as it was learned. Below
0.7 next to nothing moves, above 1.3 what moves runs away: so it is loudness that lets things go."""
KEPT = 0.85
"""How much of a tick's chance the next one keeps: what jumps 25 times a second is no motion."""
_WARM_UP_STEPS = 3

Field = NDArray[np.float32]


def chance_spread(loudness: float) -> float:
    """How far chance leads at a loudness of 0 to 1; see `levels.Loudness`."""
    return SOFT_SPREAD + (LOUD_SPREAD - SOFT_SPREAD) * loudness


class FlowStage:
    """Publishes how the prior image shall move, tick by tick; the same seed, sound and image move the same.

    Args:
        engine_opener: opens the networks; see `engines.registry.open_engine`.
        loader: reads a prior image; see `load_prior`.
    """

    def __init__(
        self,
        engine_opener: Callable[..., Engine] = open_engine,
        loader: Callable[[str], NDArray[np.uint8]] = load_prior,
    ) -> None:
        self._open_engine, self._loader = engine_opener, loader
        self._map = WarpMap((512, 512))
        self._before: Field = np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32)
        self._reader = PriorLoader(lambda path: fit_square(loader(path), STILL_SIDE))
        self._loudness = Loudness()
        self._tick: int | None = None

    def setup(self, context: Context) -> None:
        """Read the prior image, open the networks and run them warm.

        Raises:
            UserError: when the image cannot be read.
            EngineError: when a network cannot be opened.
        """
        show = context.show
        self._context = context
        self._controls = ControlValues("flow", show)
        opener = functools.partial(self._open_engine, **context.engine_options())
        self._eyes = opener("still")
        self._engine = opener("animator", seed=show.seed)
        self._chance = np.random.default_rng([show.seed, 99])
        self._noise = self._drawn()
        self._shown = self._look(fit_square(first_prior(self._loader, context), STILL_SIDE))
        width = int(self._engine.spec.config.get("latent_dim", 128))
        for _ in range(_WARM_UP_STEPS):
            self._animate(np.zeros(width, np.float32), 0.0, 0.0)
        self._engine.reset()
        context.add_engines(self._eyes, self._engine)

    def wake_ns(self) -> int | None:
        """Only what is heard makes it step."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Move with every tick that was heard."""
        self._arrive()
        if "prior" in self._controls.update(inputs.controls):
            self._reader.ask(self._controls.word("prior"))
        return [self._move(heard) for heard in inputs.all(Hearing)]

    def close(self) -> None:
        """Wait for no prior that is still being read."""
        self._reader.close()

    def _move(self, heard: Hearing) -> Flow:
        metrics = self._context.metrics
        if self._tick is not None and heard.tick > self._tick + 1:
            metrics.count("gaps", heard.tick - self._tick - 1)
        self._tick = heard.tick
        self._noise = KEPT * self._noise + np.float32(np.sqrt(1.0 - KEPT**2)) * self._drawn()
        loudness = self._loudness.hear(heard.level_db, TICK_NS / 1e9)
        flow = self._animate(
            heard.latent, heard.tick * TICK_NS / 1e9, self._controls["chance"] * chance_spread(loudness)
        )
        if not np.isfinite(flow).all():
            # A state that has gone bad would stay so: begin anew, from stillness.
            metrics.count("nan")
            self._engine.reset()
            flow = np.zeros_like(flow)
        flow = (flow * gate_opening(heard.level_db)).astype(np.float32)
        self._before = flow
        # The map is the screen's: it is moved as far, and drawn back as fast.
        self._map.move(np.float32(self._controls["motion"]) * flow, TICK_NS / 1e9, self._controls["anchoring"])
        metrics.gauge("speed", float(np.abs(flow).mean()))
        return Flow(
            tick=heard.tick,
            flow=flow,
            level_db=heard.level_db,
            heard=heard.latent,
            capture_ns=heard.capture_ns,
            stamps=dict(heard.stamps),
        )

    def _animate(self, latent: NDArray[np.float32], time_s: float, spread: float) -> Field:
        where = cv2.resize(self._map.where, (FLOW_GRID, FLOW_GRID), interpolation=cv2.INTER_AREA)
        found = self._engine.step(
            latent=latent,
            time_s=time_s,
            shown=self._shown,
            where=np.ascontiguousarray(np.moveaxis(where, -1, 0)),
            before=self._before,
            noise=np.float32(spread) * self._noise,
        )
        return np.asarray(found["flow"], np.float32).reshape(2, FLOW_GRID, FLOW_GRID)

    def _drawn(self) -> Field:
        return self._chance.standard_normal((2, FLOW_GRID, FLOW_GRID), np.float32)

    def _look(self, still: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._eyes.step(still=still)["shown"], np.float32)

    def _arrive(self) -> None:
        """Look at a prior that was read; the stage that draws says what is wrong with one that was not."""
        try:
            arrived = self._reader.arrived()
        except UserError:
            return
        if arrived is not None:
            self._context.memo["prior"], still = arrived
            self._shown = self._look(still)
            self._map.rest()


def build() -> FlowStage:
    """The stage, for the runner."""
    return FlowStage()
