"""Notes: each once, none lost unsaid, the same text as often as it came."""

from __future__ import annotations

from streaming.telemetry.notes import MAX_NOTES_KEPT, NoteLog


def test_a_reader_gets_each_note_once() -> None:
    log = NoteLog()
    log.append("a")
    log.extend(["b", "a"])
    assert log.since(0) == ["a", "b", "a"]
    assert log.since(2) == ["a"]
    assert log.since(log.count) == []


def test_what_came_too_fast_is_counted() -> None:
    log = NoteLog()
    log.extend(str(number) for number in range(MAX_NOTES_KEPT + 3))
    assert log.count == MAX_NOTES_KEPT + 3
    assert next(iter(log)) == "3"
    lines = log.since(1)
    assert lines[:2] == ["2 notes came too fast to be shown", "3"]
    assert len(lines) == 1 + MAX_NOTES_KEPT
