"""Reads the person from the camera's frames with the published eyes: where body and hands are, how the hands move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from engines.eyes.catalogue import MEDIAPIPE, MissingEyesError
from streaming.errors import SettingError
from streaming.schema.messages import Motion
from streaming.settings.config import Show
from streaming.vision.eyes.eyes import Eyes, open_eyes
from streaming.vision.eyes.person import Person
from streaming.vision.motion.hand_motion import HandMotion

PUBLISHED = f"{MEDIAPIPE.distribution} {MEDIAPIPE.version}, body and hands"
OWN = "the bundle's own network"
FIX = "to get them, type: make eyes"


class Watcher(Protocol):
    """Whatever finds a person in frames, such as `Eyes`."""

    def look(self, frame: NDArray[np.uint8], now_ns: int) -> Person:
        """The person in the next frame."""
        ...

    def reset(self) -> None:
        """Forget the person."""
        ...


class PersonReader:
    """Reads a person from frames, one after another; the same code live and for training.

    Eyes that fail in the middle of a show are not used again; the show goes on without them.

    Args:
        eyes: that find the person.
        note: says one line to the user.
    """

    def __init__(self, eyes: Watcher, note: Callable[[str], None] = lambda line: None) -> None:
        self._eyes: Watcher | None = eyes
        self._note = note
        self.hand_motion = HandMotion()
        self.reset()

    @property
    def plays(self) -> bool:
        """Whether its eyes are still used."""
        return self._eyes is not None

    def reset(self) -> None:
        """Forget the person."""
        if self._eyes is not None:
            self._eyes.reset()
        self.hand_motion.reset()
        self._person = Person()
        self._repeated = False

    def read(self, motion: Motion, image: NDArray[np.uint8], repeats: bool) -> None:
        """Put the person of a frame into its motion.

        Args:
            motion: of the frame, with its `capture_ns`.
            image: uint8 [H, W, 3], BGR, at the camera's own resolution.
            repeats: it is the frame before once more; the first such frame is not looked at.
        """
        if self._eyes is None:
            return
        if not repeats or self._repeated:
            try:
                self._person = self._eyes.look(image, motion.capture_ns)
            except EngineError as error:
                self._eyes = None
                self._note(f"the published eyes failed ({error}); {OWN} is used alone")
                return
        self._repeated = repeats and not self._repeated
        person = self._person
        motion.body, motion.body_score = person.body, person.body_score
        motion.hands, motion.scale = person.hands, person.scale
        motion.hands_motion = self.hand_motion.step(person, motion.capture_ns / 1e9)


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
        return PersonReader(opener(), note)
    except EngineError as error:
        if show.eyes == "mediapipe":
            reason = error.what if isinstance(error, MissingEyesError) else str(error)
            what = f"the published networks that see people cannot be opened ({reason})"
            raise SettingError("eyes", show.eyes, what, f"{FIX}, or leave --eyes out") from error
        note(f"the published networks that see people are not here; the bundle's shipped network is used; {FIX}")
        return None
