"""A link to another machine that does not come about: after 3 s one line says which it is and what helps."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.schema.messages import Speaker
from streaming.telemetry.metrics import Metrics
from streaming.transport.bus import Publisher, Subscriber
from streaming.transport.links import Security
from streaming.transport.sockets import make_keys


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Security]:
    """Machines: `server` publishes; `friend` and it know each other, `stranger` knows it, `astray` knows another."""
    made = {name: make_keys(tmp_path / name) for name in ("server", "friend", "stranger", "astray")}
    for name in ("friend", "astray"):
        shutil.copy(tmp_path / name / "antiphon.key", tmp_path / "server" / "allowed" / f"{name}.key")
    for name in ("friend", "stranger"):
        shutil.copy(tmp_path / "server" / "antiphon.key", tmp_path / name / "allowed" / "speaker.key")
    return made


@pytest.fixture
def http() -> Iterator[str]:
    """A port at which something else answers."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 5)
                connection.close()
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.close()


def lines_of(address: str, security: Security | None, seconds: float = 3.8) -> list[str]:
    """What a reader says in so many seconds, and none of it before 2.9 s."""
    metrics = Metrics()
    reader = Subscriber({"speaker": address}, metrics, security)
    lines: list[str] = []
    try:
        for step in range(round(seconds / 0.05)):
            reader.drain()
            time.sleep(0.05)
            lines += metrics.take().notes
            assert not lines or step >= 50
    finally:
        reader.close()
    return lines


def test_each_reason_has_its_own_line(keys: dict[str, Security], http: str) -> None:
    publisher = Publisher("speaker", "tcp://127.0.0.1:0", keys["server"])
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
    cases = {
        "refused": (publisher.address, keys["stranger"], "refuses the key of this machine; copy antiphon.key"),
        "expected": (publisher.address, keys["astray"], "has another key than is expected here; copy its antiphon.key"),
        "nobody": (nobody, keys["friend"], "does not answer; start it there (run_live.py stage speaker)"),
        "other": (http, keys["friend"], "is no stage with keys"),
        "good": (publisher.address, keys["friend"], ""),
    }
    said: dict[str, list[str]] = {}

    def ask(name: str, address: str, security: Security) -> None:
        said[name] = lines_of(address, security)

    threads = [threading.Thread(target=ask, args=(name, *case[:2])) for name, case in cases.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publisher.close()
    for name, (address, _, words) in cases.items():
        assert len(said[name]) == (1 if words else 0), (name, said[name])
        assert not words or (words in said[name][0] and f"speaker at {address} " in said[name][0])


def test_a_stage_that_comes_later_is_said_to_be_there(keys: dict[str, Security]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    metrics = Metrics()
    reader = Subscriber({"speaker": address}, metrics, keys["friend"])
    lines: list[str] = []
    publisher = None
    try:
        for _ in range(200):
            lines += metrics.take().notes
            if lines and publisher is None:
                publisher = Publisher("speaker", address, keys["server"])
            if publisher is not None:
                publisher.send(Speaker(tick=1, dac_ns=2))
            if reader.drain() and len(lines) == 2:
                break
            time.sleep(0.05)
    finally:
        reader.close()
        if publisher is not None:
            publisher.close()
    assert "does not answer" in lines[0]
    assert lines[1:] == [f"speaker at {address} is connected"]
