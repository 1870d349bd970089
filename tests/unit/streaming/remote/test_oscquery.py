"""The tree has every address with type, range and value; the server answers one machine and outlives bad clients."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pythonoscquery.osc_query_client import OSCQueryClient
from zeroconf import ServiceInfo

from streaming.errors import UserError
from streaming.remote.oscquery import SERVICE, OscQueryServer, answer, node_at, tree_of
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS
from tests.live.place import wait_for

TREE = tree_of(Show().controls, {"/antiphon/out/level": -12.5})


@pytest.fixture
def server() -> Iterator[OscQueryServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = OscQueryServer("127.0.0.1", port, lambda: TREE, is_announced=False)
    yield one
    one.close()


def get(port: int, path: str, **headers: str) -> tuple[int, Any]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    link.request("GET", path, headers=headers)
    response = link.getresponse()
    body = response.read()
    link.close()
    return response.status, json.loads(body) if body else None


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_is_a_node(name: str) -> None:
    row, node = CONTROLS[name], node_at(TREE, f"/antiphon/{name}")
    assert node is not None
    assert node["FULL_PATH"] == f"/antiphon/{name}"
    assert node["ACCESS"] == 3
    assert node["VALUE"] == [Show().controls[name]]
    assert node["DESCRIPTION"] == row.words
    assert ("RANGE" in node) == (row.kind == "number")


def test_a_client_reads_host_tree_node_and_attribute(server: OscQueryServer) -> None:
    status, host = get(server.port, "/?HOST_INFO")
    assert (status, host["OSC_PORT"], host["OSC_TRANSPORT"]) == (200, server.port, "UDP")
    assert get(server.port, "/") == (200, TREE)
    assert get(server.port, "/antiphon/motion?VALUE") == (200, {"VALUE": [1.0]})
    assert get(server.port, "/antiphon/motion?RANGE") == (200, {"RANGE": [{"MIN": 0.0, "MAX": 4.0}]})
    assert get(server.port, "/antiphon/out/level?VALUE") == (200, {"VALUE": [-12.5]})
    assert get(server.port, "/antiphon/voice?RANGE")[0] == 204
    assert get(server.port, "/antiphon/nothing")[0] == 404
    assert get(server.port, "/antiphon/motion?NONSENSE")[0] == 400


def test_a_client_of_others_reads_the_tree(server: OscQueryServer) -> None:
    """python-oscquery, which is not of this project, refuses a tree that does not keep to what it knows of OSCQuery."""
    place = ServiceInfo(SERVICE, f"antiphon.{SERVICE}", server.port, addresses=[socket.inet_aton("127.0.0.1")])
    client = OSCQueryClient(place)
    host = client.get_host_info()
    assert (host.name, host.osc_port, host.osc_transport) == ("Antiphon", server.port, "UDP")
    (root,) = client.query_node("/").contents
    found = {node.full_path: node for node in root.contents}
    assert {f"/antiphon/{name}" for name in CONTROLS} <= found.keys()
    motion = client.query_node("/antiphon/motion")
    assert (motion.value, motion.type, motion.access) == ([1.0], [float], 3)
    assert client.query_node("/antiphon/out/level").value == [-12.5]
    assert client.query_node("/antiphon/nothing") is None


def test_a_page_of_another_name_is_refused(server: OscQueryServer) -> None:
    assert get(server.port, "/", Host=f"evil.example:{server.port}")[0] == 403
    assert get(server.port, "/", Host=f"localhost:{server.port}")[0] == 200


def test_those_who_say_nothing_or_nonsense_do_not_stop_it(server: OscQueryServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
    with socket.create_connection(("127.0.0.1", server.port)) as rude:
        rude.sendall(b"\xff\xfe\0\r\n\r\n")
    assert get(server.port, "/antiphon/motion?VALUE")[0] == 200
    for one in silent:
        one.close()


def test_a_taken_port_is_one_line(server: OscQueryServer) -> None:
    with pytest.raises(UserError, match=f"--osc 127.0.0.1:{server.port}"):
        OscQueryServer("127.0.0.1", server.port, lambda: TREE, is_announced=False)


def test_paths_that_lead_elsewhere_are_no_addresses() -> None:
    for path in ("/../etc/passwd", "/antiphon/../..", "/antiphon/%2e%2e"):
        assert answer(path, TREE, 1)[0] == 404


def test_zeroconf_finds_it(server: OscQueryServer) -> None:
    zeroconf = pytest.importorskip("zeroconf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    announced = OscQueryServer("127.0.0.1", port, lambda: TREE)
    finder = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    found: list[int] = []

    class Listener(zeroconf.ServiceListener):  # type: ignore[misc,name-defined]
        def add_service(self, service: Any, kind: str, name: str) -> None:
            if info := service.get_service_info(kind, name):
                found.append(info.port)

        def update_service(self, *_: Any) -> None:
            """Not asked about."""

        def remove_service(self, *_: Any) -> None:
            """Not asked about."""

    browser = zeroconf.ServiceBrowser(finder, SERVICE, Listener())
    try:
        wait_for(lambda: port in found, 15.0)
    finally:
        browser.cancel()
        finder.close()
        announced.close()
