"""The control link on real sockets: both ways, and what is malformed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from streaming.schema.messages import (
    Control,
    Health,
    Hello,
    Set,
    Start,
    Stop,
)
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from streaming.transport import wire
from streaming.transport.bus import ControlHub, ControlLink
from streaming.transport.links import CONTROL
from streaming.transport.sockets import Poller
from tests.unit.streaming.transport.bus_messages import PATIENCE_NS, counters


def until(poll: Callable[[], list[Any]], count: int) -> list[Any]:
    got: list[Any] = []
    deadline = clock.now_ns() + PATIENCE_NS
    while len(got) < count:
        assert clock.now_ns() < deadline, got
        got += poll()
    return got


def test_control_both_ways(where: Any, closing: Any, tmp_path: Path) -> None:
    metrics = Metrics()
    link = closing(ControlLink(where(CONTROL), b"motion:12"))
    link.send(Hello(stage="motion", pid=12))  # before there is a hub: kept
    hub = ControlHub(where(CONTROL), metrics)
    link.send(Health(stage="motion", counters={"a": 1}))
    reports = until(lambda: hub.poll(50), 2)
    assert [identity for identity, _ in reports] == [b"motion:12"] * 2
    assert reports[0][1] == Hello(stage="motion", pid=12)
    controls: list[Control] = [Start(now_ns=5), Set(name="temperature", value=0.5), Stop()]
    for control in controls:
        hub.send(b"motion:12", control)
    poller = Poller(link)

    def receive() -> list[Any]:
        poller.wait(clock.now_ns() + 50_000_000)
        received: list[Any] = link.receive()
        return received

    assert until(receive, 3) == controls
    hub.send(b"nobody:1", Stop())
    assert counters(metrics) == {"control_lost": 1}
    hub.close()
    assert not (tmp_path / "control.sock").exists()


def test_malformed_control_is_counted_and_ignored(where: Any, closing: Any) -> None:
    hub_metrics = Metrics()
    hub = closing(ControlHub(where(CONTROL), hub_metrics))
    raw: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    raw.setsockopt(zmq.IDENTITY, b"raw")
    raw.connect(where(CONTROL))
    raw.send(b"garbage")
    raw.send_multipart([wire.pack_control(Hello(stage="x", pid=1)), b"more"])
    raw.send(wire.pack_control(Stop()))
    raw.send(wire.pack_control(Hello(stage="x", pid=1)))
    assert until(lambda: hub.poll(50), 1) == [(b"raw", Hello(stage="x", pid=1))]
    assert counters(hub_metrics) == {"bad.control.malformed": 3}
    raw.close(0)


def test_malformed_words_of_a_supervisor_are_counted_and_ignored(where: Any, closing: Any) -> None:
    link_metrics = Metrics()
    supervisor: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    supervisor.bind(where(CONTROL))
    link = closing(ControlLink(where(CONTROL), b"x:2", link_metrics))
    link.send(Hello(stage="x", pid=2))
    assert supervisor.poll(10_000)
    for words in (b"\xff\xff", wire.pack_control(Stop())):
        supervisor.send_multipart([b"x:2", words])
    assert until(link.receive, 1) == [Stop()]
    assert counters(link_metrics) == {"bad.control.malformed": 1}
    supervisor.close(0)
