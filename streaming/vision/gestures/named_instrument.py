"""Joins what the bundle and the published eyes know of a player: what is played, in which voice, and how firmly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.schema.messages import NO_INSTRUMENT
from streaming.vision.gestures.gesture_names import GESTURE_INDEX

GESTURE_GUIDANCE = 5.0 / 3.0
"""How much more strongly a gesture decides the sound than a video latent does, at any value of the control `guidance`.
The music then answers 0.86 in place of 0.83 of the strikes that it is told of, in the voice of keys 0.76 to 0.93 in
place of 0.56, as measured on the films that it was chosen on; see `docs/results.md`."""


def kind_of_player(known: str, instrument: str) -> str:
    """The kind of a player: that which the bundle knows, else the instrument that the eyes name, else "none".

    Args:
        known: the kind of a player that the bundle's network "kind" knows, else "none".
        instrument: as in the message `Motion`.
    """
    return instrument if known == NO_INSTRUMENT else known


def player_in_words(known: str, instrument: str) -> str:
    """What is played, for a person, as "drums (seen by the eyes)"; the arguments are those of `kind_of_player`."""
    if known != NO_INSTRUMENT:
        return f"{known} (known to the bundle)"
    return "none of its kinds" if instrument == NO_INSTRUMENT else f"{instrument} (seen by the eyes)"


def voice_of_tick(voice: int, gesture: NDArray[np.floating], instrument: str, voice_names: Sequence[str]) -> int:
    """The number of the voice that a tick is played in.

    Args:
        voice: the number that was chosen; 0 for "auto".
        gesture: of the tick; a player that the bundle knows has none.
        instrument: as in the message `Motion`.
        voice_names: of the translator, numbered from 1.

    Returns:
        `voice`, or for "auto" the voice of a named instrument where the player is played by gestures. Without a name
        it stays 0, which the translator plays as drums for gestures.
    """
    by_gesture = float(gesture[GESTURE_INDEX["by_gesture"]]) > 0.0
    if voice == 0 and by_gesture and instrument in voice_names:
        return 1 + list(voice_names).index(instrument)
    return voice


def guidance_of_tick(guidance: float, gesture: NDArray[np.floating]) -> float:
    """The weight of what is seen in a tick that is played by a gesture, or by the video latent.

    Args:
        guidance: the control's value.
        gesture: of the tick; a player that the bundle knows has none.
    """
    by_gesture = float(gesture[GESTURE_INDEX["by_gesture"]]) > 0.0
    return guidance * GESTURE_GUIDANCE if by_gesture else guidance
