"""ZeroMQ sockets: bounded queues, binding, reconnection, protection by keys; and the poller of a stage's loop."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

from streaming.errors import UserError
from streaming.settings.network_place import is_loopback
from streaming.timing import clock
from streaming.transport.links import Security, host_of, load_keys

LINGER_MS = 200
"""How long a closed link may take to send its queued messages."""
IO_THREADS = "ZMQbg/IO"
"""How the names of the threads begin by which ZeroMQ sends and receives."""
_ZAP_DOMAIN = "antiphon"
MAX_MENDED = 100
"""How often a socket whose file was removed is bound again; each time costs a descriptor."""
_EARLY_MS = 1
"""`zmq_poll` has a resolution of 1 ms: a precise wait ends it this early and sleeps for the rest."""


def make_keys(folder: str | Path) -> Security:
    """Make a new pair of keys in a folder, with its public key on the allow-list; an existing secret is kept.

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


class Pollable(Protocol):
    """A source that a `Poller` can wait for."""

    def sockets(self) -> Sequence[Any]:
        """The sockets or file descriptors that become readable."""


class Waker:
    """Wakes a waiting loop from another thread or a signal handler; never blocks."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def wake(self) -> None:
        """Make the loop's wait return; a full pipe wakes it anyway, and a closed loop is ignored."""
        try:
            self._write.send(b"w")
        except OSError:
            return

    def clear(self) -> bool:
        """Discard the calls of `wake` so far; True if there were any."""
        is_called = False
        try:
            while self._read.recv(4_096):
                is_called = True
        except OSError:
            return is_called
        return is_called

    def sockets(self) -> Sequence[Any]:
        """See `Pollable`."""
        return (self._read,)

    def close(self) -> None:
        """Release both ends."""
        self._read.close()
        self._write.close()


class Poller:
    """Waits until one of its sources is readable, or until a deadline."""

    def __init__(self, *sources: Pollable) -> None:
        self._poller = zmq.Poller()
        for source in sources:
            for item in source.sockets():
                self._poller.register(item, zmq.POLLIN)

    def wait(self, deadline_ns: int | None = None, *, precise: bool = True) -> bool:
        """Wait for a source, or for a deadline.

        Args:
            deadline_ns: monotonic time; None waits for ever.
            precise: meet the deadline to 0.1 ms, ignoring the sources in the last millisecond; else to 1 ms.

        Returns:
            True if a source is readable, False at the deadline.
        """
        if deadline_ns is None:
            return bool(self._poller.poll())
        left_ms = (deadline_ns - clock.now_ns()) // 1_000_000 + (-_EARLY_MS if precise else 1)
        if self._poller.poll(max(0, left_ms)):
            return True
        if precise:
            clock.sleep_until(deadline_ns)
        return False


class LinkHealth:
    """Says why a link to another machine does not come about, after `PATIENCE_NS`, and that it is there again.

    Args:
        name: of the stage that publishes.
        address: its address; only `tcp://` links are watched.
    """

    PATIENCE_NS = 3_000_000_000
    _CAUSES: ClassVar[dict[int, tuple[str, str]]] = {
        zmq.EVENT_HANDSHAKE_FAILED_AUTH: (
            "refuses the key of this machine",
            "copy antiphon.key from here into its folder allowed/, and start the stage there again",
        ),
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: (
            "has another key than is expected here",
            "copy its antiphon.key to allowed/{name}.key here",
        ),
        zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: ("is no stage with keys", "name the port of run_live.py stage {name}"),
        zmq.EVENT_CONNECTED: ("is no stage with keys", "name the port of run_live.py stage {name}"),
    }
    """Last thing that happened before the link was lost -> what is wrong, and the remedy."""
    _NOBODY = ("does not answer", "start it there (run_live.py stage {name}), or mend the address or the firewall")

    def __init__(self, name: str, address: str) -> None:
        self._name, self._address = name, address
        self._is_remote = address.startswith("tcp://")
        self._is_up = False
        self._since_ns: int | None = None
        self._cause = 0
        self._said = ""

    def observe(self, event: int, now_ns: int) -> None:
        """Take in an event of ZeroMQ's monitor."""
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._is_up, self._since_ns, self._cause = True, None, 0
        elif event in self._CAUSES and event != self._cause and (event != zmq.EVENT_CONNECTED or not self._cause):
            # What has just changed may come about yet.
            self._cause, self._since_ns = event, now_ns
        elif event == zmq.EVENT_DISCONNECTED and self._is_up:
            # Whoever was there before is only gone.
            self._is_up, self._cause = False, 0
        if not self._is_up and self._since_ns is None:
            self._since_ns = now_ns

    def news(self, now_ns: int) -> str:
        """One line when the link has been down for 3 s, or is there again after such a line; else ""."""
        if not self._is_remote:
            return ""
        if self._is_up:
            was, self._said = self._said, ""
            return f"{self._name} at {self._address} is connected" if was else ""
        if self._since_ns is None:
            self._since_ns = now_ns
        if now_ns - self._since_ns < self.PATIENCE_NS:
            return ""
        what, fix = self._CAUSES.get(self._cause, self._NOBODY)
        line = f"{self._name} at {self._address} {what}; {fix.format(name=self._name)}"
        if line == self._said:
            return ""
        self._said = line
        return line


