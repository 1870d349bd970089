"""The bus: topics between stages and the control link to each of them; encrypted between machines."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any

import zmq

from streaming.errors import StageError, WireError
from streaming.schema.messages import TOPICS, Control, Message, Report
from streaming.schema.topics import Policy, Topic
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from streaming.transport import wire
from streaming.transport.links import Security
from streaming.transport.remote_clock import RemoteClock
from streaming.transport.sockets import LINGER_MS, Binding, CurveGuard, LinkWatch, make_socket

CONTROL_QUEUE = 1_000
"""Queued reports or controls; at 4 a second a stage that has stopped reading is noticed long before."""
_COPY_BYTES = 98_304
"""Messages up to this size are copied out of ZeroMQ's buffers, which is cheaper and aligns them."""
_SUBSCRIBED = b"\x01"
"""First byte of the message that an XPUB socket gets when a reader subscribes."""
_MAX_READERS = 64
"""Subscriptions read in one turn."""
_MAX_GAP = 1_000_000
"""A sequence that jumps ahead by more is another publisher's, not a loss."""


class Publisher:
    """Binds one topic and publishes on it; never blocks.

    The newest message of a state (`Policy.STATE`) is kept: `welcome` sends it again when a reader has connected. Its
    arrays must not be changed after `send`.

    Args:
        topic: the row of the table, or its name.
        address: see `address_of`.
        security: keys; used for `tcp://` only.

    Raises:
        UserError: when the address is in use or cannot be bound.
    """

    def __init__(self, topic: Topic | str, address: str, security: Security | None = None) -> None:
        self.topic = TOPICS[topic] if isinstance(topic, str) else topic
        self._seq = 0
        self._guard = CurveGuard(security) if security is not None and address.startswith("tcp://") else None
        context = self._guard.context if self._guard else zmq.Context.instance()
        self._is_state = self.topic.policy is Policy.STATE
        self._newest: list[wire.Frame] = []
        kind = zmq.XPUB if self._is_state else zmq.PUB
        self._socket = make_socket(context, kind, self.topic.queue, self.topic.max_bytes)
        if self._is_state:
            # Every subscription is reported, also that of a second reader of the same topic.
            self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        if self._guard:
            self._guard.protect(self._socket)
        try:
            self._binding = Binding(self._socket, address, guarded=self._guard is not None)
        except BaseException:
            self._socket.close()
            if self._guard:
                self._guard.close()
            raise

    @property
    def address(self) -> str:
        """The bound address, with the actual port for a `tcp://` address with port 0."""
        return self._binding.address

    def send(self, message: Message) -> None:
        """Number a message (`seq`) and publish it.

        Raises:
            WireError: when the message may not travel; nothing was sent.
        """
        message.seq = self._seq
        frames = wire.pack(message, self.topic)
        self._seq += 1
        self._socket.send_multipart(frames, zmq.NOBLOCK)
        if self._is_state:
            self._newest = frames

    def sockets(self) -> Sequence[Any]:
        """See `Pollable`: readable when a reader of a state has connected."""
        return (self._socket,) if self._is_state else ()

    def welcome(self) -> bool:
        """Send the newest message of a state again if a reader has connected since the last call; never blocks.

        Returns:
            True when it was sent. Readers that have it already get it once more, with the same `seq`.
        """
        has_new_reader = False
        for _ in range(_MAX_READERS if self._is_state else 0):
            try:
                has_new_reader = self._socket.recv(zmq.NOBLOCK)[:1] == _SUBSCRIBED or has_new_reader
            except zmq.Again:
                break
        if has_new_reader and self._newest:
            self._socket.send_multipart(self._newest, zmq.NOBLOCK)
        return has_new_reader and bool(self._newest)

    def mend(self) -> bool:
        """Bind again if the socket's file was removed; True when it was."""
        return self._binding.mend()

    def unlink(self) -> None:
        """Remove the socket's file at once; for a process that is about to end without closing."""
        self._binding.unlink()

    def close(self) -> None:
        """Stop publishing and remove the socket's file."""
        self._socket.close(LINGER_MS)
        self._binding.unlink()
        if self._guard:
            self._guard.close()


