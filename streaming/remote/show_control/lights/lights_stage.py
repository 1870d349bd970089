"""The stage that speaks DMX: a light desk's faders set controls, and what is played and shown is light."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from streaming.conventions import TICK_NS
from streaming.errors import UserError
from streaming.remote.control_desk import ControlDesk
from streaming.remote.datagram_socket import DatagramSocket, Peer
from streaming.remote.midi_mapping import value_of_part
from streaming.remote.show_control.lights import artnet, sacn
from streaming.remote.show_control.lights.artnet_poll import ArtPort, PollAnswers, pack_reply, read_poll
from streaming.remote.show_control.lights.dmx_packet import CHANNELS, BadDmxError, DmxPacket
from streaming.remote.show_control.lights.light_looks import COLOURS, LightLooks
from streaming.remote.show_control.lights.light_sender import LightSender
from streaming.remote.show_control.lights.universe_reader import UniverseReader
from streaming.remote.sound_events import SoundEventReader, SoundTimes
from streaming.schema.messages import Message, Picture
from streaming.settings.values.dmx_patch import MULTICAST, OUTPUTS, DmxPlace, read_dmx_patch, read_dmx_place
from streaming.stage import Context, Inputs
from streaming.transport.bus import ControlLink

PORTS = {"artnet": artnet.PORT, "sacn": sacn.PORT}
WAKE_NS = 100_000_000
MAX_BYTES = 1_500
MAX_QUEUE = 64
"""Datagrams of light desks that wait to be read."""
LAST_PACKETS = 3
"""How often an sACN source says that it stops (E1.31)."""


class LightsStage:
    """Hears one universe and sends one.

    Args:
        link: opens the control link that requests go by.
        ports: protocol -> the UDP port that is listened at and sent to.
        polls: when light desks that look for the show are answered.
    """

    def __init__(
        self,
        link: Callable[..., ControlLink] = ControlLink,
        ports: dict[str, int] | None = None,
        polls: PollAnswers | None = None,
    ) -> None:
        self._open_link, self._ports = link, ports or PORTS
        self._polls = polls or PollAnswers()
        self._answers = 0
        self._socket: DatagramSocket | None = None
        self._sender: LightSender | None = None
        self._desk: ControlDesk | None = None
        self._universe, self._looks = UniverseReader(), LightLooks()
        self._reader = SoundEventReader()
        self._heard: dict[str, float] = {}
        """Control -> its channel's value when it was heard last."""
        self._has_said_bad = False
        self._sequence = 0
        self._sent_ns = 0
        self._wake_ns: int | None = None

    def setup(self, context: Context) -> None:
        """Open what was asked for; without its port the show goes on without the light desk."""
        self._context, show = context, context.show
        self._wake_ns = context.now_ns + WAKE_NS
        self._times = SoundTimes(hears_only=show.direction == "music-to-video")
        patch = read_dmx_patch(show.dmx_patch)
        self._in_patch = {name: one for name, one in patch.items() if name not in OUTPUTS}
        self._out_patch = {name: one for name, one in patch.items() if name in OUTPUTS}
        self._in = read_dmx_place("dmx-in", show.dmx_in) if show.dmx_in else None
        self._out = read_dmx_place("dmx-out", show.dmx_out) if show.dmx_out else None
        if not (self._out and set(COLOURS) & set(self._out_patch)):
            context.unwanted = frozenset({"picture"})
        opened: list[str] = []
        if self._in is not None:
            try:
                self._socket = self._listen(self._in)
            except UserError as error:
                context.note(f"no DMX in: {error}")
            else:
                self._desk = ControlDesk("lights", context, self._open_link)
                host, port = self._socket.address
                opened.append(f"hears {self._in.protocol}:{self._in.universe} at {host}:{port}")
        if self._out is not None:
            group = sacn.multicast_group(self._out.universe)
            host = group if self._out.host == MULTICAST else self._out.host
            self._sender = LightSender(host, self._ports[self._out.protocol], context.metrics.count)
            self._source = uuid.UUID(str(context.memo.setdefault("source", str(uuid.uuid4())))).bytes
            opened.append(f"sends {self._out.protocol}:{self._out.universe} to {host}")
        context.info["device"] = ", ".join(opened) or "none"

    def wake_ns(self) -> int | None:
        """Once a tick while light is sent, for an onset at its time; else ten times a second."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Take what was heard, and send what is due."""
        self._wake_ns = now_ns + WAKE_NS
        if self._socket is not None and self._desk is not None:
            self._desk.take(inputs.controls)
            self._take_datagrams(self._socket, self._desk, now_ns)
            self._answer_polls(self._socket, now_ns)
            for refusal in self._desk.replies()[0]:
                self._context.note(f"DMX: {refusal.where}: {refusal.what}")
        if self._sender is not None and self._out is not None:
            self._watch(inputs, now_ns)
            if now_ns - self._sent_ns >= TICK_NS // 2:
                self._sent_ns = now_ns
                self._send(self._sender, self._out, now_ns)
            self._wake_ns = self._looks.next_ns(now_ns)
        return []

    def close(self) -> None:
        """Say that it stops, and close the sockets."""
        if self._sender is not None and self._out is not None:
            for _ in range(LAST_PACKETS if self._out.protocol == "sacn" else 0):
                self._send(self._sender, self._out, self._sent_ns, ended=True)
            self._sender.close()
        if self._socket is not None:
            self._socket.close()
        if self._desk is not None:
            self._desk.close()

    def _listen(self, place: DmxPlace) -> DatagramSocket:
        is_group = place.host == MULTICAST
        group = sacn.multicast_group(place.universe) if is_group else ""
        host, port = "0.0.0.0" if is_group else place.host, self._ports[place.protocol]
        return DatagramSocket(
            host,
            port,
            self._context.wake,
            self._context.metrics.count,
            name="dmx",
            option=("--dmx-in at", "end the program that has the port"),
            max_bytes=MAX_BYTES,
            max_queue=MAX_QUEUE,
            family=socket.AF_INET,
            group=group,
            shared=True,
        )

    def _take_datagrams(self, source: DatagramSocket, desk: ControlDesk, now_ns: int) -> None:
        assert self._in is not None
        wanted: dict[str, float] = {}
        for datagram, peer in source.take():
            try:
                packet = self._read(self._in.protocol, datagram, peer, now_ns)
            except BadDmxError as error:
                self._context.metrics.count("bad")
                if not self._has_said_bad:
                    self._has_said_bad = True
                    self._context.note(f"DMX: a packet from {peer[0]} {error}; it and others like it are passed over")
                continue
            is_mine = packet is not None and packet.universe == self._in.universe
            if packet is not None and is_mine and self._universe.take(packet, packet.source or peer, now_ns):
                wanted.update(self._moved())
        self._context.metrics.gauge("dmx_late", float(self._universe.late))
        for name, value in wanted.items():
            desk.request(name, value, passing=True)

    def _read(self, protocol: str, datagram: bytes, peer: Peer, now_ns: int) -> DmxPacket | None:
        """The levels of a datagram; None for others, of which a poll of Art-Net will be answered.

        Raises:
            BadDmxError: when it is damaged.
        """
        if protocol != "artnet":
            return sacn.read_sacn(datagram)
        poll = read_poll(datagram)
        if poll is None:
            return artnet.read_artnet(datagram)
        is_asked = any(poll.asks_for(port.universe) for port in self._offered(now_ns))
        if is_asked and not self._polls.hear(poll, peer, now_ns):
            self._context.metrics.count("polls_dropped")
        return None

    def _offered(self, now_ns: int) -> list[ArtPort]:
        """The show's universes of Art-Net; what goes out is found only where something is heard too."""
        places = [(self._in, False, self._universe.is_heard(now_ns)), (self._out, True, True)]
        return [ArtPort(at.universe, sent, active) for at, sent, active in places if at and at.protocol == "artnet"]

    def _answer_polls(self, source: DatagramSocket, now_ns: int) -> None:
        for poll, peer in self._polls.due(now_ns):
            host = source.host_towards(peer)
            for index, port in enumerate(self._offered(now_ns), 1):
                if not poll.asks_for(port.universe):
                    continue
                self._answers += 1
                # A desk listens at Art-Net's port; some send from another one and listen there.
                for place in {peer, (peer[0], artnet.PORT)}:
                    source.send(pack_reply(port, host, index, self._answers), place)

    def _moved(self) -> dict[str, float]:
        """The controls whose channels have moved, with their values; where a channel stood at first says nothing."""
        moved: dict[str, float] = {}
        for name, channels in self._in_patch.items():
            if channels.first + channels.wide > self._universe.seen:
                continue
            part = channels.read(self._universe.levels)
            before = self._heard.get(name)
            self._heard[name] = part
            if before is not None and part != before:
                moved[name] = value_of_part(name, part)
        return moved

    def _watch(self, inputs: Inputs, now_ns: int) -> None:
        for sound, begin_ns in self._times.take(inputs, now_ns):
            self._looks.hear(self._reader.hear(sound.pcm), begin_ns)
        picture = inputs.latest(Picture)
        if picture is not None:
            self._looks.see(picture.image)

    def _send(self, sender: LightSender, place: DmxPlace, now_ns: int, *, ended: bool = False) -> None:
        levels = bytearray(CHANNELS)
        values = self._looks.at(now_ns)
        for name, channels in self._out_patch.items():
            channels.write(values[name], levels)
        packet = DmxPacket(place.universe, bytes(levels), source=self._source, ended=ended)
        if place.protocol == "artnet":
            self._sequence = artnet.next_sequence(self._sequence)
            sender.send(artnet.pack_artnet(replace(packet, sequence=self._sequence)))
        else:
            self._sequence = (self._sequence + 1) % 256
            sender.send(sacn.pack_sacn(replace(packet, sequence=self._sequence)))


def build() -> LightsStage:
    """The stage with its default ports."""
    return LightsStage()
