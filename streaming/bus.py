"""The only file with ZeroMQ: topics, the control link, and what a loop waits for; encrypted between machines."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

from streaming import clock, wire
from streaming.errors import StageError, UserError, WireError
from streaming.links import CONTROL, Security, addresses, host_of, is_loopback, load_keys, security_of
from streaming.messages import Control, Message, Report
from streaming.metrics import Metrics
from streaming.topics import TOPICS, Policy, Topic

__all__ = [
    "CONTROL",
    "ControlHub",
    "ControlLink",
    "Poller",
    "Publisher",
    "Security",
    "Subscriber",
    "Waker",
    "addresses",
    "load_keys",
    "make_keys",
    "security_of",
]

CONTROL_QUEUE = 1_000
"""Reports or controls that may wait; at 4 a second a stage that has stopped reading is found long before."""
LINGER_MS = 200
"""How long a closed link may take to send what it still holds."""
_COPY_BYTES = 65_536
"""Messages up to this size are copied out of ZeroMQ's buffers, which is cheaper and aligns them."""
_MAX_GAP = 1_000_000
"""A sequence that jumps ahead by more is another publisher's, not a loss."""
_ZAP_DOMAIN = "antiphon"
_EARLY_MS = 1
"""`zmq_poll` counts milliseconds: it is left this early and the rest is slept."""


def make_keys(folder: str | Path) -> Security:
    """Make a new pair of keys in a folder, with itself on the allow-list; an existing secret is kept.

    Raises:
        UserError: when the folder cannot be written.
    """
    folder = Path(folder)
    try:
        (folder / "allowed").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not (folder / "antiphon.key_secret").exists():
            public, secret = (Path(path) for path in zmq.auth.create_certificates(folder, "antiphon"))
            secret.chmod(0o600)
            (folder / "allowed" / "antiphon.key").write_bytes(public.read_bytes())
    except OSError as error:
        raise UserError(f"keys cannot be made ({error.strerror})", str(folder), "name a folder of your own") from error
    return load_keys(folder)


class Source(Protocol):
    """What a `Poller` can wait for."""

    def sockets(self) -> Sequence[Any]:
        """The sockets or file descriptors that become readable."""


class Waker:
    """Wakes a waiting loop from another thread or a signal handler; never blocks."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def wake(self) -> None:
        """Make the loop's wait return; a full pipe or a closed loop needs no more of it."""
        try:
            self._write.send(b"w")
        except OSError:
            return

    def clear(self) -> bool:
        """Forget the calls so far; True if there were any."""
        called = False
        try:
            while self._read.recv(4_096):
                called = True
        except OSError:
            return called
        return called

    def sockets(self) -> Sequence[Any]:
        """See `Source`."""
        return (self._read,)

    def close(self) -> None:
        """Release both ends."""
        self._read.close()
        self._write.close()


class Poller:
    """Waits until one of its sources has something, or until a deadline."""

    def __init__(self, *sources: Source) -> None:
        self._poller = zmq.Poller()
        for source in sources:
            for item in source.sockets():
                self._poller.register(item, zmq.POLLIN)

    def wait(self, deadline_ns: int | None = None, *, precise: bool = True) -> bool:
        """Wait for a source, or for a deadline.

        Args:
            deadline_ns: monotonic time; None waits for ever.
            precise: meet the deadline to 0.1 ms, deaf to the sources for the last millisecond; else to 1 ms.

        Returns:
            True if a source has something, False at the deadline.
        """
        if deadline_ns is None:
            return bool(self._poller.poll())
        left_ms = (deadline_ns - clock.now_ns()) // 1_000_000 + (-_EARLY_MS if precise else 1)
        if self._poller.poll(max(0, left_ms)):
            return True
        if precise:
            clock.sleep_until(deadline_ns)
        return False


