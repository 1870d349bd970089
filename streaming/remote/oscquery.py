"""OSCQuery: programs that patch find every address of the show with its type, range and value, over HTTP.

The proposal of Vidvox (github.com/Vidvox/OSCQueryProposal): a JSON tree at `/`, one node at its own path, one attribute
with `?VALUE`, and `?HOST_INFO`. The tree derives from the table of controls. Found by zeroconf (`_oscjson._tcp`) where
the package `zeroconf` is installed.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from streaming.errors import UserError
from streaming.remote.osc_messages import ERROR, EVENTS, GET, ROOT, SUBSCRIBE, TAP, UNSUBSCRIBE, address_of_control
from streaming.settings.controls import CONTROLS, ControlSpec, Value
from streaming.settings.network_place import LOOPBACK, is_loopback

READ_ONLY, WRITE_ONLY, READ_WRITE, NO_VALUE = 1, 2, 3, 0
SERVICE = "_oscjson._tcp.local."
NAME = "Antiphon"
EXTENSIONS = {"ACCESS": True, "VALUE": True, "RANGE": True, "DESCRIPTION": True, "TAGS": False, "LISTEN": False}
REGISTERED_WITHIN_S = 3.0
SLOWEST_S = 1.0
"""A request that takes longer is given up: there is one at a time."""

Node = dict[str, Any]


def _control_node(row: ControlSpec, value: Value) -> Node:
    tag = "f" if row.kind == "number" else "s"
    node: Node = {
        "FULL_PATH": address_of_control(row.name),
        "DESCRIPTION": row.words,
        "ACCESS": READ_WRITE if row.live else READ_ONLY,
        "TYPE": "s" if isinstance(value, str) else tag,
        "VALUE": [value],
    }
    if row.kind == "number":
        node["RANGE"] = [{"MIN": row.low, "MAX": row.high}]
    if row.unit:
        node["UNIT"] = [row.unit]
    return node


def tree_of(values: Mapping[str, Value], last: Mapping[str, float | int]) -> Node:
    """The whole tree.

    Args:
        values: what every control is.
        last: address of an event -> what was said last.
    """
    contents: dict[str, Node] = {name: _control_node(row, values[name]) for name, row in CONTROLS.items()}
    out = {
        address.rpartition("/")[2]: {
            "FULL_PATH": address,
            "DESCRIPTION": event.words,
            "ACCESS": READ_ONLY,
            "TYPE": event.tag,
            "VALUE": [last.get(address, event.before)],
        }
        for address, event in EVENTS.items()
    }
    contents["out"] = {"FULL_PATH": f"{ROOT}/out", "ACCESS": NO_VALUE, "CONTENTS": out}
    for address, words, tag, access, value in (
        (
            SUBSCRIBE,
            "be told what changes and what is played, at the port that is sent, for a minute",
            "i",
            WRITE_ONLY,
            [0],
        ),
        (UNSUBSCRIBE, "be told no more", "N", WRITE_ONLY, [None]),
        (GET, "be told what every control is", "N", WRITE_ONLY, [None]),
        (TAP, "tap the beat: two taps or more set tempo", "N", WRITE_ONLY, [None]),
        (ERROR, "what was refused, and why", "ss", READ_ONLY, ["", ""]),
    ):
        # Some clients refuse a tree in which a node that is no container has no value.
        node = {"FULL_PATH": address, "DESCRIPTION": words, "ACCESS": access, "TYPE": tag, "VALUE": value}
        contents[address.rpartition("/")[2]] = node
    root = {"FULL_PATH": ROOT, "ACCESS": NO_VALUE, "CONTENTS": contents}
    return {"FULL_PATH": "/", "ACCESS": NO_VALUE, "DESCRIPTION": NAME, "CONTENTS": {ROOT.strip("/"): root}}


def node_at(tree: Node, path: str) -> Node | None:
    """The node of a path like `/antiphon/motion`; None where there is none."""
    node = tree
    for name in [one for one in path.split("/") if one]:
        child = node.get("CONTENTS", {}).get(name)
        if child is None:
            return None
        node = child
    return node


def answer(target: str, tree: Node, osc_port: int) -> tuple[int, Node]:
    """The status and the JSON for a request's target, like `/antiphon/motion?VALUE`."""
    parts = urlsplit(target)
    attribute = parts.query.partition("&")[0]
    if attribute == "HOST_INFO":
        return 200, {"NAME": NAME, "OSC_PORT": osc_port, "OSC_TRANSPORT": "UDP", "EXTENSIONS": EXTENSIONS}
    node = node_at(tree, unquote(parts.path))
    if node is None:
        return 404, {"error": f"{parts.path}: no such address"}
    if not attribute:
        return 200, node
    if attribute not in node:
        return (204 if attribute in EXTENSIONS or attribute == "TYPE" else 400), {}
    return 200, {attribute: node[attribute]}


