"""An installation by the real command: systemd hears of it, Prometheus reads it, nobody is there, light is sent."""

from __future__ import annotations

import json
import os
import socket
import threading
import urllib.request
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streaming.commands.control_client import request_control
from streaming.remote.show_control.lights.artnet import PORT, pack_artnet, read_artnet
from streaming.remote.show_control.lights.dmx_packet import DmxPacket
from streaming.settings.config import Links
from tests.live.place import ShowFolder, wait_for

pytestmark = [pytest.mark.live, pytest.mark.faults]


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def room_film(path: Path, moving_s: float = 4.0, seconds: float = 16.0) -> Path:
    """A film of something that swings for a while and then hangs still before a wall."""
    wall = np.random.default_rng(1).integers(60, 120, (120, 160, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(round(25 * seconds)):
            image = wall.copy()
            place = 60 + round(40 * np.sin(min(number / 25, moving_s) * 2.0 * np.pi))
            image[40:90, place : place + 30] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


class ServiceManagerSocket:
    """What systemd would hear."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(b"", self._path)
        self._thread.join(20.0)
        self._socket.close()

    def _hear(self) -> None:
        while line := self._socket.recv(4_096):
            self.told.append(line.decode())


def scraped(port: int) -> dict[str, float]:
    """The metrics of a show, by name and the values of their labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def poll_replies(lamp: socket.socket, count: int) -> list[bytes]:
    """The next answers to a poll among what a light desk hears."""
    found: list[bytes] = []
    while len(found) < count:
        datagram = lamp.recv(2_000)
        found += [datagram] if datagram[8:10] == b"\0\x21" else []
    return found


def test_a_room_that_nobody_attends_to(stage: ShowFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something moves before the camera for 4 s, then nothing: the show becomes calm; a light desk finds it."""
    film = room_film(tmp_path / "room.mp4")
    console, log = free_port(socket.SOCK_STREAM), tmp_path / "show.jsonl"
    systemd = ServiceManagerSocket(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    lamp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    lamp.bind(("127.0.0.2", PORT))
    lamp.settimeout(20.0)
    options = ["--installation", "--attract", "2", "--camera", str(film), "--eyes", "bundle", "--speaker", "none"]
    options += ["--record", "none", "--log", str(log), "--console", str(console), "--duration", "14"]
    options += ["--dmx-in", "artnet:0", "--dmx-out", "artnet:1@127.0.0.2"]
    options += ["--dmx-patch", "guidance=1", "--dmx-patch", "level=1", "--dmx-patch", "onset=2"]
    with stage.begin(*options) as show:
        wait_for(lambda: any("READY=1" in line for line in systemd.told))
        wait_for(lambda: "antiphon_show_seconds" in scraped(console), 30.0)
        with urllib.request.urlopen(f"http://127.0.0.1:{console}/health", timeout=20) as answer:
            health = json.load(answer)
        for sequence, value in enumerate((0, 100, 197), 1):
            lamp.sendto(pack_artnet(DmxPacket(0, bytes([value, 0]), sequence)), ("127.0.0.1", PORT))
            lamp.sendto(b"Art-Net\0\0\x50short", ("127.0.0.1", PORT))
        packet = read_artnet(lamp.recv(2_000))
        lamp.sendto(b"Art-Net\0\0\x20\0\x0e\0\0", ("127.0.0.1", PORT))
        found = poll_replies(lamp, 2)
        links = Links(run_dir=str(stage.run_dir))
        wait_for(lambda: "guidance      3.2" in "\n".join(request_control(links, "", "")), 10.0)
        _, errors = show.communicate(timeout=120)
    systemd.close()
    lamp.close()
    assert show.returncode == 0, errors
    assert packet is not None
    assert packet.universe == 1
    assert sorted((reply[174], reply[186] | reply[190], len(reply)) for reply in found) == [(64, 1, 239), (128, 0, 239)]
    assert (health["status"], health["stages"]["lights"], health["stages"]["attract"]) == ("ok", "running", "running")
    assert sum("WATCHDOG=1" in line for line in systemd.told) >= 8
    assert systemd.told[-1] == "STOPPING=1\nSTATUS=ended"
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    notes = [event["line"] for event in events if event["event"] == "note"]
    (calm,) = [event for event in events if event.get("line") == "attract: nobody moves: the show is calm"]
    assert calm["show_s"] >= 5.0
    assert [event["code"] for event in events if event["event"] == "end"] == [0]
    assert any(note.startswith("lights: DMX: a packet from 127.0.0.2 has") for note in notes)
    assert os.listdir(tmp_path / "films") == [] if (tmp_path / "films").exists() else True
