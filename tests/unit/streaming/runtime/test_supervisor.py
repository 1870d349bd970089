"""The supervisor in virtual time: fake processes, hours in milliseconds."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from streaming.errors import StageError
from streaming.runtime.children.spawner import Spawner
from streaming.runtime.show import rows_for
from streaming.runtime.supervisor import Supervisor
from streaming.schema.messages import (
    Alive,
    Confirmation,
    Control,
    ControlReply,
    ControlRequest,
    Failed,
    Finished,
    Health,
    Hello,
    Load,
    Ready,
    Report,
    Set,
    Start,
    StatusReply,
    StatusRequest,
    Stop,
)
from streaming.schema.processes import FORWARD, PROCESSES, EndOfShow, Process
from streaming.settings.config import Links, Show
from streaming.settings.controls import CONTROLS
from streaming.settings.validation import with_control
from streaming.telemetry.metrics import bin_of
from streaming.telemetry.report import Ending, ShowRecord

CHECKOUT = Path(__file__).resolve().parents[4]
FAKE_COMMAND = (sys.executable, str(Path(__file__).with_name("fake_show.py")))
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


def test_start_is_said_once_all_are_ready_and_the_speaker_ends_the_show(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    world.at(20.0, lambda: world.of("speaker").say(Finished(stage="speaker", reason="duration played")))
    assert show.run() == Ending(0)
    assert all(len(starts(world, row.name)) == 1 for row in table())
    assert show.record.start_ns is not None
    assert show.record.start_ns >= 100 * S + SETUP_NS
    assert show.record.duration_s() == pytest.approx(19.5, abs=0.1)
    assert all(child.status == 0 for child in world.children)
    # Six messages for each beat, which this world sees every 260 ms.
    assert show.record.stages["camera"].rate_hz() == pytest.approx(6 / 0.26, abs=0.1)


def test_a_killed_stage_is_back_with_its_memo_and_told_to_start(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    sound = show.record.stages["sound"]
    assert sound.restarts == 1
    assert sound.recovery_ms == [pytest.approx(520, abs=50)]
    assert sound.output_ms == [pytest.approx(770, abs=60)]
    first, second = (child for child in world.children if child.stage == "sound")
    assert second.line["memo"] == {"pid": first.pid}
    assert second.line["incarnation"] == 1
    assert len(starts(world, "sound")) == 2
    assert "SIGKILL" in " ".join(show.record.notes)


def test_a_stage_whose_device_has_gone_is_renewed_as_often_as_that_happens(tmp_path: Path) -> None:
    """Ten times in ten seconds, where five deaths in a minute end a show."""
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    for second in range(5, 15):
        world.at(
            second, lambda: world.of("sound").say(Failed(stage="sound", line="sound: the device has gone", renew=True))
        )
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].restarts == 10
    assert max(show.record.stages["sound"].recovery_ms) < 1_000.0, "at once, each time"
    assert not [note for note in show.record.notes if "started again" in note]


def told(world: World, stage: str) -> list[tuple[str, object]]:
    sets = [said for _, identity, said in world.said if identity.startswith(stage.encode()) and isinstance(said, Set)]
    return [(said.name, said.value) for said in sets]


def test_a_live_control_reaches_the_stages_that_it_concerns_and_those_that_are_started_again(tmp_path: Path) -> None:
    world = World()
    rows = [*table(), plain_row("osc")]
    show = supervisor(world, tmp_path, rows, duration_s=20.0)

    def ask(name: str = "", value: str = "", *, passing: bool = False) -> None:
        world.reports.append((b"set:7", ControlRequest(stage="set:7", name=name, value=value, passing=passing)))

    world.at(3.0, lambda: ask(name="temperature", value="0.7"))
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(8.0, lambda: ask(name="temperature", value="hot"))
    world.at(9.0, lambda: ask(name="camera", value="2"))
    world.at(10.0, ask)
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    for row in rows:
        concerned = row.name in (*CONTROLS["temperature"].stages, "osc")
        assert told(world, row.name) == ([("temperature", 0.7)] if concerned else []), row.name
    told_again = world.of("sound").line["show"]
    assert isinstance(told_again, dict)
    assert told_again["controls"]["temperature"] == 0.7
    answers = [said for _, identity, said in world.said if identity == b"set:7" and isinstance(said, ControlReply)]
    assert [answer.refused for answer in answers] == [False, True, True, False]
    assert answers[0].lines == ["temperature is now 0.7"]
    assert "temperature is now 0.7" in show.record.notes
    assert answers[1].lines == ["is not a number", "set temperature hot", "give 0 to 2"]
    assert answers[3].lines[0].split()[:2] == ["temperature", "0.7"]


def replies(world: World, requester: bytes) -> list[tuple[float, bool, list[str]]]:
    """When a requester was answered (seconds), whether refused, and the lines."""
    return [
        (at / S - 100.0, said.refused, said.lines)
        for at, identity, said in world.said
        if identity == requester and isinstance(said, ControlReply)
    ]


def test_a_control_that_a_stage_confirms_is_answered_with_its_word(tmp_path: Path) -> None:
    world = World()
    rows = [*table(), plain_row("scene"), plain_row("osc")]
    show = supervisor(world, tmp_path, rows, duration_s=20.0)
    one, bad = str(tmp_path / "one.png"), str(tmp_path / "bad.png")

    def ask(who: bytes, value: str) -> None:
        world.reports.append((who, ControlRequest(stage=who.decode(), name="prior", value=value)))

    def confirm(value: str, *refusal: str) -> None:
        world.of("scene").say(Confirmation(stage="scene", name="prior", value=value, refusal=list(refusal)))

    world.at(3.0, lambda: ask(b"set:1", one))
    world.at(4.0, lambda: confirm(one))
    world.at(5.0, lambda: ask(b"set:2", bad))
    world.at(5.1, lambda: world.reports.append((b"set:3", ControlRequest(stage="set:3", name="motion", value="2"))))
    world.at(6.0, lambda: confirm(bad, "is no picture", bad, "give another"))
    world.at(7.0, lambda: world.of("scene").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert told(world, "scene")[:2] == [("prior", one), ("prior", bad)], "nobody looked at the files"
    assert all(name != "prior" for row in table() for name, _ in told(world, row.name))
    assert ("prior", one) in told(world, "osc"), "who passes controls on hears of what was confirmed"
    assert ("prior", bad) not in told(world, "osc")
    ((at, refused, lines),) = replies(world, b"set:1")
    assert (refused, lines) == (False, [f"prior is now {one}"])
    assert at == pytest.approx(4.0, abs=0.1), "not before the stage has said so"
    assert replies(world, b"set:2")[0][1:] == (True, ["is no picture", bad, "give another"])
    assert replies(world, b"set:3")[0][0] == pytest.approx(5.1, abs=0.1), "another control does not wait"
    again = world.of("scene").line["show"]
    assert isinstance(again, dict)
    assert again["controls"]["prior"] == one, "a stage that is started again has what was confirmed"


def test_a_control_to_be_confirmed_waits_for_its_stage_to_begin_and_is_refused_if_it_ends(
    tmp_path: Path,
) -> None:
    world = World()
    show = supervisor(world, tmp_path, [*table(), plain_row("scene")], duration_s=20.0)
    request = ControlRequest(stage="set:1", name="prior", value="x.png")
    world.before_hello["scene"] = (b"set:1", request)
    world.at(2.0, lambda: world.of("scene").say(Confirmation(stage="scene", name="prior", value="x.png")))
    world.at(3.0, lambda: world.reports.append((b"set:2", msgspec.structs.replace(request, value="deadly.png"))))
    world.at(4.0, lambda: world.of("scene").kill())
    world.at(20.0, lambda: world.reports.append((b"set:3", msgspec.structs.replace(request, value="late.png"))))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    first, second = (child for child in world.children if child.stage == "scene")
    assert told(world, first.identity.decode()) == [("prior", "x.png"), ("prior", "deadly.png")]
    assert told(world, second.identity.decode()) == [("prior", "late.png")], "what ended it is not tried again"
    assert [lines for _, _, lines in replies(world, b"set:1")] == [["prior is now x.png"]]
    ((at, refused, lines),) = replies(world, b"set:2")
    assert refused
    assert lines[:2] == ["ended the scene stage", "set prior deadly.png"]
    assert at == pytest.approx(4.0, abs=0.1)
    ((_, refused, lines),) = replies(world, b"set:3")
    assert refused
    assert lines[0] == "came too late: the show has ended"


def test_who_awaits_the_state_of_a_stage_that_was_given_up_is_given_up_too(tmp_path: Path) -> None:
    """Without the scene there are no pictures, and the music begins all the same."""
    world = World()
    picture = replace(plain_row("picture"), essential_to=())
    scene = replace(plain_row("scene"), essential_to=())
    show = supervisor(world, tmp_path, [*table(), scene, picture], duration_s=20.0)
    for at in (0.1, 0.2, 0.3):
        world.at(at, lambda: world.of("scene").kill())
    world.at(25.0, lambda: world.of("speaker").say(Finished(stage="speaker")))
    world.deaf.add("picture")
    assert show.run().code == 0
    assert show.record.start_ns is not None
    assert show.record.start_ns < 103 * S
    assert [show.record.stages[name].state for name in ("scene", "picture")] == ["lost", "lost"]
    assert "needs what the scene stage publishes" in " ".join(show.record.notes)


def test_a_stage_that_does_not_confirm_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, [*table(), plain_row("scene")], duration_s=40.0)
    world.at(3.0, lambda: world.reports.append((b"set:1", ControlRequest(stage="set:1", name="prior", value="x.png"))))
    world.at(40.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    ((at, refused, lines),) = replies(world, b"set:1")
    assert refused
    assert lines == ["was not confirmed within 32 s", "set prior x.png", "set it again, or give another value"]
    assert at == pytest.approx(35.0, abs=0.2)


def test_a_control_of_a_stage_that_is_not_in_the_show_is_refused(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, direction="video-to-music", duration_s=5.0)
    world.at(2.0, lambda: world.reports.append((b"set:1", ControlRequest(stage="set:1", name="prior", value="x.png"))))
    world.at(6.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    ((_, refused, lines),) = replies(world, b"set:1")
    assert refused
    assert lines[0] == "changes nothing in this show"


def test_a_control_that_changes_while_a_stage_is_being_started_is_not_lost(tmp_path: Path) -> None:
    world = World()
    world.before_hello["sound"] = (b"set:7", ControlRequest(stage="set:7", name="volume", value="-2"))
    show = supervisor(world, tmp_path, duration_s=5.0)
    world.at(6.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert told(world, "sound") == [("volume", -2.0)]


def test_the_warm_spare_takes_over_and_another_one_follows(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(warm_spare=True), duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    spares = [child for child in world.children if "--preload" in child.command]
    assert spares[0].stage == "sound"
    assert show.record.stages["sound"].recovery_ms == [pytest.approx(120, abs=50)]
    assert len(spares) == 2
    assert spares[1].stage == ""
    assert spares[1].status == -9


def test_a_silent_stage_is_dumped_killed_and_restarted(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)

    def hang() -> None:
        world.of("sound").hung = True

    world.at(5.0, hang)
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    first = next(child for child in world.children if child.stage == "sound")
    assert (first.dumps, first.status) == (1, -9)
    assert show.record.stages["sound"].restarts == 1
    assert "no sign of life" in " ".join(show.record.notes)


def test_an_essential_stage_that_keeps_dying_ends_the_show(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(restarts=2), duration_s=60.0)
    for at in (3.0, 6.0, 9.0):
        world.at(at, lambda: world.of("sound").kill())
    ending = show.run()
    assert ending.code == 1
    assert "sound" in ending.line
    assert "last words" in ending.line
    assert show.record.stages["sound"].state == "lost"
    assert all(child.status is not None for child in world.children)


def test_in_an_installation_an_essential_stage_is_tried_for_ever_and_ever_less_often(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(restarts=2), duration_s=400.0, installation=True)
    for step in range(1_000):
        # Whatever is started within 300 s dies within a second.
        world.at(5.0 + 0.3 * step, lambda: world.of("sound").kill())
    world.at(400.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run() == Ending(0)
    sound = [child for child in world.children if child.stage == "sound"]
    # Three restarts, waits of 1, 2, 4 ... 60 s, and the last one lives.
    assert 8 <= len(sound) <= 16
    assert show.record.stages["sound"].state == "closed"
    assert "sound: was killed by SIGKILL; it is given up for 1 s" in " ".join(show.record.notes)
    assert "given up for 60 s" in " ".join(show.record.notes)
    assert "sound: is back" in " ".join(show.record.notes)


def test_a_show_closes_when_its_hours_are_over_unless_its_user_ends_it(tmp_path: Path) -> None:
    world, settings = World(), Show(record="", links=Links(run_dir=str(tmp_path)))

    def show() -> Supervisor:
        spawner = Spawner(settings, enabled=False, spawn=world.spawn)  # type: ignore[arg-type]
        closing_ns = world.now_ns + 20 * S
        return Supervisor(
            ShowRecord(show=settings),
            world,
            table(),
            spawner=spawner,
            now_ns=world.now,
            with_control=with_control,
            closes=lambda: world.now_ns >= closing_ns,
        )

    first = show()
    assert first.run() == Ending(0, closed=True)
    assert first.record.duration_s() == pytest.approx(19.5, abs=0.3)
    assert all(child.status == 0 for child in world.children)
    second = show()
    world.at(19.99, second.interrupt)
    ending = second.run()
    assert (ending, ending.asked) == (Ending(0), True)
    third = show()
    world.at(0.1, third.interrupt)
    assert third.run().asked, "also before it begins"


def test_a_budget_counts_only_the_window(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(restarts=2, restart_window_s=10.0), duration_s=100.0)
    for at in range(5, 95, 8):
        world.at(at, lambda: world.of("sound").kill())
    world.at(100.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].restarts == 12


def test_the_show_goes_on_without_a_stage_that_is_not_essential(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(restarts=0, essential_to=()), duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].state == "lost"
    assert "goes on without it" in " ".join(show.record.notes)


def test_a_users_error_in_setup_ends_all_with_its_line(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    line = "camera 7: cannot be opened; plug it in"
    world.at(0.2, lambda: world.of("camera").say(Failed(stage="camera", line=line, exit_code=2)))
    assert show.run() == Ending(2, line)
    assert show.record.start_ns is None
    assert all(child.status is not None for child in world.children)


def test_what_a_stage_said_counts_also_where_its_end_is_seen_before_it_is_read(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    line = "camera 7: cannot be opened; plug it in"
    world.at(0.2, lambda: setattr(world.of("camera"), "status", 2))
    world.at(0.5, lambda: world.of("camera").say(Failed(stage="camera", line=line, exit_code=2)))
    assert show.run() == Ending(2, line)
    assert show.record.stages["camera"].restarts == 0


def test_who_ends_without_a_word_is_started_again_a_moment_later(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: setattr(world.of("sound"), "status", 3))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    sound = show.record.stages["sound"]
    assert sound.restarts == 1
    assert sound.recovery_ms[0] < (SETUP_NS + S) / 1e6
    assert "ended with status 3" in " ".join(show.record.notes)


def test_a_users_error_after_the_start_is_a_death(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(
        5.0, lambda: world.of("camera").say(Failed(stage="camera", line="camera 7: is gone; plug it in", exit_code=2))
    )
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["camera"].restarts == 1


def test_a_stage_that_is_never_ready_fails_after_one_retry(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(setup_timeout_s=10.0))
    world.deaf.add("sound")
    ending = show.run()
    assert ending.code == 1
    assert "not ready within 10 s" in ending.line
    assert show.record.stages["sound"].restarts == 1


@pytest.mark.parametrize(("duration_s", "ends"), [(None, True), (20.0, False)])
def test_the_end_of_a_film_ends_a_show_without_a_duration(tmp_path: Path, duration_s: float | None, ends: bool) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=duration_s)
    world.at(5.0, lambda: world.of("camera").say(Finished(stage="camera", reason="the file ended")))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert (show.record.duration_s() or 0.0) == pytest.approx(4.9 if ends else 20.0, abs=0.2)


def test_an_interrupt_ends_politely_and_an_early_one_is_no_performance(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    world.at(5.0, show.interrupt)
    assert show.run() == Ending(0)
    world = World()
    show = supervisor(world, tmp_path)
    world.at(0.1, show.interrupt)
    assert show.run().code == 1
    assert all(child.status is not None for child in world.children)


def test_a_speaker_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    world = World()
    ending = supervisor(world, tmp_path, duration_s=5.0).run()
    assert ending.code == 1
    assert "did not end" in ending.line


def test_a_stage_that_does_not_close_is_killed_and_said_so(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)

    def stick() -> None:
        world.of("sound").hung = True
        show.interrupt()

    world.at(5.0, stick)
    ending = show.run()
    assert ending.code == 1
    assert "sound" in ending.line
    assert (world.of("sound").status, world.of("sound").dumps) == (-9, 1)
    assert world.of("camera").status == 0


def test_a_supervisor_that_slept_does_not_blame_the_stages(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=3600.0)

    def sleep() -> None:
        world.now_ns += 30 * S
        for child in world.children:
            child.next_ns = world.now_ns + BEAT_NS

    world.at(5.0, sleep)
    world.at(60.0, show.interrupt)
    assert show.run().code == 0
    assert sum(stage.restarts for stage in show.record.stages.values()) == 0


class DeafWorld(World):
    """Nothing is read while it is deafened; to the kernel its processes look stopped."""

    deafened = False
    pid = 0

    def spawn(self, command: Sequence[str], log: Path, pass_fds: Sequence[int] = ()) -> FakeChild:
        child = super().spawn(command, log, pass_fds)
        child.pid = self.pid or child.pid
        return child

    def poll(self, timeout_ms: int) -> list[tuple[bytes, Report]]:
        reports = super().poll(timeout_ms)
        if self.deafened:
            self.reports = reports
            return []
        return reports


class BusyWorld(DeafWorld):
    """Every turn of the supervisor is late."""

    def poll(self, timeout_ms: int) -> list[tuple[bytes, Report]]:
        return super().poll(150)


def test_a_supervisor_whose_every_turn_is_late_notices_a_hang(tmp_path: Path) -> None:
    world = BusyWorld()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: setattr(world.of("sound"), "hung", True))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    stages = show.record.stages
    assert [stages[name].restarts for name in ("camera", "sound", "speaker")] == [0, 1, 0]
    assert [line for line in show.record.notes if line.startswith("sound: gave no sign of life")]


@pytest.mark.parametrize("kind", [BusyWorld, DeafWorld])
def test_a_supervisor_that_hears_nobody_for_a_while_blames_nobody(tmp_path: Path, kind: type[DeafWorld]) -> None:
    world = kind()
    with subprocess.Popen(["sleep", "600"]) as stopped:
        try:
            stopped.send_signal(signal.SIGSTOP)
            world.pid = stopped.pid
            show = supervisor(world, tmp_path, duration_s=20.0)
            world.at(5.0, lambda: setattr(world, "deafened", True))
            world.at(7.5, lambda: setattr(world, "deafened", False))
            world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
            assert show.run().code == 0
        finally:
            stopped.kill()
    assert all(stage.restarts == 0 for stage in show.record.stages.values())


def test_what_has_changed_since_it_was_ready_is_in_the_record(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").say(Health(stage="sound", info={"backend": "onnxruntime"})))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].info == {"device": "fake", "backend": "onnxruntime"}


def test_every_note_of_a_stage_is_in_the_record_once_and_those_that_could_not_come_are_counted(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=5.0)
    notes = ["camera: a lens is dirty", "again", "again"]
    world.at(2.0, lambda: world.of("camera").say(Health(stage="camera", notes=notes, counters={"notes_lost": 3})))
    world.at(4.0, lambda: world.of("speaker").say(Finished(stage="speaker", reason="the duration is over")))
    world.at(4.0, lambda: world.of("sound").say(Health(stage="sound", notes=["the last word"])))
    assert show.run().code == 0
    assert list(show.record.notes) == [
        "camera: a lens is dirty",
        "camera: again",
        "camera: again",
        "camera: 3 notes came too fast to be passed on",
        "speaker: the duration is over",
        "sound: the last word",
    ]


def test_late_words_of_a_dead_process_count_but_do_not_keep_its_successor_alive(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)

    def ghost() -> None:
        old = next(child for child in world.children if child.stage == "sound")
        old.say(Health(stage="sound", counters={"published": 1_000}, memo={"pid": -1}))

    world.at(5.0, lambda: world.of("sound").kill())
    world.at(8.0, ghost)
    world.at(12.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].totals.counter("published") > 1_000
    third = world.of("sound")
    assert third.line["memo"] == {"pid": [child for child in world.children if child.stage == "sound"][1].pid}


@pytest.mark.parametrize(("name", "after_s"), [("microphone", 0.4), ("screen", 0.0)])
def test_without_a_speaker_the_microphone_or_the_screen_ends_the_show(
    tmp_path: Path, name: str, after_s: float
) -> None:
    world = World()
    rows = [plain_row(row) for row in ("microphone", "screen")]
    show = supervisor(world, tmp_path, rows, direction="music-to-video")
    world.at(20.0, lambda: world.of(name).say(Finished(stage=name)))
    assert show.run() == Ending(0)
    assert show.record.end_ns is not None
    assert show.record.end_ns / 1e9 == pytest.approx(120.0 + after_s, abs=0.1)


@pytest.mark.parametrize("name", ["lamp", "anything"])
def test_a_stage_of_any_name_ends_the_show_where_its_row_says_so(tmp_path: Path, name: str) -> None:
    world = World()
    rows = [Process(name, "x", warm_spare=False, ends_show=EndOfShow(2_000)), plain_row("speaker")]
    show = supervisor(world, tmp_path, rows)
    world.at(5.0, lambda: world.of(name).say(Finished(stage=name, reason="burnt out")))
    assert show.run() == Ending(0)
    assert (show.record.end_ns or 0) / 1e9 == pytest.approx(107.0, abs=0.1)


def test_a_show_that_no_stage_ends_in_time_names_the_stage_whose_clock_it_is(tmp_path: Path) -> None:
    rows = [Process("metronome", "x", warm_spare=False, clock_of=("both",)), plain_row("camera")]
    ending = supervisor(World(), tmp_path, rows, duration_s=5.0).run()
    assert (ending.code, ending.line[:32]) == (1, "the metronome did not end the sh")


@pytest.mark.parametrize(("direction", "code"), [("music-to-video", 1), ("both", 0)])
def test_losing_a_stage_ends_only_the_directions_that_need_it(tmp_path: Path, direction: str, code: int) -> None:
    world = World()
    needed = Process("picture", "x", warm_spare=False, restarts=0, essential_to=("music-to-video",))
    rows = [needed, plain_row("speaker")]
    show = supervisor(world, tmp_path, rows, direction=direction, duration_s=20.0)
    world.at(5.0, lambda: setattr(world.of("picture"), "status", -9))
    world.at(20.0, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == code


@pytest.mark.parametrize("direction", FORWARD)
def test_a_sense_that_keeps_dying_ends_a_show_only_before_it_begins(tmp_path: Path, direction: str) -> None:
    world = World()
    rows = [replace(plain_row("camera"), restarts=1), plain_row("speaker")]
    show = supervisor(world, tmp_path, rows, direction=direction, duration_s=80.0)
    for at in (5.0, 8.0):
        world.at(at, lambda: setattr(world.of("camera"), "status", -9))
    world.at(80.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    given_up, back = show.record.degraded
    assert "camera: was killed by SIGKILL; it is given up, the performance goes on without it" in given_up
    assert back.endswith("camera: is back"), "it is tried again every minute"

    early = World()
    early.deaf.add("speaker")
    show = supervisor(early, tmp_path, rows, direction=direction, duration_s=80.0)
    for at in (1.0, 3.0):
        early.at(at, lambda: setattr(early.of("camera"), "status", -9))
    ending = show.run()
    assert (ending.code, show.record.start_ns) == (1, None)
    assert "camera: was killed by SIGKILL; it was started again too often" in ending.line


def test_a_crash_of_native_code_names_the_file_of_the_settings_or_that_it_was_told_to_read(tmp_path: Path) -> None:
    world = World()
    rows = [plain_row(name) for name in ("camera", "speaker", "scene")]
    clip, prior = str(tmp_path / "clip.mp4"), tmp_path / "odd.png"
    prior.write_bytes(b"")
    show = supervisor(world, tmp_path, rows, direction="both", duration_s=20.0, camera=f"file:{clip}")
    request = ControlRequest(stage="ctl", name="prior", value=str(prior))
    world.at(3.0, lambda: setattr(world.of("camera"), "status", -11))
    world.at(5.0, lambda: world.reports.append((b"ctl", request)))
    world.at(6.0, lambda: setattr(world.of("scene"), "status", -6))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    notes = " ".join(show.record.notes)
    assert f"camera: native code crashed (SIGSEGV) while it read {clip}; convert this file, or give another" in notes
    assert f"scene: native code crashed (SIGABRT) while it read {prior}; convert" in notes


def test_no_recorder_without_a_folder_and_no_process_for_another_machines_stage() -> None:
    names = [row.name for row in rows_for(Show(direction="video-to-music", record=""))]
    assert "recorder" not in names
    assert "recorder" in [row.name for row in rows_for(Show(direction="video-to-music"))]
    links = Links(addresses={"motion": "tcp://192.0.2.1:5001", "camera": "tcp://127.0.0.1:5000"}, keys="k")
    names = [row.name for row in rows_for(Show(direction="video-to-music", links=links))]
    assert "motion" not in names
    assert "camera" in names


def test_a_process_that_the_system_refuses_is_tried_again(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(4.9, lambda: setattr(world, "refusals", 8))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    sound = show.record.stages["sound"]
    assert (sound.restarts, sound.state) == (1, "closed")
    assert sound.recovery_ms == [pytest.approx(2_600, abs=200)]
    notes = [note for note in show.record.notes if "refuses" in note]
    assert notes == ["sound: the system refuses a process for it (Too many open files); it is tried again"]


def test_a_process_that_is_refused_from_the_beginning_ends_the_show_with_a_line(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    world.refusals = 1_000
    ending = show.run()
    assert ending.code == 1
    assert "ulimit" in ending.line


def test_a_defect_of_the_supervisor_is_an_ending_and_leaves_nothing(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)

    def fail() -> None:
        raise KeyError("a defect")

    world.at(5.0, fail)
    ending = show.run()
    assert ending.code == 1
    assert "KeyError" in ending.line
    assert show.record.end_ns is not None
    assert all(child.status is not None for child in world.children)


def test_errors_of_the_system_in_the_supervisor_do_not_end_the_show(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=10.0)

    def fail() -> None:
        raise OSError(24, "Too many open files")

    for at in (3.0, 4.0, 5.0):
        world.at(at, fail)
    world.at(10.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run() == Ending(0)
    assert sum("Too many open files" in note for note in show.record.notes) == 1


def test_the_fourth_restart_of_a_stage_that_works_is_immediate(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    for at in (3.0, 6.0, 9.0, 12.0):
        world.at(at, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].recovery_ms == [pytest.approx(520, abs=50)] * 4


def test_what_is_given_up_is_tried_again_later_and_said(tmp_path: Path) -> None:
    world = World()
    rows = [*table(), replace(plain_row("recorder"), restarts=1, essential_to=(), needs="")]
    show = supervisor(world, tmp_path, rows, duration_s=100.0)
    for at in (3.0, 6.0):
        world.at(at, lambda: world.of("recorder").kill())
    world.at(100.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    given_up, back = show.record.degraded
    assert "recorder: was killed by SIGKILL; it is given up" in given_up
    assert back.endswith("recorder: is back")
    assert show.record.stages["recorder"].state == "closed"


def test_in_a_show_of_both_directions_the_other_one_goes_on(tmp_path: Path) -> None:
    world = World()
    rows = [*table(restarts=0), plain_row("screen")]
    show = supervisor(world, tmp_path, rows, direction="both", duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].state == "lost"
    assert "sound: " in " ".join(show.record.degraded)


def test_a_show_whose_clock_is_lost_ends_with_its_duration(tmp_path: Path) -> None:
    world = World()
    rows = [plain_row("camera"), replace(plain_row("speaker"), restarts=0), plain_row("screen")]
    show = supervisor(world, tmp_path, rows, direction="both", duration_s=20.0)
    world.at(5.0, lambda: world.of("speaker").kill())
    assert show.run() == Ending(0)
    assert show.record.duration_s() == pytest.approx(20.0, abs=0.1)


def test_a_stage_that_keeps_dying_is_started_with_plainer_settings(tmp_path: Path) -> None:
    world = World()
    rows = [*table(), replace(plain_row("motion"), plainer=(("eyes", "bundle"),))]
    show = supervisor(world, tmp_path, rows, duration_s=20.0)
    for at in (3.0, 5.0, 7.0):
        world.at(at, lambda: world.of("motion").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    eyes = [child.line["show"]["eyes"] for child in world.children if child.stage == "motion"]  # type: ignore[index]
    assert eyes == ["auto", "auto", "auto", "bundle"]
    assert "motion: is started with --eyes bundle" in " ".join(show.record.degraded)


def test_a_pause_that_a_stage_has_announced_is_no_hang(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)

    def pause() -> None:
        world.of("sound").say(Alive(stage="sound", patience_ms=6_000))
        world.of("sound").next_ns = world.now_ns + 5 * S

    world.at(5.0, pause)
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].restarts == 0


def test_a_control_on_its_way_makes_no_note_and_a_question_is_answered(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)

    def ask(value: str, *, passing: bool) -> None:
        world.reports.append((b"web", ControlRequest(stage="web", name="volume", value=value, passing=passing)))

    world.at(3.0, lambda: ask("-10", passing=True))
    world.at(4.0, lambda: ask("-20", passing=False))
    world.at(5.0, lambda: world.reports.append((b"web", StatusRequest(stage="web", notes=0))))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert told(world, "sound") == [("volume", -10.0), ("volume", -20.0)]
    assert "volume is now -20 dB" in show.record.notes
    assert "volume is now -10 dB" not in show.record.notes
    (status,) = [said.status for _, who, said in world.said if who == b"web" and isinstance(said, StatusReply)]
    assert {row["name"]: row["state"] for row in status["rows"]} == {row.name: "running" for row in table()}
    assert "volume is now -20 dB" in status["notes"]
    assert status["notes_count"] >= 1


def test_ticks_that_are_late_for_long_give_up_the_pictures_and_a_restarted_stage_knows(tmp_path: Path) -> None:
    world = World()
    names = ("camera", "tokens", "speaker", "picture")
    show = supervisor(world, tmp_path, [plain_row(name) for name in names], duration_s=20.0)
    bins = {bin_of(90.0): 2}
    for number in range(8):
        beat = Health(stage="tokens", histograms={"step_ms": bins})
        world.at(5.0 + 0.25 * number, lambda beat=beat: world.of("tokens").say(beat))
    world.at(7.2, lambda: world.of("picture").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    told = [(identity, said.level) for _, identity, said in world.said if isinstance(said, Load)]
    first, second = (child.identity for child in world.children if child.stage == "picture")
    of_first = [level for identity, level in told if identity == first]
    of_second = [level for identity, level in told if identity == second]
    assert of_first[:2] == [1, 2]
    assert of_second[0] == of_first[-1], "what is given up at present"
    assert of_second[-1] == 0
    assert show.record.load.highest >= 2
    assert show.record.load.level == 0
