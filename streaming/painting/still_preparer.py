"""Prepares scenes to be drawn: textures and the painter's features, in a thread beside the pictures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.painting.layer_renderer import LayerRenderer
from streaming.painting.paint_step import PaintStep, PriorFeatures
from streaming.scenes.plain_scene import make_plain_scene
from streaming.scenes.pooled_modes import PooledModes, pool_modes, weigh_modes
from streaming.scenes.scene_message import read_scene
from streaming.schema.messages import Flow, Scene
from streaming.system.realtime import leave_realtime


@dataclass
class Still:
    """A prior image that can be drawn, and how its scene is moved at present.

    Attributes:
        identity: of its scene.
        renderer: at the screen's size.
        pooled: its modes on the flow grid.
        features: for the painter; None without one.
        amplitudes: [M], the newest of its modes.
        error: why it is drawn without layers; "" where it has those of its scene.
    """

    identity: str
    renderer: LayerRenderer
    pooled: PooledModes
    features: PriorFeatures | None
    amplitudes: NDArray[np.float32]
    error: str = ""

    def follow(self, flow: Flow) -> None:
        """Take its amplitudes from a flow, if they are in there; else it stays as it is."""
        first = 0
        for identity, count in zip(flow.scenes, flow.mode_counts, strict=False):
            if identity == self.identity and count == len(self.amplitudes):
                self.amplitudes = flow.amplitudes[first : first + count]
            first += count

    def draw(self, *, coarse: bool = False) -> NDArray[np.uint8]:
        """The picture at present: uint8 [H, W, 3], the prior image itself at rest; see `LayerRenderer.render`."""
        return self.renderer.render(self.amplitudes, coarse=coarse)

    @property
    def reach(self) -> float:
        """How far it is moved at present, in longer sides of the picture."""
        return self.renderer.reach(self.amplitudes)

    @property
    def where(self) -> NDArray[np.float32]:
        """From each cell of the square, the mean way (x, y) to what is shown there: float32 [2, 16, 16]."""
        return -weigh_modes(self.amplitudes, self.pooled)


def prepare_still(message: Scene, paint_step: PaintStep | None) -> Still:
    """Make a scene drawable; takes 50 to 400 ms."""
    error = ""
    try:
        scene = read_scene(message)
    except ValueError as fault:
        error = str(fault)
        scene = make_plain_scene(np.ascontiguousarray(message.image))
    features = None if paint_step is None else paint_step.analyse_prior(scene.image)
    rest = np.zeros(len(scene.modes), np.float32)
    return Still(message.identity, LayerRenderer(scene), pool_modes(scene), features, rest, error)


class StillPreparer:
    """Prepares one scene at a time; of several that wait the newest counts.

    Args:
        prepare: makes a scene drawable; see `prepare_still`.
        wake: called, in the thread, when one is done.
    """

    def __init__(self, prepare: Callable[[Scene], Still], wake: Callable[[], None] = lambda: None) -> None:
        self._prepare, self._wake = prepare, wake
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="still", initializer=leave_realtime)
        self._running: Future[Still] | None = None

    def request(self, scene: Scene) -> None:
        """Prepare a scene; one that still waits is dropped."""
        if self._running is not None:
            self._running.cancel()
        self._running = self._pool.submit(self._prepare, scene)
        self._running.add_done_callback(lambda _: self._wake())

    def take(self) -> Still | None:
        """The newest scene once it is prepared, once.

        Raises:
            EngineError: when the painter could not analyse it.
        """
        if self._running is None or not self._running.done():
            return None
        finished, self._running = self._running, None
        return finished.result()

    def close(self) -> None:
        """End, without waiting for one that is still being prepared."""
        self._pool.shutdown(wait=False, cancel_futures=True)
