"""The paint step of a tick: the painter's change is computed small, in parallel, and added to the picture at full size.

The painter adds to the moved picture and does not replace it, so what the prior image shows sharply stays sharp. In
silence, once the picture has come to rest, nothing is added, and the picture is the prior image again.

The painter runs in a thread of its own (`streaming.painting.paint_worker`). A change that comes later than a picture
may wait is added to the next picture.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.registry import has_network, open_engine
from streaming.audio.levels import LevelGate
from streaming.conventions import FLOW_GRID, STILL_SIDE, TICK_NS
from streaming.painting.paint_worker import NEVER, PaintResult, PaintWorker
from streaming.painting.pose_tracker import PoseTracker
from streaming.painting.similarity_filter import SimilarityFilter
from streaming.schema.messages import Flow
from streaming.stage import Context
from streaming.system.host_info import cores, threads_for
from streaming.timing.clock import now_ns
from streaming.vision.frame_features import VIEW_SIDE, fit_square

NOISE_CORRELATION = 0.9
"""Correlation of the painter's noise in one tick with that in the next."""
FULL_IMAGINATION = 0.1
"""From this imagination on the whole change is added; below, a share that falls to 0."""
FULL_REACH = 0.004
"""A picture that is moved by this share of its longer side is repaired in full, also in silence."""
SHARPEN = np.array([-1.0, 8.0, -1.0], np.float32) / 6.0
"""Applied before a change is enlarged: enlarging and averaging back blurs by (1, 6, 1) / 8, and this undoes it."""
NOISELESS_IMAGINATION = 0.25
"""Up to this imagination the bundle's own painter uses no noise; see `models.pictures.painter`."""
PICTURE_MS, UNUSABLE_MS = 40.0, 400.0
"""A diffusion painter slower than the first time per picture paints fewer pictures; one slower than the second is not
used."""
_WARM_UP_STEPS = 3

Image = NDArray[np.uint8]


class PriorFeatures(NamedTuple):
    """What the painter needs of a prior image, computed once.

    small: uint8 [S, S, 3], the image in the middle of the painter's square. region: rows and columns of the square's
    part that the image fills. embedding: float32 [E], zeros for a painter that needs none.
    """

    small: Image
    region: tuple[slice, slice]
    embedding: NDArray[np.float32]


class MovedPicture(NamedTuple):
    """A tick's picture before it is painted.

    image: uint8 [H, W, 3]. where: float32 [2, 16, 16], from each cell of the square the mean way (x, y) to the point of
    the prior that is shown there, in longer sides. reach: how far it is moved, in longer sides.
    """

    image: Image
    where: NDArray[np.float32]
    reach: float


class PaintedPicture(NamedTuple):
    """A picture with the painter's change.

    image: uint8 [H, W, 3]. fresh: the change, if there is one, was painted for this very picture. result: what the
    painter has finished since the last picture, if anything.
    """

    image: Image
    fresh: bool
    result: PaintResult | None


