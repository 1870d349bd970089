"""An installation by the real command: systemd hears of it, Prometheus reads it, nobody is there, light is sent."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streaming.remote.show_control.lights.artnet import PORT, pack_artnet, read_artnet
from streaming.remote.show_control.lights.dmx_packet import DmxPacket
from tests.films import write_film
from tests.live.place import ShowFolder, wait_for

pytestmark = pytest.mark.live


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def scraped(port: int) -> dict[str, float]:
    """The metrics of a show, by name and the values of their labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_room_that_nobody_attends_to(stage: ShowFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flashes before the camera for 3 s, then nothing moves: the show becomes calm after 2 s."""
    film = write_film(tmp_path / "room.mp4", list(np.arange(0.3, 3.0, 0.3)), seconds=14.0, size=(160, 120))
    console, log = free_port(socket.SOCK_STREAM), tmp_path / "show.jsonl"
    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind(str(tmp_path / "notify"))
    systemd.settimeout(60.0)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    lamp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    lamp.bind(("127.0.0.2", PORT))
    lamp.settimeout(20.0)
    options = ["--installation", "--attract", "2", "--camera", str(film), "--eyes", "bundle", "--speaker", "none"]
    options += ["--record", "none", "--log", str(log), "--console", str(console), "--duration", "11"]
    options += ["--dmx-in", "artnet:0", "--dmx-out", "artnet:1@127.0.0.2"]
    options += ["--dmx-patch", "guidance=1", "--dmx-patch", "level=1", "--dmx-patch", "onset=2"]
    with stage.begin(*options) as show:
        told = b""
        while b"READY=1" not in told:
            told = systemd.recv(4_096)
        wait_for(lambda: "antiphon_show_seconds" in scraped(console), 30.0)
        for sequence, value in enumerate((0, 100, 200), 1):
            lamp.sendto(pack_artnet(DmxPacket(0, bytes([value, 0]), sequence)), ("127.0.0.1", PORT))
            lamp.sendto(b"Art-Net\0nonsense", ("127.0.0.1", PORT))
        packet = read_artnet(lamp.recv(2_000))
        with urllib.request.urlopen(f"http://127.0.0.1:{console}/health", timeout=20) as answer:
            health = json.load(answer)
        _, errors = show.communicate(timeout=120)
    systemd.setblocking(False)
    lines = [systemd.recv(4_096) for _ in range(12)]
    systemd.close()
    lamp.close()
    assert show.returncode == 0, errors
    assert packet is not None
    assert packet.universe == 1
    assert (health["status"], health["stages"]["lights"], health["stages"]["attract"]) == ("ok", "running", "running")
    assert sum(b"WATCHDOG=1" in line for line in lines) >= 8
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    notes = [event["line"] for event in events if event["event"] == "note"]
    (calm,) = [event for event in events if event.get("line") == "attract: nobody moves: the show is calm"]
    assert 3.0 <= calm["show_s"] <= 8.0
    assert [event["code"] for event in events if event["event"] == "end"] == [0]
    assert any(note.startswith("lights: DMX: a packet from 127.0.0.2 has") for note in notes)
    assert os.listdir(tmp_path / "films") == [] if (tmp_path / "films").exists() else True
