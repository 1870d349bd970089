"""WHIP and WHEP as a client of HTTP sees them, and who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.applications import Starlette

from streaming.devices.browser.bridge import BrowserBridge
from streaming.devices.browser.offer_text import MAX_OFFER
from streaming.remote.browser.browser_routes import BrowserRoutes
from streaming.remote.browser.browser_stage import hosts_of
from streaming.remote.console.access import HEADERS, AccessGuard, AccessRules
from tests.unit.streaming.devices.browser.peer_client import PeerClient, TestPicture, until

SDP = {"Content-Type": "application/sdp"}
HOST = "http://127.0.0.1:8420"


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def path(tmp_path: Path, notes: list[str]) -> Iterator[Path]:
    place = tmp_path / "browser.sock"
    bridge = BrowserBridge(place, ("camera", "screen"), ["127.0.0.1"], notes.append)
    yield place
    bridge.close()


def client_of(path: Path, token: str = "") -> httpx.AsyncClient:
    app = AccessGuard(Starlette(routes=BrowserRoutes(path, HEADERS).routes()), AccessRules("127.0.0.1", 8420, token))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=HOST)


def test_whip_takes_an_offer_and_ends_with_delete(path: Path, notes: list[str]) -> None:
    async def play() -> None:
        sender = PeerClient()
        sender.connection.addTrack(TestPicture((200, 60, 20)))
        async with client_of(path) as client:
            answer = await client.post("/whip", content=await sender.offer(), headers=SDP)
            assert answer.status_code == 201
            assert answer.headers["content-type"] == "application/sdp"
            place = answer.headers["location"]
            assert place.startswith("/whip/")
            await sender.accept(answer.text)
            await until(lambda: "a browser sends its camera" in notes)
            assert (await client.delete(place)).status_code == 200
            assert (await client.delete(place)).status_code == 404
            await until(lambda: "the browser that sent its camera has gone" in notes)
        await sender.close()

    asyncio.run(play())


def test_whep_answers_who_wants_to_see(path: Path, notes: list[str]) -> None:
    async def watch() -> None:
        viewer = PeerClient()
        viewer.connection.addTransceiver("video", direction="recvonly")
        async with client_of(path) as client:
            answer = await client.post("/whep", content=await viewer.offer(), headers=SDP)
            assert answer.status_code == 201
            assert "a=sendonly" in answer.text
            await viewer.accept(answer.text)
            await until(lambda: "a browser is screen" in notes)
            assert (await client.delete(answer.headers["location"])).status_code == 200
        await viewer.close()

    asyncio.run(watch())


def test_what_is_refused(path: Path, tmp_path: Path) -> None:
    async def ask() -> None:
        async with client_of(path) as client:
            for body, headers, status in (
                (b"v=0", {"Content-Type": "text/plain"}, 415),
                (b"v=0", SDP, 400),
                (b"\xff\xfe", SDP, 400),
                (b"v=0\r\n" + b"a" * MAX_OFFER, SDP, 413),
                (b"v=0", {**SDP, "Origin": "http://evil.example"}, 403),
                (b"v=0", {**SDP, "Host": "evil.example"}, 403),
                (b"v=0", {**SDP, "Sec-Fetch-Site": "cross-site"}, 403),
            ):
                answer = await client.post("/whip", content=body, headers=headers)
                assert answer.status_code == status, answer.text
                assert answer.text.count("\n") == 1
            assert (await client.patch("/whip/x", content=b"")).status_code == 405
            assert (await client.get("/whip")).status_code == 405
            assert (await client.get("/play/kinds")).json()["kinds"] == ["camera", "screen"]
            page = await client.get("/play")
            assert page.status_code == 200
            assert "default-src 'none'" in page.headers["content-security-policy"]
        async with client_of(path, token="a-word-that-nobody-guesses") as client:
            assert (await client.post("/whip", content=b"v=0", headers=SDP)).status_code == 401
            bearer = {**SDP, "Authorization": "Bearer a-word-that-nobody-guesses"}
            assert (await client.post("/whip", content=b"v=0", headers=bearer)).status_code == 400
        async with client_of(tmp_path / "nobody.sock") as client:
            answer = await client.post("/whip", content=b"v=0", headers=SDP)
            assert answer.status_code == 503
            assert "start it with --camera browser" in answer.text
            assert (await client.get("/play/kinds")).json()["kinds"] == []

    asyncio.run(ask())


def test_connections_use_the_addresses_at_which_the_console_listens() -> None:
    assert hosts_of("8420") == ["127.0.0.1"]
    assert hosts_of("192.0.2.7:8420") == ["127.0.0.1", "192.0.2.7"]
    assert hosts_of("0.0.0.0:8420") == []