class PaintStep:
    """Adds the painter's changes to the pictures of one show.

    Args:
        worker: runs the painter.
        embedder: the engine that embeds prior images; None for a painter that needs no embedding.
        seed: seed of the noise.
        pose: the pose's engine; None for a painter that needs no points.
    """

    def __init__(self, worker: PaintWorker, embedder: Engine | None, seed: int, pose: Engine | None = None) -> None:
        self._worker, self._embedder = worker, embedder
        config = worker.engine.spec.config
        self._pose_tracker = None if pose is None else PoseTracker(pose)
        self._side = int(config.get("side", STILL_SIDE))
        self._noise_shape = tuple(config.get("noise", (3, self._side, self._side)))
        self._similarity_filter = SimilarityFilter(seed) if config.get("similar") else None
        self._no_embedding = np.zeros(int(config.get("seen_dim", 128)), np.float32)
        self._random = np.random.default_rng([seed, 77])
        self._noise = self._draw_noise()
        self._noiseless = 0.0 if "noise" in config else NOISELESS_IMAGINATION
        self._gate = LevelGate()
        self._no_latent = np.zeros(int(config.get("latent_dim", 128)), np.float32)
        self._share = 0.0
        self._change: NDArray[np.float32] | None = None
        # A change is added only in the session in which it was asked for: one prior image, one time of being awake.
        self._session = self._asked_session = 0
        self._session_features: PriorFeatures | None = None
        self._fresh = True
        self._result: PaintResult | None = None

    def analyse_prior(self, image: Image) -> PriorFeatures:
        """Compute the features of a prior image of the screen's shape; takes 10 to 20 ms, in any one thread."""
        embedding = self._no_embedding
        if self._embedder is not None:
            found = np.asarray(self._embedder.step(image=fit_square(image, VIEW_SIDE))["embedding"], np.float32)
            if found.shape == embedding.shape and np.isfinite(found).all():
                embedding = found
        small, region = fit_square(image, self._side), _region(self._side, image.shape[:2])
        return PriorFeatures(small, region, embedding)

    def start(
        self,
        features: PriorFeatures,
        moved: MovedPicture,
        flow: Flow,
        imagination: float,
        chance: float,
        *,
        anew: bool = True,
    ) -> None:
        """Take in a tick, and start to paint the change of its picture.

        Args:
            features: of the prior image in the screen's shape.
            moved: the tick's picture.
            flow: the tick's flow and sound.
            imagination: 0 to 1; with 0 nothing is added.
            chance: 0 to 1; how much chance there was in the motion.
            anew: False to add the last change again instead, while another one is still being painted.

        Raises:
            EngineError: when the last change could not be painted.
        """
        latent = np.asarray(flow.heard, np.float32)
        tracker = self._pose_tracker
        points = None if tracker is None else tracker.update(flow.tick, latent, features.embedding)
        if imagination > self._noiseless:
            fresh_share = np.float32(np.sqrt(1.0 - NOISE_CORRELATION**2))
            self._noise = NOISE_CORRELATION * self._noise + fresh_share * self._draw_noise()
        awake = max(self._gate.hear(flow.level_db, TICK_NS / 1e9), min(1.0, moved.reach / FULL_REACH))
        lost = tracker is not None and points is None
        self._share = 0.0 if lost else min(1.0, imagination / FULL_IMAGINATION) * awake
        if self._share <= 0.0 or features is not self._session_features:
            self._session, self._session_features, self._change = self._session + 1, features, None
        self._fresh = self._share <= 0.0
        self._result = self._collect(NEVER)
        if self._share <= 0.0 or not anew or not self._worker.idle:
            return
        small = features.small.copy()
        region = small[features.region]
        region[:] = cv2.resize(moved.image, region.shape[1::-1], interpolation=cv2.INTER_AREA)
        if self._similarity_filter is not None and self._similarity_filter.skips(small) and self._change is not None:
            self._fresh = True
            return
        extra: dict[str, NDArray[np.float32] | float] = {} if points is None else {"said": points}
        self._asked_session, self._fresh = self._session, True
        self._worker.start(
            warped=small,
            prior=features.small,
            where=moved.where,
            flow=flow.flow,
            heard=latent if latent.shape == self._no_latent.shape else self._no_latent,
            imagination=imagination,
            chance=chance,
            seen=features.embedding,
            noise=self._noise,
            **extra,
        )

    def finish(self, image: Image, until_ns: int | None = None) -> PaintedPicture:
        """Add the change to the tick's picture.

        Args:
            image: the moved picture, uint8 [H, W, 3].
            until_ns: until when to wait for the change; None for as long as it takes.

        Raises:
            EngineError: when it could not be painted.
        """
        self._result = self._collect(until_ns) or self._result
        fresh = self._fresh and self._worker.idle
        change = self._change
        if self._share <= 0.0 or change is None:
            return PaintedPicture(image, fresh, self._result)
        height, width = image.shape[:2]
        part = np.ascontiguousarray(change[_region(self._side, (height, width))]) * np.float32(self._share)
        part = cv2.sepFilter2D(part, -1, SHARPEN, SHARPEN, borderType=cv2.BORDER_REPLICATE)
        large = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        return PaintedPicture(np.asarray(cv2.add(image, large, dtype=cv2.CV_8U), np.uint8), fresh, self._result)

    def close(self) -> None:
        """End, without waiting for what is still being painted."""
        self._worker.close()

    def warm_up(self, clock: Callable[[], int] = now_ns) -> float:
        """Run a few steps before the show; returns how many ms the last one took."""
        blank = np.zeros((self._side, self._side, 3), np.uint8)
        where = np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32)
        silence = Flow(tick=0, flow=np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32))
        took_ms = 0.0
        for step in range(_WARM_UP_STEPS):
            image = np.random.default_rng(step).integers(0, 256, blank.shape, dtype=np.uint8)
            features, begun = self.analyse_prior(image), clock()
            self.start(features, MovedPicture(image, where, FULL_REACH), silence, 0.5, 1.0)
            self.finish(image)
            took_ms = (clock() - begun) / 1e6
        if self._pose_tracker is not None:
            self._pose_tracker.reset()
        return took_ms

    def _collect(self, until_ns: int | None) -> PaintResult | None:
        """Take a finished change; it is used if it is of this session and finite."""
        result = self._worker.take(until_ns)
        if result is not None and self._asked_session == self._session:
            self._change = result.change if np.isfinite(result.change).all() else None
        return result

    def _draw_noise(self) -> NDArray[np.float32]:
        return self._random.standard_normal(self._noise_shape, np.float32)


def _region(side: int, shape: Sequence[int]) -> tuple[slice, slice]:
    """Rows and columns of a picture [rows, columns] in the middle of a square of `side` pixels."""
    lengths = [max(1, round(side * length / max(shape))) for length in shape]
    rows, columns = (slice((side - length) // 2, (side - length) // 2 + length) for length in lengths)
    return rows, columns


def open_paint_step(context: Context) -> PaintStep | None:
    """Open and warm up the painter of a show's bundle; a note says why there is none, or fewer pictures.

    Returns:
        None where the bundle has no painter, or one that is much too slow on this machine.

    Raises:
        EngineError: when it cannot be opened.
    """
    show = context.show
    if not has_network("painter", show.bundle):
        return None
    opener: Callable[..., Engine] = functools.partial(open_engine, **context.engine_options())
    worker = PaintWorker(lambda: opener("painter", threads=threads_for(show.direction, cores())))
    painter = worker.engine
    needs = ("embedding", "pose") if painter.spec.config.get("points", 0) else ()
    if lacks := [network for network in needs if not has_network(network, show.bundle)]:
        context.note(f"the bundle has no {lacks[0]}, which its painter needs: the picture is moved, not painted")
        worker.close()
        return None
    helpers = [opener(network) for network in needs]
    context.add_engines(*helpers, painter)
    embedder, pose = helpers or (None, None)
    step = PaintStep(worker, embedder, show.seed, pose)
    took_ms = step.warm_up()
    if painter.spec.runtime != "diffusers" or took_ms <= PICTURE_MS:
        return step
    what = f"the bundle's diffusion painter takes {took_ms:.0f} ms a picture on {painter.spec.device}"
    if took_ms > UNUSABLE_MS:
        context.note(f"{what}, too slow for a show: the picture is moved, not painted; it needs a GPU")
        step.close()
        return None
    context.note(f"{what}, more than {PICTURE_MS:.0f} ms: {1000.0 / took_ms:.0f} pictures a second are painted")
    return step
