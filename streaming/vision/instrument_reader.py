"""Names what a player in the camera's frames plays, about once a second, with a published classifier of pictures.

The classifier knows ImageNet's 1,000 classes. The odds of those that are instruments are summed by kind; "none" is the
answer where no kind stands out. It looks where the player is: a picture of a whole room has too many other things.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine, EngineError
from engines.eyes.network import open_eye
from streaming.conventions import INSTRUMENT_KINDS
from streaming.schema.messages import NO_INSTRUMENT, Motion
from streaming.settings.config import Show
from streaming.system.realtime import run_in_background

CLASSES: dict[str, tuple[int, ...]] = {
    "strings": (402, 420, 486, 546, 594, 889),
    "keys": (401, 494, 508, 579, 642, 687, 878, 881),
    "drums": (541, 542, 577, 641, 822),
    "air": (432, 513, 558, 566, 593, 683, 684, 699, 776, 875),
}
"""Kind -> numbers of ImageNet's classes. strings: acoustic guitar, banjo, cello, electric guitar, harp, violin. keys:
accordion, chime, computer keyboard, grand piano, marimba, organ, typewriter keyboard, upright piano. drums: drum,
drumstick, gong, maraca, steel drum. air: bassoon, cornet, flute, French horn, harmonica, oboe, ocarina, panpipe,
saxophone, trombone."""
SIDE = 224
"""Of the classifier's square picture, in pixels."""
PERIOD_NS = 1_000_000_000
"""Time between two looks."""
LOOKS = 3
"""The odds are the mean of so many looks."""
NAMED_FROM, NAMED_TO = 0.25, 0.15
"""Odds from which a kind is named, and down to which it stays named. Of the photographs without an instrument on which
this was chosen none has more than 0.19."""
CLEAR = 2.0
"""A kind is named only if its odds are so many times those of every other kind."""
BODY_SIDE = 1.4
"""Side of the view around a player, in longer sides of what is seen of the body."""
LEAST_VISIBILITY, LEAST_POINTS = 0.5, 4
"""A body is looked at where so many points are so visible."""
GREY = (127, 127, 127)


class InstrumentReader:
    """Reads the kind of instrument from frames, one after another; the same code live and in evaluations.

    A look is begun and picked up at a later frame, so that no frame waits for it. A classifier that fails in the middle
    of a show is not used again; the show goes on without it.

    Args:
        engine: the network "instrument" of the eyes.
        note: says one line to the user.
        executor: where it looks; None for at once, in the caller's thread.
    """

    def __init__(
        self, engine: Engine, note: Callable[[str], None] = lambda line: None, executor: Executor | None = None
    ) -> None:
        self._engine: Engine | None = engine
        self._note, self._executor = note, executor
        self._looking: Future[NDArray[np.float32]] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what was seen, a look that was begun too; nothing is waited for."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self._looks: deque[NDArray[np.float32]] = deque(maxlen=LOOKS)
        self._begun_ns: int | None = None
        self._count = 0
        self.kind = NO_INSTRUMENT

    @property
    def plays(self) -> bool:
        """Whether it is still used."""
        return self._engine is not None

    def step(self, image: NDArray[np.uint8], motion: Motion) -> None:
        """Put what is played into a frame's motion; begin the next look when it is time.

        Args:
            image: uint8 [H, W, 3], BGR.
            motion: of the frame, with its `capture_ns` and `body`.
        """
        if self._looking is not None and self._looking.done():
            self._take(self._looking)
        engine, due = self._engine, self._is_due(motion.capture_ns)
        if engine is not None and self._looking is None and due:
            self._begun_ns = motion.capture_ns
            views = views_of(image, motion.body, self._count % 2 == 1)
            self._count += 1
            if self._executor is None:
                self._looking = Future()
                try:
                    self._looking.set_result(odds_of(engine, views))
                except EngineError as error:
                    self._looking.set_exception(error)
                self._take(self._looking)
            else:
                self._looking = self._executor.submit(odds_of, engine, views)
        if self._looks:
            motion.instrument_odds, motion.instrument = _mean(self._looks), self.kind

    def close(self) -> None:
        """Let the classifier go."""
        self._engine = None
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _is_due(self, capture_ns: int) -> bool:
        return self._begun_ns is None or not 0 <= capture_ns - self._begun_ns < PERIOD_NS

    def _take(self, looking: Future[NDArray[np.float32]]) -> None:
        """Wait for a look and decide by it."""
        self._looking = None
        try:
            self._looks.append(looking.result())
        except EngineError as error:
            if self.plays:
                self._note(f"the network that names instruments failed ({error}); it is not used any more")
            self._engine = None
            self._looks.clear()
            self.kind = NO_INSTRUMENT
            return
        self.kind = name_of(_mean(self._looks), self.kind)


