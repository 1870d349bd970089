"""Stages forked from a process that has imported everything: real processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.runtime.children.child_process import ChildProcess
from streaming.runtime.children.fork_server import ForkClient, ForkedProcess, adopt_orphans
from tests.live.place import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a process adopts orphans on Linux only")
SERVER = """
import os, sys
from streaming.runtime.children.fork_server import end_fork, serve_forks
if serve_forks(int(sys.argv[1])):
    line = os.read(0, 4096).decode()
    print("heard", line.strip(), flush=True)
    os.read(0, 1)
    end_fork(3)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[ForkClient, ChildProcess]]:
    assert adopt_orphans()
    client = ForkClient()
    command = [sys.executable, "-c", SERVER, str(client.server_end)]
    process = ChildProcess(command, tmp_path / "server.log", pass_fds=(client.server_end,))
    client.release_server_end()
    wait_for(client.ready, 30.0)
    yield client, process
    client.close()
    process.kill()
    process.wait(5.0)
    process.close_lifeline()


def forked(client: ForkClient, log: Path) -> ForkedProcess:
    child = client.fork(log)
    assert child is not None
    return child


def test_a_fork_gets_its_line_and_log_and_ends_with_its_lifeline(
    server: tuple[ForkClient, ChildProcess], tmp_path: Path
) -> None:
    children = [forked(server[0], tmp_path / f"{number}.log") for number in range(3)]
    assert len({child.pid for child in children}) == 3
    for number, child in enumerate(children):
        child.assign({"number": number})
    wait_for(lambda: all(child.last_lines() for child in children), 10.0)
    assert [child.last_lines() for child in children] == [[f'heard {{"number":{number}}}'] for number in range(3)]
    assert all(child.poll() is None and child.usage() for child in children)
    assert all(os.getpgid(child.pid) == child.pid for child in children)
    children[0].close_lifeline()
    children[0].wait(5.0)
    children[1].kill()
    children[1].wait(5.0)
    children[2].terminate()
    children[2].wait(5.0)
    assert [child.poll() for child in children] == [3, -signal.SIGKILL, -signal.SIGTERM]
    children[1].kill()
    assert children[1].usage() is None
    for child in children[1:]:
        child.close_lifeline()


def test_a_server_that_was_killed_forks_nothing(server: tuple[ForkClient, ChildProcess], tmp_path: Path) -> None:
    client, process = server
    process.kill()
    process.wait(5.0)
    assert client.fork(tmp_path / "x.log") is None


def test_a_server_ends_with_its_channel(server: tuple[ForkClient, ChildProcess]) -> None:
    client, process = server
    client.close()
    process.wait(5.0)
    assert process.poll() == 0
