"""The change of a bundle: successors are prepared aside, take over all at once, or nothing happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streaming.errors import UserError
from streaming.runtime.children.process_slot import ProcessSlot
from streaming.runtime.supervision.bundle_swap import CLOSING_NS, LOADING_NS, BundleSwap
from streaming.schema.messages import Alive, Control, Enter, Failed, Health, Hello, Prepared, Stop
from streaming.schema.processes import PROCESSES
from streaming.settings.config import Show
from streaming.telemetry.report import StageRecord

S = 1_000_000_000
NEXT = Show(bundle="spectrogram")


class FakeProcess:
    """A process that lives until it is killed."""

    def __init__(self, pid: int) -> None:
        self.pid, self.log = pid, Path("x.log")
        self.status: int | None = None

    def poll(self) -> int | None:
        return self.status

    def kill(self) -> None:
        self.status = -9

    def wait(self, timeout_s: float) -> None:
        assert self.status is not None

    def close_lifeline(self) -> None:
        """Nothing is open."""


class Company:
    """The slots of a show in which everything plays, and the swap."""

    def __init__(self, *names: str) -> None:
        self.slots = {name: ProcessSlot(PROCESSES[name], StageRecord(PROCESSES[name])) for name in names}
        for number, slot in enumerate(self.slots.values()):
            slot.occupy(FakeProcess(100 + number), 0)  # type: ignore[arg-type]
            slot.identity, slot.record.state = b"old:" + slot.process.name.encode(), "running"
        self.said: list[tuple[bytes, Control]] = []
        self.lines: list[list[str]] = []
        self.shows: list[Show] = []
        self.made: dict[str, FakeProcess] = {}
        self.refuses = False
        self.swap = BundleSwap(
            self.slots,
            spawner=self,
            send=lambda identity, control: self.said.append((identity, control)),
            take_over=self.shows.append,
            done=self.lines.append,
        )

    def spawn_aside(self, slot: ProcessSlot, show: Show, now_ns: int) -> Any:
        if self.refuses and self.made:
            raise OSError(24, "Too many open files")
        name = slot.process.name
        self.made[name] = FakeProcess(200 + len(self.made))
        return self.made[name]

    def prepare(self, name: str) -> None:
        identity = b"new:" + name.encode()
        assert self.swap.take(identity, Hello(stage=name, pid=self.made[name].pid), S)
        assert self.swap.take(identity, Alive(stage=name), S)
        assert self.swap.take(identity, Prepared(stage=name), 2 * S)

    def end(self, name: str) -> bool:
        """The old process has ended."""
        slot = self.slots[name]
        slot.clear()
        return self.swap.adopt(slot, 2 * S + 50_000_000)


def test_all_change_when_all_are_prepared() -> None:
    company = Company("camera", "tokens", "sound", "speaker")
    company.swap.begin(NEXT, S)
    assert set(company.made) == {"tokens", "sound"}, "the others use no bundle"
    company.prepare("tokens")
    assert company.said == []
    assert not company.end("tokens"), "one that dies meanwhile is started as ever"
    company.slots["tokens"].occupy(FakeProcess(150), S)  # type: ignore[arg-type]
    company.slots["tokens"].identity = b"old:tokens"
    company.prepare("sound")
    assert company.shows == [NEXT]
    assert company.said == [(b"old:tokens", Stop()), (b"old:sound", Stop())]
    assert company.slots["sound"].kill_at_ns == 2 * S + CLOSING_NS, "if it does not close"
    company.said.clear()
    assert company.end("sound")
    assert company.said == [(b"new:sound", Enter())]
    slot = company.slots["sound"]
    assert slot.child is not None
    assert (slot.child.pid, slot.identity, slot.record.state) == (company.made["sound"].pid, b"new:sound", "setup")
    assert slot.record.restarts == 0
    assert not company.swap.take(b"new:sound", Health(stage="sound"), 2 * S), "it is the stage's own now"
    assert company.end("tokens")
    company.swap.step(2 * S)
    assert company.lines == []
    for name in ("tokens", "sound"):
        company.slots[name].record.state = "running"
    company.swap.step(2 * S + 120_000_000)
    assert company.lines == [["bundle is now spectrogram (prepared in 1.0 s, changed in 120 ms)"]]
    assert not company.swap.is_running
    assert [process.status for process in company.made.values()] == [None, None]


@pytest.mark.parametrize("fault", ["fails", "dies", "takes too long"])
def test_a_successor_that_fails_leaves_the_show_as_it_is(fault: str) -> None:
    company = Company("tokens", "sound")
    company.swap.begin(NEXT, S)
    company.prepare("tokens")
    if fault == "fails":
        assert company.swap.take(b"new:sound", Hello(stage="sound", pid=company.made["sound"].pid), S)
        assert company.swap.take(b"new:sound", Failed(stage="sound", line="no weights"), S)
    elif fault == "dies":
        company.made["sound"].status = -9
    company.swap.step(S + LOADING_NS + (1 if fault == "takes too long" else -1))
    ((what, where, fix),) = company.lines
    assert {"fails": "no weights", "dies": "killed", "takes too long": "30 s"}[fault] in what
    assert (where, fix) == ("set bundle spectrogram", "the show goes on with the bundle that it has")
    assert all(process.status is not None for process in company.made.values()), "no successor is left"
    assert (company.said, company.shows) == ([], [])
    assert all(slot.kill_at_ns is None for slot in company.slots.values())


def test_what_cannot_begin_is_refused() -> None:
    company = Company("tokens", "sound")
    company.slots["sound"].record.state = "restarting"
    with pytest.raises(UserError, match="must wait until every stage plays"):
        company.swap.begin(NEXT, S)
    company.slots["sound"].record.state = "running"
    company.refuses = True
    with pytest.raises(UserError, match="refuses a process"):
        company.swap.begin(NEXT, S)
    assert not company.swap.is_running
    assert [process.status for process in company.made.values()] == [-9]
    company.refuses, company.made = False, {}
    company.swap.begin(NEXT, S)
    with pytest.raises(UserError, match="must wait"):
        company.swap.begin(msgspec.structs.replace(NEXT, bundle="default"), S)
    company.swap.close()
    with pytest.raises(UserError, match="changes nothing in this show"):
        Company("camera").swap.begin(NEXT, S)


def test_reports_of_others_are_not_the_swaps() -> None:
    company = Company("tokens")
    assert not company.swap.take(b"old:tokens", Health(stage="tokens"), S)
    company.swap.begin(NEXT, S)
    assert not company.swap.take(b"old:tokens", Hello(stage="tokens", pid=100), S)
    assert not company.swap.take(b"old:tokens", Health(stage="tokens"), S)
    assert not company.swap.take(b"x", Alive(stage="camera"), S)
