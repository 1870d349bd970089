"""The console's page of the documentation is up to date and has every key."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.remote.console import console_docs


def test_the_page_is_up_to_date() -> None:
    assert console_docs.main(["--check"]) == 0, "type: make docs"


def test_every_key_is_on_it() -> None:
    keys = dict(console_docs.keys())
    assert keys["Space"] == "next cue"
    assert {"M", "P", "F", "1", "2", "3", "?"} <= keys.keys()
    assert all(f"| `{key}` | {words} |" in console_docs.render() for key, words in keys.items())


def test_a_page_that_is_out_of_date_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_docs, "PAGE", tmp_path / "console.md")
    assert console_docs.main(["--check"]) == 1
    assert console_docs.main([]) == 0
    assert console_docs.main(["--check"]) == 0