class Subscriber:
    """Reads topics, each by its policy; a bad message is counted (`bad.<topic>.<reason>`) and dropped.

    Times in messages of another machine are translated to this machine's clock (`RemoteClock`).

    Lost and superseded messages are counted as `drops.<topic>`, links that were connected again as `bad.<topic>.link`.

    Args:
        addresses: topic name -> address.
        metrics: the counters.
        security: keys; used for `tcp://` only.
        topics: the table.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        metrics: Metrics,
        security: Security | None = None,
        topics: Mapping[str, Topic] = TOPICS,
    ) -> None:
        self._metrics = metrics
        self._topics = {name: topics[name] for name in addresses}
        self._last: dict[str, int] = {}
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        self._watches: list[LinkWatch] = []
        self._clocks = {name: RemoteClock(name) for name, address in addresses.items() if address.startswith("tcp://")}
        self._left_out: frozenset[str] = frozenset()
        for name, address in addresses.items():
            topic = self._topics[name]
            link = make_socket(zmq.Context.instance(), zmq.SUB, topic.queue, topic.max_bytes)
            if security is not None and address.startswith("tcp://"):
                link.curve_publickey, link.curve_secretkey = security.public, security.secret
                link.curve_serverkey = security.key_of(name, address)
            link.setsockopt(zmq.SUBSCRIBE, name.encode())
            self._watches.append(LinkWatch(name, link, address))
            link.connect(address)
            self._sockets[name] = link

    def sockets(self) -> Sequence[Any]:
        """See `Pollable`."""
        return tuple(self._sockets.values())

    def leave_out(self, unwanted: frozenset[str]) -> None:
        """Receive all topics but these; a topic that is left out costs its publisher nothing."""
        for name in (unwanted ^ self._left_out) & self._sockets.keys():
            self._sockets[name].setsockopt(zmq.UNSUBSCRIBE if name in unwanted else zmq.SUBSCRIBE, name.encode())
            # What is missed meanwhile is no loss.
            self._last.pop(name, None)
        self._left_out = unwanted

    def drain(self) -> dict[str, list[Message]]:
        """All messages that have arrived, by topic; only the newest ones of `LATEST` topics. Never blocks."""
        now_ns = clock.now_ns()
        for watch in self._watches:
            if watch.mend(now_ns):
                self._metrics.count(f"bad.{watch.name}.link")
            if line := watch.news(now_ns):
                self._metrics.note(line)
        messages_by_topic = {name: self._drain(name, link) for name, link in self._sockets.items()}
        return {name: messages for name, messages in messages_by_topic.items() if messages}

    def _drain(self, name: str, link: zmq.Socket[bytes]) -> list[Message]:
        topic, messages = self._topics[name], list[Message]()
        # Bounded, so that a publisher that floods cannot hold the loop.
        for _ in range(max(64, 4 * topic.queue)):
            try:
                frames = _receive(link, topic)
            except zmq.Again:
                break
            try:
                message = wire.unpack(frames, topic)
            except WireError as error:
                self._metrics.count(f"bad.{name}.{error.reason}")
                continue
            if name in self._clocks:
                self._clocks[name].translate(message, clock.now_ns())
            self._count_gap(name, message.seq)
            if topic.policy is not Policy.ORDERED and len(messages) >= topic.together:
                if topic.policy is Policy.LATEST:
                    self._metrics.count(f"drops.{name}")
                del messages[0]
            messages.append(message)
        return messages

    def _count_gap(self, name: str, seq: int) -> None:
        """Count missing messages; a sequence that starts again belongs to a restarted publisher."""
        last = self._last.get(name)
        if last is not None and 1 < seq - last <= _MAX_GAP:
            self._metrics.count(f"drops.{name}", seq - last - 1)
        self._last[name] = seq

    def close(self) -> None:
        """Stop reading."""
        for watch in self._watches:
            watch.close()
        for link in self._sockets.values():
            link.close(0)


class ControlHub:
    """The supervisor's end of the control link: reports from every stage, controls to each by its identity.

    Args:
        address: see `address_of`, with the name `CONTROL`.
        metrics: counts malformed reports as `bad.control.<reason>`, and undelivered controls as `control_lost`.
    """

    def __init__(self, address: str, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._socket = make_socket(zmq.Context.instance(), zmq.ROUTER, CONTROL_QUEUE, wire.MAX_CONTROL_BYTES)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        # A stage that reconnects keeps its identity.
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        try:
            self._binding = Binding(self._socket, address)
        except BaseException:
            self._socket.close()
            raise

    def sockets(self) -> Sequence[Any]:
        """See `Pollable`."""
        return (self._socket,)

    def poll(self, timeout_ms: int = 0) -> list[tuple[bytes, Report]]:
        """Wait at most this long for reports; returns all that came, with their senders' identities."""
        reports: list[tuple[bytes, Report]] = []
        if not self._socket.poll(max(0, timeout_ms)):
            return reports
        for _ in range(CONTROL_QUEUE):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            try:
                if len(frames) != 2:
                    raise WireError("malformed", f"{len(frames)} frames")
                reports.append((frames[0], wire.unpack_report(frames[1])))
            except WireError as error:
                self._metrics.count(f"bad.control.{error.reason}")
        return reports

    def send(self, identity: bytes, message: Control) -> None:
        """Send a control to one stage.

        A stage that is gone or has stopped reading is counted (`control_lost`) and is no error: a stage may die just
        before the control is sent, and the supervisor notices a death by other means.

        Raises:
            StageError: when the link itself fails.
        """
        try:
            self._socket.send_multipart([identity, wire.pack_control(message)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (errno.EHOSTUNREACH, errno.EAGAIN):
                raise StageError(f"a control cannot be sent ({error.strerror})") from error
            self._metrics.count("control_lost")

    def mend(self) -> bool:
        """Bind again if the socket's file was removed; True when it was."""
        return self._binding.mend()

    def unlink(self) -> None:
        """Remove the socket's file at once."""
        self._binding.unlink()

    def close(self) -> None:
        """Close the link and remove the socket's file."""
        self._socket.close(LINGER_MS)
        self._binding.unlink()


class ControlLink:
    """A stage's end of the control link.

    Args:
        address: the hub's.
        identity: `<stage>:<process id>`, so that a late report of a killed process is not taken for its successor's.
        metrics: counts malformed controls as `bad.control.<reason>`.
    """

    def __init__(self, address: str, identity: bytes, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        # A separate context, because only ending a context waits until the last reports are sent.
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = make_socket(self._context, zmq.DEALER, CONTROL_QUEUE, wire.MAX_CONTROL_BYTES)
        self._socket.setsockopt(zmq.IDENTITY, identity)
        self._socket.connect(address)

    def sockets(self) -> Sequence[Any]:
        """See `Pollable`."""
        return (self._socket,)

    def send(self, report: Report) -> None:
        """Send a report; it is queued while the supervisor is not connected.

        Raises:
            StageError: when the supervisor has not read for so long that the queue is full.
            WireError: when the report cannot travel.
        """
        try:
            self._socket.send(wire.pack_control(report), zmq.NOBLOCK)
        except zmq.Again as error:
            raise StageError("the supervisor does not read its control link") from error

    def receive(self) -> list[Control]:
        """Every control that has arrived; never blocks."""
        controls: list[Control] = []
        for _ in range(CONTROL_QUEUE):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            try:
                if len(frames) != 1:
                    raise WireError("malformed", f"{len(frames)} frames")
                controls.append(wire.unpack_control(frames[0]))
            except WireError as error:
                self._metrics.count(f"bad.control.{error.reason}")
        return controls

    def close(self) -> None:
        """Send the queued reports, for `LINGER_MS` at most, and close."""
        self._socket.close(LINGER_MS)
        self._context.term()


def _receive(link: zmq.Socket[bytes], topic: Topic) -> Sequence[wire.Frame]:
    if topic.max_bytes <= _COPY_BYTES:
        return link.recv_multipart(zmq.NOBLOCK)
    return [frame.buffer for frame in link.recv_multipart(zmq.NOBLOCK, copy=False)]
