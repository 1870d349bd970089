"""The stage that speaks OSC: requests go to the supervisor, changes and what is played come back with their times."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES
from streaming.remote.osc_listeners import LISTENS_NS, MAX_LISTENERS, Listeners
from streaming.remote.osc_messages import OscCall, pack, read_packet
from streaming.remote.osc_stage import OscStage
from streaming.remote.oscquery import OscQueryServer
from streaming.schema.messages import ControlReply, ControlRequest, Set, Sound, Speaker
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from tests.live.place import wait_for

NOW_NS = 5_000_000_000
WALL_S = 1_700_000_000.0


class FakeLink:
    """Keeps the requests, and gives the replies that a test puts in."""

    def __init__(self, *_: Any) -> None:
        self.requests: list[ControlRequest] = []
        self.replies: list[ControlReply] = []
        self.is_closed = False

    def send(self, report: ControlRequest) -> None:
        self.requests.append(report)

    def receive(self) -> list[ControlReply]:
        replies, self.replies = self.replies, []
        return replies

    def close(self) -> None:
        self.is_closed = True


class Peer:
    """An OSC program beside the show."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(2.0)
        self._port = port

    def send(self, address: str, *values: float | int | str) -> None:
        self.send_raw(bytes(pack(address, *values).dgram))

    def send_raw(self, data: bytes) -> None:
        self._socket.sendto(data, ("127.0.0.1", self._port))

    def datagram(self) -> bytes:
        return self._socket.recvfrom(65_536)[0]

    def calls(self) -> list[OscCall]:
        return read_packet(self.datagram())

    def hears_nothing(self) -> bool:
        self._socket.settimeout(0.1)
        try:
            self._socket.recvfrom(65_536)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(2.0)
        return False

    def close(self) -> None:
        self._socket.close()


class Place:
    """A stage on a free port, its link, and somebody who talks to it."""

    def __init__(self, direction: str = "both") -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self.link, self.metrics, self.woken = FakeLink(), Metrics(), 0
        self.notes: list[str] = []
        query = functools.partial(OscQueryServer, is_announced=False)
        self.stage = OscStage(lambda *_: self.link, query, lambda at_ns: WALL_S + at_ns / 1e9)  # type: ignore[arg-type]
        self.context = Context(
            Show(osc=str(port), direction=direction),
            self.metrics,
            wake=self._wake,
            note=self.notes.append,
            now_ns=NOW_NS,
        )
        self.stage.setup(self.context)
        self.peer = Peer(port)
        self.port = port

    def _wake(self) -> None:
        self.woken += 1

    def step(self, now_ns: int = NOW_NS, **inputs: Any) -> None:
        self.stage.step(Inputs(**inputs), now_ns)

    def sent(self, *values: Any) -> None:
        """Send a message and let the stage take it."""
        before = self.woken
        self.peer.send(*values)
        wait_for(lambda: self.woken > before, 5.0)
        self.step()

    def close(self) -> None:
        self.stage.close()
        self.peer.close()


@pytest.fixture
def place() -> Iterator[Place]:
    one = Place()
    yield one
    one.close()


def test_a_message_becomes_a_request_and_its_change_is_told(place: Place) -> None:
    place.sent("/antiphon/motion", 2.5)
    assert [(one.name, float(one.value)) for one in place.link.requests] == [("motion", 2.5)]
    place.step(controls=[Set(name="motion", value=2.5)])
    assert place.peer.calls() == [OscCall("/antiphon/motion", (2.5,))]


def test_a_slider_is_asked_for_once_a_step(place: Place) -> None:
    for number in range(40):
        place.peer.send("/antiphon/volume", -number / 2)
    wait_for(lambda: place.woken >= 40, 5.0)
    place.step()
    assert [(one.name, float(one.value)) for one in place.link.requests] == [("volume", -19.5)]


def test_what_is_wrong_is_answered_and_counted(place: Place) -> None:
    place.sent("/antiphon/motion", 99.0)
    (call,) = place.peer.calls()
    assert call.address == "/antiphon/error"
    assert "0 to 4" in call.arguments[1]
    place.link.replies = [ControlReply(lines=["cannot be read", "set prior x.png", "give another"], refused=True)]
    place.step()
    assert place.peer.calls() == [OscCall("/antiphon/error", ("set prior x.png", "cannot be read; give another"))]
    before = place.woken
    place.peer.send_raw(b"no osc at all")
    wait_for(lambda: place.woken > before, 5.0)
    place.step()
    counters = place.metrics.take().counters
    assert counters["bad"] == 1
    assert counters["refused"] == 2
    assert not place.link.requests


