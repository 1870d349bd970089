"""A week of an installation on a virtual clock: it opens and closes, people come and go, and nothing grows."""

from __future__ import annotations

import gc
import itertools
import threading
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from streaming.devices.films.take_shelf import TakeShelf
from streaming.remote.installation.attract_mode import AttractMode
from streaming.runtime.standing.keeper import Keeper, Waiting
from streaming.settings.controls import CONTROLS, Value
from streaming.settings.values.schedule import read_schedule
from streaming.settings.values.take_limit import read_limit
from streaming.system.service_manager import ServiceManager
from streaming.telemetry.report import Ending
from streaming.telemetry.service_view import ServiceView
from streaming.telemetry.show_log import OLD_FILES, ShowLog
from tests.unit.streaming.telemetry.records import performing

S = 1_000_000_000
DAY_S = 86_400
BERLIN = ZoneInfo("Europe/Berlin")
# The clock is set back in this week.
SUNDAY_S = datetime(2026, 10, 22, tzinfo=BERLIN).timestamp()
MAX_BYTES = 40_000
STEP_S = 60.0


class Week(Waiting):
    """Seven days that pass as they are waited for."""

    def __init__(self) -> None:
        super().__init__(lambda: self.time_ns, lambda at_ns: SUNDAY_S + at_ns / 1e9, threading.Event())
        self.time_ns = 0

    def pause(self, seconds: float) -> bool:
        self.time_ns += round(max(seconds, STEP_S) * S)
        return self.time_ns >= 7 * DAY_S * S


def living_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_a_week(tmp_path: Path) -> None:
    week, opened, closed, calm, peaks = Week(), list[str](), list[str](), list[str](), list[int]()
    log = ShowLog(str(tmp_path / "show.jsonl"), max_bytes=MAX_BYTES, wall_s=week.wall_s, now_ns=lambda: week.time_ns)
    views, films = (log, ServiceView(ServiceManager({}))), tmp_path / "films"
    films.mkdir()
    shelf = TakeShelf(films, read_limit("3"), lambda line: None)
    schedule = read_schedule("10:00-18:00", BERLIN)

    def perform(closes: Callable[[], bool]) -> Ending:
        record, mode = performing(), AttractMode(60.0)
        record.start_ns = week.time_ns
        values: dict[str, Value] = {name: row.default for name, row in CONTROLS.items()}
        begin_s = week.time_ns / 1e9
        opened.append(schedule.clock_text(week.now_s()))
        shelf.make_room(coming=1)
        for suffix in (".mp4", ".take"):
            (films / f"antiphon-202610{22 + len(opened)}-100000{suffix}").write_bytes(b"film")
        for turn in itertools.count():
            if closes():
                break
            if week.pause(STEP_S):
                return Ending(0)
            # Somebody is there for ten minutes of every half hour.
            moves = (week.time_ns / 1e9 - begin_s) % 1_800.0 < 600.0
            # People are looked for ten times a second, and ten times for each of these steps.
            for tenth in range(10):
                line, wishes = mode.step(moves, values, week.time_ns + tenth * S // 10)
                for wish in wishes:
                    values[wish.name] = wish.value
                    mode.changed(wish.name, wish.value)
                if line:
                    calm.append(line)
                    record.notes.append(line)
            if turn % 25 == 0:
                record.stages["camera"].restarts += 1
            for view in views:
                view.update(record, week.time_ns)
        closed.append(schedule.clock_text(week.now_s()))
        peaks.append(living_bytes())
        ending = Ending(0, closed=True)
        for view in views:
            view.finish(record, ending)
        return ending

    tracemalloc.start()
    keeper = Keeper(perform, schedule, again=True, say=lambda line: None, manager=ServiceManager({}), waiting=week)
    assert keeper.run() == Ending(0)
    tracemalloc.stop()
    log.close()
    assert [text[-5:-1] for text in opened] == ["10:0"] * 7
    assert [text[-5:-1] for text in closed] == ["18:0"] * 7
    assert len({text[:10] for text in opened}) == 7
    # Sixteen half hours a day; on some days the last ones are cut off by the closing.
    assert 7 * 30 <= len(calm) <= 7 * 32
    assert sorted(path.name[9:17] for path in films.glob("*.mp4")) == ["20261027", "20261028", "20261029"]
    assert len(list(films.iterdir())) == 6, "of each take the film and what it was made of"
    files = [path for path in tmp_path.iterdir() if path != films]
    assert len(files) == 1 + OLD_FILES, "it has rotated, and the oldest are gone"
    assert sum(file.stat().st_size for file in files) <= (1 + OLD_FILES) * MAX_BYTES
    assert peaks[-1] - peaks[1] < 60_000, "bytes from the second day to the last"
