"""The page of OSC addresses is up to date and has them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.remote import osc_page
from streaming.remote.osc_messages import EVENTS
from streaming.settings.controls import CONTROLS


def test_the_page_is_up_to_date() -> None:
    assert osc_page.main(["--check"]) == 0, "type: make docs"


def test_every_address_is_on_it() -> None:
    text = osc_page.render()
    assert all(f"`/antiphon/{name}`" in text for name in CONTROLS)
    assert all(f"`{address}`" in text for address in EVENTS)


def test_a_page_that_is_out_of_date_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osc_page, "PAGE", tmp_path / "osc.md")
    assert osc_page.main(["--check"]) == 1
    assert osc_page.main([]) == 0
    assert osc_page.main(["--check"]) == 0
