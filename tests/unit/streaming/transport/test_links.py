"""Addresses, ports, keys and CURVE."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from streaming.errors import UserError
from streaming.settings.config import Links
from streaming.telemetry.metrics import Metrics
from streaming.transport.bus import ControlHub, Publisher, Subscriber
from streaming.transport.links import address_of, load_keys
from streaming.transport.sockets import make_keys
from tests.unit.streaming.transport.bus_messages import join, speaker


def test_addresses(tmp_path: Path) -> None:
    links = Links(run_dir=str(tmp_path), addresses={"camera": "tcp://127.0.0.1:5555", "motion": "tcp://10.0.0.7:5556"})
    assert address_of(links, "sound") == f"ipc://{tmp_path}/sound.sock"
    assert address_of(links, "camera", bind=True) == "tcp://127.0.0.1:5555"
    with pytest.raises(UserError, match="allow_remote"):
        address_of(links, "motion", bind=True)
    with pytest.raises(UserError, match="keys"):
        address_of(links, "motion")
    allowed = Links(addresses={"motion": "tcp://*:5556"}, allow_remote=True, keys=str(tmp_path))
    assert address_of(allowed, "motion", bind=True) == "tcp://*:5556"
    with pytest.raises(UserError, match="no host to connect to"):
        address_of(allowed, "motion")
    for bad in ("10.0.0.7:1", "tcp://", "tcp://host", "ipc:///tmp/x", "tcp://h:1;tcp://i:2", "tcp://127.0.0.1:1\n"):
        with pytest.raises(UserError, match="not an address"):
            address_of(Links(addresses={"motion": bad}), "motion", bind=True)
    with pytest.raises(UserError, match="too long"):
        address_of(Links(run_dir="/tmp/" + "x" * 120), "motion")


def test_an_open_port_without_keys_is_refused_even_when_asked_for_directly() -> None:
    with pytest.raises(UserError, match="CURVE"):
        Publisher("sound", "tcp://0.0.0.0:0")
    with pytest.raises(UserError, match="CURVE"):
        ControlHub("tcp://*:0")


def test_a_port_in_use_is_a_users_error(closing: Any) -> None:
    taken = closing(socket.socket())
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    with pytest.raises(UserError, match="in use"):
        Publisher("sound", f"tcp://127.0.0.1:{taken.getsockname()[1]}")


def test_keys_are_private_and_checked(tmp_path: Path) -> None:
    security = make_keys(tmp_path)
    assert make_keys(tmp_path) == security
    assert security.secret.decode() not in repr(security)
    secret = tmp_path / "antiphon.key_secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    secret.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        load_keys(tmp_path)
    secret.chmod(0o600)
    (tmp_path / "allowed" / "broken.key").write_text('public-key = "short"')
    with pytest.raises(UserError, match="broken"):
        load_keys(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        load_keys(tmp_path / "nowhere")


def test_curve_lets_in_who_is_allowed_and_nobody_else(tmp_path: Path, closing: Any) -> None:
    server, friend, stranger = (make_keys(tmp_path / name) for name in ("server", "friend", "stranger"))
    shutil.copy(tmp_path / "friend/antiphon.key", tmp_path / "server/allowed/friend.key")
    shutil.copy(tmp_path / "server/antiphon.key", tmp_path / "friend/allowed/speaker.key")
    shutil.copy(tmp_path / "server/antiphon.key", tmp_path / "stranger/allowed/127.0.0.1.key")
    publisher = closing(Publisher("speaker", "tcp://127.0.0.1:0", server))
    address = {"speaker": publisher.address}
    plain = closing(Subscriber(address, Metrics()))
    unknown = closing(Subscriber(address, Metrics(), stranger))
    # Knows a key on the list, but expects another publisher: an impostor would be refused likewise.
    astray = closing(Subscriber(address, Metrics(), make_keys(tmp_path / "astray")))
    allowed = closing(Subscriber(address, Metrics(), friend))
    # Said until heard: an echo that answers at once fills the queue within the millisecond after which ZeroMQ looks.
    for _ in range(30):
        join(publisher, allowed, speaker)
        assert plain.drain() == unknown.drain() == astray.drain() == {}
    own = closing(Subscriber(address, Metrics(), server))
    join(publisher, own, speaker)
    assert plain.drain() == unknown.drain() == astray.drain() == {}


def test_a_link_that_was_refused_for_long_and_never_looked_at_closes(tmp_path: Path, closing: Any) -> None:
    server = make_keys(tmp_path / "server")
    publisher = closing(Publisher("speaker", "tcp://127.0.0.1:0", server))
    refused = Subscriber({"speaker": publisher.address}, Metrics(), make_keys(tmp_path / "stranger"))
    # As many events as fill the monitor: ZeroMQ's thread then waits, and waited for the monitor's reader for ever.
    time.sleep(10.0)
    closer = threading.Thread(target=refused.close, daemon=True)
    closer.start()
    closer.join(5.0)
    assert not closer.is_alive()
