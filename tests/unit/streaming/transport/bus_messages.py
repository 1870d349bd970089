"""Messages for tests of the bus, and waiting for them at real sockets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streaming.schema.messages import (
    Flow,
    Message,
    Sound,
    Speaker,
)
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from streaming.transport.bus import Publisher, Subscriber
from streaming.transport.sockets import Poller

PATIENCE_NS = 20_000_000_000


def sound(tick: int) -> Sound:
    return Sound(tick=tick, pcm=np.full(1280, tick / 1e6, np.float32))


def speaker(tick: int) -> Speaker:
    return Speaker(tick=tick, dac_ns=tick)


def flow(tick: int) -> Flow:
    return Flow(tick=tick, flow=np.zeros((2, 16, 16), np.float32))


def collect(subscriber: Subscriber, enough: Callable[[list[Message]], bool]) -> list[Message]:
    """Read until there is enough; fails after a time that no machine needs."""
    got: list[Message] = []
    poller, deadline = Poller(subscriber), clock.now_ns() + PATIENCE_NS
    while not enough(got):
        assert clock.now_ns() < deadline, f"only {len(got)} messages"
        poller.wait(clock.now_ns() + 50_000_000, precise=False)
        for messages in subscriber.drain().values():
            got += messages
    return got


def join(publisher: Publisher, subscriber: Subscriber, make: Callable[[int], Message]) -> Message:
    """Publish until the reader hears it; gives the newest heard once nothing more is under way."""
    heard: list[Message] = []
    poller, deadline = Poller(subscriber), clock.now_ns() + PATIENCE_NS
    tick = 0
    while not heard:
        assert clock.now_ns() < deadline
        latest = make(tick)
        publisher.send(latest)
        tick += 1
        poller.wait(clock.now_ns() + 10_000_000, precise=False)
        heard = [m for messages in subscriber.drain().values() for m in messages]
    while heard[-1].seq != latest.seq:
        heard += collect(subscriber, bool)
    return heard[-1]


def counters(metrics: Metrics) -> dict[str, int]:
    return metrics.take().counters
