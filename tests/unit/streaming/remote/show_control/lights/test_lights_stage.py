"""The stage of DMX over real sockets of this machine: faders set controls, nonsense is refused, light comes out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES
from streaming.remote.show_control.lights.artnet import pack_artnet, read_artnet
from streaming.remote.show_control.lights.artnet_poll import ArtPort, PollAnswers, pack_reply
from streaming.remote.show_control.lights.dmx_packet import DmxPacket
from streaming.remote.show_control.lights.lights_stage import MAX_QUEUE, LightsStage
from streaming.remote.show_control.lights.sacn import pack_sacn, read_sacn
from streaming.schema.messages import Picture, Sound, Speaker
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from tests.live.place import wait_for
from tests.unit.streaming.remote.test_osc_stage import FakeLink

CID = bytes(16)
PATCH = {"volume": "1", "motion": "2/16", "mute": "4", "level": "1", "onset": "2", "red": "3", "blue": "5/16"}


class Rig:
    """A stage on free ports of this machine, with a light desk beside it."""

    def __init__(self, dmx_in: str = "", dmx_out: str = "") -> None:
        self.desk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.desk.bind(("127.0.0.1", 0))
        self.desk.settimeout(10.0)
        port = self.desk.getsockname()[1] if dmx_out else 0
        self.link, self.metrics, self.notes, self.now_ns = FakeLink(), Metrics(), list[str](), 10**9
        self.stage = LightsStage(lambda *_: self.link, {"artnet": port, "sacn": port}, PollAnswers(lambda: 0.5))  # type: ignore[arg-type]
        show = Show(dmx_in=dmx_in, dmx_out=dmx_out, dmx_patch=PATCH)
        self.woken = 0
        self.context = Context(show, self.metrics, wake=self.wake, note=self.notes.append, now_ns=self.now_ns)
        self.stage.setup(self.context)
        self.bad = 0

    def wake(self) -> None:
        self.woken += 1

    def step(self, **messages: Any) -> None:
        self.stage.step(Inputs(messages=messages), self.now_ns)

    def send(self, *datagrams: bytes) -> None:
        """Send to the stage, and let it read."""
        host, _, port = str(self.context.info["device"]).partition(" at ")[2].partition(",")[0].rpartition(":")
        before = self.woken
        for datagram in datagrams:
            self.desk.sendto(datagram, (host, int(port)))
        wait_for(lambda: self.woken >= before + len(datagrams), 20.0)
        self.step()

    def requests(self) -> list[tuple[str, float]]:
        return [(one.name, float(one.value)) for one in self.link.requests]


@pytest.fixture
def rigs() -> Iterator[list[Rig]]:
    opened: list[Rig] = []
    yield opened
    for rig in opened:
        rig.stage.close()
        rig.desk.close()


@pytest.mark.parametrize("protocol", ["artnet", "sacn"])
def test_a_fader_that_moves_sets_its_control(rigs: list[Rig], protocol: str) -> None:
    rigs.append(rig := Rig(dmx_in=f"{protocol}:3"))
    pack = pack_artnet if protocol == "artnet" else pack_sacn
    numbers = iter(range(1, 100))

    def levels(*values: int, universe: int = 3) -> bytes:
        return pack(DmxPacket(universe, bytes(values), next(numbers), source=CID))

    rig.send(levels(200, 10, 0, 0, 0, 0))
    assert rig.requests() == [], "where the faders stand at first says nothing"
    rig.send(levels(255, 10, 0, 0, 0, 0), levels(9, 9, 9, 9, 9, 9, universe=4))
    assert rig.requests() == [("volume", 6.0)]
    rig.send(levels(255, 0x80, 0, 200, 0, 0))
    assert rig.requests()[1:] == [("motion", pytest.approx(4.0 * 0x8000 / 65_535)), ("mute", 1.0)]
    assert all(one.passing for one in rig.link.requests)
    rig.send(levels(255, 0x80, 0, 200, 0, 0))
    assert len(rig.requests()) == 3, "only what changes"


def test_nonsense_is_counted_said_once_and_the_fader_still_works(rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(dmx_in="artnet:0"))
    good = [pack_artnet(DmxPacket(0, bytes([value, 0, 0, 0, 0, 0]), value)) for value in (1, 2)]
    rig.send(good[0], b"", b"x" * 1_400, good[0][:15], b"Art-Net\0" + bytes(30), good[1])
    assert rig.metrics.take("lights").counters["bad"] == 3
    (note,) = rig.notes
    assert note.startswith("DMX: a packet from 127.0.0.1 does not begin as Art-Net does")
    ((name, value),) = rig.requests()
    assert name == "volume"
    assert value == pytest.approx(-60 + 66 * 2 / 255)


def test_a_desk_that_looks_for_the_show_finds_both_universes_once_a_second(rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(dmx_in="artnet:3@127.0.0.8", dmx_out="artnet:291@127.0.0.9"))
    poll = b"Art-Net\0\0\x20\0\x0e\0\0"
    rig.send(pack_artnet(DmxPacket(3, bytes(6), 1)), poll, poll, poll[:11])
    counters = rig.metrics.take("lights").counters
    assert (counters["polls_dropped"], counters["bad"]) == (1, 1)
    rig.desk.setblocking(False)
    with pytest.raises(BlockingIOError):
        rig.desk.recv(2_000)
    rig.desk.settimeout(10.0)
    rig.now_ns += 10**9 // 2
    rig.step()
    hears, sends = ArtPort(3, is_sent=False, is_active=True), ArtPort(291, is_sent=True, is_active=True)
    assert rig.desk.recv(2_000) == pack_reply(hears, "127.0.0.8", 1, 1)
    assert rig.desk.recv(2_000) == pack_reply(sends, "127.0.0.8", 2, 2)
    rig.now_ns += 2 * 10**9
    rig.send(poll[:12] + b"\x20\0\0\x63\0\x04", poll[:12] + b"\x20\0\x01\x23\x01\x23")
    rig.now_ns += 10**9
    rig.step()
    assert rig.desk.recv(2_000) == pack_reply(sends, "127.0.0.8", 2, 3), "who asks for others gets no answer"


def test_a_flood_is_bounded_and_counted(rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(dmx_in="artnet:0"))
    host, _, port = str(rig.context.info["device"]).rpartition(" ")[2].rpartition(":")
    for _ in range(500):
        rig.desk.sendto(b"x", (host, int(port)))
    wait_for(lambda: rig.woken >= MAX_QUEUE + 20, 20.0)
    rig.step()
    counters = rig.metrics.take("lights").counters
    assert counters["dmx_dropped"] >= 20
    assert counters["bad"] <= MAX_QUEUE


def test_a_port_that_is_taken_costs_the_desk_and_not_the_show(rigs: list[Rig]) -> None:
    rigs.append(rig := Rig())
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    stage = LightsStage(lambda *_: rig.link, {"artnet": taken.getsockname()[1]})  # type: ignore[arg-type]
    context = Context(Show(dmx_in="artnet:0"), rig.metrics, note=rig.notes.append)
    stage.setup(context)
    stage.step(Inputs(), 0)
    stage.close()
    taken.close()
    assert context.info["device"] == "none"
    assert rig.notes[0].startswith("no DMX in: --dmx-in at 127.0.0.1:")


@pytest.mark.parametrize("protocol", ["artnet", "sacn"])
def test_light_goes_out_when_its_sound_is_heard(rigs: list[Rig], protocol: str) -> None:
    rigs.append(rig := Rig(dmx_out=f"{protocol}:7"))
    assert rig.context.unwanted == frozenset(), "the picture is wanted for its colours"
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 2] = 255
    time_s = np.arange(12 * TICK_SAMPLES) / SAMPLE_RATE
    tone = np.where(time_s > 0.21, 0.5 * np.sin(2 * np.pi * 440 * time_s), 0.0).astype(np.float32)
    begin_ns, lead_ns = rig.now_ns, 60_000_000
    seen: list[tuple[int, bytes]] = []
    for tick, pcm in enumerate(tone.reshape(-1, TICK_SAMPLES)):
        rig.now_ns = begin_ns + tick * TICK_NS
        clock = Speaker(tick=tick, dac_ns=rig.now_ns + lead_ns)
        rig.step(speaker=[clock], sound=[Sound(tick=tick, pcm=pcm)], picture=[Picture(tick=tick, image=red)])
        datagram = rig.desk.recv(2_000)
        packet = read_artnet(datagram) if protocol == "artnet" else read_sacn(datagram)
        assert packet is not None
        assert (packet.universe, packet.sequence) == (7, tick + 1)
        seen.append((tick, packet.levels))
    levels = [found[0] for _, found in seen]
    # Tick 5 has the onset and is heard a tick and a half after it was made.
    assert max(levels[:7]) == 0
    assert min(levels[8:]) > 150
    assert max(found[1] for _, found in seen[6:9]) > 60
    assert all(found[2] == 255 and found[4:6] == b"\0\0" for _, found in seen)


def test_a_source_of_sacn_says_that_it_stops(rigs: list[Rig]) -> None:
    rig = Rig(dmx_out="sacn:7")
    rig.step()
    rig.stage.close()
    packets = [read_sacn(rig.desk.recv(2_000)) for _ in range(4)]
    rig.desk.close()
    assert [packet.ended for packet in packets if packet] == [False, True, True, True]
    assert len({packet.source for packet in packets if packet}) == 1


def test_who_sends_no_colours_reads_no_pictures() -> None:
    context = Context(Show(dmx_out="artnet:0", dmx_patch={"level": "1"}), Metrics())
    stage = LightsStage()
    stage.setup(context)
    stage.close()
    assert context.unwanted == {"picture"}
