"""The service manager hears when the show is ready, that it lives, and how it is."""

from __future__ import annotations

from streaming.system.service_manager import ServiceManager
from streaming.telemetry.service_view import ServiceView
from tests.unit.streaming.telemetry.records import S, performing


class Manager(ServiceManager):
    """Keeps what it is told."""

    def __init__(self, watchdog_s: float) -> None:
        super().__init__({})
        self.watchdog_ns = round(watchdog_s * S)
        self.told: list[tuple[tuple[str, ...], str]] = []

    def tell(self, *lines: str, status: str = "") -> None:
        self.told.append((lines, status))


def test_ready_is_said_once_and_life_as_often_as_it_is_asked() -> None:
    manager, record = Manager(15.0), performing()
    view = ServiceView(manager)
    record.start_ns = None
    view.update(record, 0)
    assert manager.told == [(("WATCHDOG=1",), "getting ready")]
    record.start_ns = S
    for tenth in range(10, 600):
        view.update(record, tenth * S // 10)
    lines = [line for told, _ in manager.told for line in told]
    assert lines.count("READY=1") == 1
    assert lines.count("WATCHDOG=1") == 4
    assert len(manager.told) < 15, "not at every turn"


def test_the_words_say_what_is_missing() -> None:
    manager, record = Manager(0.0), performing()
    record.stages["camera"].info["away"] = True
    record.stages["tokens"].restarts = 3
    view = ServiceView(manager)
    view.update(record, 7_200 * S)
    assert manager.told[-1] == (("READY=1",), "performing for 2.0 h, 3 restarts, camera no device")
