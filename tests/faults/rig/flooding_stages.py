"""A program that becomes any stage of a show, and publishes many malformed messages beside each of its own."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator

from streaming.runtime import stage_process
from streaming.schema.messages import Message
from streaming.schema.topics import Policy, Topic
from streaming.transport import bus, wire
from tests.fuzz.malformed import many_malformed

BURST = 48
"""Malformed messages beside each good one; of more at once ZeroMQ drops some."""
KINDS = 300
good_pack, good_send = wire.pack, bus.Publisher.send
bad_frames: dict[str, Iterator[list[bytes]]] = {}


def send_flood(publisher: bus.Publisher, message: Message) -> None:
    """Publish a message, and the flood; a state's flood comes first, as its newest message is sent again."""
    topic = publisher.topic
    if topic.name not in bad_frames:
        frames = [bytes(frame) for frame in good_pack(message, topic)]
        bad_frames[topic.name] = itertools.cycle(many_malformed(frames, topic, KINDS))
    if topic.policy is not Policy.STATE:
        good_send(publisher, message)

    def pack_badly(message: Message, topic: Topic) -> list[wire.Frame]:
        return list(next(bad_frames[topic.name]))

    wire.pack = pack_badly
    try:
        for _ in range(BURST):
            good_send(publisher, message)
    finally:
        wire.pack = good_pack
    if topic.policy is Policy.STATE:
        good_send(publisher, message)


if __name__ == "__main__":
    bus.Publisher.send = send_flood  # type: ignore[method-assign, assignment]
    sys.exit(stage_process.main())
