"""What a show gives up where its cores have no time for everything, in this order; the sound is never given up."""

from __future__ import annotations

from enum import IntEnum


class LoadLevel(IntEnum):
    """How far a show has gone. Each level gives up what those below it do, and more."""

    FULL = 0
    PICTURE_QUALITY = 1
    """Nothing is painted anew, and what moves is drawn coarsely."""
    PICTURE_RATE = 2
    """A picture for every second tick."""
    EYES_RATE = 3
    """The eyes look at every second frame."""
    HANDS = 4
    """They look for the body alone."""
    PLAYER_KIND = 5
    """The translator goes on with the kind of player that it knows: the network that names it is not asked."""


WORDS = {
    LoadLevel.FULL: "nothing",
    LoadLevel.PICTURE_QUALITY: "picture quality",
    LoadLevel.PICTURE_RATE: "every second picture",
    LoadLevel.EYES_RATE: "every second look of the eyes",
    LoadLevel.HANDS: "the hands",
    LoadLevel.PLAYER_KIND: "the player's kind",
}
"""What each level gives up beside those below it, for a person."""


def given_up(level: LoadLevel) -> str:
    """All that a level gives up, in words; "" for nothing."""
    return ", ".join(WORDS[each] for each in LoadLevel if LoadLevel.FULL < each <= level)
