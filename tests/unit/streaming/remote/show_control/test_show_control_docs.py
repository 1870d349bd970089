"""The page of show control is what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.remote.show_control import show_control_docs
from streaming.settings.controls import CONTROLS
from streaming.settings.values.dmx_patch import OUTPUTS


def test_every_control_has_one_name_everywhere() -> None:
    text = show_control_docs.render()
    for row in CONTROLS.values():
        if row.live:
            (line,) = [one for one in text.splitlines() if one.startswith(f"| `{row.name}` |")]
            assert f"/antiphon/{row.name}`" in line
            assert (f"`{row.name}=CHANNEL`" in line) is (row.kind == "number")
    assert all(f"| `{name}` |" in text for name in OUTPUTS)


def test_a_page_is_written_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show_control_docs, "PAGE", tmp_path / "show-control.md")
    assert show_control_docs.main(["--check"]) == 1
    assert show_control_docs.main([]) == 0
    assert show_control_docs.main(["--check"]) == 0
