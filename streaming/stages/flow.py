"""The stage that moves: it computes each tick's flow from the sound and the prior image, and integrates the warp."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.registry import open_engine
from streaming.audio.levels import Loudness, gate_opening
from streaming.conventions import FLOW_GRID, STILL_SIDE, TICK_NS
from streaming.painting.warp import WarpMap, pool_displacement
from streaming.schema.messages import Flow, Hearing, Message, Scene
from streaming.settings.control_values import ControlValues
from streaming.stage import Context, Inputs

SOFT_SPREAD, LOUD_SPREAD = 0.5, 1.25
"""Scale of the noise when nothing is heard, and at the greatest loudness; 1 as in training. Below 0.7 next to nothing
moves, above 1.3 the motion runs away. So quiet passages barely move the image, and loud ones move it freely."""
NOISE_CORRELATION = 0.85
"""Correlation of the noise in one tick with that in the next: what jumps 25 times a second is no motion."""
MAX_GAP_TICKS = 25
"""Lost ticks for which the warp map decays at most."""
PREVIOUS_TICKS = 75
"""The map of the scene before is integrated for this long after a change: the new one is prepared and fades in."""
_WARM_UP_STEPS = 3

FlowField = NDArray[np.float32]


def chance_spread(loudness: float) -> float:
    """The scale of the noise at a loudness of 0 to 1; see `levels.Loudness`."""
    return SOFT_SPREAD + (LOUD_SPREAD - SOFT_SPREAD) * loudness


@dataclass
class _MovedScene:
    """A scene and its warp map. `ticks_left`: for how long it is still moved."""

    identity: str
    warp: WarpMap = field(default_factory=WarpMap)
    ticks_left: int = PREVIOUS_TICKS


class FlowStage:
    """Publishes how the prior image moves, tick by tick; the same seed, sound and image give the same motion.

    It is the only one that integrates the flow. Its map of a new scene begins at rest.

    Args:
        engine_opener: opens the networks; see `engines.registry.open_engine`.
    """

    def __init__(self, engine_opener: Callable[..., Engine] = open_engine) -> None:
        self._open_engine = engine_opener
        self._scene = _MovedScene("")
        self._previous_scene: _MovedScene | None = None
        self._last_flow: FlowField = np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32)
        self._shown: NDArray[np.float32] | None = None
        self._loudness = Loudness()
        self._tick: int | None = None

    def setup(self, context: Context) -> None:
        """Open the networks and run them warm.

        Raises:
            EngineError: when a network cannot be opened.
        """
        show = context.show
        self._context = context
        self._controls = ControlValues("flow", show)
        opener = functools.partial(self._open_engine, **context.engine_options())
        self._eyes = opener("still")
        self._engine = opener("animator", seed=show.seed)
        self._random = np.random.default_rng([show.seed, 99])
        self._noise = self._draw_noise()
        self._warm_up()
        context.add_engines(self._eyes, self._engine)

    def wake_ns(self) -> int | None:
        """Never by time: sound wakes it, and a scene."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Move with every tick that was heard; nothing before there is a scene."""
        scene = inputs.latest(Scene)
        if scene is not None and (self._shown is None or scene.identity != self._scene.identity):
            self._take_scene(scene)
        self._controls.update(inputs.controls)
        shown = self._shown
        return [] if shown is None else [self._move(hearing, shown) for hearing in inputs.all(Hearing)]

    def close(self) -> None:
        """Nothing to release."""

    def _take_scene(self, scene: Scene) -> None:
        """Look at a new prior image, and begin to move it from rest."""
        self._previous_scene = None if self._shown is None else self._scene
        self._scene = _MovedScene(scene.identity)
        self._shown = self._embed(scene.still)

    def _embed(self, still: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._eyes.step(still=still)["shown"], np.float32)

    def _warm_up(self) -> None:
        width = int(self._engine.spec.config.get("latent_dim", 128))
        shown = self._embed(np.full((STILL_SIDE, STILL_SIDE, 3), 127, np.uint8))
        for _ in range(_WARM_UP_STEPS):
            self._animate(np.zeros(width, np.float32), 0.0, 0.0, shown)
        self._engine.reset()

    def _move(self, hearing: Hearing, shown: NDArray[np.float32]) -> Flow:
        metrics = self._context.metrics
        lost = 0 if self._tick is None else max(0, hearing.tick - self._tick - 1)
        if lost:
            metrics.count("gaps", lost)
        self._tick = hearing.tick
        self._noise = (
            NOISE_CORRELATION * self._noise + np.float32(np.sqrt(1.0 - NOISE_CORRELATION**2)) * self._draw_noise()
        )
        spread = self._controls["chance"] * chance_spread(self._loudness.hear(hearing.level_db, TICK_NS / 1e9))
        flow = self._animate(hearing.latent, hearing.tick * TICK_NS / 1e9, spread, shown)
        if not np.isfinite(flow).all():
            # A recurrent state that has gone bad would stay so: begin anew, from stillness.
            metrics.count("nan")
            self._engine.reset()
            flow = np.zeros_like(flow)
        flow = (flow * gate_opening(hearing.level_db)).astype(np.float32)
        self._last_flow = flow
        scenes = self._integrate(flow, lost)
        metrics.gauge("speed", float(np.abs(flow).mean()))
        return Flow(
            tick=hearing.tick,
            flow=flow,
            level_db=hearing.level_db,
            heard=hearing.latent,
            scenes=[scene.identity for scene in scenes],
            displacements=np.stack([scene.warp.displacement for scene in scenes]),
            capture_ns=hearing.capture_ns,
            stamps=dict(hearing.stamps),
        )

    def _integrate(self, flow: FlowField, lost: int) -> list[_MovedScene]:
        """Move all that is moved at present; the velocity holds for its own tick, lost ticks only decay."""
        if self._previous_scene is not None:
            self._previous_scene.ticks_left -= 1
            if self._previous_scene.ticks_left < 0:
                self._previous_scene = None
        scenes = [self._scene] if self._previous_scene is None else [self._scene, self._previous_scene]
        velocity, anchoring = np.float32(self._controls["motion"]) * flow, self._controls["anchoring"]
        for scene in scenes:
            scene.warp.move(velocity, TICK_NS / 1e9, anchoring)
            if lost:
                scene.warp.move(np.zeros_like(flow), min(lost, MAX_GAP_TICKS) * TICK_NS / 1e9, anchoring)
        return scenes

    def _animate(
        self, latent: NDArray[np.float32], time_s: float, spread: float, shown: NDArray[np.float32]
    ) -> FlowField:
        outputs = self._engine.step(
            latent=latent,
            time_s=time_s,
            shown=shown,
            where=pool_displacement(self._scene.warp.displacement),
            before=self._last_flow,
            noise=np.float32(spread) * self._noise,
        )
        return np.asarray(outputs["flow"], np.float32).reshape(2, FLOW_GRID, FLOW_GRID)

    def _draw_noise(self) -> FlowField:
        return self._random.standard_normal((2, FLOW_GRID, FLOW_GRID), np.float32)


def build() -> FlowStage:
    """The stage, for the process table."""
    return FlowStage()
