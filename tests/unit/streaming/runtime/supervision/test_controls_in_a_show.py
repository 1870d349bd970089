"""Live controls between whoever sets them and the stages that obey them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streaming.schema.messages import (
    Confirmation,
    ControlReply,
    ControlRequest,
    Finished,
    StatusReply,
    StatusRequest,
)
from streaming.settings.controls import CONTROLS
from tests.unit.streaming.runtime.supervision.virtual_show import (
    World,
    plain_row,
    replies,
    supervisor,
    table,
    told,
)


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
