"""The browser process and the devices of its stages, with both ends of WebRTC in this process and no browser."""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.devices.browser.bridge import BrowserBridge
from streaming.devices.browser.camera import BrowserCamera
from streaming.devices.browser.microphone import BrowserMicrophone
from streaming.devices.browser.offer_text import MAX_CANDIDATES, OfferError, checked_offer, offered_kinds
from streaming.devices.browser.screen import BrowserScreen
from streaming.devices.browser.speaker import BrowserSpeaker
from streaming.devices.sound.inputs import Intake
from streaming.devices.sound.outputs import ChannelPlan
from streaming.errors import UserError
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from tests.unit.streaming.devices.browser.peer_client import PeerClient, TestPicture, TestTone, ask, until

ALL = ("camera", "microphone", "screen", "speaker")
LOCAL = ["127.0.0.1"]


class BridgeBench:
    """A browser process's server, and what it said."""

    def __init__(self, folder: Path, kinds: tuple[str, ...] = ALL) -> None:
        self.notes: list[str] = []
        self.path = folder / "browser.sock"
        self.bridge = BrowserBridge(self.path, kinds, LOCAL, self.notes.append)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[BridgeBench]:
    one = BridgeBench(tmp_path)
    yield one
    one.bridge.close()
    one.bridge.close()
    assert not one.path.exists()


def heard_hz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.shape[0])))
    return float(np.argmax(spectrum) * rate / samples.shape[0])


def test_pictures_and_sound_arrive_at_camera_and_microphone_and_a_sender_may_go_and_come(bench: BridgeBench) -> None:
    context = Context(show=Show(), metrics=Metrics(), now_ns=clock.now_ns())
    camera, microphone, intake = BrowserCamera(bench.path), BrowserMicrophone(bench.path), Intake(32_000)
    camera.open(context)
    still = camera.poll(clock.now_ns())
    assert still is not None
    assert still.image.max() < 30, "a dark still until somebody comes"
    microphone.start(intake)
    heard: list[np.ndarray] = []

    async def play() -> None:
        sender = PeerClient()
        sender.connection.addTrack(TestPicture((200, 60, 20)))
        sender.connection.addTrack(TestTone(440.0, channels=2))
        reply = await sender.connect(bench.path, "publish")
        assert "127.0.0.1" in reply["answer"]
        assert " typ srflx" not in reply["answer"]

        def bright() -> Any:
            frame = camera.poll(clock.now_ns())
            return frame if frame is not None and frame.image.max() > 100 else None

        frame = await until(bright)
        assert frame.image.shape == (240, 320, 3)
        assert np.abs(frame.image[120, 160].astype(int) - (200, 60, 20)).max() < 16
        assert 0 <= clock.now_ns() - frame.capture_ns < 1_000_000_000
        await until(lambda: microphone.away is False)
        for _ in range(10):
            await asyncio.sleep(0.1)
            while (piece := intake.take(8_000)) is not None:
                heard.append(piece[1])
        assert "a browser sends its camera and microphone" in bench.notes
        assert await ask(bench.path, {"do": "end", "name": reply["name"]}) == {"status": 200}
        assert await ask(bench.path, {"do": "end", "name": reply["name"]}) == {"status": 404}
        await sender.close()
        await until(lambda: microphone.away)
        await until(lambda: context.info.get("away"))
        assert "the browser that sent its camera and microphone has gone" in bench.notes
        again = PeerClient()
        again.connection.addTrack(TestPicture((20, 220, 20)))
        assert (await again.connect(bench.path, "publish"))["status"] == 201
        await until(lambda: context.info.get("away") is False)
        await again.close()

    try:
        asyncio.run(play())
        loud = max(heard, key=lambda piece: float(np.abs(piece).mean()))
        assert heard_hz(loud, 32_000) == pytest.approx(440.0, abs=8.0)
        assert 0.2 < np.abs(loud).max() < 0.5, "two equal channels are as loud as one"
    finally:
        camera.close()
        microphone.close()


def test_pictures_and_sound_of_the_show_arrive_at_who_watches(bench: BridgeBench) -> None:
    screen, speaker = BrowserScreen(bench.path), BrowserSpeaker(bench.path)
    ended = threading.Event()

    def perform() -> None:
        position = 0

        def tone(block: np.ndarray, delay_ns: int, due_ns: int = 0) -> None:
            nonlocal position
            at = np.arange(position, position + block.shape[0])
            for side, hz in enumerate((600.0, 900.0)):
                block[:, side] = 0.4 * np.sin(2 * np.pi * hz * at / 48_000)
            position += block.shape[0]

        # A show that began without a width: it may be turned up later.
        speaker.arrange(ChannelPlan())
        speaker.start(tone)  # type: ignore[arg-type]
        tick = 0
        while not ended.wait(0.04):
            screen.show(tick, np.full((101, 151, 3), (30, 30, 210), np.uint8))
            tick += 1

    performing = threading.Thread(target=perform)
    performing.start()

    async def watch() -> None:
        viewer = PeerClient()
        viewer.connection.addTransceiver("video", direction="recvonly")
        viewer.connection.addTransceiver("audio", direction="recvonly")
        reply = await viewer.connect(bench.path, "view")
        assert reply["status"] == 201
        await until(lambda: len(viewer.got.get("audio", [])) >= 40 and len(viewer.got.get("video", [])) >= 3)
        picture = viewer.got["video"][-1].to_ndarray(format="bgr24")
        assert picture.shape == (100, 150, 3), "even sides"
        assert np.abs(picture[50, 75].astype(int) - (30, 30, 210)).max() < 16
        sound = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in viewer.got["audio"][-30:]])
        for side, hz in enumerate((600.0, 900.0)):
            assert heard_hz(sound[:, side] / 32_768.0, 48_000) == pytest.approx(hz, abs=4.0)
        assert "a browser is screen and speaker" in bench.notes
        await viewer.close()

    try:
        asyncio.run(watch())
    finally:
        ended.set()
        performing.join()
        screen.close()
        speaker.close()


