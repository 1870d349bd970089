"""The painter at work on the screen: what it changes is computed small and added to the picture at its full size.

What a still shows sharply stays sharp: the painter adds, it does not replace. In silence, once the picture has come to
rest, it adds nothing, and the picture is the prior image again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.registry import has, open_engine
from streaming.clock import now_ns
from streaming.drift import Drift, Texture
from streaming.features import VIEW_SIDE, fit_square
from streaming.following import Following
from streaming.levels import Wakefulness
from streaming.machine import cores, threads_for
from streaming.messages import FLOW_GRID, TICK_NS, Flow
from streaming.sameness import Sameness
from streaming.stage import Context

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
"""Up to this imagination the bundle's own painter leaves nothing to chance; see `models.painter`."""
PICTURE_MS, UNUSABLE_MS = 40.0, 400.0
"""A diffusion painter that takes longer a picture than the first makes fewer; than the second, it is left out."""
_WARM_UP_STEPS = 3

Image = NDArray[np.uint8]


class Look(NamedTuple):
    """What the painter knows of a prior image: it in the middle of a square, its texture there, and its embedding.

    small: uint8 [SIDE, SIDE, 3]; texture: of the part of it that is no margin; seen: float32 [E].
    """

    small: Image
    texture: Texture
    seen: NDArray[np.float32]


class Brush:
    """Paints on pictures of one show.

    Args:
        engine: the painter's.
        eyes: what sees, for looking at prior images; None for a painter that needs no embedding.
        seed: where chance starts.
        pose: the pose's engine; None for a painter that is told of no points.
    """

    def __init__(self, engine: Engine, eyes: Engine | None, seed: int, pose: Engine | None = None) -> None:
        self._engine, self._eyes = engine, eyes
        self._following = None if pose is None else Following(pose)
        self._side = int(engine.spec.config.get("side", SIDE))
        self._noise_shape = tuple(engine.spec.config.get("noise", (3, self._side, self._side)))
        self._sameness = Sameness(seed) if engine.spec.config.get("similar") else None
        self._blind = np.zeros(int(engine.spec.config.get("seen_dim", 128)), np.float32)
        self._chance = np.random.default_rng([seed, 77])
        self._noise = self._drawn()
        self._mends = 0.0 if "noise" in engine.spec.config else MENDED
        self._change: NDArray[np.float32] | None = None
        self._awake = Wakefulness()
        self._unheard = np.zeros(int(engine.spec.config.get("latent_dim", 128)), np.float32)

    def look(self, still: Image) -> Look:
        """Look at a prior image once; 10 to 20 ms, in whichever thread reads it."""
        seen = self._blind
        if self._eyes is not None:
            found = np.asarray(self._eyes.step(image=fit_square(still, VIEW_SIDE))["embedding"], np.float32)
            if found.shape == seen.shape and np.isfinite(found).all():
                seen = found
        small = fit_square(still, self._side)
        return Look(small, Texture(np.ascontiguousarray(small[_within(self._side, still)])), seen)

    def paint(
        self,
        image: Image,
        look: Look,
        drift: Drift,
        flow: Flow,
        imagination: float,
        chance: float,
        *,
        again: bool = False,
    ) -> Image:
        """A picture with what the painter adds.

        Args:
            image: the moved picture, uint8 [H, W, 3].
            look: at the prior in the screen's shape.
            drift: what has moved it.
            flow: what was heard, and how it moves.
            imagination: 0 to 1; with 0 the picture stays as it is.
            chance: 0 to 1; how far it led what is moved.
            again: add what was added to the last picture, which costs next to nothing.

        Returns:
            uint8 [H, W, 3].
        """
        heard = np.asarray(flow.heard, np.float32)
        said = None if self._following is None else self._following.hear(flow.tick, heard, look.seen)
        if imagination > self._mends:
            self._noise = KEPT * self._noise + np.float32(np.sqrt(1.0 - KEPT**2)) * self._drawn()
        reach = float(np.abs(drift.where).max())
        awake = max(self._awake.hear(flow.level_db, TICK_NS / 1e9), min(1.0, reach / MOVED))
        much = min(1.0, imagination / FULL_FROM) * awake
        if much <= 0.0 or (self._following is not None and said is None):
            return image
        within = _within(self._side, image)
        change = self._change if again else None
        if change is None:
            # Moved at its small size, as in training, which costs less than to make the moved picture small.
            small = look.small.copy()
            small[within] = drift.render(look.texture)
            if self._sameness is not None and self._sameness.passes_over(small):
                change = self._change
        if change is None:
            told: dict[str, NDArray[np.float32] | float] = {"imagination": imagination}
            told["heard"] = heard if heard.shape == self._unheard.shape else self._unheard
            if said is not None:
                told["said"] = said
            change = self._asked(small, look, drift, flow.flow, chance, told)
        if not np.isfinite(change).all():
            return image
        self._change = change
        height, width = image.shape[:2]
        part = np.ascontiguousarray(change[within], np.float32) * np.float32(much)
        part = cv2.sepFilter2D(part, -1, KEEPS, KEEPS, borderType=cv2.BORDER_REPLICATE)
        added = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.add(image, added, dtype=cv2.CV_8U), np.uint8)

    def _asked(
        self,
        small: Image,
        look: Look,
        drift: Drift,
        flow: NDArray[np.float32],
        chance: float,
        told: dict[str, NDArray[np.float32] | float],
    ) -> NDArray[np.float32]:
        change = self._engine.step(
            warped=small,
            prior=look.small,
            where=_in_square(drift),
            flow=flow,
            chance=chance,
            seen=look.seen,
            noise=self._noise,
            **told,
        )["change"]
        return np.asarray(change, np.float32)

    def warm_up(self, clock: Callable[[], int] = now_ns) -> float:
        """Run it before the show; gives how many ms a picture takes then."""
        blank = np.zeros((self._side, self._side, 3), np.uint8)
        still = Drift((self._side, self._side))
        still.where += np.float32(MOVED)
        silence = Flow(tick=0, flow=np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32))
        took_ms = 0.0
        for step in range(_WARM_UP_STEPS):
            image = np.random.default_rng(step).integers(0, 256, blank.shape, dtype=np.uint8)
            look, begun = self.look(image), clock()
            self.paint(image, look, still, silence, 0.5, 1.0)
            took_ms = (clock() - begun) / 1e6
        if self._following is not None:
            self._following.forget()
        return took_ms

    def _drawn(self) -> NDArray[np.float32]:
        return self._chance.standard_normal(self._noise_shape, np.float32)


