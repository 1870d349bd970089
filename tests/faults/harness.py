"""Begins a show on real processes, brings faults about in it, one after another, and judges what came of it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streaming.conventions import SAMPLE_RATE
from streaming.schema.messages import StatusReply, StatusRequest
from streaming.settings.config import Links
from streaming.timing import clock
from streaming.transport.bus import ControlLink
from streaming.transport.links import CONTROL, address_of
from tests.faults.rig.judging import CONCEALMENT_S, RECOVERY_S, Happened, judge, sound_of
from tests.live.place import ShowFolder, output_of, wait_for

LEAD_S, REST_S = 1.5, 1.5
"""Before the first fault and after the last one."""
RESULTS = os.environ.get("ANTIPHON_FAULTS", "")
"""A file that gets a line of JSON for each show; see `tests.faults.rig.fault_table`."""


def nothing(report: dict[str, Any]) -> None:
    """Check no more than every show is checked for."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: in words.
        inject: brings it about, in a show that plays.
        restarted: the stages that must have been started again because of it.
        seconds: how long it takes, with the time until all is as before.
        times: how often each of those stages is started again; 0 for any number.
        seen: whether their ids can be read after it.
        hangs: whether those stages stop without an end, which must be noticed.
        silence_s: the longest gap in the sound that it may cause.
        concealed_s: time that may be concealed, beside that in which a stage of the sound was being started again.
        missed_s: the same of pictures.
    """

    name: str
    inject: Callable[[FaultyShow], object]
    restarted: tuple[str, ...] = ()
    seconds: float = 2.5
    times: int = 1
    seen: bool = True
    hangs: bool = False
    silence_s: float = CONCEALMENT_S + RECOVERY_S
    concealed_s: float = 0.4
    missed_s: float = 0.4


@dataclass(frozen=True)
class Act:
    """One show, and the faults in it.

    Attributes:
        name: in words.
        faults: what happens, one after another.
        direction: of the show.
        argv: more words of the command line, of the show's folder.
        camera: what it sees; "" where `argv` says that.
        status: the exit status that is documented for it.
        notes: parts of lines that the show must say.
        degraded: the stages without which it must say that it goes on; no others.
        may_restart: stages that may have been started again too.
        own_gaps: whether the sound may be silent for a reason of its own, such as that nobody is seen.
        checks: more that must hold of the report.
    """

    name: str
    faults: tuple[Fault, ...]
    direction: str = "video-to-music"
    argv: Callable[[Path], Sequence[str]] = lambda folder: ()
    camera: str = "performer:strings@1"
    status: int = 0
    notes: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    may_restart: tuple[str, ...] = ()
    own_gaps: bool = False
    checks: Callable[[dict[str, Any]], object] = field(default=nothing)

    @property
    def seconds(self) -> int:
        """Duration of the show."""
        return round(LEAD_S + sum(fault.seconds for fault in self.faults) + REST_S)


@dataclass
class FaultyShow:
    """A show that plays, and the means to disturb it."""

    folder: ShowFolder
    command: subprocess.Popen[str]

    @property
    def run_dir(self) -> Path:
        return self.folder.run_dir

    @property
    def supervisor(self) -> int:
        return self.command.pid

    def pid(self, stage: str) -> int:
        return self.folder.pid_of(stage)

    def pid_now(self, stage: str) -> int | None:
        """The same; None while there is none."""
        try:
            return self.pid(stage)
        except (OSError, ValueError):
            return None

    def signal(self, number: int, *stages: str) -> None:
        """Send a signal to several stages at once."""
        for pid in [self.pid(stage) for stage in stages]:
            os.kill(pid, number)

    def seconds_played(self) -> float:
        """Length of the file that the speaker has written so far; 0 without one."""
        with contextlib.suppress(OSError):
            return max(0, (self.folder.folder / "out.wav").stat().st_size - 44) / 2 / SAMPLE_RATE
        return 0.0

    @property
    def ended(self) -> bool:
        return self.command.poll() is not None

    def play_on(self, seconds: float) -> None:
        """Let the show go on for a while."""
        until_ns = clock.now_ns() + round(1e9 * seconds)
        while clock.now_ns() < until_ns and not self.ended:
            signal.sigtimedwait([], 0.02)

    def is_replaced(self, stage: str, pid: int) -> bool:
        """Whether a stage has another process than this one."""
        return self.pid_now(stage) not in (None, pid)

    def are_replaced(self, pids: dict[str, int]) -> bool:
        """Whether all these stages have other processes, or the show has ended."""
        return self.ended or all(self.is_replaced(stage, pid) for stage, pid in pids.items())

    def elapsed_s(self) -> float:
        """How long it performs, as it answers; 0 while it does not perform or does not answer."""
        links = Links(run_dir=str(self.run_dir))
        identity = f"test:{os.getpid()}"
        if not (self.run_dir / "control.sock").exists():
            return 0.0
        with closing(ControlLink(address_of(links, CONTROL), identity.encode())) as link:
            link.send(StatusRequest(stage=identity))
            for _ in range(20):
                signal.sigtimedwait([], 0.02)
                for reply in link.receive():
                    if isinstance(reply, StatusReply):
                        return float(reply.status["elapsed_s"] or 0.0)
        return 0.0


def perform_act(act: Act, folder: ShowFolder) -> dict[str, Any]:
    """Perform, bring the faults about, and judge. Gives the report."""
    folder.direction = act.direction
    makes_sound = act.direction != "music-to-video"
    output = output_of(folder) if makes_sound else ["--report", str(folder.folder / "r.json")]
    camera = ["--camera", act.camera] if makes_sound and act.camera else []
    argv = act.argv(folder.folder)
    with folder.begin(*camera, *output, "--duration", str(act.seconds), *argv) as command:
        show = FaultyShow(folder, command)
        wait_for(lambda: show.ended or (folder.sounding() if makes_sound else show.elapsed_s() > 0.5))
        happened = happen(act, show)
        _, errors = command.communicate(timeout=120)
    assert command.returncode == act.status, errors
    assert "Traceback" not in errors, errors
    report: dict[str, Any] = json.loads((folder.folder / "r.json").read_text())
    sound = sound_of(folder.folder / "out.wav") if makes_sound else None
    figures = judge(act, happened, report, sound)
    if RESULTS:
        with open(RESULTS, "a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")
    assert folder.left_over() == []
    return report


def happen(act: Act, show: FaultyShow) -> list[Happened]:
    """Bring all faults of a show about."""
    happened = []
    begun_ns = clock.now_ns()
    due_s = 0.0
    for fault in act.faults:
        before = {stage: show.pid(stage) for stage in fault.restarted}
        one = Happened(fault, show.seconds_played())
        at_ns = clock.now_ns()
        fault.inject(show)
        if before and fault.times and fault.seen:
            wait_for(functools.partial(show.are_replaced, before), 20.0)
            one.replaced_s = (clock.now_ns() - at_ns) / 1e9
        happened.append(one)
        due_s += fault.seconds
        show.play_on(due_s - (clock.now_ns() - begun_ns) / 1e9)
    return happened
