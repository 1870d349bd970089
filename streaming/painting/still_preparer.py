"""Prepares prior images to be drawn: the texture and the painter's features, in a thread beside the pictures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from streaming.conventions import WARP_CELLS
from streaming.painting.paint_step import PaintStep, PriorFeatures
from streaming.painting.warp import DisplacementMap, Texture
from streaming.schema.messages import Flow, Scene
from streaming.system.realtime import leave_realtime


@dataclass
class Still:
    """A prior image that can be drawn, and how it is warped at present.

    Attributes:
        identity: of its scene.
        texture: at the screen's size.
        features: for the painter; None without one.
        displacement: its newest warp map.
    """

    identity: str
    texture: Texture
    features: PriorFeatures | None
    displacement: DisplacementMap

    def follow(self, flow: Flow) -> None:
        """Take its warp map from a flow, if it is in there; else it stays as it is."""
        for identity, displacement in zip(flow.scenes, flow.displacements, strict=False):
            if identity == self.identity:
                self.displacement = displacement


def prepare_still(scene: Scene, paint_step: PaintStep | None) -> Still:
    """Make a scene drawable; takes some 50 ms."""
    texture = Texture(np.ascontiguousarray(scene.image))
    features = None if paint_step is None else paint_step.analyse_prior(texture.image)
    return Still(scene.identity, texture, features, np.zeros((WARP_CELLS, WARP_CELLS, 2), np.float32))


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
