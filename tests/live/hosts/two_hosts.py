"""Two hosts on one machine: network namespaces, joined by a cable that delays and loses packets.

The second host has a time namespace too, in which its monotonic clock is a day ahead, as between real machines.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import random
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from streaming.timing import clock

HERE, THERE = "10.77.0.1", "10.77.0.2"
_OFFLOADS = (0x16, 0x17, 0x19, 0x1F, 0x22, 0x24, 0x2C)
"""ETHTOOL_SRXCSUM, STXCSUM, SSG, STSO, SUFO, SGSO, SGRO: work that the kernel leaves to a card, which is not there."""


@dataclass(frozen=True)
class Cable:
    """What a cable does to packets.

    Attributes:
        delay_s, jitter_s: of each packet, uniformly `delay_s` - `jitter_s` to `delay_s` + `jitter_s`, in order.
        loss: share of packets that are lost.
    """

    delay_s: float
    jitter_s: float
    loss: float


def can_make_hosts() -> bool:
    """Whether this user may make network namespaces here."""
    made = subprocess.run(["ip", "netns", "add", "antiphon-try"], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", "antiphon-try"], check=False)
    return made and hasattr(socket, "AF_PACKET")


def in_host(name: str, command: list[str], ahead_s: int = 0) -> list[str]:
    """A command as it is run in a host, with its clock ahead."""
    clock = ["unshare", "--time", "--monotonic", str(ahead_s), "--fork", "--kill-child"] if ahead_s else []
    return ["ip", "netns", "exec", name, *clock, *command]


@contextlib.contextmanager
def two_hosts(cable: Cable) -> Iterator[tuple[str, str]]:
    """Two hosts with the addresses `HERE` and `THERE`; gives their names."""
    number = os.getpid()
    names = f"antiphon-a{number}", f"antiphon-b{number}"
    ends = f"wa{number}", f"wb{number}"
    try:
        for name, end, address in zip(names, ends, (HERE, THERE), strict=True):
            for command in (
                f"ip netns add {name}",
                f"ip link add {end} type veth peer name eth0 netns {name}",
                f"ip link set {end} up",
                f"ip netns exec {name} ip link set lo up",
                f"ip netns exec {name} ip addr add {address}/24 dev eth0",
                f"ip netns exec {name} ip link set eth0 up",
            ):
                subprocess.run(command.split(), check=True, capture_output=True)
            _without_offloads(name)
        with _joined(ends, cable):
            yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _without_offloads(name: str) -> None:
    script = (
        "import fcntl,socket,struct,ctypes\n"
        "s=socket.socket()\n"
        f"for c in {_OFFLOADS}:\n"
        "    b=ctypes.create_string_buffer(struct.pack('II',c,0))\n"
        f"    r=struct.pack('16sP',b'eth0',ctypes.addressof(b))\n"
        "    try: fcntl.ioctl(s,0x8946,r)\n"
        "    except OSError: pass\n"
    )
    subprocess.run(["ip", "netns", "exec", name, "python3", "-c", script], check=True, capture_output=True)


@contextlib.contextmanager
def _joined(ends: tuple[str, str], cable: Cable) -> Iterator[None]:
    sockets = []
    for end in ends:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        raw.bind((end, 0))
        sockets.append(raw)
    ended = threading.Event()
    thread = threading.Thread(target=_carry, args=(sockets, cable, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(2.0)
        for raw in sockets:
            raw.close()


def _carry(sockets: list[socket.socket], cable: Cable, ended: threading.Event) -> None:
    """Carry packets from each end to the other, late, and not all of them."""
    chance, order = random.Random(1), itertools.count()
    waiting: list[tuple[float, int, socket.socket, bytes]] = []
    due = dict.fromkeys(sockets, 0.0)
    while not ended.is_set():
        now = clock.now_ns() / 1e9
        while waiting and waiting[0][0] <= now:
            _, _, target, packet = heapq.heappop(waiting)
            with contextlib.suppress(OSError):
                target.send(packet)
        wait_s = min(0.05, max(0.0, waiting[0][0] - now)) if waiting else 0.05
        for source in select.select(sockets, [], [], wait_s)[0]:
            packet, place = source.recvfrom(65_535)
            if place[2] == socket.PACKET_OUTGOING or chance.random() < cable.loss:
                continue
            target = sockets[1 - sockets.index(source)]
            at = clock.now_ns() / 1e9 + cable.delay_s + cable.jitter_s * chance.uniform(-1.0, 1.0)
            due[target] = max(due[target], at)
            heapq.heappush(waiting, (due[target], next(order), target, packet))
