"""The stage that speaks OSC: others set the show's controls, and hear of its changes and of what it plays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streaming.errors import SettingError, UserError
from streaming.remote.control_desk import ControlDesk
from streaming.remote.datagram_socket import DatagramSocket, Peer
from streaming.remote.osc_listeners import Listeners
from streaming.remote.osc_messages import (
    ERROR,
    EVENTS,
    GET,
    MAX_BYTES,
    SUBSCRIBE,
    TAP,
    UNSUBSCRIBE,
    OscCall,
    control_of,
    latest_calls,
    pack,
    pack_bundle,
    pack_control,
    read_packet,
)
from streaming.remote.oscquery import OscQueryServer, tree_of
from streaming.remote.sound_events import SoundEventReader, SoundEvents, SoundTimes
from streaming.schema.messages import Message
from streaming.settings.controls import CONTROLS
from streaming.settings.network_place import read_place
from streaming.stage import Context, Inputs
from streaming.timing import clock
from streaming.timing.tap_tempo import TapTempo
from streaming.transport.bus import ControlLink

WAKE_NS = 100_000_000
"""The supervisor's replies are read this often, whatever arrives."""
MAX_QUEUE = 256
"""Datagrams that wait to be read."""
ONSET, PITCH, LEVEL, POSITION = EVENTS
PITCH_STEP = 0.05
"""A pitch is said again when it has changed by so many semitones."""


