"""The page of pictures: what browsers get, and what strangers, other sites and slow connections do not."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from streaming.devices.screens.picture_server import MAX_BROWSERS, MAX_CONNECTIONS, PictureServer, check_request
from streaming.errors import SourceError
from streaming.timing import clock


def plain(value: int) -> np.ndarray:
    return np.full((64, 96, 3), value, np.uint8)


@pytest.fixture
def server() -> Iterator[PictureServer]:
    server = PictureServer(0)
    yield server
    server.close()


def port_of(server: PictureServer) -> int:
    return int(server.url.rstrip("/").rpartition(":")[2])


def ask(server: PictureServer, request: str, *, timeout: float = 5.0) -> socket.socket:
    """A connection that has sent a request."""
    connection = socket.create_connection(("127.0.0.1", port_of(server)), timeout)
    connection.sendall(request.encode())
    return connection


def status_of(server: PictureServer, path: str = "/", *lines: str, host: str = "localhost:1") -> int:
    with ask(server, "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", ""])) as connection:
        return int(connection.recv(4096).split(b" ")[1])


def wait_for(true: Callable[[], bool], seconds: float = 5.0) -> None:
    end_ns = clock.now_ns() + round(1e9 * seconds)
    while not true():
        assert clock.now_ns() < end_ns, "it did not come about"
        time.sleep(0.01)


def test_a_browser_gets_every_new_picture(server: PictureServer) -> None:
    with urllib.request.urlopen(server.url, timeout=5) as page:
        assert b"picture" in page.read()
        assert page.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    server.offer(plain(10))
    with urllib.request.urlopen(server.url + "picture", timeout=5) as stream:
        assert "multipart/x-mixed-replace" in stream.headers["Content-Type"]
        for value in (10, 90, 170):
            server.offer(plain(value))
            seen = -1.0
            while abs(seen - value) > 3:
                assert stream.readline() == b"--antiphon\r\n"
                stream.readline()
                size = int(stream.readline().split(b":")[1])
                stream.readline()
                data = np.frombuffer(stream.read(size), np.uint8)
                seen = float(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)).mean())
                stream.readline()
    server.close()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(server.url, timeout=2)
    server.close()


def test_a_taken_port_gets_one_line(server: PictureServer) -> None:
    with pytest.raises(SourceError, match="the port cannot be opened"):
        PictureServer(port_of(server))


def test_nothing_is_encoded_while_nobody_looks_and_once_for_all(server: PictureServer) -> None:
    server.offer(plain(1))
    time.sleep(0.1)
    assert server.encoded == 0
    browsers = [urllib.request.urlopen(server.url + "picture", timeout=5) for _ in range(3)]
    for browser in browsers:
        assert browser.readline() == b"--antiphon\r\n"
    assert server.encoded == 1
    for browser in browsers:
        browser.close()


def test_no_more_browsers_than_allowed_and_a_place_is_free_again(server: PictureServer) -> None:
    server.offer(plain(1))
    browsers = [urllib.request.urlopen(server.url + "picture", timeout=5) for _ in range(MAX_BROWSERS)]
    for browser in browsers:
        assert browser.readline() == b"--antiphon\r\n"
    assert status_of(server, "/picture") == 503
    browsers.pop().close()

    def let_in() -> bool:
        server.offer(plain(2))
        return status_of(server, "/picture") == 200

    wait_for(let_in)
    for browser in browsers:
        browser.close()


@pytest.mark.parametrize(
    ("host", "lines", "status"),
    [
        ("127.0.0.1:8025", (), 200),
        ("LOCALHOST", (), 200),
        ("[::1]:8025", (), 200),
        ("evil.example", (), 403),
        ("127.0.0.1.evil.example:8025", (), 403),
        ("", (), 403),
        ("localhost:8025", ("Origin: http://localhost:8025",), 200),
        ("localhost:8025", ("Origin: http://evil.example",), 403),
        ("localhost:8025", ("Origin: null",), 403),
        ("localhost:8025", ("Origin: http://localhost:9999",), 403),
        ("localhost:8025", ("Sec-Fetch-Site: cross-site",), 403),
        ("localhost:8025", ("Sec-Fetch-Site: same-origin",), 200),
        ("localhost:8025", ("Host: evil.example",), 400),
        ("localhost:8025", ("nonsense",), 400),
    ],
)
def test_only_this_machines_own_pages_are_answered(
    server: PictureServer, host: str, lines: tuple[str, ...], status: int
) -> None:
    assert status_of(server, "/", *lines, host=host) == status
    assert server.refused == (status != 200)


def test_other_requests_are_refused() -> None:
    head = "\r\nHost: localhost\r\n\r\n"
    for line, status in (
        ("POST / HTTP/1.1", 405),
        ("GET /etc/passwd HTTP/1.1", 404),
        ("GET /../picture HTTP/1.1", 404),
        ("GET  HTTP/1.1", 404),
        ("GET / HTTP/9", 400),
        ("\x00\xff", 400),
        ("", 400),
    ):
        assert check_request((line + head).encode("latin-1"))[0] == status
    assert check_request(b"\r\n\r\n")[0] == 400
    assert check_request(f"GET /picture?x=1 HTTP/1.0{head}".encode()) == (200, "/picture")


def test_a_thousand_slow_connections_take_one_thread_and_leave_room_for_a_browser(server: PictureServer) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    threads = threading.active_count()
    opened: list[socket.socket] = []
    try:
        before = len(os.listdir("/proc/self/fd"))
        opened.extend(ask(server, "GET / HTTP/1.1\r\nX-Slow: ") for _ in range(1300))
        wait_for(lambda: server.refused >= 1300 - MAX_CONNECTIONS, 30.0)
        assert threading.active_count() == threads
        assert len(os.listdir("/proc/self/fd")) - before - len(opened) <= MAX_CONNECTIONS + 1
        server.offer(plain(50))
        assert status_of(server) == 200
        assert status_of(server, "/picture") == 200
        busy = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - busy < 0.1
    finally:
        for connection in opened:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_request_that_does_not_end_is_cut_off(server: PictureServer) -> None:
    with ask(server, "GET / HTTP/1.1\r\nX-Long: " + "x" * 20_000) as connection:
        try:
            answer = connection.recv(100)
        except ConnectionResetError:
            answer = b""
    assert answer == b""


def test_a_browser_that_takes_no_picture_delays_nobody(server: PictureServer) -> None:
    server.offer(plain(1))
    sleeper = ask(server, "GET /picture HTTP/1.1\r\nHost: localhost\r\n\r\n")
    rng = np.random.default_rng(0)
    with urllib.request.urlopen(server.url + "picture", timeout=5) as awake:
        taken = 0
        for _ in range(40):
            server.offer(rng.integers(0, 255, (512, 768, 3), dtype=np.uint8))
            line = awake.readline()
            while not line.startswith(b"Content-Length"):
                line = awake.readline()
            awake.readline()
            taken += len(awake.read(int(line.split(b":")[1])))
    assert taken > 1_000_000
    sleeper.close()