def test_one_sends_at_a_time_and_what_is_not_wanted_is_refused(tmp_path: Path) -> None:
    bench = BridgeBench(tmp_path, ("camera", "screen"))
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o600

    async def play() -> None:
        first, second, listener, late = (PeerClient() for _ in range(4))
        for one in (first, second):
            one.connection.addTrack(TestPicture((200, 60, 20)))
        first.connection.addTrack(TestTone(440.0))
        reply = await first.connect(bench.path, "publish")
        audio = next(part for part in reply["answer"].split("m=") if part.startswith("audio"))
        assert "a=inactive" in audio, "the show's microphone is no browser"
        refused = await second.connect(bench.path, "publish")
        assert (refused["status"], refused["refused"]) == (409, "another browser sends its camera already")
        listener.connection.addTransceiver("audio", direction="recvonly")
        refused = await listener.connect(bench.path, "view")
        assert refused["status"] == 404
        assert "without --screen browser and --speaker browser" in refused["refused"]
        await first.close()
        late.connection.addTrack(TestPicture((1, 2, 3)))
        offer = await late.offer()

        async def taken() -> dict[str, Any]:
            return await ask(bench.path, {"do": "publish", "offer": offer})

        for _ in range(100):
            if (reply := await taken())["status"] == 201:
                break
            await asyncio.sleep(0.1)
        assert reply["status"] == 201, "the first one sends nothing any more"
        for bad, status in (
            ("", 400),
            ("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendonly\r\n", 400),
            ("v=0\r\n" + "a" * 70_000, 413),
        ):
            assert (await ask(bench.path, {"do": "publish", "offer": bad}))["status"] == status
        assert (await ask(bench.path, {"do": "dance"}))["status"] == 400
        assert await ask(bench.path, {"do": "kinds"}) == {"status": 200, "kinds": ["camera", "screen"]}
        for one in (second, listener, late):
            await one.close()

    try:
        asyncio.run(play())
    finally:
        bench.bridge.close()


def test_rubbish_at_the_local_socket_ends_that_connection_alone(bench: BridgeBench) -> None:
    async def send() -> None:
        for rubbish in (
            b"\n",
            b"[1]\n",
            b"\xff\xfe\n",
            b"x" * 200_000 + b"\n",
            b'{"do": "give", "kind": "screen"}\n' * 9,
        ):
            reader, writer = await asyncio.open_unix_connection(str(bench.path))
            writer.write(rubbish)
            writer.write_eof()
            while await reader.read(4096):
                continue
            writer.close()
        assert (await ask(bench.path, {"do": "kinds"}))["status"] == 200

    asyncio.run(send())


def test_only_numeric_addresses_of_udp_are_used_of_an_offer() -> None:
    def candidate(host: str, protocol: str = "udp") -> str:
        return f"a=candidate:1 1 {protocol} 2113937151 {host} 50000 typ host"

    usable = [candidate("192.168.1.7"), candidate("fe80::1")]
    left_out = [candidate("b7a2.local"), candidate("10.0.0.1", "tcp"), candidate("example.org"), "a=candidate:1 1 udp"]
    lines = ["v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96", *usable, *left_out, "a=end-of-candidates", "a=sendonly"]
    assert checked_offer("\r\n".join(lines)).split("\r\n") == [*lines[:2], *usable, "a=sendonly", ""]
    many = checked_offer("\r\n".join([*lines[:2], *usable * 40]))
    assert many.count("a=candidate") == MAX_CANDIDATES
    with pytest.raises(OfferError, match="is no session description"):
        checked_offer("<html>")


def test_what_an_offer_has() -> None:
    offer = "v=0\r\nm=audio 9 X 1\r\na=recvonly\r\nm=video 9 X 1\r\nm=application 9 X 1\r\na=sendonly\r\n"
    assert offered_kinds(offer, "sendonly") == {"video"}
    assert offered_kinds(offer, "recvonly") == {"audio", "video"}


def test_without_the_library_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "streaming.devices.browser.peers", None)
    with pytest.raises(UserError, match="aiortc cannot be loaded") as caught:
        BrowserBridge(tmp_path / "b.sock", ("camera",), LOCAL, print)
    assert 'pip install -e ".[browser]"' in str(caught.value)
    assert "\n" not in str(caught.value)
