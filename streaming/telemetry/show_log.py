"""What happens in a show as JSON lines, one object a line, in files that rotate: `--log FILE`.

Every line has `time` (local time with its offset), `event` and `show_s` (seconds since the performance began, null
before). Events: `begin`, `start`, `note` (with `line`), `stage` (with `stage`, `state`, `was`, `restarts`), `figures`
(every minute, the figures of `telemetry.status`), `end` (with `code`, `line`).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from streaming.errors import UserError
from streaming.system.files import private_opener, reason
from streaming.telemetry.report import Ending, ShowRecord
from streaming.telemetry.snapshot import Rates
from streaming.telemetry.status import status_of
from streaming.timing import clock

MAX_BYTES = 10_000_000
"""A file that would pass this size is closed, and another begun."""
OLD_FILES = 5
"""Older files that are kept, `FILE.1` the newest of them; with one more the oldest is deleted."""
FIGURES_NS = 60_000_000_000
_MARK = b'{"time": "'


class RotatingLines(RotatingFileHandler):
    """A file of lines that rotates; an error of the disk is kept, and never ends the show.

    Attributes:
        trouble: why a line could not be written; "" for nothing.
    """

    trouble = ""

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=private_opener)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Keep what went wrong."""
        error = sys.exc_info()[1]
        self.trouble = reason(error) if error is not None else "unknown"


class ShowLog:
    """Writes the log of a show; a view of the supervisor's.

    Args:
        path: of the newest file.
        max_bytes: of a file.
        old_files: older files that are kept.
        wall_s: gives the wall-clock time, in seconds since 1970, of a monotonic time.
        now_ns: reads the clock, for the end.

    Raises:
        UserError: when the file cannot be written, or is something else.
    """

    def __init__(
        self,
        path: str,
        *,
        max_bytes: int = MAX_BYTES,
        old_files: int = OLD_FILES,
        wall_s: Callable[[int], float] = clock.wall_seconds,
        now_ns: Callable[[], int] = clock.now_ns,
    ) -> None:
        self._path, self._wall_s, self._now_ns = path, wall_s, now_ns
        check_log(path)
        self._lines = RotatingLines(path, maxBytes=max_bytes, backupCount=old_files, encoding="utf-8", delay=True)
        self._begin()

    def _begin(self) -> None:
        self._states: dict[str, tuple[str, int]] = {}
        self._notes = 0
        self._figures_ns: int | None = None
        self._rates = Rates()
        self._has_begun = self._has_started = False

    def update(self, record: ShowRecord, now_ns: int) -> None:
        """Write what has happened since the last call."""
        if not self._has_begun:
            self._has_begun = True
            show = record.show
            self._write(record, now_ns, "begin", direction=show.direction, bundle=show.bundle, pid=os.getpid())
        if record.start_ns is not None and not self._has_started:
            self._has_started, self._figures_ns = True, now_ns
            self._write(record, now_ns, "start")
        for line in record.notes.since(self._notes):
            self._write(record, now_ns, "note", line=line)
        self._notes = record.notes.count
        for name, stage in record.stages.items():
            state, restarts = stage.condition, stage.restarts
            was = self._states.get(name)
            if was != (state, restarts):
                self._states[name] = (state, restarts)
                before = was[0] if was else None
                self._write(record, now_ns, "stage", stage=name, state=state, was=before, restarts=restarts)
        if self._figures_ns is not None and now_ns - self._figures_ns >= FIGURES_NS:
            self._figures_ns = now_ns
            status = status_of(record, now_ns, self._rates, record.notes.count)
            self._write(record, now_ns, "figures", **{key: one for key, one in status.items() if key != "notes"})

    def finish(self, record: ShowRecord, ending: Ending) -> None:
        """Write how it ended."""
        now_ns = self._now_ns()
        self.update(record, now_ns)
        self._write(record, now_ns, "end", code=ending.code, line=ending.line)
        self._begin()

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _write(self, record: ShowRecord, now_ns: int, event: str, **values: Any) -> None:
        time = datetime.fromtimestamp(self._wall_s(now_ns)).astimezone().isoformat(timespec="milliseconds")
        show_s = None if record.start_ns is None else round((now_ns - record.start_ns) / 1e9, 3)
        text = json.dumps({"time": time, "event": event, "show_s": show_s, **values}, ensure_ascii=False, default=str)
        self._lines.emit(logging.LogRecord("antiphon", logging.INFO, "", 0, text, (), None))
        if self._lines.trouble:
            trouble, self._lines.trouble = self._lines.trouble, ""
            line = f"{self._path}: a line of the log cannot be written ({trouble}); make room on its disk"
            if line not in record.notes:
                record.notes.append(line)
                self._notes = record.notes.count


def check_log(path: str) -> None:
    """Check that a log can be written, and that a file that is there already is one.

    Raises:
        UserError: when it cannot, or is something else.
    """
    file = Path(path)
    fix = "give --log another file"
    try:
        if file.exists():
            if not file.is_file():
                raise UserError("is no file", f"--log {path}", fix)
            with file.open("rb") as there:
                head = there.read(len(_MARK))
            if head and head != _MARK:
                raise UserError("is another file, and no log of a show", f"--log {path}", fix)
        if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
            raise UserError("cannot be written", f"--log {path}", f"{fix}, in a folder that is there")
    except OSError as error:
        raise UserError(f"cannot be written ({reason(error)})", f"--log {path}", fix) from error
