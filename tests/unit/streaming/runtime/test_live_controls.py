"""Requests that wait for a stage's word: all of the same value are answered, none waits for ever or without bound."""

from __future__ import annotations

from streaming.runtime.live_controls import MAX_PENDING, TIME_LIMIT_NS, PendingControls
from streaming.schema.messages import Confirmation, ControlReply


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
