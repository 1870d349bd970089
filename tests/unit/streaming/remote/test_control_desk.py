"""Requests from outside: what passes on to the supervisor, and what is refused on the spot."""

from __future__ import annotations

from typing import Any

from streaming.remote.control_desk import ControlDesk
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics, Totals


class RecordingLink:
    """A control link that keeps what is sent."""

    def __init__(self, *arguments: Any) -> None:
        self.sent: list[Any] = []

    def send(self, report: Any) -> None:
        self.sent.append(report)

    def receive(self) -> list[Any]:
        return []

    def close(self) -> None:
        pass


def test_a_device_may_be_asked_for_from_outside_and_a_file_may_not() -> None:
    link = RecordingLink()
    context = Context(show=Show(), metrics=Metrics())
    desk = ControlDesk("osc", context, lambda *arguments: link)  # type: ignore[arg-type]
    desk.request("speaker", "USB Audio")
    desk.request("speaker", "file:/tmp/antiphon.wav")
    desk.request("speaker", "file:/tmp/antiphon.mp3")
    # The last one has a wrong form, which the supervisor says.
    assert [one.value for one in link.sent] == ["USB Audio", "file:/tmp/antiphon.mp3"]
    (refusal,) = desk.replies()[0]
    assert "is a file" in refusal.what
    assert desk.replies()[0] == []
    totals = Totals()
    totals.add(context.metrics.take())
    assert totals.counter("refused") == 1
