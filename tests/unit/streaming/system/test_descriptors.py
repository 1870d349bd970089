"""A process whose descriptors run out gets more, before a connection ends it."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from streaming.system.descriptors import ROOM, keep_room

CONNECT = """
import sys, zmq
link = zmq.Context().socket(zmq.DEALER)
link.connect(sys.argv[1])
link.send(b"hello")
sys.stdin.read()
"""
SERVE = """
import resource, subprocess, sys, zmq
from streaming.system.descriptors import keep_room
hub = zmq.Context().socket(zmq.ROUTER)
hub.bind(sys.argv[1])
other = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], stdin=subprocess.PIPE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
assert keep_room()
print(hub.poll(20_000))
other.kill()
"""


@pytest.fixture
def limit() -> object:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_where_there_is_room_nothing_changes(limit: tuple[int, int]) -> None:
    assert keep_room()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limit


def test_a_limit_that_is_reached_is_raised(limit: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limit[1]))
    assert keep_room()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert (soft > 3 + ROOM, hard) == (True, limit[1])
    Path("/dev/null").open().close()


def test_a_process_that_was_left_none_takes_a_connection(tmp_path: Path) -> None:
    """Without more room libzmq aborts it."""
    words = [sys.executable, "-c", SERVE, f"ipc://{tmp_path}/hub", CONNECT]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr
