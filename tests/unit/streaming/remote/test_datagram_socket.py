"""What arrives as datagrams waits in a bounded queue, and nobody waits for what goes out or for the end."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from streaming.errors import UserError
from streaming.remote.datagram_socket import DatagramSocket
from streaming.timing import clock
from tests.live.place import wait_for

OPTION = ("--desk", "take another port")


class Rig:
    """A socket, and somebody who sends to it."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, **more: Any) -> None:
        self.woken, self.counts = 0, Counter[str]()
        options = {"name": "desk", "option": OPTION, "max_bytes": 8, "max_queue": 4, **more}
        self.socket = DatagramSocket(host, port, self.wake, self.count, **options)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.other = socket.socket(family, socket.SOCK_DGRAM)
        self.other.settimeout(10.0)
        self.other.bind((host.replace("0.0.0.0", "127.0.0.1"), 0))

    def wake(self) -> None:
        self.woken += 1

    def count(self, name: str) -> None:
        self.counts[name] += 1

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self._send_one(datagram)

    def _send_one(self, datagram: bytes) -> None:
        before = self.woken
        self.other.sendto(datagram, self.socket.address)
        wait_for(lambda: self.woken > before, 10.0)

    def close(self) -> None:
        self.socket.close()
        self.other.close()


@pytest.fixture
def rigs() -> Iterator[list[Rig]]:
    opened: list[Rig] = []
    yield opened
    for rig in opened:
        rig.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_come_with_their_senders_and_are_answered(rigs: list[Rig], host: str) -> None:
    rigs.append(rig := Rig(host))
    sender = rig.other.getsockname()[:2]
    rig.send(b"one", b"longer than 8")
    assert rig.socket.take() == [(b"one", sender), (b"longer t", sender)]
    assert rig.socket.take() == []
    rig.socket.send(b"answer", sender)
    assert rig.other.recv(100) == b"answer"


def test_a_peer_is_told_an_address_that_it_reaches(rigs: list[Rig]) -> None:
    rigs.extend([Rig(), Rig("0.0.0.0")])
    assert [rig.socket.host_towards(rig.other.getsockname()) for rig in rigs] == ["127.0.0.1", "127.0.0.1"]
    assert rigs[0].socket.host_towards(("255.255.255.255", 1)) == "127.0.0.1", "it listens nowhere else"
    assert rigs[1].socket.host_towards(("255.255.255.255", 1)) == "0.0.0.0", "no way is known"


def test_a_flood_drops_the_oldest(rigs: list[Rig]) -> None:
    rigs.append(rig := Rig())
    rig.send(*(bytes([number]) for number in range(10)))
    assert [datagram for datagram, _ in rig.socket.take()] == [bytes([number]) for number in range(6, 10)]
    assert rig.counts == {"desk_dropped": 6}


def test_what_cannot_be_sent_is_counted(rigs: list[Rig]) -> None:
    rigs.append(rig := Rig())
    rig.socket.send(bytes(70_000), rig.other.getsockname())
    assert rig.counts == {"desk_unsent": 1}
    rig.send(b"well")
    assert rig.socket.take()[0][0] == b"well"


def test_a_port_that_is_taken_is_said(rigs: list[Rig]) -> None:
    rigs.append(rig := Rig())
    port = rig.socket.address[1]
    with pytest.raises(UserError) as error:
        Rig(port=port)
    assert str(error.value).startswith(f"--desk 127.0.0.1:{port}: cannot be listened at")


def test_it_closes_at_once_though_another_program_has_the_port_too(rigs: list[Rig]) -> None:
    first = Rig(shared=True)
    rigs.append(Rig(port=first.socket.address[1], shared=True))
    begin_ns = clock.now_ns()
    first.close()
    assert clock.now_ns() - begin_ns < 900_000_000