class Publisher:
    """Binds one topic and publishes on it; never blocks.

    Args:
        topic: the row of the table, or its name.
        address: see `addresses`.
        security: keys; used for `tcp://` only.

    Raises:
        UserError: when the address is in use or cannot be bound.
    """

    def __init__(self, topic: Topic | str, address: str, security: Security | None = None) -> None:
        self.topic = TOPICS[topic] if isinstance(topic, str) else topic
        self._seq = 0
        self._guard = _Guard(security) if security is not None and address.startswith("tcp://") else None
        context = self._guard.context if self._guard else zmq.Context.instance()
        self._socket = _socket(context, zmq.PUB, self.topic.queue, self.topic.max_bytes)
        if self._guard:
            self._guard.protect(self._socket)
        try:
            self._binding = _Binding(self._socket, address, guarded=self._guard is not None)
        except BaseException:
            self._socket.close()
            if self._guard:
                self._guard.close()
            raise

    @property
    def address(self) -> str:
        """Where it is bound; the real port for a `tcp://` address with port 0."""
        return self._binding.address

    def send(self, message: Message) -> None:
        """Give a message its `seq` and publish it.

        Raises:
            WireError: when the message may not travel; nothing was sent.
        """
        message.seq = self._seq
        frames = wire.pack(message, self.topic)
        self._seq += 1
        self._socket.send_multipart(frames, zmq.NOBLOCK)

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

    Lost and superseded messages are counted as `drops.<topic>`, links that had to be made anew as `bad.<topic>.link`.

    Args:
        addresses: topic name -> address.
        metrics: where it counts.
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
        self._watches: list[_LinkWatch] = []
        for name, address in addresses.items():
            topic = self._topics[name]
            link = _socket(zmq.Context.instance(), zmq.SUB, topic.queue, topic.max_bytes)
            if security is not None and address.startswith("tcp://"):
                link.curve_publickey, link.curve_secretkey = security.public, security.secret
                link.curve_serverkey = security.key_of(name, address)
            link.setsockopt(zmq.SUBSCRIBE, name.encode())
            self._watches.append(_LinkWatch(name, link, address))
            link.connect(address)
            self._sockets[name] = link

    def sockets(self) -> Sequence[Any]:
        """See `Source`."""
        return tuple(self._sockets.values())

    def drain(self) -> dict[str, list[Message]]:
        """Everything that has arrived: topic -> messages, the newest alone where the latest wins; never blocks."""
        for watch in self._watches:
            if watch.mend(clock.now_ns()):
                self._metrics.count(f"bad.{watch.name}.link")
        arrived = {name: self._drain(name, link) for name, link in self._sockets.items()}
        return {name: messages for name, messages in arrived.items() if messages}

    def _drain(self, name: str, link: zmq.Socket[bytes]) -> list[Message]:
        topic, found = self._topics[name], list[Message]()
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
            self._count_gap(name, message.seq)
            if found and topic.policy is Policy.LATEST:
                self._metrics.count(f"drops.{name}")
                found.clear()
            found.append(message)
        return found

    def _count_gap(self, name: str, seq: int) -> None:
        """Count what is missing; a sequence that starts anew belongs to a restarted publisher."""
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
    """The supervisor's end of the control link: hears every stage, speaks to each by its identity.

    Args:
        address: see `addresses`, with the name `CONTROL`.
        metrics: where malformed reports are counted, as `bad.control.<reason>`, and controls that found nobody, as
            `control_lost`.
    """

    def __init__(self, address: str, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._socket = _socket(zmq.Context.instance(), zmq.ROUTER, CONTROL_QUEUE, wire.MAX_CONTROL_BYTES)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        # A stage that reconnects keeps its identity.
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        try:
            self._binding = _Binding(self._socket, address)
        except BaseException:
            self._socket.close()
            raise

    def sockets(self) -> Sequence[Any]:
        """See `Source`."""
        return (self._socket,)

    def poll(self, timeout_ms: int = 0) -> list[tuple[bytes, Report]]:
        """Wait for reports for so long at most, and give all that came, with their senders' identities."""
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
        """Tell one stage something.

        A stage that is gone or has stopped reading is counted and not an error: its death is noticed by other means,
        and a stage may always die a moment before it is spoken to.
        """
        try:
            self._socket.send_multipart([identity, wire.pack_control(message)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (errno.EHOSTUNREACH, errno.EAGAIN):
                raise
            self._metrics.count("control_lost")

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
        identity: `<stage>:<process id>`, so that a late word of a killed process is not taken for its successor's.
        metrics: where malformed controls are counted, as `bad.control.<reason>`.
    """

    def __init__(self, address: str, identity: bytes, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        # A context of its own, because only ending a context waits until the last words are sent.
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = _socket(self._context, zmq.DEALER, CONTROL_QUEUE, wire.MAX_CONTROL_BYTES)
        self._socket.setsockopt(zmq.IDENTITY, identity)
        self._socket.connect(address)

    def sockets(self) -> Sequence[Any]:
        """See `Source`."""
        return (self._socket,)

    def send(self, report: Report) -> None:
        """Tell the supervisor something; queued while it is not there.

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
        """Send what is left, for `LINGER_MS` at most, and close."""
        self._socket.close(LINGER_MS)
        self._context.term()


class _LinkWatch:
    """Connects again where ZeroMQ gives up: after an oversized frame, bytes that are not ZeroMQ's, or a refusal."""

    _DOWN = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    _DOWN |= zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    _ALIVE = zmq.EVENT_CONNECTED | zmq.EVENT_CONNECT_DELAYED | zmq.EVENT_CONNECT_RETRIED
    _PATIENCE_NS = 300_000_000
    """A link that ZeroMQ mends by itself is being retried within `RECONNECT_IVL`."""

    def __init__(self, name: str, link: zmq.Socket[bytes], address: str) -> None:
        self.name = name
        self._link, self._address = link, address
        self._monitor = link.get_monitor_socket(self._DOWN | self._ALIVE)
        self._down_ns: int | None = None

    def mend(self, now_ns: int) -> bool:
        """Look what became of the link; True when it was made anew."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            self._down_ns = now_ns if event & self._DOWN else None
        if self._down_ns is None or now_ns - self._down_ns < self._PATIENCE_NS:
            return False
        self._down_ns = None
        with contextlib.suppress(zmq.ZMQError):  # ZeroMQ may have forgotten the address with the link
            self._link.disconnect(self._address)
        self._link.connect(self._address)
        return True

    def close(self) -> None:
        """Stop watching. What was not read is read first: a full monitor holds ZeroMQ's thread, and with it this one.

        A refused link is tried 50 times a second, with five events each time; 2,000 of them fill it.
        """
        while self._monitor.poll(0):
            self._monitor.recv_multipart()
        self._link.disable_monitor()
        self._monitor.close(0)


class _Guard:
    """A context whose sockets let in nobody but the keys of the allow-list (ZAP, RFC 27)."""

    def __init__(self, security: Security) -> None:
        self._security = security
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator = ThreadAuthenticator(self.context)
        self._authenticator.start()
        self._authenticator.configure_curve(domain=_ZAP_DOMAIN, location=str(security.folder / "allowed"))

    def protect(self, link: zmq.Socket[bytes]) -> None:
        link.curve_publickey, link.curve_secretkey = self._security.public, self._security.secret
        link.curve_server = True
        link.setsockopt(zmq.ZAP_DOMAIN, _ZAP_DOMAIN.encode())

    def close(self) -> None:
        self._authenticator.stop()
        self.context.term()


class _Binding:
    """A bound socket, and the file of an `ipc://` one, which is removed by no one but its maker."""

    def __init__(self, link: zmq.Socket[bytes], address: str, *, guarded: bool = False) -> None:
        if address.startswith("tcp://") and not guarded and not is_loopback(host_of(address)):
            raise UserError("an open port needs CURVE keys", address, "set links.keys to a folder of keys")
        self._path = address.removeprefix("ipc://") if address.startswith("ipc://") else ""
        self._inode = 0
        in_use = UserError("the address is in use", address, "end the other performance, or use another --run-dir")
        if self._path and _answers(self._path):
            raise in_use
        try:
            link.bind(address)
        except zmq.ZMQError as error:
            if error.errno == errno.EADDRINUSE:
                raise in_use from error
            text = f"the address cannot be bound ({error.strerror})"
            raise UserError(text, address, "name an address of this machine") from error
        self.address = link.getsockopt_string(zmq.LAST_ENDPOINT)
        if self._path:
            os.chmod(self._path, 0o600)
            self._inode = os.stat(self._path).st_ino

    def unlink(self) -> None:
        """Remove the file if it is still this binder's and not a successor's."""
        path, self._path = self._path, ""
        try:
            if path and os.stat(path).st_ino == self._inode:
                os.unlink(path)
        except FileNotFoundError:
            return


def _answers(path: str) -> bool:
    """Whether somebody listens on a socket's file; one that a killed process left behind refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        try:
            probe.connect(path)
        except BlockingIOError:  # a full backlog is somebody's too
            return True
        except OSError:
            return False
        return True


def _socket(context: zmq.Context[zmq.Socket[bytes]], kind: int, queue: int, max_bytes: int) -> zmq.Socket[bytes]:
    link: zmq.Socket[bytes] = context.socket(kind)
    link.setsockopt(zmq.LINGER, LINGER_MS)
    link.setsockopt(zmq.SNDHWM, queue)
    link.setsockopt(zmq.RCVHWM, queue)
    link.setsockopt(zmq.MAXMSGSIZE, max_bytes)
    link.setsockopt(zmq.RECONNECT_IVL, 20)
    link.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
    # A host that vanished without a word is noticed, and reconnected to when it is back.
    link.setsockopt(zmq.HEARTBEAT_IVL, 1_000)
    link.setsockopt(zmq.HEARTBEAT_TIMEOUT, 5_000)
    link.setsockopt(zmq.IPV6, 1)
    return link


def _receive(link: zmq.Socket[bytes], topic: Topic) -> Sequence[wire.Frame]:
    if topic.max_bytes <= _COPY_BYTES:
        return link.recv_multipart(zmq.NOBLOCK)
    return [frame.buffer for frame in link.recv_multipart(zmq.NOBLOCK, copy=False)]
