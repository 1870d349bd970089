"""The console over HTTP and WebSocket: what it serves, whom it refuses, how a slow or strange browser is bounded."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from streaming.remote.console.access import NO_TOKEN, WRONG_HOST, WRONG_ORIGIN, AccessRules
from streaming.remote.console.client_outbox import ClientOutbox
from streaming.remote.console.console_desk import ConsoleDesk
from streaming.remote.console.control_widgets import widgets
from streaming.remote.console.preset_book import PresetBook
from streaming.remote.console.prior_shelf import MAX_UPLOAD, PriorShelf
from streaming.remote.console.show_watch import ShowWatch
from streaming.remote.console.web_app import MAX_MESSAGE, MOST_CLIENTS, STATIC, ConsoleRoom, make_app
from streaming.schema.messages import Camera
from streaming.settings.controls import CONTROLS
from streaming.stage import Inputs
from tests.unit.streaming.remote.console.test_show_watch import IMAGE

HOME, LIVE = "http://127.0.0.1:8420", "ws://127.0.0.1:8420/live"
PNG = cv2.imencode(".png", np.full((60, 80, 3), 90, np.uint8))[1].tobytes()
TOKEN = "a-long-token-of-letters"


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it has so many pixels, of one bit each."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\1\0\0\0\0"
    rows = zlib.compress(bytes(2_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class House:
    """A room, and a browser before it."""

    def __init__(self, folder: Path, token: str = "") -> None:
        values = {name: row.default for name, row in CONTROLS.items()}
        desk = ConsoleDesk(values, PresetBook(folder / "b.json"), PriorShelf(folder / "priors"), lambda kind: None)
        self.room = ConsoleRoom(desk, ShowWatch(), {"controls": widgets(["violin"])}, lambda: None)
        rules = AccessRules("127.0.0.1", 8420, token)
        self.browser = TestClient(make_app(self.room, rules), base_url=HOME, follow_redirects=False)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    with one.browser:
        yield one


def hear(socket: Any, kind: str) -> Any:
    """The next message of a kind."""
    for _ in range(20):
        message = socket.receive_json()
        if message["type"] == kind:
            return message
    raise AssertionError(kind)


def test_the_page_and_its_parts_are_served_and_nothing_else(house: House) -> None:
    page = house.browser.get("/")
    assert page.status_code == 200
    assert "Antiphon" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in STATIC.iterdir():
        if path.suffix in (".js", ".css", ".svg"):
            assert house.browser.get(f"/{path.name}").status_code == 200
    for path_text in ("/index.htm", "/../web_app.py", "/%2e%2e/web_app.py", "/static/", "/shelf", "/shelf/a%2fb"):
        assert house.browser.get(path_text).status_code in (307, 404)
    assert house.browser.post("/").status_code == 405


def test_the_page_fetches_nothing_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text.replace('"https:"', "")


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}],
)
def test_a_strange_host_or_origin_is_refused_everywhere(house: House, headers: dict[str, str]) -> None:
    page = house.browser.get("/", headers=headers)
    assert page.status_code == 403
    words = WRONG_HOST if "host" in headers else WRONG_ORIGIN
    assert page.text == f"{words}\n", "it is said why"
    assert house.browser.put("/shelf/x.png", content=PNG, headers=headers).status_code == 403
    with pytest.raises(WebSocketDisconnect), house.browser.websocket_connect(LIVE, headers=headers):
        raise AssertionError("it was let in")
    assert house.room.desk.shelf.names() == []


def test_a_token_opens_once_and_stays_in_a_cookie(tmp_path: Path) -> None:
    house = House(tmp_path, TOKEN)
    with house.browser as browser:
        for query in ("", "?token=wrong", "?token="):
            answer = browser.get(f"/{query}")
            assert (answer.status_code, answer.text) == (401, f"{NO_TOKEN}\n")
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect(LIVE):
            raise AssertionError("it was let in")
        answer = browser.get(f"/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=strict" in answer.headers["set-cookie"]
        assert browser.get("/").status_code == 200
        with browser.websocket_connect(LIVE) as socket:
            assert hear(socket, "hello")


def test_a_browser_is_told_all_and_sets_a_control(house: House) -> None:
    with house.browser.websocket_connect(LIVE, headers={"origin": HOME}) as socket:
        hello = hear(socket, "hello")
        assert {row["name"] for row in hello["controls"]} == {row.name for row in CONTROLS.values() if row.live}
        voice = next(row for row in hello["controls"] if row["name"] == "voice")
        assert voice["choices"] == ["auto", "violin"]
        assert hear(socket, "values")["values"]["motion"] == 1.0
        assert hear(socket, "book")["presets"] == []
        socket.send_json({"do": "set", "name": "motion", "value": 2})
        socket.send_json({"do": "save", "name": "x"})
        socket.send_text("no json")
        assert "is no JSON" in hear(socket, "lines")["lines"][0]["refused"]
        (wish,) = house.room.desk.beat(0)
        assert (wish.name, wish.value) == ("motion", 2.0)
        socket.send_text("[" * MAX_MESSAGE)
        assert "is no JSON" in hear(socket, "lines")["lines"][0]["refused"]
        socket.send_text("x" * (MAX_MESSAGE + 1))
        assert "is too long" in hear(socket, "lines")["lines"][0]["refused"]
        house.room.watch.take(Inputs(messages={"camera": [Camera(image=IMAGE)]}))
        house.browser.portal.call(house.room.tell, "camera")  # type: ignore[union-attr]
        assert socket.receive_bytes()[:4] == b"\x01\xff\xd8\xff"


def test_so_many_browsers_and_no_more(house: House) -> None:
    sockets = [house.browser.websocket_connect(LIVE) for _ in range(MOST_CLIENTS + 1)]
    for socket in sockets[:MOST_CLIENTS]:
        hear(socket.__enter__(), "hello")
    with sockets[-1] as refused, pytest.raises(WebSocketDisconnect) as error:
        refused.receive_json()
    assert error.value.code == 1013
    for socket in sockets[:MOST_CLIENTS]:
        socket.__exit__(None, None, None)
    with house.browser.websocket_connect(LIVE) as again:
        assert hear(again, "hello")


def test_an_image_is_put_on_the_shelf(house: House) -> None:
    answer = house.browser.put("/shelf/the%20sea.png", content=PNG)
    assert (answer.status_code, answer.json()) == (201, {"name": "the sea.png"})
    thumbnail = house.browser.get("/shelf/the%20sea.png")
    assert (thumbnail.status_code, thumbnail.headers["content-type"]) == (200, "image/jpeg")
    assert house.browser.get("/shelf/").status_code == 200
    assert house.browser.get("/shelf/unknown.png").status_code == 404


def test_what_is_too_large_or_no_image_is_refused(house: House) -> None:
    def too_much() -> Iterator[bytes]:
        for _ in range(MAX_UPLOAD // 1_000_000 + 2):
            yield bytes(1_000_000)

    said = {"content-length": str(MAX_UPLOAD + 1)}
    large = house.browser.put("/shelf/x.png", content=b"", headers=said)
    assert large.status_code == 413
    assert large.json()["refused"] == "the image: is too large: 24 MB are taken; send a smaller one"
    assert house.browser.put("/shelf/x.png", content=too_much()).status_code == 413, "unsaid, and counted"
    bad = house.browser.put("/shelf/x.png", content=b"<script>alert(1)</script>")
    assert bad.status_code == 400
    assert "is no picture" in bad.json()["refused"]
    assert house.room.desk.shelf.names() == []
    assert list(house.room.desk.shelf.folder.iterdir()) == []


@pytest.mark.parametrize(("width", "height"), [(12_000, 12_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_as_prior_is_refused_before_it_is_decoded(house: House, width: int, height: int) -> None:
    tracemalloc.start()
    try:
        answer = house.browser.put("/shelf/bomb.png", content=bomb(width, height))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 400
    assert answer.json()["refused"].startswith("bomb: has ")
    assert "give a PNG, JPEG or WebP of at most 50 megapixels" in answer.json()["refused"]
    assert peak < 20_000_000
    assert list(house.room.desk.shelf.folder.iterdir()) == []


def test_a_path_outside_the_shelf_is_refused_whatever_asks_for_it(house: House, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    for path in ("..%2fsecret.png", "%2e%2e%2fsecret.png", "....//secret.png", "%00", "..%5csecret.png"):
        assert house.browser.get(f"/shelf/{path}").status_code == 404
    # An upload has the name alone.
    names = [house.browser.put(f"/shelf/{path}", content=PNG).json() for path in ("..%5c..%5cx.png", "..%5c.png")]
    assert names == [{"name": "x.png"}, {"name": "png.png"}]
    assert sorted(path.name for path in house.room.desk.shelf.folder.iterdir()) == ["png.png", "x.png"]
    with house.browser.websocket_connect(LIVE) as socket:
        for message in (
            {"do": "prior", "name": "../secret.png"},
            {"do": "set", "name": "prior", "value": "/etc/passwd"},
        ):
            socket.send_json(message)
            assert "the shelf" in hear(socket, "lines")["lines"][0]["refused"]
        assert house.room.desk.beat(0) == []


def test_what_waits_for_a_slow_browser_is_bounded_and_the_newest_wins(house: House) -> None:
    client = ClientOutbox()
    for number in range(1_000):
        house.room.desk.change("volume", -float(number % 60))
        client.put("values", "view")
        client.answer({"refused": str(number)})
    kinds = [house.browser.portal.call(client.take) for _ in range(3)]  # type: ignore[union-attr]
    assert kinds == ["values", "view", "lines"]
    payload = house.room.payload("values", client)
    assert isinstance(payload, dict)
    assert payload["values"]["volume"] == -39.0
    lines = house.room.payload("lines", client)
    assert len(json.dumps(lines)) < 1_000