class LinkWatch:
    """Reconnects a link that ZeroMQ gives up: after an oversized frame, bytes that are not ZeroMQ's, or a refusal."""

    _DOWN = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    _DOWN |= zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    _ALIVE = zmq.EVENT_CONNECTED | zmq.EVENT_CONNECT_DELAYED | zmq.EVENT_CONNECT_RETRIED
    _ALIVE |= zmq.EVENT_HANDSHAKE_SUCCEEDED
    _PATIENCE_NS = 300_000_000
    """A link that ZeroMQ reconnects by itself is retried within `RECONNECT_IVL`."""

    def __init__(self, name: str, link: zmq.Socket[bytes], address: str) -> None:
        self.name = name
        self._link, self._address = link, address
        self._monitor = link.get_monitor_socket(self._DOWN | self._ALIVE)
        self._down_ns: int | None = None
        self._health = LinkHealth(name, address)

    def mend(self, now_ns: int) -> bool:
        """Connect again if the link has been down for 0.3 s; True when it was."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            self._health.observe(event, now_ns)
            self._down_ns = now_ns if event & self._DOWN else None
        if self._down_ns is None or now_ns - self._down_ns < self._PATIENCE_NS:
            return False
        self._down_ns = None
        with contextlib.suppress(zmq.ZMQError):  # ZeroMQ may have forgotten the address with the link
            self._link.disconnect(self._address)
        self._link.connect(self._address)
        return True

    def news(self, now_ns: int) -> str:
        """A line for the user about a link to another machine, once; see `LinkHealth.news`."""
        return self._health.news(now_ns)

    def close(self) -> None:
        """Stop watching. Unread events are read first: a full monitor blocks ZeroMQ's thread, and with it this one.

        A refused link is tried 50 times a second, with five events each time; 2,000 of them fill it.
        """
        while self._monitor.poll(0):
            self._monitor.recv_multipart()
        self._link.disable_monitor()
        self._monitor.close(0)


class CurveGuard:
    """A context whose sockets accept only the keys of the allow-list (ZAP, RFC 27)."""

    def __init__(self, security: Security) -> None:
        self._security = security
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator = ThreadAuthenticator(self.context)
        self._authenticator.start()
        self._authenticator.configure_curve(domain=_ZAP_DOMAIN, location=str(security.folder / "allowed"))

    def protect(self, link: zmq.Socket[bytes]) -> None:
        """Make a socket, before it is bound, accept only the allowed keys."""
        link.curve_publickey, link.curve_secretkey = self._security.public, self._security.secret
        link.curve_server = True
        link.setsockopt(zmq.ZAP_DOMAIN, _ZAP_DOMAIN.encode())

    def close(self) -> None:
        """End the authenticator and the context, whose sockets are closed."""
        self._authenticator.stop()
        self.context.term()


class Binding:
    """A bound socket, and the file of an `ipc://` one, which only its maker removes."""

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
        self._link, self._mended = link, 0
        if self._path:
            os.chmod(self._path, 0o600)
            self._inode = os.stat(self._path).st_ino

    def mend(self) -> bool:
        """Bind the address once more if the file of an `ipc://` one was removed, so that readers can connect again.

        Links that exist do not need the file and go on. Call it in the thread that uses the socket.

        Returns:
            True when it was bound again.
        """
        if not self._path or os.path.lexists(self._path) or self._mended >= MAX_MENDED:
            return False
        try:
            # The first binding stays: to unbind it would remove the new file, a moment later.
            self._link.bind(f"ipc://{self._path}")
            os.chmod(self._path, 0o600)
            self._inode = os.stat(self._path).st_ino
        except (zmq.ZMQError, OSError):
            return False
        self._mended += 1
        return True

    def unlink(self) -> None:
        """Remove the file if it is still this binder's and not a successor's."""
        path, self._path = self._path, ""
        with contextlib.suppress(OSError):
            if path and os.stat(path).st_ino == self._inode:
                os.unlink(path)


def _answers(path: str) -> bool:
    """Whether a process listens on a socket's file; a file left behind by a killed process refuses connections."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        try:
            probe.connect(path)
        except BlockingIOError:  # a full backlog: there is a listener
            return True
        except OSError:
            return False
        return True


def make_socket(context: zmq.Context[zmq.Socket[bytes]], kind: int, queue: int, max_bytes: int) -> zmq.Socket[bytes]:
    """A socket with a bounded queue (messages) and bounded messages (bytes), which notices hosts that vanish."""
    link: zmq.Socket[bytes] = context.socket(kind)
    link.setsockopt(zmq.LINGER, LINGER_MS)
    link.setsockopt(zmq.SNDHWM, queue)
    link.setsockopt(zmq.RCVHWM, queue)
    link.setsockopt(zmq.MAXMSGSIZE, max_bytes)
    link.setsockopt(zmq.RECONNECT_IVL, 20)
    link.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
    # A host that vanished without closing the link is noticed within 5 s, and reconnected to when it is back. TCP asks,
    # not ZeroMQ: libzmq 4.3.5 aborts the process (libzmq issues 3937 and 4767) when a socket with heartbeats has a full
    # queue and loses its peer, as a slow stage does whose publisher is killed.
    link.setsockopt(zmq.TCP_KEEPALIVE, 1)
    link.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 1)
    link.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 1)
    link.setsockopt(zmq.TCP_KEEPALIVE_CNT, 4)
    link.setsockopt(zmq.TCP_MAXRT, 5_000)
    link.setsockopt(zmq.IPV6, 1)
    return link
