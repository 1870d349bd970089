"""What a service manager is told, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.system.service_manager import READY, ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.settimeout(10.0)
        yield one


def test_lines_and_status_are_one_datagram(manager: socket.socket) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"})
    assert service.watchdog_ns == 15_000_000_000
    service.tell(READY, status="performing\nfor 3 s")
    assert manager.recv(1_000) == b"READY=1\nSTATUS=performing for 3 s"


def test_an_abstract_socket_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(f"\0antiphon-test-{os.getpid()}")
        one.settimeout(10.0)
        ServiceManager({"NOTIFY_SOCKET": f"@antiphon-test-{os.getpid()}"}).tell(READY)
        assert one.recv(1_000) == b"READY=1"


def test_without_a_manager_nothing_is_sent_and_nothing_fails(tmp_path: Path) -> None:
    ServiceManager({}).tell(READY)
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell(READY)
    assert not ServiceManager({"NOTIFY_SOCKET": "vsock:2:1"}).present


def test_a_watchdog_for_another_process_is_not_mine() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
    assert ServiceManager(environ).watchdog_ns == 0
    assert ServiceManager({**environ, "WATCHDOG_PID": str(os.getpid())}).watchdog_ns == 500_000_000
    assert ServiceManager({**environ, "WATCHDOG_USEC": "soon"}).watchdog_ns == 0
