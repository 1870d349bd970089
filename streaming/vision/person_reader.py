"""Reads the person from the camera's frames with the published eyes: where body and hands are, how the hands move."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from engines.eyes.catalogue import MEDIAPIPE, MissingEyesError
from streaming.conventions import HAND_FEATURES
from streaming.errors import SettingError
from streaming.schema.messages import Motion
from streaming.settings.config import Show
from streaming.vision.eyes.eyes import Eyes, open_eyes
from streaming.vision.eyes.person import Person
from streaming.vision.motion.hand_motion import HandMotion

PUBLISHED = f"{MEDIAPIPE.distribution} {MEDIAPIPE.version}, body and hands"
BODY_ALONE = f"{MEDIAPIPE.distribution} {MEDIAPIPE.version}, body alone: looking for hands takes too long here"
OWN = "the bundle's own network"
FIX = "to get them, type: make eyes"


class Watcher(Protocol):
    """Whatever finds a person in frames, such as `Eyes`."""

    body_alone: bool

    @property
    def sees_hands(self) -> bool:
        """Whether hands are looked for now."""
        ...

    def look(self, frame: NDArray[np.uint8], now_ns: int) -> Person:
        """The person in the next frame."""
        ...

    def reset(self) -> None:
        """Forget the person."""
        ...


class PersonReader:
    """Reads a person from frames, one after another; the same code live and for training.

    A frame is begun and finished, so that the eyes can look while its flow is computed. Eyes that fail in the middle of
    a show are not used again; the show goes on without them.

    Args:
        eyes: that find the person.
        note: says one line to the user.
        executor: where they look; None for at once, in the caller's thread.
    """

    def __init__(
        self, eyes: Watcher, note: Callable[[str], None] = lambda line: None, executor: Executor | None = None
    ) -> None:
        self._eyes: Watcher | None = eyes
        self._note, self._executor = note, executor
        self._looking: Future[Person] | None = None
        self.hand_motion = HandMotion()
        self._every = 1
        self.reset()

    @property
    def plays(self) -> bool:
        """Whether its eyes are still used."""
        return self._eyes is not None

    @property
    def words(self) -> str:
        """What looks now, for a person."""
        if self._eyes is None:
            return OWN
        return PUBLISHED if self._eyes.sees_hands or self._eyes.body_alone else BODY_ALONE

    def reset(self) -> None:
        """Forget the person."""
        self._wait()
        if self._eyes is not None:
            self._eyes.reset()
        self.hand_motion.reset()
        self._person = Person()
        self._repeated = self._passed_over = False
        self._frames = 0
        self._hands_motion = np.zeros((2, HAND_FEATURES), np.float32)

    def spare(self, every: int, *, body_alone: bool) -> None:
        """Look at one frame of so many, for the body alone or for the hands too.

        In the frames between, the person and the motion of the hands stay as they were last seen.

        Args:
            every: one frame of so many, at least 1.
            body_alone: the hands are not looked for.
        """
        self._every = every
        if self._eyes is not None and self._eyes.body_alone != body_alone:
            self._wait()
            self._eyes.body_alone = body_alone

    def begin(self, image: NDArray[np.uint8], capture_ns: int, repeats: bool) -> None:
        """Look at a frame.

        Args:
            image: uint8 [H, W, 3], BGR, at the camera's own resolution; it must not change before `finish`.
            capture_ns: when it was captured.
            repeats: it is the frame before once more; the first such frame is not looked at.
        """
        self._wait()
        if self._eyes is None:
            return
        self._frames += 1
        self._passed_over = self._frames % self._every != 0
        if self._passed_over:
            return
        if repeats and not self._repeated:
            self._repeated = True
            return
        self._repeated = False
        if self._executor is None:
            self._looking = Future()
            try:
                self._looking.set_result(self._eyes.look(image, capture_ns))
            except EngineError as error:
                self._looking.set_exception(error)
        else:
            self._looking = self._executor.submit(self._eyes.look, image, capture_ns)

    def finish(self, motion: Motion) -> None:
        """Put the person of the frame that was begun last into its motion, which has its `capture_ns`."""
        self._wait()
        if self._eyes is None:
            return
        person = self._person
        motion.body, motion.body_score = person.body, person.body_score
        motion.hands, motion.scale = person.hands, person.scale
        if not self._passed_over:
            self._hands_motion = self.hand_motion.step(person, motion.capture_ns / 1e9)
        motion.hands_motion = self._hands_motion

    def close(self) -> None:
        """Let the eyes go."""
        self._wait()
        self._eyes = None
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _wait(self) -> None:
        """Wait for the look that was begun, if any."""
        looking, self._looking = self._looking, None
        if looking is None:
            return
        try:
            self._person = looking.result()
        except EngineError as error:
            self._eyes = None
            self._note(f"the published eyes failed ({error}); {OWN} is used alone")


def open_person_reader(
    show: Show, note: Callable[[str], None], opener: Callable[[], Eyes] = open_eyes
) -> PersonReader | None:
    """Open the eyes that a show asks for; None where only the bundle's own network looks.

    Args:
        show: the settings of the performance.
        note: says one line to the user.
        opener: opens the published eyes; they measure what they cost, and leave the hands out where it is too much.

    Raises:
        SettingError: when the published eyes are asked for and cannot be opened.
    """
    if show.eyes == "bundle":
        return None
    try:
        return PersonReader(opener(), note, ThreadPoolExecutor(1, thread_name_prefix="eyes"))
    except EngineError as error:
        if show.eyes == "mediapipe":
            reason = error.what if isinstance(error, MissingEyesError) else str(error)
            what = f"the published networks that see people cannot be opened ({reason})"
            raise SettingError("eyes", show.eyes, what, f"{FIX}, or leave --eyes out") from error
        note(f"the published networks that see people are not here; the bundle's shipped network is used; {FIX}")
        return None
