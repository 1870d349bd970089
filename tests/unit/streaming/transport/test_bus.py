"""Topics on real sockets: policies under overload, restarts, states, bad bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from streaming.errors import UserError
from streaming.schema.messages import (
    TOPICS,
    Message,
    Scene,
    Sound,
    Speaker,
)
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from streaming.transport import wire
from streaming.transport.bus import Publisher, Subscriber
from streaming.transport.sockets import Poller
from tests.unit.streaming.transport.bus_messages import PATIENCE_NS, collect, counters, flow, join, sound, speaker


def test_slow_joiner_hears_what_comes_after_it_and_counts_no_gap(where: Any, closing: Any) -> None:
    metrics = Metrics()
    publisher = closing(Publisher("sound", where("sound")))
    for tick in range(10):
        publisher.send(sound(tick))
    subscriber = closing(Subscriber({"sound": where("sound")}, metrics))
    join(publisher, subscriber, sound)
    assert counters(metrics) == {}


def test_a_topic_that_is_left_out_is_not_sent_and_its_gap_is_no_loss(where: Any, closing: Any) -> None:
    metrics = Metrics()
    publisher = closing(Publisher("sound", where("sound")))
    subscriber = closing(Subscriber({"sound": where("sound")}, metrics))
    join(publisher, subscriber, sound)
    subscriber.leave_out(frozenset({"sound", "camera"}))
    # What is on its way may still come; then nothing more does.
    until_ns = clock.now_ns() + 500_000_000
    arrived = 0
    for tick in range(100, 150):
        publisher.send(sound(tick))
        Poller(subscriber).wait(clock.now_ns() + 10_000_000, precise=False)
        arrived = 0 if clock.now_ns() < until_ns - 400_000_000 else arrived + len(subscriber.drain())
    assert arrived == 0
    subscriber.drain()
    subscriber.leave_out(frozenset())
    join(publisher, subscriber, sound)
    assert counters(metrics) == {}


def test_a_reader_may_come_before_the_writer(where: Any, closing: Any) -> None:
    subscriber = closing(Subscriber({"speaker": where("speaker")}, Metrics()))
    assert subscriber.drain() == {}
    publisher = closing(Publisher("speaker", where("speaker")))
    assert isinstance(join(publisher, subscriber, speaker), Speaker)


def test_ordered_topic_arrives_whole_and_in_order(where: Any, closing: Any) -> None:
    metrics = Metrics()
    publisher = closing(Publisher("sound", where("sound")))
    subscriber = closing(Subscriber({"sound": where("sound")}, metrics))
    first = join(publisher, subscriber, sound).seq + 1
    for tick in range(50):
        publisher.send(sound(tick))
    got = collect(subscriber, lambda got: len(got) == 50)
    assert [m.seq for m in got] == list(range(first, first + 50))
    assert [m.tick for m in got if isinstance(m, Sound)] == list(range(50))
    assert all(isinstance(m, Sound) and not m.pcm.flags.writeable and m.pcm.flags.aligned for m in got)
    assert counters(metrics) == {}


@pytest.mark.parametrize(("topic", "make"), [("speaker", speaker), ("flow", flow)])
def test_latest_topic_gives_the_newest_and_counts_the_rest(topic: str, make: Any, where: Any, closing: Any) -> None:
    metrics = Metrics()
    publisher = closing(Publisher(topic, where(topic)))
    subscriber = closing(Subscriber({topic: where(topic)}, metrics))
    start = join(publisher, subscriber, make).seq
    counters(metrics)
    got: list[Message] = []
    total = 3 * TOPICS[topic].queue // 4
    for tick in range(total):
        publisher.send(make(tick))
    while not got or got[-1].seq < start + total:
        messages = [message for some in subscriber.drain().values() for message in some]
        assert len(messages) <= TOPICS[topic].room
        got += messages
    seqs = [message.seq for message in got]
    assert seqs == sorted(set(seqs))
    assert counters(metrics).get(f"drops.{topic}", 0) == total - len(got)


@pytest.mark.parametrize(("topic", "make"), [("sound", sound), ("speaker", speaker)])
def test_a_reader_that_sleeps_is_bounded_and_its_losses_are_counted(
    topic: str, make: Any, where: Any, closing: Any
) -> None:
    metrics = Metrics()
    publisher = closing(Publisher(topic, where(topic)))
    subscriber = closing(Subscriber({topic: where(topic)}, metrics))
    first = join(publisher, subscriber, make).seq + 1
    counters(metrics)
    total = 20_000  # far beyond both queues and the kernel's buffers
    for tick in range(total):
        latest = make(tick)
        publisher.send(latest)
    got = collect(subscriber, bool)
    # What is sent now arrives again: a queue that was full a moment ago may still refuse the first of it.
    poller, deadline = Poller(subscriber), clock.now_ns() + PATIENCE_NS
    while got[-1].seq != latest.seq:
        assert clock.now_ns() < deadline
        latest = make(0)
        publisher.send(latest)
        poller.wait(clock.now_ns() + 10_000_000, precise=False)
        got += [message for messages in subscriber.drain().values() for message in messages]
    last = got[-1]
    seqs = [m.seq for m in got]
    assert seqs == sorted(set(seqs))
    assert len(got) < total / 2
    dropped = counters(metrics)[f"drops.{topic}"]
    assert dropped == last.seq - first + 1 - len(got)


def test_publisher_restart_is_heard_and_is_no_gap(where: Any, closing: Any) -> None:
    metrics = Metrics()
    subscriber = closing(Subscriber({"sound": where("sound")}, metrics))
    for _ in range(3):
        publisher = Publisher("sound", where("sound"))
        join(publisher, subscriber, sound)
        for tick in range(20):
            publisher.send(sound(tick))
        collect(subscriber, lambda got: len(got) == 20)
        publisher.close()
    assert counters(metrics) == {}


def test_killed_publisher_leaves_a_file_that_its_successor_takes_over(where: Any, closing: Any, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from streaming.transport.bus import Publisher\n"
        "publisher = Publisher('speaker', sys.argv[1])\n"
        "print('bound', flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = Path(clock.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script, where("speaker")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"bound\n"
        with pytest.raises(UserError, match="in use"):
            Publisher("speaker", where("speaker"))
        other.kill()
    assert (tmp_path / "speaker.sock").exists()
    subscriber = closing(Subscriber({"speaker": where("speaker")}, Metrics()))
    publisher = Publisher("speaker", where("speaker"))
    join(publisher, subscriber, speaker)
    publisher.close()
    assert not (tmp_path / "speaker.sock").exists()


def test_closing_does_not_remove_a_successors_file(where: Any, closing: Any, tmp_path: Path) -> None:
    first = Publisher("speaker", where("speaker"))
    os.unlink(tmp_path / "speaker.sock")
    closing(Publisher("speaker", where("speaker")))
    first.close()
    assert (tmp_path / "speaker.sock").exists()


def scene(identity: str) -> Scene:
    still = np.full((128, 128, 3), len(identity), np.uint8)
    return Scene(identity=identity, image=np.zeros((512, 1232, 3), np.uint8), still=still)


def welcomed(publisher: Publisher, subscriber: Subscriber) -> Scene:
    """The state that a reader gets because it has connected."""
    poller, deadline = Poller(publisher, subscriber), clock.now_ns() + PATIENCE_NS
    while True:
        assert clock.now_ns() < deadline
        poller.wait(clock.now_ns() + 50_000_000, precise=False)
        publisher.welcome()
        for message in subscriber.drain().get("scene", []):
            assert isinstance(message, Scene)
            return message


def test_a_state_is_sent_again_to_every_reader_that_connects(where: Any, closing: Any) -> None:
    publisher = closing(Publisher("scene", where("scene")))
    assert not publisher.welcome(), "nobody is there, and nothing to be sent"
    publisher.send(scene("first"))
    publisher.send(scene("second"))
    metrics = [Metrics(), Metrics()]
    readers = [closing(Subscriber({"scene": where("scene")}, metrics[0]))]
    assert welcomed(publisher, readers[0]).identity == "second", "only the newest"
    readers.append(closing(Subscriber({"scene": where("scene")}, metrics[1])))
    assert welcomed(publisher, readers[1]).identity == "second"
    assert not publisher.welcome(), "once for each that connects"
    publisher.send(scene("third"))
    for reader in readers:
        got = collect(reader, lambda messages: any(m.seq == 2 for m in messages))
        assert isinstance(got[-1], Scene)
        assert (got[-1].identity, got[-1].seq) == ("third", 2)
    assert [counters(one) for one in metrics] == [{}, {}], "what is sent again is no loss"


def test_a_reader_that_was_there_before_the_state_gets_it_once_it_is_sent(where: Any, closing: Any) -> None:
    reader = closing(Subscriber({"scene": where("scene")}, Metrics()))
    publisher = closing(Publisher("scene", where("scene")))
    publisher.send(scene("first"))
    assert welcomed(publisher, reader).identity == "first"


def test_a_restarted_publisher_of_a_state_is_heard(where: Any, closing: Any) -> None:
    first = Publisher("scene", where("scene"))
    reader = closing(Subscriber({"scene": where("scene")}, Metrics()))
    first.send(scene("first"))
    assert welcomed(first, reader).identity == "first"
    first.close()
    second = closing(Publisher("scene", where("scene")))
    second.send(scene("second one"))
    # The first one's may still come a second time: it was sent, and sent again to the reader that connected.
    while welcomed(second, reader).identity != "second one":
        pass


def test_what_is_no_state_is_never_sent_again(where: Any, closing: Any) -> None:
    publisher = closing(Publisher("sound", where("sound")))
    assert publisher.sockets() == ()
    publisher.send(sound(1))
    assert not publisher.welcome()


def test_bad_bytes_do_not_stop_the_reader(where: Any, closing: Any) -> None:
    metrics = Metrics()
    raw: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    raw.bind(where("sound"))
    subscriber = closing(Subscriber({"sound": where("sound")}, metrics))
    good = [bytes(frame) for frame in wire.pack(sound(1), TOPICS["sound"])]
    bad = [
        [b"sound"],
        [b"sound", b"garbage", b"x"],
        [b"sound", good[1][:-9], good[2]],
        [b"soundless", good[1], good[2]],
        [b"sound", good[1].replace(b"float32", b"float16"), good[2]],
        [b"sound", good[1], good[2][:-4]],
        [b"sound", b"\x92\x63" + good[1][2:], good[2]],
        [b"sound", good[1], good[2], *[b"y" * 9_000] * 3],
    ]
    heard: list[Message] = []
    poller, deadline = Poller(subscriber), clock.now_ns() + PATIENCE_NS
    while not heard:
        assert clock.now_ns() < deadline
        raw.send_multipart(good)
        poller.wait(clock.now_ns() + 20_000_000)
        heard = subscriber.drain().get("sound", [])
    for _ in range(25):
        for frames in bad:
            raw.send_multipart(frames)
        poller.wait(clock.now_ns() + 200_000_000)
        subscriber.drain()
    raw.send_multipart([b"sound", b"z" * 100_000])  # beyond what the socket accepts: the link is cut and made anew
    heard.clear()
    while not heard:
        assert clock.now_ns() < deadline
        raw.send_multipart(good)
        poller.wait(clock.now_ns() + 20_000_000)
        heard = subscriber.drain().get("sound", [])
    raw.close(0)
    bad_counts = {name for name in counters(metrics) if name.startswith("bad.")}
    expected = ("truncated", "malformed", "topic", "dtype", "shape", "version", "oversized", "link")
    assert bad_counts == {f"bad.sound.{reason}" for reason in expected}


def test_numbers_after_a_thousand_hours_travel_exactly() -> None:
    tick = 1_000 * 3_600 * 25
    message = Speaker(
        tick=tick, dac_ns=tick * 40_000_000 + 1, played=tick - 1, concealed=1, capture_ns=3_600 * 10**12 + 7
    )
    message.seq = tick + 3
    message.stamps["speaker"] = 3_600 * 10**12 + 9
    again = wire.unpack(wire.pack(message, TOPICS["speaker"]), TOPICS["speaker"])
    assert again == message