def _within(side: int, image: Image) -> tuple[slice, slice]:
    """Where a picture's rows and columns are in a square of so many pixels."""
    longer = max(image.shape[:2])
    lengths = [max(1, round(side * length / longer)) for length in image.shape[:2]]
    rows, columns = (slice((side - length) // 2, (side - length) // 2 + length) for length in lengths)
    return rows, columns


def _in_square(drift: Drift) -> NDArray[np.float32]:
    """The map of a screen as cells [2, G, G] of the square in whose middle it lies."""
    rows, columns = drift.shape
    side = max(rows, columns)
    square = np.zeros((side, side, 2), np.float32)
    top, left = (side - rows) // 2, (side - columns) // 2
    square[top : top + rows, left : left + columns] = drift.where
    small = cv2.resize(square, (FLOW_GRID, FLOW_GRID), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.moveaxis(small, -1, 0))


def open_brush(context: Context) -> Brush | None:
    """The painter of a show's bundle, run warm; None where the bundle has none, or one that is much too slow here.

    What is slow is said.

    Raises:
        EngineError: when it cannot be opened.
    """
    show = context.show
    if not has("painter", show.bundle):
        return None
    opener = functools.partial(open_engine, bundle=show.bundle, backend=show.backend, tell=context.note)
    painter = opener("painter", threads=threads_for(show.direction, cores()))
    knows = ("embedding", "pose") if painter.spec.config.get("points", 0) else ()
    if lacks := [network for network in knows if not has(network, show.bundle)]:
        context.note(f"the bundle has no {lacks[0]}, of which its painter is told: the picture is moved, not painted")
        return None
    told_by = [opener(network) for network in knows]
    context.opened(*told_by, painter)
    eyes, pose = told_by or (None, None)
    brush = Brush(painter, eyes, show.seed, pose)
    took_ms = brush.warm_up()
    if painter.spec.runtime != "diffusers" or took_ms <= PICTURE_MS:
        return brush
    what = f"the bundle's diffusion takes {took_ms:.0f} ms a picture on {painter.spec.device}"
    if took_ms > UNUSABLE_MS:
        context.note(f"{what}, too slow to perform with: the picture is moved, not painted; it needs a GPU")
        return None
    context.note(f"{what}, more than {PICTURE_MS:.0f}: {1000.0 / took_ms:.0f} pictures a second are painted")
    return brush
