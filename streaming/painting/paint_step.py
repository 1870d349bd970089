"""The painter at work on the screen: what it changes is computed small and added to the picture at its full size.

What a still shows sharply stays sharp: the painter adds, it does not replace. In silence, once the picture has come to
rest, it adds nothing, and the picture is the prior image again.

It paints beside what moves the still (`streaming.painting.paint_worker`): asked first, it has until the picture has
been moved, and a little longer. What comes later is added to the next picture.
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
from streaming.conventions import FLOW_GRID, TICK_NS
from streaming.painting.paint_worker import NEVER, PaintResult, PaintWorker
from streaming.painting.pose_tracker import PoseTracker
from streaming.painting.similarity_filter import SimilarityFilter
from streaming.painting.warp import Texture, WarpMap
from streaming.schema.messages import Flow
from streaming.stage import Context
from streaming.system.host_info import cores, threads_for
from streaming.timing.clock import now_ns
from streaming.vision.frame_features import VIEW_SIDE, fit_square

SIDE = 128
"""Side of the square in which a painter paints that says no other."""
KEPT = 0.9
"""How much of a tick's chance the next one keeps."""
FULL_FROM = 0.1
"""From this imagination on all that it says is added; below, a part, down to nothing."""
MOVED = 0.004
"""A picture that is moved by this part of its longer side is mended in full."""
KEEPS = np.array([-1.0, 8.0, -1.0], np.float32) / 6.0
"""What is enlarged between its pixels, and looked at as small as it was, has lost some of its edges (it is blurred by
1/8, 6/8, 1/8): so much of them is added before."""
MENDED = 0.25
"""Up to this imagination the bundle's own painter leaves nothing to chance; see `models.pictures.painter`."""
PICTURE_MS, UNUSABLE_MS = 40.0, 400.0
"""A diffusion painter that takes longer a picture than the first makes fewer; than the second, it is left out."""
_WARM_UP_STEPS = 3

Image = NDArray[np.uint8]


class PriorFeatures(NamedTuple):
    """What the painter knows of a prior image: it in the middle of a square, its texture there, and its embedding.

    small: uint8 [SIDE, SIDE, 3]; texture: of the part of it that is no margin; seen: float32 [E].
    """

    small: Image
    texture: Texture
    seen: NDArray[np.float32]


class PaintedPicture(NamedTuple):
    """A picture, and what was painted on it.

    image: uint8 [H, W, 3]; fresh: what was added, if anything, was painted for this very picture; painting: what was
    done since the last one.
    """

    image: Image
    fresh: bool
    painting: PaintResult | None


