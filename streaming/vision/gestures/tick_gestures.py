"""What the translator is told beside the video latent: nothing of a player that it knows, the gesture of any other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from streaming.conventions import GESTURE
from streaming.vision.gestures.gesture_reader import GestureReader, PlayerMotion
from streaming.vision.gestures.known_player import KnownPlayer


class TickGestures:
    """Makes a translator's gesture input, one tick after another; the same code live and in evaluations.

    Args:
        kind: the engine of the network "kind"; None for a bundle without it, where every player counts as known.
        reader: makes the gestures; None for the usual one.

    Attributes:
        ignores_kind: True to play every player by gestures, as one of no known kind.
        asks_kind: False to go on with the player that is known, without asking the network.
    """

    def __init__(self, kind: Engine | None, reader: GestureReader | None = None) -> None:
        self._kind = kind
        self.ignores_kind = False
        self.asks_kind = True
        self.reader = reader or GestureReader()
        names = kind.spec.config.get("kind_names", ()) if kind is not None else ()
        self.player = KnownPlayer(tuple(str(name) for name in names))
        self._none = np.zeros(GESTURE, np.float32)

    def reset(self) -> None:
        """Forget the past."""
        self.reader.reset()
        self.player.reset()

    def step(
        self, motion: PlayerMotion, embedding: NDArray[np.floating], *, patient: bool = False
    ) -> NDArray[np.float32]:
        """The gesture of a tick: float32 [GESTURE], all 0 for a known player, who is played by the video latent.

        Args:
            motion: of the newest frame.
            embedding: float [E], of that frame.
            patient: see `streaming.vision.gestures.strike_detector.StrikeDetector.step`.
        """
        gesture = self.reader.step(motion, patient=patient)
        if self.ignores_kind:
            return gesture
        if self._kind is None:
            return self._none
        if self.asks_kind or not self.player.has_seen:
            self.player.step(self._kind.step(embedding=np.asarray(embedding, np.float32))["odds"])
        return self._none if self.player.is_known else gesture
