"""A named instrument gives the voice of players that the bundle does not know, and of no others."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import GESTURE
from streaming.vision.gestures.gesture_names import GESTURE_INDEX
from streaming.vision.gestures.named_instrument import (
    GESTURE_GUIDANCE,
    guidance_of_tick,
    kind_of_player,
    player_in_words,
    voice_of_tick,
)

VOICES = ["drums", "strings", "keys"]
KNOWN = np.zeros(GESTURE, np.float32)
UNKNOWN = np.eye(GESTURE, dtype=np.float32)[GESTURE_INDEX["by_gesture"]]


@pytest.mark.parametrize(
    ("chosen", "gesture", "instrument", "wanted"),
    [
        (0, UNKNOWN, "keys", 3),
        (0, UNKNOWN, "none", 0),
        (0, UNKNOWN, "air", 0),  # a bundle without such a voice
        (0, KNOWN, "keys", 0),  # the picture says it better
        (2, UNKNOWN, "keys", 2),  # the player has chosen
    ],
)
def test_the_voice_of_a_tick(chosen: int, gesture: np.ndarray, instrument: str, wanted: int) -> None:
    assert voice_of_tick(chosen, gesture, instrument, VOICES) == wanted


def test_the_bundle_is_believed_before_the_eyes_and_said_apart() -> None:
    assert kind_of_player("drums", "keys") == "drums"
    assert kind_of_player("none", "keys") == "keys"
    assert kind_of_player("none", "none") == "none"
    assert player_in_words("drums", "keys") == "drums (known to the bundle)"
    assert player_in_words("none", "keys") == "keys (seen by the eyes)"
    assert player_in_words("none", "none") == "none of its kinds"


def test_a_gesture_decides_more_firmly_than_a_latent() -> None:
    assert guidance_of_tick(1.5, KNOWN) == 1.5
    assert guidance_of_tick(1.5, UNKNOWN) == 1.5 * GESTURE_GUIDANCE
    assert GESTURE_GUIDANCE > 1.0
