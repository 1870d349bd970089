"""Which tests need the cores to themselves, and progress in words for `make test`."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

TIMED = (
    "tests/live",
    "tests/unit/streaming/devices",
    "tests/unit/streaming/runtime",
    "tests/unit/streaming/timing",
    "tests/unit/streaming/transport",
)
"""Folders in which time is measured or real processes keep pace; everything else runs in parallel."""
ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--words", action="store_true", help="a line for each room that is done, instead of dots")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--words") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Words(), "words")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(ROOT).as_posix().startswith(TIMED):
            item.add_marker(pytest.mark.timed)


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Small tensors take several times as long on more threads, when the other cores are busy with other tests.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


class Words:
    """Prints a line for each room whose tests are done, and how many are left."""

    def __init__(self) -> None:
        self._left: Counter[str] = Counter()
        self._done: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._total = self._finished = 0
        self._rooms_known = False

    @pytest.hookimpl
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._know([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        self._know(ids)

    def _know(self, ids: list[str]) -> None:
        if ids and not self._rooms_known:
            self._rooms_known = True
            self._left = Counter(room_of(name) for name in ids)
            self._total = len(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        if report.when == "call" and report.passed:
            return "passed", "", ""
        if report.skipped:
            return "skipped", "", ""
        return None

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        room = room_of(report.nodeid)
        self._seconds[room] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self._done[room][report.outcome] += 1
        if report.when != "teardown":
            return
        self._left[room] -= 1
        self._finished += 1
        if self._left[room] == 0:
            counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._done[room].items()))
            rest = self._total - self._finished
            line = f"{room:<44} {counts:<24} {self._seconds[room]:5.0f} s   {rest} tests to go"
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def room_of(nodeid: str) -> str:
    """The folder that a test lies in."""
    return str(Path(nodeid.partition("::")[0]).parent.as_posix())
