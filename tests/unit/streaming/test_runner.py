"""A stage's life under the runner: words to the supervisor, inputs in time, errors, lifeline, signals, by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engines.contract import EngineError
from streaming import clock, runner
from streaming.bus import CONTROL, ControlHub, Poller, Publisher, Subscriber, addresses
from streaming.config import Links, Show
from streaming.errors import UserError
from streaming.messages import (
    Control,
    Failed,
    Finished,
    Health,
    Hello,
    Message,
    Motion,
    Ready,
    Report,
    Set,
    Speaker,
    Start,
    Stop,
    Tokens,
)
from streaming.metrics import Metrics, Totals
from streaming.processes import Process
from streaming.stage import Context, Inputs

PATIENCE_NS = 20_000_000_000
CHECKOUT = Path(runner.__file__).parents[1]
ROW = Process("tokens", "no_such_module", ("motion", "speaker"), ("speaker",), "tokens")


class Fake:
    """A stage made of functions."""

    def __init__(
        self,
        step: Callable[[Inputs, int], Sequence[Message]] = lambda inputs, now_ns: [],
        setup: Callable[[Context], None] = lambda context: None,
        wake: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._step, self._setup, self._wake = step, setup, wake
        self.closed = 0

    def setup(self, context: Context) -> None:
        self.context = context
        self._setup(context)

    def wake_ns(self) -> int | None:
        return self._wake()

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        return self._step(inputs, now_ns)

    def close(self) -> None:
        self.closed += 1


class Supervisor:
    """The other end: runs a stage in a thread and remembers what it said."""

    def __init__(self, run_dir: Path, stage: Any, row: Process = ROW, memo: dict[str, Any] | None = None) -> None:
        self.show = Show(links=Links(run_dir=str(run_dir)))
        self.hub = ControlHub(addresses(self.show.links, CONTROL, bind=True))
        self.reports: list[Report] = []
        self.totals = Totals()
        self.identity = b""
        self.code: int | None = None

        def run() -> None:
            self.code = runner.run_stage(row, stage, self.show, memo or {})

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def until(self, condition: Callable[[], Any]) -> None:
        deadline = clock.now_ns() + PATIENCE_NS
        while not condition():
            assert clock.now_ns() < deadline, self.reports[-5:]
            for identity, report in self.hub.poll(20):
                self.identity = identity
                self.reports.append(report)
                if isinstance(report, Health):
                    self.totals.add(report)

    def said(self, kind: type[Any]) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]

    def tell(self, control: Control) -> None:
        self.hub.send(self.identity, control)

    def begin(self) -> None:
        self.until(lambda: self.said(Ready))
        self.tell(Start())

    def end(self) -> int | None:
        """Stop the stage and hear its last words."""
        if self.thread.is_alive() and self.identity:
            self.tell(Stop())
        self.until(lambda: not self.thread.is_alive())
        self.until(lambda: True)
        for _ in range(3):
            for _, report in self.hub.poll(20):
                self.reports.append(report)
                if isinstance(report, Health):
                    self.totals.add(report)
        self.hub.close()
        return self.code


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(stage: Any, **options: Any) -> Supervisor:
        made.append(Supervisor(tmp_path, stage, **options))
        return made[-1]

    yield make
    for supervisor in made:
        if supervisor.thread.is_alive():
            supervisor.end()


def speaker(tick: int) -> Speaker:
    return Speaker(tick=tick, dac_ns=tick, capture_ns=77, stamps={"speaker": 5})


def motion(tick: int) -> Motion:
    flow = np.full((2, 16, 16), tick, np.float32)
    return Motion(flow=flow, speed=flow[0], embedding=np.zeros(128, np.float32), capture_ns=tick)


def test_a_whole_life(supervise: Any, tmp_path: Path) -> None:
    steps: list[Inputs] = []

    def setup(context: Context) -> None:
        context.info["device"] = "fake"
        context.memo["count"] = context.memo.get("count", 0) + 1
        context.note("hello")
        assert context.now_ns > 0

    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        steps.append(inputs)
        for control in inputs.controls:
            if control.name == "end":
                stage.context.finish("all played")
        return [
            Tokens(tick=m.tick, frames=np.zeros((4, 2), np.int16), capture_ns=m.capture_ns, stamps=dict(m.stamps))
            for m in inputs.all(Speaker)
        ]

    stage = Fake(step, setup)
    supervisor = supervise(stage, memo={"count": 4})
    supervisor.until(lambda: supervisor.said(Ready))
    assert isinstance(supervisor.reports[0], Hello)
    assert supervisor.reports[0].pid == os.getpid()
    assert supervisor.identity == f"tokens:{os.getpid()}".encode()
    assert supervisor.said(Ready)[0].info == {"device": "fake"}

    supervisor.tell(Set(name="temperature", value=0.5))
    supervisor.until(lambda: steps)
    assert not steps[0].started
    assert [(c.name, c.value) for c in steps[0].controls] == [("temperature", 0.5)]
    supervisor.tell(Start())
    supervisor.until(lambda: steps[-1].started)

    source = Publisher("speaker", addresses(supervisor.show.links, "speaker", bind=True))
    reader = Subscriber({"tokens": addresses(supervisor.show.links, "tokens")}, Metrics())
    heard: list[Message] = []
    deadline, tick = clock.now_ns() + PATIENCE_NS, 0
    while len(heard) < 5:
        assert clock.now_ns() < deadline
        source.send(speaker(tick))
        tick += 1
        Poller(reader).wait(clock.now_ns() + 20_000_000)
        heard += reader.drain().get("tokens", [])
    assert [m.seq for m in heard] == list(range(heard[0].seq, heard[0].seq + len(heard)))
    assert all(m.capture_ns == 77 and m.stamps["speaker"] == 5 and m.stamps["tokens"] > 0 for m in heard)
    source.close()
    reader.close()

    supervisor.tell(Set(name="end"))
    supervisor.until(lambda: supervisor.said(Finished))
    assert supervisor.said(Finished) == [Finished(stage="tokens", reason="all played")]
    assert supervisor.end() == 0
    assert stage.closed == 1
    assert supervisor.totals.counter("published") == sum(len(inputs.all(Speaker)) for inputs in steps)
    assert supervisor.totals.histograms["step_ms"].n == len(steps)
    assert list(supervisor.totals.notes) == ["hello"]
    assert supervisor.said(Health)[-1].memo == {"count": 5}
    assert not (tmp_path / "tokens.sock").exists()


def test_heartbeats_come_without_any_input(supervise: Any) -> None:
    supervisor = supervise(Fake())
    supervisor.begin()
    supervisor.until(lambda: len(supervisor.said(Health)) >= 3)
    assert supervisor.end() == 0


def test_a_step_by_the_clock_reads_the_newest_of_what_does_not_wake(supervise: Any) -> None:
    seen: list[tuple[int, int | None]] = []
    due: list[int] = []

    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        newest = inputs.latest(Motion)
        assert len(inputs.all(Motion)) <= 1
        seen.append((now_ns - due[0] if due else 0, newest.capture_ns if newest else None))
        due[:] = [now_ns + 60_000_000]
        return []

    supervisor = supervise(Fake(step, wake=lambda: due[0] if due else None))
    supervisor.begin()
    source = Publisher("motion", addresses(supervisor.show.links, "motion", bind=True))
    sent = [0]
    heard = [0]

    def publish() -> bool:
        sent[0] += 1
        source.send(motion(sent[0]))
        heard[0] = sum(1 for _, capture in seen if capture is not None)
        return heard[0] >= 5

    supervisor.until(publish)
    assert supervisor.end() == 0
    source.close()
    assert all(late >= 0 for late, _ in seen)
    captures = [capture for _, capture in seen if capture is not None]
    assert captures == sorted(set(captures))
    # Some were superseded: the clock asked for fewer than were sent, and the rest is counted.
    assert supervisor.totals.counter("drops.motion") > 0
    assert len(seen) < sent[0]


def test_wake_makes_it_step_from_any_thread(supervise: Any) -> None:
    steps: list[int] = []
    stage = Fake(lambda inputs, now_ns: steps.append(now_ns) or [])
    supervisor = supervise(stage)
    supervisor.begin()
    supervisor.until(lambda: steps)
    before = len(steps)
    stage.context.wake()
    supervisor.until(lambda: len(steps) > before)
    assert supervisor.end() == 0


def test_failing_steps_are_counted_told_once_and_end_it(supervise: Any) -> None:
    calls = [0]

    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        calls[0] += 1
        if calls[0] == 10:
            return []
        raise ZeroDivisionError("no beat")

    supervisor = supervise(Fake(step, wake=lambda: 0))
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == 1
    assert calls[0] == 10 + 20
    assert supervisor.totals.counter("errors") == 29
    assert [note for note in supervisor.totals.notes if "no beat" in note] == [
        "tokens: ZeroDivisionError: no beat; it goes on"
    ]
    failed = supervisor.said(Failed)
    assert len(failed) == 1
    assert failed[0].exit_code == 1
    assert "no beat" in failed[0].line
    assert isinstance(supervisor.reports[-1], Failed)


def test_output_that_cannot_travel_is_an_error_of_the_step(supervise: Any) -> None:
    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        return [Tokens(tick=1, frames=np.zeros((4, 2), np.complex64))] if inputs.controls else []

    supervisor = supervise(Fake(step))
    supervisor.begin()
    supervisor.tell(Set(name="go"))
    supervisor.until(lambda: supervisor.totals.counter("errors"))
    assert supervisor.end() == 0
    assert supervisor.totals.counter("bad.tokens.dtype") == 1
    assert supervisor.totals.counter("published") == 0


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("is not there", "camera 7", "plug it in"), 2, "camera 7: is not there; plug it in"),
        (EngineError("no runtime; install it"), 2, "no runtime; install it"),
        (RuntimeError("boom"), 1, "tokens: RuntimeError: boom"),
    ],
)
def test_a_failed_setup_says_why_and_closes(supervise: Any, error: Exception, code: int, line: str) -> None:
    def setup(context: Context) -> None:
        raise error

    stage = Fake(setup=setup)
    supervisor = supervise(stage)
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == code
    assert supervisor.said(Failed) == [Failed(stage="tokens", line=line, exit_code=code)]
    assert supervisor.said(Ready) == []
    assert stage.closed == 1


def test_a_module_that_cannot_be_imported_is_a_failed_setup(supervise: Any) -> None:
    supervisor = supervise(None)
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == 1
    assert "no_such_module" in supervisor.said(Failed)[0].line


def test_a_second_instance_is_refused(supervise: Any, tmp_path: Path) -> None:
    taken = Publisher("tokens", addresses(Links(run_dir=str(tmp_path)), "tokens", bind=True))
    supervisor = supervise(Fake())
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == 2
    assert "in use" in supervisor.said(Failed)[0].line
    taken.close()


def test_a_memo_that_cannot_travel_is_dropped(supervise: Any) -> None:
    supervisor = supervise(Fake(setup=lambda context: context.memo.update(bad=object())))
    supervisor.begin()
    supervisor.until(lambda: supervisor.totals.counter("errors"))
    assert supervisor.end() == 0
    assert supervisor.said(Health)[0].memo == {}


# In real processes.

SCRIPT = """
    import os, sys, time, types
    from pathlib import Path
    from streaming import messages, runner
    from streaming.config import Links, Show
    from streaming.processes import PROCESSES, Process

    mood = os.environ["MOOD"]

    class Stage:
        next_ns = None
        def setup(self, context):
            self.context = context
            print("setup", flush=True)
            if mood == "slow":
                time.sleep(60)
        def wake_ns(self):
            return self.next_ns
        def step(self, inputs, now_ns):
            if inputs.started and self.next_ns is None:
                print("started", flush=True)
            self.next_ns = now_ns + 20_000_000
            if mood == "hang":
                print("hanging", flush=True)
                time.sleep(60)
            return [messages.Speaker(tick=1, dac_ns=now_ns)]
        def close(self):
            print("closed", flush=True)

    sys.modules["fake_stage"] = types.SimpleNamespace(build=Stage)
    PROCESSES["speaker"] = Process("speaker", "fake_stage", output="speaker", nice=1)
    if sys.argv[1:2] == ["alone"]:
        show = Show(links=Links(run_dir=sys.argv[2]))
        sys.exit(runner.run_alone("speaker", show, lambda line: print(line, flush=True)))
    sys.exit(runner.main())
