"""The server under strangers: connections that send nothing make room, and end by themselves."""

from __future__ import annotations

import contextlib
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.remote.console.access import AccessRules
from streaming.remote.console.console_desk import ConsoleDesk
from streaming.remote.console.preset_book import PresetBook
from streaming.remote.console.prior_shelf import PriorShelf
from streaming.remote.console.show_watch import ShowWatch
from streaming.remote.console.web_app import ConsoleRoom
from streaming.remote.console.web_server import HEAD_S, MAX_HEAD_BYTES, MOST_CONNECTIONS, ConsoleServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConsoleServer]:
    desk = ConsoleDesk({}, PresetBook(tmp_path / "b.json"), PriorShelf(tmp_path / "priors"), lambda kind: None)
    one = ConsoleServer(
        "127.0.0.1",
        0,
        lambda port: AccessRules("127.0.0.1", port),
        lambda changed: ConsoleRoom(desk, ShowWatch(), {}, changed),
        lambda: None,
    )
    yield one
    one.close()


def test_silent_connections_make_room_for_a_request_and_end(server: ConsoleServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port), 10.0) for _ in range(MOST_CONNECTIONS + 8)]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=20) as answer:
            assert answer.status == 200
        silent[-1].settimeout(HEAD_S + 20.0)
        with contextlib.suppress(ConnectionResetError):
            assert silent[-1].recv(1) == b"", "it is ended, for it sent nothing"
    finally:
        for one in silent:
            one.close()


def test_a_head_without_an_end_is_refused(server: ConsoleServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 20.0) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (2 * MAX_HEAD_BYTES))
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = stranger.recv(100)
    assert answer.startswith(b"HTTP/1.1 4") or answer == b""
