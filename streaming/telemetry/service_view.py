"""Tells the service manager how the show is: ready, alive, and a line of words."""

from __future__ import annotations

from streaming.system.service_manager import READY, WATCHDOG, ServiceManager
from streaming.telemetry.report import Ending, ShowRecord

STATUS_NS = 10_000_000_000
"""The words are told again after this time."""


class ServiceView:
    """A view of the show for the service manager.

    The supervisor updates it every turn, so a supervisor that hangs gives no sign of life, and is replaced.

    Args:
        manager: of this process.
    """

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._is_ready = False
        self._alive_ns: int | None = None
        self._said_ns: int | None = None

    def update(self, record: ShowRecord, now_ns: int) -> None:
        """Tell what is due."""
        lines: list[str] = []
        if record.start_ns is not None and not self._is_ready:
            self._is_ready = True
            lines.append(READY)
        period_ns = self._manager.watchdog_ns
        if period_ns and (self._alive_ns is None or now_ns - self._alive_ns >= period_ns):
            self._alive_ns = now_ns
            lines.append(WATCHDOG)
        is_due = self._said_ns is None or now_ns - self._said_ns >= STATUS_NS
        if is_due or READY in lines:
            self._said_ns = now_ns
            self._manager.tell(*lines, status=words_of(record, now_ns))
        elif lines:
            self._manager.tell(*lines)

    def finish(self, record: ShowRecord, ending: Ending) -> None:
        """Nothing: whether the service stops then, or performs again, its keeper knows."""


def words_of(record: ShowRecord, now_ns: int) -> str:
    """How the show is, in a line."""
    if record.start_ns is None:
        return "getting ready"
    wrong = [
        f"{stage.name} {stage.condition}"
        for stage in record.stages.values()
        if stage.condition not in ("running", "finished")
    ]
    restarts = sum(stage.restarts for stage in record.stages.values())
    parts = [f"performing for {(now_ns - record.start_ns) / 3.6e12:.1f} h", f"{restarts} restarts", *wrong]
    return ", ".join(parts)