def _mean(looks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(np.mean(list(looks), 0), np.float32)


def name_of(odds: NDArray[np.floating], before: str) -> str:
    """The kind that odds speak for, or "none".

    Args:
        odds: float [4], of `INSTRUMENT_KINDS`.
        before: the kind that was named before; it stays named at lower odds than others need.
    """
    order = np.argsort(odds)
    best, second = float(odds[order[-1]]), float(odds[order[-2]])
    kind = INSTRUMENT_KINDS[int(order[-1])]
    if kind == before:
        return kind if best >= NAMED_TO else NO_INSTRUMENT
    return kind if best >= NAMED_FROM and best >= CLEAR * second else NO_INSTRUMENT


def odds_of(engine: Engine, views: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The odds of each of `INSTRUMENT_KINDS`, mean of some views: float32 [4].

    Raises:
        EngineError: when the runtime cannot go on.
    """
    odds = np.mean([np.asarray(engine.step(image=view)["odds"]) for view in views], 0)
    return np.array([odds[list(CLASSES[kind])].sum() for kind in INSTRUMENT_KINDS], np.float32)


def views_of(image: NDArray[np.uint8], body: NDArray[np.float32] | None, at_end: bool) -> list[NDArray[np.uint8]]:
    """Two square views of a frame: its middle, and the player, or else one end of the frame.

    Args:
        image: uint8 [H, W, 3], BGR.
        body: float32 [33, 3], x, y, visibility, in sides of the square that holds the frame; None or zeros for nobody.
        at_end: without a body, the right or lower end and not the other one.

    Returns:
        Two pictures, uint8 [224, 224, 3], grey outside the frame.
    """
    height, width = image.shape[:2]
    side, longer = min(height, width), max(height, width)
    middle = np.array([width / 2, height / 2])
    end = middle + (0.5 if at_end else -0.5) * np.array([width - side, height - side])
    views = [square_view(image, middle, side)]
    seen = body[body[:, 2] >= LEAST_VISIBILITY, :2] if body is not None else np.zeros((0, 2))
    if len(seen) < LEAST_POINTS:
        return [*views, square_view(image, end, side)]
    points = seen * longer - np.array([(longer - width) / 2, (longer - height) / 2])
    low, high = points.min(0), points.max(0)
    around = min(BODY_SIDE * float((high - low).max()), float(longer))
    return [*views, square_view(image, (low + high) / 2, around)]


def square_view(image: NDArray[np.uint8], middle: NDArray[np.floating], side: float) -> NDArray[np.uint8]:
    """A square part of an image in the classifier's size; what lies outside the image is grey.

    Args:
        image: uint8 [H, W, 3].
        middle: of the square, x and y in pixels.
        side: of the square in pixels.
    """
    height, width = image.shape[:2]
    size = max(1, round(side))
    left, top = round(float(middle[0]) - size / 2), round(float(middle[1]) - size / 2)
    right, bottom = left + size, top + size
    part = image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if part.size == 0:
        return np.full((SIDE, SIDE, 3), GREY, np.uint8)
    edges = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
    if any(edges):
        part = np.asarray(cv2.copyMakeBorder(part, *edges, cv2.BORDER_CONSTANT, value=GREY), np.uint8)
    shrinks = size > SIDE
    view = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(view, np.uint8)


def open_instrument_eye() -> Engine:
    """The classifier of the user's cache.

    Raises:
        EngineError: when it is not there, or cannot be run.
    """
    return open_eye("instrument")


def open_instrument_reader(
    show: Show,
    note: Callable[[str], None],
    opener: Callable[[], Engine] = open_instrument_eye,
    executor: Executor | None = None,
) -> InstrumentReader | None:
    """Open the classifier where a show uses published eyes and it is here; else one line says that it is not.

    Args:
        show: the settings of the performance.
        note: says one line to the user.
        opener: opens the classifier.
        executor: where it looks; None for at once.
    """
    if show.eyes == "bundle":
        return None
    try:
        return InstrumentReader(opener(), note, executor)
    except EngineError:
        note("the published network that names instruments is not here; none is named; to get it, type: make eyes")
        return None


def background_executor() -> Executor:
    """One thread behind everything else, for looks that may take their time."""
    return ThreadPoolExecutor(1, thread_name_prefix="instrument", initializer=run_in_background)