"""


class Real:
    """A stage in a process of its own."""

    def __init__(self, tmp_path: Path, mood: str = "", *arguments: str) -> None:
        path = tmp_path / "stage_script.py"
        path.write_text(textwrap.dedent(SCRIPT))
        self.run_dir = tmp_path
        self.process = subprocess.Popen(
            [sys.executable, str(path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "MOOD": mood},
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def assign(self, process: str = "speaker") -> None:
        line = {"process": process, "show": {}, "memo": {}, "run_dir": str(self.run_dir), "incarnation": 0}
        self.stdin.write(msgspec.json.encode(line) + b"\n")

    def expect(self, text: str) -> str:
        said = ""
        while text not in said:
            line = self.stdout.readline().decode()
            assert line, f"{text!r} did not come: {said}"
            said += line
        return said

    def end(self) -> tuple[int, str]:
        """Close its stdin and wait for its end."""
        out, _ = self.process.communicate(timeout=PATIENCE_NS / 1e9)
        return self.process.returncode, out.decode()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Callable[..., Real]]:
    made: list[Real] = []

    def make(*arguments: str) -> Real:
        made.append(Real(tmp_path, *arguments))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.stdin.close()
        one.stdout.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ControlHub]:
    made = ControlHub(addresses(Links(run_dir=str(tmp_path)), CONTROL, bind=True))
    yield made
    made.close()


def begin(hub: ControlHub) -> None:
    deadline = clock.now_ns() + PATIENCE_NS
    while True:
        assert clock.now_ns() < deadline
        for identity, report in hub.poll(20):
            if isinstance(report, Ready):
                hub.send(identity, Start())
                return


def test_the_end_of_stdin_is_a_polite_end(real: Any, hub: ControlHub, tmp_path: Path) -> None:
    stage = real()
    stage.assign()
    begin(hub)
    stage.expect("started")
    assert (tmp_path / "speaker.sock").exists()
    assert os.getpriority(os.PRIO_PROCESS, stage.process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 1
    code, out = stage.end()
    assert code == 0
    assert "closed" in out
    assert not (tmp_path / "speaker.sock").exists()


def test_a_hanging_stage_does_not_outlive_its_supervisor(real: Any, hub: ControlHub, tmp_path: Path) -> None:
    stage = real("hang")
    stage.assign()
    begin(hub)
    stage.expect("hanging")
    code, _ = stage.end()
    assert code == 1
    assert not (tmp_path / "speaker.sock").exists()


def test_ctrl_c_is_ignored_and_sigterm_is_polite_and_stacks_are_dumped(real: Any, hub: ControlHub) -> None:
    stage = real()
    stage.assign()
    begin(hub)
    stage.expect("started")
    stage.process.send_signal(signal.SIGINT)
    stage.process.send_signal(signal.SIGUSR1)
    stage.expect("most recent call first")
    stage.process.send_signal(signal.SIGTERM)
    stage.expect("closed")
    assert stage.process.wait(20) == 0


def test_sigterm_breaks_off_a_long_setup(real: Any, tmp_path: Path) -> None:
    stage = real("slow")
    stage.assign()
    stage.expect("setup")
    stage.process.send_signal(signal.SIGTERM)
    stage.expect("closed")
    assert stage.process.wait(20) == 0
    assert not (tmp_path / "speaker.sock").exists()


def test_without_a_line_it_ends_quietly(real: Any) -> None:
    assert real().end() == (0, "")


def test_a_line_that_is_no_assignment_is_refused(real: Any) -> None:
    stage = real()
    stage.stdin.write(b"{}\n")
    code, out = stage.end()
    assert code == 1
    assert "not an assignment" in out
    stage = real()
    stage.assign("nobody")
    code, out = stage.end()
    assert code == 1
    assert "no such stage" in out


def test_by_hand_it_starts_at_once_and_ends_with_ctrl_c(real: Any, tmp_path: Path) -> None:
    folder = tmp_path / "by_hand"
    stage = real("", "alone", str(folder))
    stage.expect("speaker: ready")
    other = real("", "alone", str(folder))
    code, out = other.end()
    assert code == 2
    assert "in use" in out
    stage.expect("/s, step")
    stage.process.send_signal(signal.SIGINT)
    stage.expect("closed")
    assert stage.process.wait(20) == 0
    assert list(folder.iterdir()) == []


def test_by_hand_an_unknown_name_is_a_users_error() -> None:
    with pytest.raises(UserError, match="no such stage"):
        runner.run_alone("nobody", Show(), lambda line: None)
