"""Requests that wait for a stage's word: all of the same value are answered, none waits for ever or without bound."""

from __future__ import annotations

from pathlib import Path

from streaming.runtime.supervision.live_controls import (
    MAX_PENDING,
    SAID_AGAIN_NS,
    TIME_LIMIT_NS,
    LiveControls,
    PendingControls,
)
from streaming.schema.messages import Confirmation, Control, ControlReply, ControlRequest
from streaming.settings.config import Show
from streaming.settings.validation import with_control


def test_every_request_for_a_value_gets_the_stages_word_once() -> None:
    pending = PendingControls()
    for who, value in ((b"1", "a"), (b"2", "b"), (b"3", "a")):
        assert pending.add(who, "prior", value, 0) == []
    confirmed = Confirmation(stage="scene", name="prior", value="a")
    reply = ControlReply(lines=["prior is now a"])
    assert pending.resolve(confirmed, "prior is now a") == [(b"1", reply), (b"3", reply)]
    assert pending.resolve(confirmed, "prior is now a") == []
    refused = Confirmation(stage="scene", name="prior", value="b", refusal=["is none", "b", "give another"])
    assert pending.resolve(refused, "") == [(b"2", ControlReply(lines=["is none", "b", "give another"], refused=True))]


def test_a_stage_is_told_once_and_what_it_was_told_when_it_ended_is_refused() -> None:
    pending = PendingControls()
    pending.add(b"1", "prior", "a", 0)
    assert [(one.name, one.value) for one in pending.take_unsent("scene")] == [("prior", "a")]
    assert pending.take_unsent("scene") == []
    pending.add(b"2", "prior", "b", 0)
    assert pending.drop_sent("flow") == []
    ((who, reply),) = pending.drop_sent("scene")
    assert (who, reply.refused, reply.lines[0]) == (b"1", True, "ended the scene stage")
    assert [one.value for one in pending.take_unsent("scene")] == ["b"], "which the next process is told"


def test_a_request_expires() -> None:
    pending = PendingControls()
    pending.add(b"1", "prior", "a", 5)
    assert pending.expire(TIME_LIMIT_NS + 4) == []
    ((who, reply),) = pending.expire(TIME_LIMIT_NS + 5)
    assert (who, reply.refused, reply.lines[1]) == (b"1", True, "set prior a")
    assert pending.expire(10 * TIME_LIMIT_NS) == []


def test_of_too_many_the_oldest_is_refused() -> None:
    pending = PendingControls()
    for number in range(MAX_PENDING):
        assert pending.add(b"%d" % number, "prior", str(number), 0) == []
    ((who, reply),) = pending.add(b"more", "prior", "more", 0)
    assert (who, reply.refused) == (b"0", True)


def live_controls(lines: list[str], replies: list[ControlReply]) -> LiveControls:
    """The controls of a show without stages."""

    def send(identity: bytes, control: Control) -> None:
        assert isinstance(control, ControlReply)
        replies.append(control)

    return LiveControls(Show(), {}, send=send, note=lines.append, with_control=with_control)


def test_what_a_stage_has_in_use_is_kept_whatever_became_of_its_folder(tmp_path: Path) -> None:
    lines: list[str] = []
    controls = live_controls(lines, [])
    gone = tmp_path / "removed"
    for name, value in (("speaker", f"file:{gone / 'a.wav'}"), ("prior", str(gone / "a.png"))):
        controls.confirm(Confirmation(stage="x", name=name, value=value))
        assert controls.show.controls[name] == value
    assert controls.show.speaker == f"file:{gone / 'a.wav'}", "a stage that is started again opens it"
    assert lines[0] == f"speaker is now file:{gone / 'a.wav'}"


def test_a_fader_that_moves_is_told_of_now_and_then_and_where_it_ends() -> None:
    lines: list[str] = []
    replies: list[ControlReply] = []
    controls = live_controls(lines, replies)
    for step in range(60):
        now_ns = step * SAID_AGAIN_NS // 15
        controls.answer(b"desk", ControlRequest(stage="osc:1", name="volume", value=str(-step / 10)), now_ns)
        controls.expire(now_ns)
    assert 4 <= len(lines) <= 6, lines
    assert lines[0] == "volume is now 0 dB"
    assert len(replies) == 60, "whoever asks is answered each time"
    controls.expire(60 * SAID_AGAIN_NS)
    controls.expire(61 * SAID_AGAIN_NS)
    assert lines[-1] == "volume is now -5.9 dB"
    assert lines.count("volume is now -5.9 dB") == 1


def test_another_control_is_told_of_at_once_and_the_last_values_at_the_end_of_the_show() -> None:
    lines: list[str] = []
    controls = live_controls(lines, [])
    for name, value in (("volume", "-1"), ("volume", "-2"), ("motion", "2"), ("mute", "1")):
        controls.answer(b"desk", ControlRequest(stage="osc:1", name=name, value=value), 0)
    assert lines == ["volume is now -1 dB", "motion is now 2", "mute is now 1"]
    controls.close()
    assert lines[3:] == ["volume is now -2 dB"]


def test_the_speaker_that_its_stage_has_confirmed_is_that_of_a_process_that_is_started_later() -> None:
    lines: list[str] = []
    controls = live_controls(lines, [])
    refusal = ["there is no such audio output", "--speaker Xyz", "choose another"]
    controls.confirm(Confirmation(stage="speaker", name="speaker", value="Xyz", refusal=refusal))
    assert controls.show.speaker == "auto"
    controls.confirm(Confirmation(stage="speaker", name="speaker", value="USB Audio"))
    assert controls.show.speaker == "USB Audio"
    assert lines == ["speaker is now USB Audio"]
