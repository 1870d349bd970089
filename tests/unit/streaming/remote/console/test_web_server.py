"""The server under strangers: connections that send nothing make room, and end by themselves."""

from __future__ import annotations

import contextlib
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets import Origin
from websockets.sync.client import connect

from streaming.errors import UserError
from streaming.remote.console.access import AccessRules
from streaming.remote.console.console_desk import ConsoleDesk
from streaming.remote.console.preset_book import PresetBook
from streaming.remote.console.prior_shelf import PriorShelf
from streaming.remote.console.show_watch import ShowWatch
from streaming.remote.console.web_app import ConsoleRoom
from streaming.remote.console.web_server import HEAD_S, MAX_HEAD_BYTES, MOST_CONNECTIONS, ConsoleServer

CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUE6Z/SS6Ut0kMWV20mco7BYLS6tgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEzMDIyMDk0NVoYDzIxMjYxMTA2
MjIwOTQ1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQp8p4pE2llecHYmZmdEDImWTjBHKK2fXVtGX9gv6LIE5BJ40r+obou
AMgmRfB225KBeIMy+GJWVR9rnvrL3uXto28wbTAdBgNVHQ4EFgQUXZZzKaK/ILwH
wrpeoMH8LRn1t94wHwYDVR0jBBgwFoAUXZZzKaK/ILwHwrpeoMH8LRn1t94wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgId+cjMEbnAUlvnfQnSoOygK1atKf1Z/I2pK0lMcUurUCIEAU
W4dwdKnFyhiiYhbnPhpo1jCY8skAJWXdN92pMFsE
-----END CERTIFICATE-----
"""
KEY = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgq2ioxKjil7qCuJEW
ryOgGBXI1vKXyHqXEklhhyjMYWihRANCAAQp8p4pE2llecHYmZmdEDImWTjBHKK2
fXVtGX9gv6LIE5BJ40r+obouAMgmRfB225KBeIMy+GJWVR9rnvrL3uXt
-----END PRIVATE KEY-----
"""
"""Of this test alone, for a hundred years: `localhost`."""


def serve(tmp_path: Path, certificate: tuple[str, str] | None = None) -> ConsoleServer:
    desk = ConsoleDesk({}, PresetBook(tmp_path / "b.json"), PriorShelf(tmp_path / "priors"), lambda kind: None)
    return ConsoleServer(
        "127.0.0.1",
        0,
        lambda port: AccessRules("127.0.0.1", port),
        lambda changed: ConsoleRoom(desk, ShowWatch(), {}, changed),
        lambda: None,
        certificate,
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConsoleServer]:
    one = serve(tmp_path)
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


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    for name, text in (("cert.pem", CERTIFICATE), ("key.pem", KEY)):
        (tmp_path / name).write_text(text)
    return str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")


def test_with_a_certificate_the_page_and_its_link_are_encrypted(tmp_path: Path, certificate: tuple[str, str]) -> None:
    one = serve(tmp_path, certificate)
    trust = ssl.create_default_context(cadata=CERTIFICATE)
    try:
        with urllib.request.urlopen(f"https://localhost:{one.port}/", timeout=20, context=trust) as answer:
            assert answer.status == 200
        with connect(
            f"wss://localhost:{one.port}/live", ssl=trust, origin=Origin(f"https://localhost:{one.port}")
        ) as page:
            assert '"hello"' in str(page.recv(20.0))
        with pytest.raises(OSError, match=r".+"):
            urllib.request.urlopen(f"http://localhost:{one.port}/", timeout=20)
    finally:
        one.close()


def test_a_certificate_that_cannot_be_used_is_one_line(tmp_path: Path, certificate: tuple[str, str]) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    for cert, key in ((certificate[1], ""), (certificate[0], ""), (certificate[0], str(tmp_path / "no.pem"))):
        with pytest.raises(
            UserError, match=r"--console-cert .*: cannot be used with .*; give a certificate and its own"
        ):
            serve(tmp_path, (cert, key))
