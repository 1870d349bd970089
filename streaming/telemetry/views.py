"""Several views of one show as one: the terminal's, the service manager's, the log."""

from __future__ import annotations

from typing import Protocol

from streaming.telemetry.report import Ending, ShowRecord


class ShowView(Protocol):
    """Something that shows a show's state."""

    def update(self, record: ShowRecord, now_ns: int) -> None:
        """Take in the newest state; must not block."""

    def finish(self, record: ShowRecord, ending: Ending) -> None:
        """Take in how it ended."""


class Views:
    """Hands everything to every view, in order.

    Args:
        views: the views.
    """

    def __init__(self, *views: ShowView) -> None:
        self._views = views

    def update(self, record: ShowRecord, now_ns: int) -> None:
        """Take in the newest state."""
        for view in self._views:
            view.update(record, now_ns)

    def finish(self, record: ShowRecord, ending: Ending) -> None:
        """Take in how it ended."""
        for view in self._views:
            view.finish(record, ending)