class OscQueryServer:
    """Serves the tree, one request at a time, in a thread of its own.

    Args:
        host, port: where to listen; the port of OSC itself, over TCP.
        tree: gives the present tree.
        is_announced: whether zeroconf says where it is.

    Attributes:
        port: that is listened at.

    Raises:
        UserError: when the port cannot be had.
    """

    def __init__(self, host: str, port: int, tree: Callable[[], Node], *, is_announced: bool = True) -> None:
        handler = _handler(host, port, tree)
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            fix = "give --osc another port, or --osc off"
            raise UserError(
                f"cannot be listened at ({error.strerror or error})", f"--osc {host}:{port}", fix
            ) from error
        self.port = int(self._server.server_address[1])
        self._announcement = _Announcement(host, self.port) if is_announced else None
        self._thread = threading.Thread(target=self._server.serve_forever, name="oscquery", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2 * SLOWEST_S)
        if self._announcement is not None:
            self._announcement.close()


class _Server(HTTPServer):
    request_queue_size = 16
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody who hangs up is no error of the show."""


def _handler(host: str, port: int, tree: Callable[[], Node]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SLOWEST_S
        server_version, sys_version = NAME, ""

        def do_GET(self) -> None:
            name = (self.headers.get("Host") or "").rpartition(":")[0] or (self.headers.get("Host") or "")
            # A page of somebody else's, whose name was made to lead here (DNS rebinding), asks with its own name.
            if is_loopback(host) and not is_loopback(name.strip("[]")):
                self._send(403, {"error": "this is served to this machine alone"})
                return
            self._send(*answer(self.path, tree(), port))

        def _send(self, status: int, body: Node) -> None:
            data = json.dumps(body).encode() if status != 204 else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """The show's console is for the show."""

    return Handler


class _Announcement:
    """Says by zeroconf where the service is, to this machine alone where it listens to this machine alone.

    Without the package `zeroconf`, or a network that carries multicast, it says nothing.

    Args:
        host, port: where the service listens.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._service: Any = None
        self._thread = threading.Thread(target=self._register, name="zeroconf", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take it back."""
        self._thread.join(REGISTERED_WITHIN_S)
        if self._service is not None:
            with contextlib.suppress(Exception):
                self._service.close()

    def _register(self) -> None:
        with contextlib.suppress(Exception):  # Whatever fails here, the service itself is there.
            from zeroconf import InterfaceChoice, IPVersion, ServiceInfo, Zeroconf

            own, every = is_loopback(self._host), self._host in ("0.0.0.0", "*")
            address = socket.inet_aton(LOOPBACK if own or every else socket.gethostbyname(self._host))
            where: Any = InterfaceChoice.All if every else [LOOPBACK if own else self._host]
            self._service = Zeroconf(interfaces=where, ip_version=IPVersion.V4Only)
            name, facts = f"{NAME}.{SERVICE}", {"txtvers": "1"}
            service = ServiceInfo(SERVICE, name, addresses=[address], port=self._port, properties=facts)
            self._service.register_service(service, allow_name_change=True)