class PaintStep:
    """Paints on pictures of one show.

    Args:
        easel: where the painter paints.
        eyes: what sees, for looking at prior images; None for a painter that needs no embedding.
        seed: where chance starts.
        pose: the pose's engine; None for a painter that is told of no points.
    """

    def __init__(self, easel: PaintWorker, eyes: Engine | None, seed: int, pose: Engine | None = None) -> None:
        self._easel, self._eyes = easel, eyes
        config = easel.engine.spec.config
        self._following = None if pose is None else PoseTracker(pose)
        self._side = int(config.get("side", SIDE))
        self._noise_shape = tuple(config.get("noise", (3, self._side, self._side)))
        self._sameness = SimilarityFilter(seed) if config.get("similar") else None
        self._blind = np.zeros(int(config.get("seen_dim", 128)), np.float32)
        self._chance = np.random.default_rng([seed, 77])
        self._noise = self._drawn()
        self._mends = 0.0 if "noise" in config else MENDED
        self._awake = LevelGate()
        self._unheard = np.zeros(int(config.get("latent_dim", 128)), np.float32)
        self._much = 0.0
        self._change: NDArray[np.float32] | None = None
        # What is painted in one sitting belongs to one still, and to one time of being awake.
        self._sitting = self._asked_in = 0
        self._sitter: PriorFeatures | None = None
        self._fresh = True
        self._done: PaintResult | None = None

    def look(self, still: Image) -> PriorFeatures:
        """Look at a prior image once; 10 to 20 ms, in whichever thread reads it."""
        seen = self._blind
        if self._eyes is not None:
            found = np.asarray(self._eyes.step(image=fit_square(still, VIEW_SIDE))["embedding"], np.float32)
            if found.shape == seen.shape and np.isfinite(found).all():
                seen = found
        small = fit_square(still, self._side)
        part = small[_within(self._side, still.shape[:2])]
        return PriorFeatures(small, Texture(np.ascontiguousarray(part)), seen)

    def begin(
        self, look: PriorFeatures, drift: WarpMap, flow: Flow, imagination: float, chance: float, *, anew: bool = True
    ) -> None:
        """Hear a tick, and have painted what is to be added to its picture.

        Args:
            look: at the prior in the screen's shape.
            drift: what moves it.
            flow: what was heard, and how it moves.
            imagination: 0 to 1; with 0 the picture stays as it is.
            chance: 0 to 1; how far it led what is moved.
            anew: without it, and while another is still being painted, what was painted last will be added.

        Raises:
            EngineError: when what was asked for before could not be painted.
        """
        heard = np.asarray(flow.heard, np.float32)
        said = None if self._following is None else self._following.hear(flow.tick, heard, look.seen)
        if imagination > self._mends:
            self._noise = KEPT * self._noise + np.float32(np.sqrt(1.0 - KEPT**2)) * self._drawn()
        reach = float(np.abs(drift.where).max())
        awake = max(self._awake.hear(flow.level_db, TICK_NS / 1e9), min(1.0, reach / MOVED))
        lost = self._following is not None and said is None
        self._much = 0.0 if lost else min(1.0, imagination / FULL_FROM) * awake
        if self._much <= 0.0 or look is not self._sitter:
            self._sitting, self._sitter, self._change = self._sitting + 1, look, None
        self._fresh = self._much <= 0.0
        self._done = self._collect(NEVER)
        if self._much <= 0.0 or not anew or not self._easel.free:
            return
        # Moved at its small size, as in training, which costs less than to make the moved picture small.
        small = look.small.copy()
        small[_within(self._side, drift.size[::-1])] = drift.render(look.texture)
        if self._sameness is not None and self._sameness.passes_over(small) and self._change is not None:
            self._fresh = True
            return
        told: dict[str, NDArray[np.float32] | float] = {} if said is None else {"said": said}
        self._asked_in, self._fresh = self._sitting, True
        self._easel.ask(
            warped=small,
            prior=look.small,
            where=_in_square(drift),
            flow=flow.flow,
            heard=heard if heard.shape == self._unheard.shape else self._unheard,
            imagination=imagination,
            chance=chance,
            seen=look.seen,
            noise=self._noise,
            **told,
        )

    def add_to(self, image: Image, until_ns: int | None = None) -> PaintedPicture:
        """The tick's picture with what the painter adds.

        Args:
            image: the moved picture, uint8 [H, W, 3].
            until_ns: so long a painting is waited for; None for as long as it takes.

        Raises:
            EngineError: when it could not be painted.
        """
        self._done = self._collect(until_ns) or self._done
        fresh = self._fresh and self._easel.free
        change = self._change
        if self._much <= 0.0 or change is None:
            return PaintedPicture(image, fresh, self._done)
        height, width = image.shape[:2]
        part = np.ascontiguousarray(change[_within(self._side, (height, width))]) * np.float32(self._much)
        part = cv2.sepFilter2D(part, -1, KEEPS, KEEPS, borderType=cv2.BORDER_REPLICATE)
        added = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        return PaintedPicture(np.asarray(cv2.add(image, added, dtype=cv2.CV_8U), np.uint8), fresh, self._done)

    def close(self) -> None:
        """Wait for nothing that is still being painted."""
        self._easel.close()

    def _collect(self, until_ns: int | None) -> PaintResult | None:
        """Take what was painted; it is added from now on, if it is of this sitting and if all of it is a number."""
        painting = self._easel.take(until_ns)
        if painting is not None and self._asked_in == self._sitting:
            self._change = painting.change if np.isfinite(painting.change).all() else None
        return painting

    def warm_up(self, clock: Callable[[], int] = now_ns) -> float:
        """Run it before the show; gives how many ms a picture takes then."""
        blank = np.zeros((self._side, self._side, 3), np.uint8)
        still = WarpMap((self._side, self._side))
        still.where += np.float32(MOVED)
        silence = Flow(tick=0, flow=np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32))
        took_ms = 0.0
        for step in range(_WARM_UP_STEPS):
            image = np.random.default_rng(step).integers(0, 256, blank.shape, dtype=np.uint8)
            look, begun = self.look(image), clock()
            self.begin(look, still, silence, 0.5, 1.0)
            self.add_to(image)
            took_ms = (clock() - begun) / 1e6
        if self._following is not None:
            self._following.forget()
        return took_ms

    def _drawn(self) -> NDArray[np.float32]:
        return self._chance.standard_normal(self._noise_shape, np.float32)


def _within(side: int, shape: Sequence[int]) -> tuple[slice, slice]:
    """Where the rows and columns of a picture [rows, columns] are in a square of so many pixels."""
    lengths = [max(1, round(side * length / max(shape))) for length in shape]
    rows, columns = (slice((side - length) // 2, (side - length) // 2 + length) for length in lengths)
    return rows, columns


def _in_square(drift: WarpMap) -> NDArray[np.float32]:
    """The map of a screen as cells [2, G, G] of the square in whose middle it lies."""
    rows, columns = drift.shape
    side = max(rows, columns)
    square = np.zeros((side, side, 2), np.float32)
    top, left = (side - rows) // 2, (side - columns) // 2
    square[top : top + rows, left : left + columns] = drift.where
    small = cv2.resize(square, (FLOW_GRID, FLOW_GRID), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.moveaxis(small, -1, 0))


def open_paint_step(context: Context) -> PaintStep | None:
    """The painter of a show's bundle, run warm; None where the bundle has none, or one that is much too slow here.

    What is slow is said.

    Raises:
        EngineError: when it cannot be opened.
    """
    show = context.show
    if not has_network("painter", show.bundle):
        return None
    opener: Callable[..., Engine] = functools.partial(open_engine, **context.engine_options())
    easel = PaintWorker(lambda: opener("painter", threads=threads_for(show.direction, cores())))
    painter = easel.engine
    knows = ("embedding", "pose") if painter.spec.config.get("points", 0) else ()
    if lacks := [network for network in knows if not has_network(network, show.bundle)]:
        context.note(f"the bundle has no {lacks[0]}, of which its painter is told: the picture is moved, not painted")
        easel.close()
        return None
    told_by = [opener(network) for network in knows]
    context.add_engines(*told_by, painter)
    eyes, pose = told_by or (None, None)
    brush = PaintStep(easel, eyes, show.seed, pose)
    took_ms = brush.warm_up()
    if painter.spec.runtime != "diffusers" or took_ms <= PICTURE_MS:
        return brush
    what = f"the bundle's diffusion takes {took_ms:.0f} ms a picture on {painter.spec.device}"
    if took_ms > UNUSABLE_MS:
        context.note(f"{what}, too slow to perform with: the picture is moved, not painted; it needs a GPU")
        brush.close()
        return None
    context.note(f"{what}, more than {PICTURE_MS:.0f}: {1000.0 / took_ms:.0f} pictures a second are painted")
    return brush
