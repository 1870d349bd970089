"""The page and the pictures of `--screen web`: what viewers get, and what one who takes nothing does to the others."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streaming.remote.browser.picture_stream import MOST_VIEWERS
from streaming.remote.console.access import AccessRules
from streaming.remote.console.console_desk import ConsoleDesk
from streaming.remote.console.preset_book import PresetBook
from streaming.remote.console.prior_shelf import PriorShelf
from streaming.remote.console.show_watch import ShowWatch
from streaming.remote.console.web_app import ConsoleRoom
from streaming.remote.console.web_server import ConsoleServer
from streaming.schema.messages import Picture, Screen
from streaming.stage import Inputs
from tests.live.place import wait_for


class CountingWatch(ShowWatch):
    """Shows pictures of one grey."""

    tick = 0

    def show(self, image: np.ndarray) -> None:
        self.tick += 1
        picture, screen = Picture(tick=self.tick, image=image), Screen(tick=self.tick, shown_ns=1)
        self.take(Inputs(messages={"picture": [picture], "screen": [screen]}))

    def grey(self, value: int) -> None:
        self.show(np.full((64, 96, 3), value, np.uint8))


class PicturePage:
    """A console with nothing but its pictures."""

    def __init__(self, folder: Path, token: str = "") -> None:
        self.watch = CountingWatch()
        desk = ConsoleDesk({}, PresetBook(folder / "b.json"), PriorShelf(folder / "priors"), lambda kind: None)
        self.server = ConsoleServer(
            "127.0.0.1",
            0,
            lambda port: AccessRules("127.0.0.1", port, token),
            lambda changed: ConsoleRoom(desk, self.watch, {}, changed),
            lambda: None,
        )
        self.url = f"http://127.0.0.1:{self.server.port}"

    def open(self, path: str = "/picture") -> HTTPResponse:
        answer: HTTPResponse = urllib.request.urlopen(self.url + path, timeout=10)
        return answer

    def status(self, path: str) -> int:
        try:
            with self.open(path) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PicturePage]:
    one = PicturePage(tmp_path)
    yield one
    one.server.close()


def next_picture(stream: HTTPResponse) -> np.ndarray:
    assert stream.readline() == b"--antiphon\r\n"
    stream.readline()
    size = int(stream.readline().split(b":")[1])
    stream.readline()
    data = np.frombuffer(stream.read(size), np.uint8)
    assert stream.readline() == b"\r\n"
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def see(stream: HTTPResponse, value: int) -> None:
    while abs(float(next_picture(stream).mean()) - value) > 3.0:
        continue


def test_the_page_shows_the_picture_and_nothing_from_elsewhere(page: PicturePage) -> None:
    with page.open("/screen") as answer:
        text = answer.read().decode()
        assert 'src="picture"' in text
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    for path in ("/screen.js", "/screen.css", "/icon.svg"):
        assert page.status(path) == 200


def test_a_viewer_gets_every_new_picture_and_a_slow_one_the_newest(page: PicturePage) -> None:
    page.watch.grey(10)
    with page.open() as stream:
        assert stream.headers["Content-Type"].startswith("multipart/x-mixed-replace")
        for value in (10, 90, 170):
            page.watch.grey(value)
            see(stream, value)


def test_other_programs_read_the_stream(page: PicturePage) -> None:
    ended = threading.Event()

    def show() -> None:
        image = np.full((96, 128, 3), 10, np.uint8)
        image[:, 64:] = 230
        while not ended.wait(0.02):
            page.watch.show(image)

    showing = threading.Thread(target=show)
    showing.start()
    try:
        with av.open(f"{page.url}/picture", format="mpjpeg", timeout=10.0) as container:
            picture = next(container.decode(video=0)).to_ndarray(format="bgr24")
    finally:
        ended.set()
        showing.join()
    assert picture.shape == (96, 128, 3)
    assert picture[48, 20].max() < 40 < 200 < picture[48, 108].min()


def test_topics_are_wanted_while_somebody_looks_and_no_more_look_than_may(page: PicturePage) -> None:
    page.watch.grey(1)
    assert page.server.wanted == frozenset()
    viewers = [page.open() for _ in range(MOST_VIEWERS)]
    for viewer in viewers:
        see(viewer, 1)
    wait_for(lambda: page.server.wanted == {"picture", "screen"}, 10.0)
    assert page.status("/picture") == 503
    viewers.pop().close()
    wait_for(lambda: page.status("/picture") == 200, 10.0)
    for viewer in viewers:
        viewer.close()
    wait_for(lambda: page.server.wanted == frozenset(), 10.0)


def test_without_the_token_there_is_no_picture_and_with_it_the_page_is_opened_once(tmp_path: Path) -> None:
    page = PicturePage(tmp_path, "a-token-of-some-length")
    try:
        page.watch.grey(50)
        assert (page.status("/screen"), page.status("/picture")) == (401, 401)
        assert page.status("/picture?token=a-token-of-some-length") == 200
        with socket.create_connection(("127.0.0.1", page.server.port), 10.0) as browser:
            browser.sendall(b"GET /screen?token=a-token-of-some-length HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = browser.recv(4096).decode()
        assert answer.startswith("HTTP/1.1 303")
        assert "location: /screen\r\n" in answer
        assert "HttpOnly" in answer
    finally:
        page.server.close()


def test_one_who_takes_nothing_delays_nobody_and_is_cut_off(page: PicturePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.remote.console.web_server.TAKE_S", 0.5)
    noise = np.random.default_rng(0)
    page.watch.grey(1)
    with socket.create_connection(("127.0.0.1", page.server.port), 10.0) as sleeper, page.open() as awake:
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.sendall(b"GET /picture HTTP/1.1\r\nHost: localhost\r\n\r\n")
        taken = 0
        for _ in range(30):
            page.watch.show(noise.integers(0, 255, (512, 768, 3), dtype=np.uint8))
            taken += next_picture(awake).size
        assert taken > 20 * 512 * 768 * 3
        page.watch.grey(2)
        with contextlib.suppress(ConnectionResetError):
            wait_for(lambda: len(sleeper.recv(1 << 20)) == 0, 20.0)