def test_taps_set_the_tempo(place: Place) -> None:
    for at_ms, values in ((0, ()), (100, (0,)), (600, (1.0,)), (1200, ())):
        before = place.woken
        place.peer.send("/antiphon/tap", *values)
        wait_for(lambda before=before: place.woken > before, 5.0)  # type: ignore[misc]
        place.step(NOW_NS + at_ms * 1_000_000)
    assert [(one.name, one.value) for one in place.link.requests] == [("tempo", "100.0")] * 2


def test_who_subscribes_hears_every_value_and_then_what_is_played(place: Place) -> None:
    place.sent("/antiphon/subscribe")
    values = dict(call for _ in CONTROLS for call in [(c.address, c.arguments) for c in place.peer.calls()])
    assert set(values) == {f"/antiphon/{name}" for name in CONTROLS}
    assert values["/antiphon/motion"] == (1.0,)
    assert values["/antiphon/voice"] == ("auto",)
    place.step(messages={"sound": [Sound(tick=0, pcm=np.zeros(TICK_SAMPLES, np.float32))]})
    assert [call.address for call in place.peer.calls()] == ["/antiphon/out/position", "/antiphon/out/level"]
    place.sent("/antiphon/unsubscribe")
    place.step(messages={"sound": [Sound(tick=1, pcm=np.zeros(TICK_SAMPLES, np.float32))]})
    assert place.peer.hears_nothing()


def test_events_have_the_time_at_which_they_leave_the_device(place: Place) -> None:
    place.sent("/antiphon/get")
    for _ in CONTROLS:
        place.peer.datagram()
    place.step(messages={"speaker": [Speaker(tick=2, dac_ns=NOW_NS + 2 * TICK_NS)]})
    time_s = np.arange(10 * TICK_SAMPLES) / SAMPLE_RATE
    sound = np.where(time_s >= 0.21, 0.3 * np.sin(2 * np.pi * 440.0 * time_s), 0.0).astype(np.float32)
    heard: dict[str, list[tuple[float, Any]]] = {}
    for tick, pcm in enumerate(sound.reshape(-1, TICK_SAMPLES)):
        place.step(messages={"sound": [Sound(tick=tick, pcm=pcm)]})
        count = 2 if tick == 5 else 1
        for _ in range(count):
            data = place.peer.datagram()
            at_s = int.from_bytes(data[8:12], "big") - 2_208_988_800 + int.from_bytes(data[12:16], "big") / 2**32
            for call in read_packet(data):
                heard.setdefault(call.address, []).append((at_s - WALL_S - NOW_NS / 1e9, call.arguments[0]))
    positions = heard["/antiphon/out/position"]
    assert [value for _, value in positions] == list(range(10))
    assert [at_s for at_s, _ in positions] == pytest.approx([0.04 * tick for tick in range(10)], abs=1e-3)
    ((onset_s, strength),) = heard["/antiphon/out/onset"]
    assert onset_s == pytest.approx(0.21, abs=0.005)
    assert strength > 0.18
    assert heard["/antiphon/out/pitch"][-1][1] == pytest.approx(69.0, abs=0.1)
    assert heard["/antiphon/out/level"][-1][1] == pytest.approx(20 * np.log10(0.3 * 0.5**0.5), abs=0.3)


def test_a_taken_port_leaves_the_show_without_osc(place: Place) -> None:
    other = OscStage()
    notes: list[str] = []
    context = Context(Show(osc=str(place.port)), Metrics(), note=notes.append, now_ns=NOW_NS)
    other.setup(context)
    assert len(notes) == 1
    assert f"--osc 127.0.0.1:{place.port}" in notes[0]
    assert other.step(Inputs(controls=[Set(name="motion", value=1.0)]), NOW_NS) == []
    other.close()


def test_listeners_are_bounded_and_forgotten() -> None:
    listeners = Listeners()
    for port in range(1, MAX_LISTENERS + 10):
        listeners.hear_from(("127.0.0.1", port), NOW_NS + port)
    assert len(listeners.at(NOW_NS)) == MAX_LISTENERS
    assert ("127.0.0.1", 1) not in listeners.at(NOW_NS)
    assert listeners.at(NOW_NS + 2 * LISTENS_NS) == []
    listeners.hear_from(("127.0.0.1", 5), NOW_NS, 9_001)
    listeners.hear_from(("127.0.0.1", 6), NOW_NS, 9_001)
    assert listeners.at(NOW_NS) == [("127.0.0.1", 9_001)]
    listeners.forget(("127.0.0.1", 5))
    listeners.forget(("127.0.0.1", 6))
    assert listeners.at(NOW_NS) == []
