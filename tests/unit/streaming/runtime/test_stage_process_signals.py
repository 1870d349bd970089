"""A stage under the runner in a process of its own: its lifeline, signals, refusals, and by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streaming.errors import UserError
from streaming.runtime import stage_process
from streaming.runtime.stage_process import describe_info
from streaming.schema.messages import Ready, Start
from streaming.settings.config import Links, Show
from streaming.timing import clock
from streaming.transport.bus import ControlHub
from streaming.transport.links import CONTROL, address_of

PATIENCE_NS = 20_000_000_000
CHECKOUT = Path(stage_process.__file__).parents[2]

SCRIPT = """
    import os, sys, time, types
    from pathlib import Path
    from streaming.schema import messages
    from streaming.runtime import stage_process
    from streaming.settings.config import Links, Show
    from streaming.schema.processes import PROCESSES, Process

    mood = os.environ["MOOD"]

    class ScriptedStage:
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

    sys.modules["fake_stage"] = types.SimpleNamespace(build=ScriptedStage)
    PROCESSES["speaker"] = Process("speaker", "fake_stage", output="speaker", nice=1)
    if sys.argv[1:2] == ["alone"]:
        show = Show(links=Links(run_dir=sys.argv[2]))
        def status(line):
            print(line, flush=True)
            if mood == "closed terminal":
                raise BrokenPipeError
        sys.exit(stage_process.run_alone("speaker", show, status))
    sys.exit(stage_process.main())
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
    made = ControlHub(address_of(Links(run_dir=str(tmp_path)), CONTROL, bind=True))
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_by_hand_a_terminal_that_fails_or_closes_is_a_polite_end(real: Any, tmp_path: Path, number: int) -> None:
    stage = real("closed terminal", "alone", str(tmp_path / "by_hand"))
    stage.expect("/s, step")
    stage.process.send_signal(number)
    stage.expect("closed")
    assert stage.process.wait(20) == 0


def test_by_hand_an_unknown_name_is_a_users_error() -> None:
    with pytest.raises(UserError, match="no such stage"):
        stage_process.run_alone("nobody", Show(), lambda line: None)


def test_what_a_stage_opened_is_said_in_words() -> None:
    assert describe_info({}) == ""
    assert describe_info({"device": "JACK", "samplerate": 48_000}) == "device JACK, samplerate 48000"
    engines = {"sight": "onnxruntime on cpu, fp32", "translator": "torch on cpu, fp32"}
    info = {"engines": engines, "backends": {"sight": "onnxruntime"}, "device": "cpu"}
    assert describe_info(info) == "sight: onnxruntime on cpu, fp32; translator: torch on cpu, fp32"
