"""docs/wire.md says what the tables say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streaming.schema import messages
from streaming.schema.messages import TOPICS
from streaming.schema.processes import PROCESSES
from streaming.transport import wire, wire_page


def test_the_page_in_the_repository_is_up_to_date() -> None:
    assert wire_page.PAGE.read_text(encoding="utf-8") == wire_page.render(), (
        "type: python -m streaming.transport.wire_page"
    )


def test_everything_is_on_it() -> None:
    text = wire_page.render()
    for topic in TOPICS.values():
        assert f"| `{topic.name}` | [{topic.message.__name__}]" in text
        assert f"### {topic.message.__name__}\n" in text
        for field in msgspec.structs.fields(topic.message):
            assert f"| `{field.name}` |" in text
    for process in PROCESSES.values():
        assert f"`{process.module}`" in text
    for kind in ("Hello", "Ready", "Health", "Failed", "Finished", "Start", "Set", "Stop"):
        assert f"### {kind}\n" in text
    for reason in wire.REASONS:
        assert f"| `{reason}` |" in text
    assert "| `frames` | `int16` [4, 2], 0..2047 or `float32` [any, 2], -100..100 | required |" in text
    assert f"version {messages.SCHEMA_VERSION};" in text
    assert " at 0x" not in text


def test_tables_are_well_formed() -> None:
    width = 0
    for line in wire_page.render().splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert width in (0, cells), line
        width = cells


def test_check_tells_an_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(wire_page, "PAGE", tmp_path / "docs" / "wire.md")
    assert wire_page.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert wire_page.main([]) == 0
    assert wire_page.main(["--check"]) == 0
    wire_page.PAGE.write_text(wire_page.PAGE.read_text() + "x")
    assert wire_page.main(["--check"]) == 1
