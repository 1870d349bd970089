"""A show in virtual time for the supervisor's tests: fake processes, hours in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from streaming.errors import StageError
from streaming.runtime.children.spawner import Spawner
from streaming.runtime.supervision.supervisor import Supervisor
from streaming.schema.messages import (
    Control,
    ControlReply,
    Health,
    Hello,
    Ready,
    Report,
    Set,
    Start,
    Stop,
)
from streaming.schema.processes import FORWARD, PROCESSES, Process
from streaming.settings.config import Links, Show
from streaming.settings.validation import with_control
from streaming.telemetry.report import ShowRecord

S = 1_000_000_000
SETUP_NS = S // 2
BEAT_NS = S // 4


class World:
    """Virtual time, and what is to happen in it."""

    def __init__(self) -> None:
        self.now_ns = 100 * S
        self.children: list[FakeChild] = []
        self.reports: list[tuple[bytes, Report]] = []
        self.said: list[tuple[int, bytes, Control]] = []
        self.deaf: set[str] = set()
        self.before_hello: dict[str, tuple[bytes, Report]] = {}
        self.plans: list[tuple[int, object]] = []
        self.refusals = 0

    def at(self, after_s: float, act: object) -> None:
        """Plan something."""
        self.plans.append((self.now_ns + round(after_s * S), act))

    def now(self) -> int:
        return self.now_ns

    def poll(self, timeout_ms: int) -> list[tuple[bytes, Report]]:
        self.now_ns += timeout_ms * 1_000_000
        due = [plan for plan in self.plans if plan[0] <= self.now_ns]
        self.plans = [plan for plan in self.plans if plan[0] > self.now_ns]
        for _, act in due:
            act()  # type: ignore[operator]
        for child in self.children:
            child.live()
        reports, self.reports = self.reports, []
        return reports

    def send(self, identity: bytes, control: Control) -> None:
        self.said.append((self.now_ns, identity, control))
        for child in self.children:
            if child.identity == identity and child.status is None:
                child.hear(control)
                return
        raise StageError(f"{identity!r} is gone")

    def spawn(self, command: Sequence[str], log: Path, pass_fds: Sequence[int] = ()) -> FakeChild:
        if self.refusals:
            self.refusals -= 1
            raise OSError(24, "Too many open files")
        child = FakeChild(self, command, log)
        self.children.append(child)
        return child

    def of(self, stage: str) -> FakeChild:
        """The newest process of a stage."""
        return [child for child in self.children if child.stage == stage][-1]


class FakeChild:
    """A process that is ready half a second after its line and then beats."""

    def __init__(self, world: World, command: Sequence[str], log: Path) -> None:
        self.world, self.command, self.log = world, command, log
        self.pid = 5_000_000 + len(world.children)
        self.stage, self.identity = "", b""
        self.line: dict[str, object] = {}
        self.status: int | None = None
        self.ready = self.hung = False
        self.dumps = 0
        self.next_ns = 0

    def assign(self, line: dict[str, object]) -> None:
        self.line, self.stage = line, str(line["process"])
        self.identity = f"{self.stage}:{self.pid}".encode()
        if self.stage in self.world.before_hello:
            self.world.reports.append(self.world.before_hello.pop(self.stage))
        self.say(Hello(stage=self.stage, pid=self.pid))
        preloaded = "--preload" in self.command
        self.next_ns = self.world.now_ns + (SETUP_NS // 5 if preloaded else SETUP_NS)

    def live(self) -> None:
        if self.status is not None or not self.stage or self.hung or self.world.now_ns < self.next_ns:
            return
        if self.stage in self.world.deaf:
            return
        if not self.ready:
            self.ready = True
            self.say(Ready(stage=self.stage, info={"device": "fake"}))
        else:
            self.say(Health(stage=self.stage, counters={"published": 6}, memo={"pid": self.pid}))
        self.next_ns = self.world.now_ns + BEAT_NS

    def say(self, report: Report) -> None:
        self.world.reports.append((self.identity, report))

    def hear(self, control: Control) -> None:
        if isinstance(control, Stop) and not self.hung:
            self.status = 0

    def poll(self) -> int | None:
        return self.status

    def wait(self, timeout_s: float) -> None:
        pass

    def close_lifeline(self) -> None:
        pass

    def terminate(self) -> None:
        if not self.hung:
            self.status = -15

    def kill(self) -> None:
        if self.status is None:
            self.status = -9

    def dump_stacks(self) -> None:
        self.dumps += 1

    def usage(self) -> tuple[float, float] | None:
        return (1.0, 50.0) if self.status is None else None

    def last_lines(self, count: int = 5) -> list[str]:
        return ["last words"]

    def bound_log(self) -> None:
        pass


def plain_row(name: str) -> Process:
    """A row of the real table, with what it means to a show, of a stage that wants nothing of the machine."""
    return replace(PROCESSES[name], module="x", warm_spare=False, essential_to=FORWARD)


def table(**changes: object) -> list[Process]:
    options: dict[str, object] = {"warm_spare": False, **changes}
    camera, speaker = (plain_row(name) for name in ("camera", "speaker"))
    return [camera, Process("sound", "x", **options), speaker]  # type: ignore[arg-type]


def supervisor(world: World, tmp_path: Path, rows: list[Process] | None = None, **show: object) -> Supervisor:
    settings = Show(record="", links=Links(run_dir=str(tmp_path)), **show)  # type: ignore[arg-type]
    rows = rows or table()
    spawner = Spawner(settings, enabled=any(row.warm_spare for row in rows), spawn=world.spawn)  # type: ignore[arg-type]
    record = ShowRecord(show=settings)
    return Supervisor(record, world, rows, spawner=spawner, now_ns=world.now, with_control=with_control)


def starts(world: World, stage: str) -> list[int]:
    return [at for at, identity, said in world.said if identity.startswith(stage.encode()) and isinstance(said, Start)]


def told(world: World, stage: str) -> list[tuple[str, object]]:
    sets = [said for _, identity, said in world.said if identity.startswith(stage.encode()) and isinstance(said, Set)]
    return [(said.name, said.value) for said in sets]


def replies(world: World, requester: bytes) -> list[tuple[float, bool, list[str]]]:
    """When a requester was answered (seconds), whether refused, and the lines."""
    return [
        (at / S - 100.0, said.refused, said.lines)
        for at, identity, said in world.said
        if identity == requester and isinstance(said, ControlReply)
    ]
