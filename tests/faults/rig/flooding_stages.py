"""A program that becomes any stage of a show, and publishes many malformed messages beside each of its own."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from unittest import mock

import zmq

from streaming.runtime import stage_host, stage_process
from streaming.schema.messages import Message
from streaming.transport import wire
from streaming.transport.bus import Publisher
from tests.fuzz.malformed import many_malformed

BURST = 48
"""Malformed messages beside each good one; of more at once ZeroMQ drops some."""
KINDS = 300


class FloodingPublisher(Publisher):
    """Publishes the flood after each message of its stage."""

    _flood: Iterator[list[bytes]] | None = None

    def send(self, message: Message) -> None:
        """Publish a message, and the flood, which is damaged copies of the first one."""
        super().send(message)
        if self._flood is None:
            good = [bytes(frame) for frame in wire.pack(message, self.topic)]
            self._flood = itertools.cycle(many_malformed(good, self.topic, KINDS))
        for frames in itertools.islice(self._flood, BURST):
            self._socket.send_multipart(frames, zmq.NOBLOCK)


if __name__ == "__main__":
    with mock.patch.object(stage_host, "Publisher", FloodingPublisher):
        sys.exit(stage_process.main())
