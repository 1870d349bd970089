"""The page of show control follows the table of controls."""

from __future__ import annotations

from streaming.remote.show_control import show_control_docs


def test_it_is_up_to_date() -> None:
    assert show_control_docs.main(["--check"]) == 0, "type: make docs"
