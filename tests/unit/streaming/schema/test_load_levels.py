"""The order in which a show gives up, in words."""

from __future__ import annotations

from streaming.schema.load_levels import WORDS, LoadLevel, given_up


def test_the_order_is_picture_then_eyes_then_translator_and_never_the_sound() -> None:
    assert [WORDS[level] for level in sorted(LoadLevel)] == [
        "nothing",
        "picture quality",
        "every second picture",
        "every second look of the eyes",
        "the hands",
        "the player's kind",
    ]


def test_a_level_gives_up_what_those_below_it_do() -> None:
    assert given_up(LoadLevel.FULL) == ""
    assert given_up(LoadLevel.PICTURE_RATE) == "picture quality, every second picture"
