"""docs/controls.md says what the table of controls says."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.settings import controls_page
from streaming.settings.controls import CONTROLS


def test_the_page_in_the_repository_is_up_to_date() -> None:
    assert controls_page.main(["--check"]) == 0, "type: python -m streaming.settings.controls_page"


def test_every_control_is_on_it() -> None:
    text = controls_page.render()
    for row in CONTROLS.values():
        # A bar within a cell would end it.
        cell = row.range_text().replace("|", "\\|")
        assert f"| [`{row.name}`](#{row.name}) | {cell} |" in text
        assert f"### {row.name}\n\n{row.words[0].upper()}{row.words[1:]}." in text
        assert row.at_low in text
        assert row.at_high in text
        assert row.below in text


def test_check_tells_an_old_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(controls_page, "PAGE", tmp_path / "docs" / "controls.md")
    assert controls_page.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert controls_page.main([]) == 0
    assert controls_page.main(["--check"]) == 0
    controls_page.PAGE.write_text(controls_page.PAGE.read_text() + "x")
    assert controls_page.main(["--check"]) == 1
