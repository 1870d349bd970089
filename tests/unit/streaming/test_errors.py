"""Errors are one short printable line, whatever a value is."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.errors import SettingError, UserError, shorten

nested: list[Any] = []
for _ in range(5000):
    nested = [nested]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("stage.jpg", "stage.jpg"),
        (5, "5"),
        (True, "True"),
        (7 * 10**399, "(a number of about 400 digits)"),
        (7 * 10**9999, "(a number of about 10000 digits)"),
        (nested, "(a nested value)"),
        ("a\0b\nc\udcff", "a\\x00b\\nc\\udcff"),
        ("n" * 300, "n" * 60 + "… (300 characters)"),
    ],
    ids=["text", "number", "flag", "long", "longer", "nested", "unprintable", "long text"],
)
def test_a_value_is_a_short_printable_piece_of_a_line(value: object, text: str) -> None:
    assert shorten(value) == text


def test_a_setting_is_named_with_its_value() -> None:
    error = SettingError("motion", 9, "must be 0 to 4", "give another value")
    assert str(error) == "--motion 9: must be 0 to 4; give another value"
    assert str(SettingError("bundle", "", "names nothing", "give one")) == '--bundle "": names nothing; give one'
    assert str(SettingError("motion", 9, "is wrong", "mend it", "set motion 9")) == "set motion 9: is wrong; mend it"
    assert isinstance(error, UserError)