class OscStage:
    """Sets controls as OSC messages say, and tells listeners what changes and what is played.

    Args:
        link: opens the control link that requests go by; see `transport.bus.ControlLink`.
        query: opens the server of OSCQuery.
        wall_s: gives the wall-clock time, in seconds since 1970, of a monotonic time.
    """

    def __init__(
        self,
        link: Callable[..., ControlLink] = ControlLink,
        query: Callable[..., OscQueryServer] = OscQueryServer,
        wall_s: Callable[[int], float] = clock.wall_seconds,
    ) -> None:
        self._open_link, self._open_query, self._wall_s = link, query, wall_s
        self._socket: DatagramSocket | None = None
        self._query: OscQueryServer | None = None
        self._desk: ControlDesk | None = None
        self._last: dict[str, float | int] = {}
        """Address of an event -> what was said last."""
        self._reader = SoundEventReader()
        self._taps = TapTempo()
        self._pitch: float | None = None
        self._wake_ns: int | None = None

    def setup(self, context: Context) -> None:
        """Listen, and reach the supervisor; without its port the show goes on without OSC."""
        self._context = context
        self._wake_ns = context.now_ns + WAKE_NS
        host, port = read_place(context.show.osc)
        try:
            self._socket = self._listen(host, port)
        except UserError as error:
            context.note(f"no OSC: {error}")
            context.info["device"] = "none"
            return
        context.info["device"] = "osc.udp://{}:{}".format(*self._socket.address)
        self._listeners, self._times = Listeners(), SoundTimes(hears_only=context.show.direction == "music-to-video")
        self._desk = desk = ControlDesk("osc", context, self._open_link)
        try:
            self._query = self._open_query(host, port, lambda: tree_of(dict(desk.values), dict(self._last)))
        except UserError as error:
            context.note(f"no OSCQuery: {error}")

    def wake_ns(self) -> int | None:
        """Ten times a second."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Take what was sent, pass it on, and tell what has happened."""
        self._wake_ns = now_ns + WAKE_NS
        if self._socket is None or self._desk is None:
            return []
        self._desk.take(inputs.controls)
        for change in inputs.controls:
            self._tell(pack_control(change.name, change.value), now_ns)
        self._take_datagrams(self._socket, self._desk, now_ns)
        for refusal in self._desk.replies()[0]:
            self._tell(bytes(pack(ERROR, refusal.where, f"{refusal.what}; {refusal.fix}").dgram), now_ns)
        heard = self._times.take(inputs, now_ns)
        # Reading the sound takes a twenty-fifth of a core: not for nobody.
        for sound, begin_ns in heard if self._listeners.at(now_ns) else ():
            self._tell_events(sound.tick, self._reader.hear(sound.pcm), begin_ns, now_ns)
        return []

    def close(self) -> None:
        """Stop listening."""
        if self._query is not None:
            self._query.close()
        if self._socket is not None:
            self._socket.close()
        if self._desk is not None:
            self._desk.close()

    def _listen(self, host: str, port: int) -> DatagramSocket:
        return DatagramSocket(
            host,
            port,
            self._context.wake,
            self._context.metrics.count,
            name="osc",
            option=("--osc", "give --osc another port, or --osc off"),
            # One byte more, by which a datagram that is too long is known.
            max_bytes=MAX_BYTES + 1,
            max_queue=MAX_QUEUE,
        )

    def _take_datagrams(self, source: DatagramSocket, desk: ControlDesk, now_ns: int) -> None:
        wanted: list[tuple[str, str]] = []
        for datagram, peer in source.take():
            try:
                calls = read_packet(datagram)
            except ValueError:
                self._context.metrics.count("bad")
                continue
            self._listeners.hear_from(peer, now_ns)
            for call in calls:
                try:
                    self._answer(call, peer, now_ns, wanted)
                except (SettingError, UserError) as error:
                    self._context.metrics.count("refused")
                    self._send(bytes(pack(ERROR, call.address, str(error)).dgram), self._listeners.reply_to(peer))
        for name, value in latest_calls(wanted):
            desk.request(name, value)

    def _answer(self, call: OscCall, peer: Peer, now_ns: int, wanted: list[tuple[str, str]]) -> None:
        """Do what a message asks for; a control that it sets is put on the list.

        Raises:
            SettingError: for what no control is or takes.
        """
        if call.address == UNSUBSCRIBE:
            self._listeners.forget(peer)
        elif call.address == SUBSCRIBE:
            port = call.arguments[0] if call.arguments else None
            if port is not None and not (isinstance(port, int) and 0 < port < 65_536):
                raise SettingError("osc", SUBSCRIBE, f"has the port {port!r}", "send a whole number, 1 to 65535")
            self._listeners.hear_from(peer, now_ns, port)
            self._tell_values(self._listeners.reply_to(peer))
        elif call.address == TAP:
            # A button that is let go sends 0.
            if not call.arguments or call.arguments[0]:
                self._tap(now_ns, wanted)
        elif call.address == GET:
            self._tell_values(self._listeners.reply_to(peer))
        else:
            wanted.append(control_of(call))

    def _tap(self, now_ns: int, wanted: list[tuple[str, str]]) -> None:
        """Somebody taps the beat; one that no control can have is passed over."""
        row, tempo = CONTROLS["tempo"], self._taps.tap(now_ns)
        if tempo is not None and row.low <= tempo <= row.high:
            wanted.append((row.name, repr(tempo)))

    def _tell_values(self, peer: Peer) -> None:
        """Tell one listener what every control is now."""
        values = self._desk.values if self._desk is not None else {}
        for name, value in values.items():
            self._send(pack_control(name, value), peer)

    def _tell_events(self, tick: int, events: SoundEvents, begin_ns: int, now_ns: int) -> None:
        """Tell what a tick has, each with the time at which it leaves the audio device."""
        said: dict[str, float | int] = {POSITION: tick, LEVEL: float(events.level_db)}
        if events.pitch is not None and (self._pitch is None or abs(events.pitch - self._pitch) >= PITCH_STEP):
            said[PITCH] = float(events.pitch)
        self._pitch = events.pitch
        self._tell_at(said, begin_ns, now_ns)
        if events.onset_s is not None:
            self._tell_at({ONSET: float(events.strength)}, begin_ns + round(1e9 * events.onset_s), now_ns)

    def _tell_at(self, said: dict[str, float | int], at_ns: int, now_ns: int) -> None:
        self._last |= said
        self._tell(pack_bundle([pack(*each) for each in said.items()], self._wall_s(at_ns)), now_ns)

    def _tell(self, datagram: bytes, now_ns: int) -> None:
        for peer in self._listeners.at(now_ns):
            self._send(datagram, peer)

    def _send(self, datagram: bytes, peer: Peer) -> None:
        if self._socket is not None:
            self._socket.send(datagram, peer)


def build() -> OscStage:
    """The stage with its default devices."""
    return OscStage()
